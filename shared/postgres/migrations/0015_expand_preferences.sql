-- What recipients want: which class of notification, about which asset, they get by push and by mail.

CREATE TABLE preferences (
  tenant text NOT NULL REFERENCES tenants (id),
  recipient text NOT NULL,
  channel text NOT NULL CHECK (channel IN ('push', 'email')),
  class_key text NOT NULL,         -- '' is any class
  asset text NOT NULL,             -- '' is any asset, and none
  state text NOT NULL CHECK (state IN ('subscribed', 'unsubscribed')),
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, recipient, channel, class_key, asset)
);

-- The one rule of precedence: what names the asset goes before what names the class, and either before what names
-- neither. Without a row nothing is said, which means subscribed. Of what is urgent only an asset's preferences hold,
-- since its sender names one to have them honoured (docs/decisions/0015). In a FROM it is inlined.
CREATE FUNCTION preferred(of_tenant text, of_recipient text, by_channel text, in_class text, about text, urgent boolean)
RETURNS TABLE (state text) LANGUAGE sql STABLE ROWS 1 AS $$
  SELECT p.state FROM preferences p
  WHERE p.tenant = of_tenant AND p.recipient = of_recipient AND p.channel = by_channel
    AND p.class_key IN ('', in_class) AND (p.asset = about OR p.asset = '' AND NOT urgent)
  ORDER BY p.asset DESC, p.class_key DESC LIMIT 1  -- '' comes last
$$;

GRANT SELECT ON preferences TO tocsin_dispatcher, tocsin_digest;
GRANT SELECT, INSERT, UPDATE, DELETE ON preferences TO tocsin_inbox, tocsin_console;

ALTER TABLE preferences ENABLE ROW LEVEL SECURITY;
ALTER TABLE preferences FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON preferences TO tocsin_inbox, tocsin_console
  USING (tenant = current_setting('tocsin.tenant', true)) WITH CHECK (tenant = current_setting('tocsin.tenant', true));
CREATE POLICY every_tenant ON preferences TO tocsin_dispatcher, tocsin_digest USING (true) WITH CHECK (true);
