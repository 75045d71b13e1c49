-- What something that happened to a notification means for each of its recipients, where they are more than one
-- transaction should touch: worked off by the dispatcher's fan-out, a stretch at a time. A row is there until the last.
CREATE TABLE follow_ups (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('completed', 'cancelled', 'scheduled')),
  notification_id uuid NOT NULL,
  expires_on date NOT NULL,        -- the notification's partition
  at timestamptz NOT NULL,         -- when it happened
  recipient_after text NOT NULL,   -- in the order of ids, recipients up to this one are done
  run jsonb,                       -- of 'scheduled': the run that is made for each recipient
  turned_at timestamptz NOT NULL   -- when its turn came last; the oldest goes first
);

GRANT INSERT ON follow_ups TO tocsin_inbox;
GRANT SELECT, INSERT, UPDATE, DELETE ON follow_ups TO tocsin_dispatcher;
GRANT SELECT, UPDATE ON follow_ups TO tocsin_console;

ALTER TABLE follow_ups ENABLE ROW LEVEL SECURITY;
ALTER TABLE follow_ups FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON follow_ups TO tocsin_inbox, tocsin_console
  USING (tenant = current_setting('tocsin.tenant', true)) WITH CHECK (tenant = current_setting('tocsin.tenant', true));
CREATE POLICY every_tenant ON follow_ups TO tocsin_dispatcher USING (true) WITH CHECK (true);

-- The recipients of a notification in the order of their ids, from any of them on.
CREATE INDEX inbox_items_recipients ON inbox_items (notification_id, recipient);
