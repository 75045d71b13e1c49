-- Persons who were erased: how far it has come, and from when on nothing older may bring them back.
CREATE TABLE erasures (
  tenant text NOT NULL REFERENCES tenants (id),
  subject bytea NOT NULL,          -- the hash that names the user in directory_versions
  begun_at timestamptz NOT NULL,   -- what the topic told before this makes nobody known again
  names text[],                    -- id, login and address, to find what is left; null once nothing is
  erased jsonb NOT NULL DEFAULT '{}', -- rows by table, summed up over every time it was asked for
  completed_at timestamptz,
  PRIMARY KEY (tenant, subject)
);

GRANT SELECT, INSERT, UPDATE ON erasures TO tocsin_console;
ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasures FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON erasures TO tocsin_console
  USING (tenant = current_setting('tocsin.tenant', true)) WITH CHECK (tenant = current_setting('tocsin.tenant', true));

-- Only here does the console take anything out of the record, confined to its tenant by own_tenant.
GRANT DELETE ON notifications, inbox_items, deliveries, attempts, timeline, digests, dead_letters, windows, runs, bodies
  TO tocsin_console;
GRANT UPDATE ON notifications, fanouts, inbox_items, digests TO tocsin_console;

-- How one person's rows are found without reading everybody's. Deliveries are found by what they tell of; those that
-- were claimed after their item was erased have one of these reasons.
CREATE INDEX digests_recipient ON digests (tenant, recipient, id);
CREATE INDEX runs_recipient ON runs (tenant, recipient) WHERE recipient IS NOT NULL;
CREATE INDEX deliveries_of_nobody ON deliveries (tenant, recipient, id)
  WHERE reason IN ('unknown_recipient', 'endpoint_gone');

-- Who asked for a notification has no index: partitions are looked through one at a time.
GRANT EXECUTE ON FUNCTION partition_days_ahead() TO tocsin_console;
