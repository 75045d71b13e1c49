-- Mail templates of tenants, each with its versions: what was accepted with an older one can still be sent with it.

CREATE TABLE templates (
  tenant text NOT NULL REFERENCES tenants (id),
  name text NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  html text NOT NULL,
  required text[] NOT NULL,        -- the params a sender must give
  optional text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,          -- not to be used by what is accepted from then on
  PRIMARY KEY (tenant, name, version)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON templates TO tocsin_console;
GRANT SELECT ON templates TO tocsin_ingest, tocsin_dispatcher;

ALTER TABLE templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE templates FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON templates TO tocsin_console
  USING (tenant = current_setting('tocsin.tenant', true)) WITH CHECK (tenant = current_setting('tocsin.tenant', true));
-- Ingest remembers every tenant's settings; the dispatcher works for many tenants at a time.
CREATE POLICY every_tenant ON templates FOR SELECT TO tocsin_ingest, tocsin_dispatcher USING (true);
