-- Work in the background: notification scripts, jobs, and the look for the end of a notification. A run is made in the
-- transaction of what asks for it, and worked off at least once.
CREATE TABLE runs (
  tenant text NOT NULL,
  id uuid PRIMARY KEY,             -- derived from what asked for it; the handle a script gives to other systems
  kind text NOT NULL CHECK (kind IN ('script', 'job', 'completion')),
  name text NOT NULL,              -- of the script or job
  notification_id uuid NOT NULL,
  expires_on date NOT NULL,        -- the notification's partition
  recipient text,                  -- null: of the notification as a whole
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'leased', 'done', 'dead', 'cancelled')),
  reason text,
  attempt integer NOT NULL DEFAULT 1, -- the attempt under way or due next
  fence bigint NOT NULL DEFAULT 0, -- grows with every lease; an end with an old fence is refused
  lease_owner text,
  lease_until timestamptz,
  due_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX runs_due ON runs (due_at) WHERE state = 'waiting';
CREATE INDEX runs_leased ON runs (lease_until) WHERE state = 'leased';
CREATE INDEX runs_notification ON runs (notification_id);
CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL;

-- Whom a completion mail goes to (B12).
CREATE INDEX users_company_admins ON users (tenant, id) WHERE 'COMPANY_ADMIN' = ANY (roles);

GRANT SELECT, INSERT, UPDATE ON runs TO tocsin_dispatcher;
GRANT SELECT, UPDATE ON runs TO tocsin_console;
GRANT SELECT, UPDATE, DELETE ON runs TO tocsin_retention;
-- A script runs with its owner's authority: what the owner's key may do, never the key itself.
GRANT SELECT (tenant, id, scopes, expires_at, revoked_at) ON api_keys TO tocsin_dispatcher;

ALTER TABLE runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE runs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON runs TO tocsin_inbox, tocsin_console
  USING (tenant = current_setting('tocsin.tenant', true)) WITH CHECK (tenant = current_setting('tocsin.tenant', true));
CREATE POLICY every_tenant ON runs TO tocsin_dispatcher, tocsin_digest, tocsin_scheduler, tocsin_retention
  USING (true) WITH CHECK (true);
