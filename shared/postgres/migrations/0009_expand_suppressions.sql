-- Addresses that a tenant's mail is not sent to any more: they bounced for good, or somebody complained.

-- What an address is looked up by; it stays when the address itself is erased, so that nobody is written to again.
CREATE FUNCTION address_hash(tenant text, address text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT sha256(convert_to(tenant || chr(31) || lower(address), 'UTF8')) $$;

CREATE TABLE suppressions (
  tenant text NOT NULL REFERENCES tenants (id),
  hash bytea NOT NULL,
  address text,                    -- null once its recipient was erased
  reason text NOT NULL CHECK (reason IN ('bounce', 'complaint', 'refused', 'manual')),
  detail text NOT NULL,            -- what was reported, without addresses
  delivery_id uuid,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant, hash)
);
CREATE INDEX suppressions_listed ON suppressions (tenant, at, hash);

GRANT SELECT, INSERT, UPDATE, DELETE ON suppressions TO tocsin_console;
GRANT SELECT, INSERT ON suppressions TO tocsin_dispatcher;

ALTER TABLE suppressions ENABLE ROW LEVEL SECURITY;
ALTER TABLE suppressions FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON suppressions TO tocsin_console
  USING (tenant = current_setting('tocsin.tenant', true)) WITH CHECK (tenant = current_setting('tocsin.tenant', true));
CREATE POLICY every_tenant ON suppressions TO tocsin_dispatcher USING (true) WITH CHECK (true);
