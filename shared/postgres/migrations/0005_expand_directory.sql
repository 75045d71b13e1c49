-- The directory: groups, their members, and what fan-out needs to walk an audience a piece at a time.

CREATE TABLE groups (              -- ids are unique within a kind; a company is a group too
  tenant text NOT NULL REFERENCES tenants (id),
  kind text NOT NULL,
  id text NOT NULL,
  name text NOT NULL DEFAULT '',
  company text NOT NULL,
  parent text,                     -- the event of an event team, the smart library of an entry
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, kind, id)
);
CREATE INDEX groups_company ON groups (tenant, kind, company, id);
CREATE INDEX groups_parent ON groups (tenant, kind, parent, id) WHERE parent IS NOT NULL;

-- No foreign keys: on the topic a member may come before its group or its user.
CREATE TABLE group_members (
  tenant text NOT NULL,
  kind text NOT NULL,
  group_id text NOT NULL,
  user_id text NOT NULL,
  status text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, kind, group_id, user_id) INCLUDE (status) -- an audience is walked in the index alone
);
-- A hash knows no order: a btree here would tempt the planner to walk all users in order to find a group's.
CREATE INDEX group_members_user ON group_members USING hash (user_id);

-- The newest version applied of whatever was told on directory.changes, removals included: what comes later and is
-- older changes nothing. A hash names it, so that nothing about a person outlives that person's removal.
CREATE TABLE directory_versions (
  tenant text NOT NULL,
  subject bytea NOT NULL,
  version bigint NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, subject)
);

-- A fan-out to an audience goes on behind its listed recipients: `expected` grows until the audience is walked.
ALTER TABLE fanouts
  ADD COLUMN audience jsonb,
  ADD COLUMN audience_open boolean NOT NULL DEFAULT false, -- members are left to resolve
  ADD COLUMN group_after text NOT NULL DEFAULT '',         -- resolved up to this group …
  ADD COLUMN member_after text,                            -- … and up to this member of it; null: all of it
  ADD COLUMN resolved text[] NOT NULL DEFAULT '{}';        -- the last recipients before the cursor, to produce again

GRANT SELECT ON groups, group_members TO tocsin_ingest, tocsin_dispatcher;
GRANT SELECT, INSERT, UPDATE, DELETE ON groups, group_members TO tocsin_console;

-- The console reads directory.changes: positions, versions, and letters for what nobody understands.
GRANT SELECT, INSERT, UPDATE ON directory_versions, positions TO tocsin_console;
GRANT INSERT ON dead_letters TO tocsin_console;

DO $$
DECLARE
  guarded text;
BEGIN
  FOREACH guarded IN ARRAY ARRAY['groups', 'group_members', 'directory_versions'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
    EXECUTE format('CREATE POLICY own_tenant ON %I TO tocsin_inbox, tocsin_console, tocsin_ingest '
                   'USING (tenant = current_setting(''tocsin.tenant'', true)) '
                   'WITH CHECK (tenant = current_setting(''tocsin.tenant'', true))', guarded);
    EXECUTE format('CREATE POLICY every_tenant ON %I TO tocsin_dispatcher, tocsin_digest, tocsin_scheduler, '
                   'tocsin_retention USING (true) WITH CHECK (true)', guarded);
  END LOOP;
END $$;

-- Records that name no tenant are nobody's.
CREATE POLICY buried_letters ON dead_letters FOR INSERT TO tocsin_console WITH CHECK (tenant = '');
