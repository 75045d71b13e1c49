-- What callers of the sendNotification dialect present, and the campaign tags they name.

CREATE TABLE sam_company_keys (    -- a UUID each, which names the tenant and one company of it
  tenant text NOT NULL REFERENCES tenants (id),
  id text PRIMARY KEY,             -- names the key without being it
  company text NOT NULL,
  hmac bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz
);
CREATE INDEX sam_company_keys_tenant ON sam_company_keys (tenant, id);

CREATE TABLE sam_tokens (          -- speak for a user of the directory, with the roles the user has at the time
  tenant text NOT NULL REFERENCES tenants (id),
  id text PRIMARY KEY,
  user_id text NOT NULL,
  hmac bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX sam_tokens_tenant ON sam_tokens (tenant, id);

CREATE TABLE tags (                -- what campaignTagId names; `campaign` is the id of the campaign, where it has one
  tenant text NOT NULL REFERENCES tenants (id),
  id bigint NOT NULL,
  name text NOT NULL,
  campaign text,
  PRIMARY KEY (tenant, id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON sam_company_keys, sam_tokens, tags TO tocsin_console;
CREATE INDEX users_email ON users (tenant, lower(email)); -- UN names users by login or e-mail

GRANT SELECT ON sam_company_keys, sam_tokens, tags TO tocsin_ingest;

DO $$
DECLARE
  guarded text;
BEGIN
  FOREACH guarded IN ARRAY ARRAY['sam_company_keys', 'sam_tokens', 'tags'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
    EXECUTE format('CREATE POLICY own_tenant ON %I TO tocsin_console '
                   'USING (tenant = current_setting(''tocsin.tenant'', true)) '
                   'WITH CHECK (tenant = current_setting(''tocsin.tenant'', true))', guarded);
  END LOOP;
END $$;

-- Both are checked before the tenant is known: the holder proves them by their HMACs.
CREATE POLICY known_keys ON sam_company_keys FOR SELECT TO tocsin_ingest USING (true);
CREATE POLICY known_tokens ON sam_tokens FOR SELECT TO tocsin_ingest USING (true);
CREATE POLICY own_tenant_at_the_door ON tags FOR SELECT TO tocsin_ingest
  USING (tenant = current_setting('tocsin.tenant', true));
