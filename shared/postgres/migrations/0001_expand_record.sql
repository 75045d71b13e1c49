-- The record: what must be true, whatever happens to Kafka, the services and faust.
-- The tenant comes first in every key. Rows that expire lie in the partition of the day they expire.

-- Every statement asks this function for the time, so that a test database can shift it.
CREATE FUNCTION db_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';

CREATE SEQUENCE schedule_ids AS bigint;

-- Tenants and what they configure -----------------------------------------------------------------------------------

CREATE TABLE tenants (
  id text PRIMARY KEY,
  name text NOT NULL DEFAULT '',
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
  created_at timestamptz NOT NULL DEFAULT now(),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE api_keys (
  tenant text NOT NULL REFERENCES tenants (id),
  id text PRIMARY KEY,
  name text NOT NULL,
  scopes text[] NOT NULL,
  hmac bytea NOT NULL,
  previous_hmac bytea,             -- valid beside hmac until previous_until: two live keys for rotation
  previous_until timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX api_keys_changed ON api_keys (changed_at);
CREATE INDEX api_keys_tenant ON api_keys (tenant, id);

CREATE TABLE properties (
  tenant text NOT NULL REFERENCES tenants (id),
  name text NOT NULL,
  value jsonb NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, name)
);

CREATE TABLE importances (         -- what a tenant overrides of the standard table; the rest is in the contract
  tenant text NOT NULL REFERENCES tenants (id),
  name text NOT NULL,
  retention integer NOT NULL CHECK (retention BETWEEN 1 AND 3650),
  css_class text NOT NULL,
  sort integer NOT NULL,
  send boolean NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, name)
);

CREATE TABLE classes (
  tenant text NOT NULL REFERENCES tenants (id),
  key text NOT NULL,
  name text NOT NULL,
  options jsonb NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, key)
);

CREATE TABLE users (
  tenant text NOT NULL REFERENCES tenants (id),
  id text NOT NULL,
  login text,
  email text,
  first_name text,
  last_name text,
  locale text,
  timezone text,
  kind text NOT NULL DEFAULT 'user' CHECK (kind IN ('user', 'system')),
  roles text[] NOT NULL DEFAULT '{}',
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, id)
);
CREATE INDEX users_login ON users (tenant, login);

CREATE TABLE endpoints (
  tenant text NOT NULL REFERENCES tenants (id),
  id uuid PRIMARY KEY,
  recipient text NOT NULL,
  channel text NOT NULL CHECK (channel IN ('push')),
  kind text NOT NULL CHECK (kind IN ('webhook', 'webpush', 'apprise')),
  address text NOT NULL,
  secret text NOT NULL,            -- signs what is sent there, so it cannot be kept as a hash
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
  reason text,
  created_at timestamptz NOT NULL DEFAULT now(),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX endpoints_recipient ON endpoints (tenant, recipient, id);

-- Identity ----------------------------------------------------------------------------------------------------------

-- The only unique key across time: what was asked for once is known until expires_on, longer than its record.
CREATE TABLE identities (
  id uuid PRIMARY KEY,             -- the notification id
  tenant text NOT NULL,
  payload_hash bytea,              -- null: asked for without a key
  accepted_at timestamptz NOT NULL,
  taken_in_at timestamptz,         -- set in intake's transaction
  expires_on date NOT NULL,        -- 'infinity' while an action is open
  schedule_id bigint
) PARTITION BY HASH (id);

-- What is asked and what is meant -----------------------------------------------------------------------------------

CREATE TABLE notifications (
  tenant text NOT NULL,
  id uuid NOT NULL,
  expires_on date NOT NULL,        -- the partition; never changed
  source text NOT NULL,
  name text NOT NULL,
  description text NOT NULL,
  importance text NOT NULL,
  class_key text NOT NULL,
  options jsonb NOT NULL,          -- the class's options overridden by the notification's own
  items jsonb NOT NULL,
  requires_action boolean NOT NULL,
  action_url text,
  script text NOT NULL,
  channels text[] NOT NULL,
  lane text NOT NULL,
  door text NOT NULL,
  owner text NOT NULL,
  accepted_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,          -- null while an action is open
  remove_after timestamptz,        -- only in the partition 'infinity'; null while an action is open
  completed_by text,
  completed_at timestamptz,
  cancelled_at timestamptz,
  recipient_count integer NOT NULL,
  PRIMARY KEY (id, expires_on)
) PARTITION BY LIST (expires_on);
CREATE INDEX notifications_remove ON notifications (remove_after) WHERE remove_after IS NOT NULL;

CREATE TABLE inbox_items (         -- one per recipient, also of those without channel inbox: what was meant is known
  tenant text NOT NULL,
  recipient text NOT NULL,
  notification_id uuid NOT NULL,
  expires_on date NOT NULL,
  importance text NOT NULL,
  class_key text NOT NULL,
  hidden boolean NOT NULL,         -- the inbox was not asked for, or the recipient is unknown
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  remove_after timestamptz,
  push_endpoints uuid[] NOT NULL,  -- chosen at intake, so that a replay resolves nothing again
  email_plan text NOT NULL CHECK (email_plan IN ('none', 'immediate', 'digest')),
  digest_id uuid,                  -- seed 002's sent=true: this item stood in that digest
  email_skipped text,              -- why the digest left it out
  dismissed_at timestamptz,
  version integer NOT NULL DEFAULT 1, -- grows with every change its recipient can see
  PRIMARY KEY (tenant, recipient, notification_id, expires_on)
) PARTITION BY LIST (expires_on);
-- Summed up as it grows: the reconciler reads its newest end every few seconds.
CREATE INDEX inbox_items_created ON inbox_items USING brin (created_at) WITH (autosummarize = on);
CREATE INDEX inbox_items_notification ON inbox_items (notification_id);
CREATE INDEX inbox_items_unsent ON inbox_items (tenant, recipient, class_key)
  WHERE email_plan = 'digest' AND digest_id IS NULL AND email_skipped IS NULL;
CREATE INDEX inbox_items_digest ON inbox_items (digest_id) WHERE digest_id IS NOT NULL;

CREATE TABLE deliveries (
  tenant text NOT NULL,
  id uuid NOT NULL,
  expires_on date NOT NULL,
  subject text NOT NULL CHECK (subject IN ('notification', 'digest')),
  subject_id uuid NOT NULL,
  recipient text NOT NULL,
  endpoint text NOT NULL,          -- a push endpoint's id, or 'email'
  channel text NOT NULL,
  lane text NOT NULL,
  state text NOT NULL CHECK (state IN ('leased', 'retry', 'sent', 'dead', 'cancelled', 'expired', 'skipped')),
  reason text,
  attempt integer NOT NULL,        -- the attempt under way or due next; the first is 1
  fence bigint NOT NULL DEFAULT 0, -- grows with every claim; an outcome with an old fence is refused
  lease_owner text,
  lease_until timestamptz,
  due_at timestamptz,              -- when a retry is due; infinity while its tenant or channel is paused
  released_until timestamptz,      -- the scheduler has produced it again and waits until then
  accepted_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (id, expires_on)
) PARTITION BY LIST (expires_on);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'retry';
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'leased';
CREATE INDEX deliveries_subject ON deliveries (subject_id);

CREATE TABLE attempts (
  tenant text NOT NULL,
  delivery_id uuid NOT NULL,
  expires_on date NOT NULL,
  attempt integer NOT NULL,
  at timestamptz NOT NULL,
  outcome text NOT NULL,
  reason text,
  detail text,                     -- what the other side said, without addresses
  seconds double precision NOT NULL,
  PRIMARY KEY (delivery_id, attempt, expires_on)
) PARTITION BY LIST (expires_on);

CREATE TABLE timeline (            -- the story of a notification, for its trace
  tenant text NOT NULL,
  notification_id uuid NOT NULL,
  expires_on date NOT NULL,
  at timestamptz NOT NULL,
  event text NOT NULL,
  detail jsonb NOT NULL
) PARTITION BY LIST (expires_on);
CREATE INDEX timeline_notification ON timeline (notification_id, at);

CREATE TABLE digests (             -- its members are the inbox_items that name it
  tenant text NOT NULL,
  id uuid NOT NULL,
  expires_on date NOT NULL,
  recipient text NOT NULL,
  class_key text NOT NULL,
  opened_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  flushed_at timestamptz NOT NULL,
  member_count integer NOT NULL,
  PRIMARY KEY (id, expires_on)
) PARTITION BY LIST (expires_on);

CREATE TABLE dead_letters (
  tenant text NOT NULL,            -- '' where the record named none
  id uuid NOT NULL,
  expires_on date NOT NULL,
  reason text NOT NULL,
  detail text NOT NULL,
  topic text NOT NULL,
  partition integer,               -- null: a delivery that was given up, not a record that was not understood
  "offset" bigint,
  delivery_id uuid,
  key bytea,
  headers jsonb NOT NULL,
  original bytea,
  original_ref bytea,              -- hash in bodies, for originals over 512 kB
  at timestamptz NOT NULL,
  redriven_at timestamptz,
  PRIMARY KEY (id, expires_on)
) PARTITION BY LIST (expires_on);
CREATE INDEX dead_letters_tenant ON dead_letters (tenant, at, id);

-- Work under way ----------------------------------------------------------------------------------------------------

CREATE TABLE windows (             -- a row while a digest's window is open; the flush deletes it
  tenant text NOT NULL,
  recipient text NOT NULL,
  class_key text NOT NULL,
  id uuid NOT NULL UNIQUE,
  opened_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, recipient, class_key)
);
CREATE INDEX windows_due ON windows (due_at);

CREATE TABLE schedules (
  id bigint PRIMARY KEY,
  tenant text NOT NULL,
  notification_id uuid NOT NULL UNIQUE,
  due_at timestamptz NOT NULL,
  local timestamp NOT NULL,
  timezone text NOT NULL,
  job text,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'released', 'cancelled')),
  released_until timestamptz,      -- produced and waiting for intake until then
  notification jsonb NOT NULL,     -- the accepted notification as it will be produced
  remove_after timestamptz NOT NULL
);
CREATE INDEX schedules_due ON schedules (due_at) WHERE state = 'pending';
CREATE INDEX schedules_remove ON schedules (remove_after) WHERE state <> 'pending';
CREATE INDEX schedules_tenant ON schedules (tenant, id);

CREATE TABLE fanouts (             -- a notification to more recipients than one transaction should write
  notification_id uuid PRIMARY KEY,
  tenant text NOT NULL,
  lane text NOT NULL,
  expires_on date NOT NULL,
  recipients text[] NOT NULL,
  cursor integer NOT NULL DEFAULT 0,      -- recipients whose rows are written
  handed_over integer NOT NULL DEFAULT 0, -- recipients whose deliveries Kafka has acknowledged
  expected integer NOT NULL,
  lease_owner text,
  lease_until timestamptz,
  created_at timestamptz NOT NULL,
  turned_at timestamptz NOT NULL,         -- when this tenant's turn came last; the oldest goes first
  ended_at timestamptz
);
CREATE INDEX fanouts_open ON fanouts (lane, turned_at) WHERE ended_at IS NULL;
CREATE INDEX fanouts_turns ON fanouts (tenant, lane, turned_at);

CREATE TABLE outbox (              -- records to produce that a transaction decided on; one row a batch
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  created_at timestamptz NOT NULL,
  records jsonb NOT NULL           -- [{"topic", "key", "value", "headers"}], bytes as base64
);
CREATE INDEX outbox_created ON outbox (created_at);

CREATE TABLE positions (           -- consumer positions in the transaction of the work, to rewind Kafka to a restore
  consumer_group text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  PRIMARY KEY (consumer_group, topic, partition)
);

CREATE TABLE bodies (              -- claim check: what is too large for a topic, by the hash of its content
  tenant text NOT NULL,
  hash bytea NOT NULL,
  content bytea NOT NULL,
  keep_until timestamptz NOT NULL,
  PRIMARY KEY (tenant, hash)
);
CREATE INDEX bodies_keep ON bodies (keep_until);

-- Partitions --------------------------------------------------------------------------------------------------------

CREATE FUNCTION expiring_tables() RETURNS text[] LANGUAGE sql IMMUTABLE AS
  $$ SELECT ARRAY['notifications', 'inbox_items', 'deliveries', 'attempts', 'timeline', 'digests', 'dead_letters'] $$;

-- Makes what is missing of the partitions of one day, or of 'infinity'; returns how many it made. A table that is made
-- alone and then attached takes no lock that readers or writers of the others would wait for.
CREATE FUNCTION make_partitions_of(day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  parent text;
  made integer := 0;
BEGIN
  FOREACH parent IN ARRAY expiring_tables() LOOP
    IF to_regclass(partition_name(parent, day)) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', partition_name(parent, day), parent);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%L)', parent, partition_name(parent, day), day);
      made := made + 1;
    END IF;
  END LOOP;
  RETURN made;
END $$;

-- Makes the partitions of every day from today to `days_ahead` days on, and that of 'infinity', in one transaction.
CREATE FUNCTION make_partitions(days_ahead integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT sum(make_partitions_of(day)) FROM (
    SELECT 'infinity'::date AS day UNION ALL
    SELECT (db_now() AT TIME ZONE 'UTC')::date + ahead FROM generate_series(0, days_ahead) AS ahead
  ) AS days
$$;

CREATE FUNCTION partition_name(parent text, day date) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT parent || '_' || CASE WHEN day = 'infinity' THEN 'infinity' ELSE to_char(day, 'YYYYMMDD') END $$;

-- The days that have a partition and have passed, oldest first.
CREATE FUNCTION expired_days() RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT DISTINCT to_date(right(child.relname, 8), 'YYYYMMDD') AS day
  FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
  WHERE parent.relname = ANY (expiring_tables()) AND child.relname ~ '_\d{8}$'
    AND to_date(right(child.relname, 8), 'YYYYMMDD') < (db_now() AT TIME ZONE 'UTC')::date
  ORDER BY day
$$;

-- For how many days after today every table has its partition; negative when there is none for today.
CREATE FUNCTION partition_days_ahead() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT coalesce(min(ready), -1) FROM (
    SELECT (SELECT count(*)::integer - 1 FROM generate_series(0, 400) AS ahead
            WHERE to_regclass(partition_name(parent, (db_now() AT TIME ZONE 'UTC')::date + ahead)) IS NOT NULL) AS ready
    FROM unnest(expiring_tables()) AS parent
  ) AS each_table
$$;

-- Drops one table's partition of a day that has passed; false when there is none. Who holds the table for more than a
-- second is not waited for, since everybody else would wait behind: try again later.
CREATE FUNCTION drop_partition(parent text, day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
  IF NOT parent = ANY (expiring_tables()) OR day >= (db_now() AT TIME ZONE 'UTC')::date THEN
    RAISE EXCEPTION 'partition % of % has not expired', day, parent;
  END IF;
  IF to_regclass(partition_name(parent, day)) IS NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, partition_name(parent, day));
  EXECUTE format('DROP TABLE %I', partition_name(parent, day));
  RETURN true;
END $$;

DO $$
BEGIN
  FOR slot IN 0..15 LOOP
    EXECUTE format('CREATE TABLE identities_%s PARTITION OF identities FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                   slot, slot);
  END LOOP;
END $$;
CREATE INDEX identities_expires ON identities (expires_on);
SELECT make_partitions(40);

REVOKE ALL ON FUNCTION make_partitions_of(date), make_partitions(integer), drop_partition(text, date), expired_days(),
  partition_days_ahead() FROM PUBLIC;

-- Roles: one a service, owning nothing ------------------------------------------------------------------------------

DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['ingest', 'dispatcher', 'digest', 'scheduler', 'retention', 'inbox', 'console'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE tocsin_%s LOGIN', role);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL; -- roles belong to the cluster; another database of it made this one
    END;
    EXECUTE format('GRANT USAGE ON SCHEMA public TO tocsin_%s', role);
    EXECUTE format('GRANT SELECT ON schema_migrations, tenants TO tocsin_%s', role);
  END LOOP;
END $$;

GRANT SELECT ON api_keys, properties, importances, classes, users TO tocsin_ingest;
GRANT SELECT, INSERT, UPDATE ON identities, bodies TO tocsin_ingest;
GRANT USAGE ON SEQUENCE schedule_ids TO tocsin_ingest;
GRANT SELECT, INSERT, UPDATE ON positions TO tocsin_ingest;

GRANT SELECT ON properties, importances, classes, users TO tocsin_dispatcher;
GRANT SELECT, UPDATE ON endpoints, schedules TO tocsin_dispatcher;
GRANT SELECT, INSERT, UPDATE, DELETE ON identities, notifications, inbox_items, deliveries, attempts, timeline,
  digests, dead_letters, windows, fanouts, outbox, positions, bodies TO tocsin_dispatcher;

GRANT SELECT ON properties, importances, classes, users, notifications TO tocsin_digest;
GRANT SELECT, INSERT, UPDATE, DELETE ON inbox_items, deliveries, attempts, timeline, digests, dead_letters, windows,
  outbox, positions TO tocsin_digest;

GRANT SELECT ON properties, notifications, inbox_items, digests, fanouts, windows, endpoints TO tocsin_scheduler;
GRANT SELECT, INSERT, UPDATE, DELETE ON schedules, deliveries, attempts, timeline, dead_letters, outbox, positions
  TO tocsin_scheduler;
GRANT SELECT ON importances TO tocsin_scheduler;
GRANT SELECT, INSERT, UPDATE ON bodies TO tocsin_scheduler, tocsin_digest;

GRANT SELECT, INSERT, UPDATE, DELETE ON identities, notifications, inbox_items, deliveries, attempts, timeline,
  digests, dead_letters, windows, schedules, fanouts, outbox, bodies TO tocsin_retention;
GRANT EXECUTE ON FUNCTION make_partitions_of(date), drop_partition(text, date), expired_days(), partition_days_ahead()
  TO tocsin_retention;

GRANT SELECT ON api_keys, properties, importances, classes, users TO tocsin_inbox;
GRANT SELECT, UPDATE ON notifications, inbox_items, identities TO tocsin_inbox;
GRANT SELECT, INSERT ON timeline TO tocsin_inbox;
GRANT SELECT, INSERT, DELETE ON outbox TO tocsin_inbox;

GRANT SELECT, INSERT, UPDATE, DELETE ON api_keys, properties, importances, classes, users, endpoints
  TO tocsin_console;
GRANT SELECT, INSERT ON timeline, outbox TO tocsin_console;
GRANT SELECT, UPDATE ON dead_letters, deliveries, schedules TO tocsin_console;
GRANT SELECT ON identities, notifications, inbox_items, attempts, digests, windows, fanouts, bodies TO tocsin_console;
GRANT UPDATE ON tenants TO tocsin_console;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tocsin_dispatcher, tocsin_digest, tocsin_scheduler, tocsin_retention,
  tocsin_inbox, tocsin_console;

-- Row-level security: the second lock between tenants ---------------------------------------------------------------
-- Roles that answer one tenant's requests see only the tenant set in their transaction; an unset one means no rows.
-- Roles that work in batches of many tenants see all, and their statements join on the tenant.

DO $$
DECLARE
  guarded text;
BEGIN
  FOREACH guarded IN ARRAY ARRAY['api_keys', 'properties', 'importances', 'classes', 'users', 'endpoints',
    'identities', 'notifications', 'inbox_items', 'deliveries', 'attempts', 'timeline', 'digests', 'dead_letters',
    'windows', 'schedules', 'fanouts', 'bodies'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
    EXECUTE format('CREATE POLICY own_tenant ON %I TO tocsin_inbox, tocsin_console '
                   'USING (tenant = current_setting(''tocsin.tenant'', true)) '
                   'WITH CHECK (tenant = current_setting(''tocsin.tenant'', true))', guarded);
    EXECUTE format('CREATE POLICY every_tenant ON %I TO tocsin_dispatcher, tocsin_digest, tocsin_scheduler, '
                   'tocsin_retention USING (true) WITH CHECK (true)', guarded);
  END LOOP;
END $$;

-- A key is checked before its tenant is known: the holder proves it by its HMAC, so these roles read every key.
CREATE POLICY known_keys ON api_keys FOR SELECT TO tocsin_ingest, tocsin_inbox, tocsin_console USING (true);
-- Ingest decides the keys of all concurrent requests in one statement, and caches every tenant's settings.
CREATE POLICY batch_of_tenants ON identities TO tocsin_ingest USING (true) WITH CHECK (true);
CREATE POLICY cached_settings ON properties FOR SELECT TO tocsin_ingest USING (true);
CREATE POLICY cached_settings ON importances FOR SELECT TO tocsin_ingest USING (true);
CREATE POLICY cached_settings ON classes FOR SELECT TO tocsin_ingest USING (true);
CREATE POLICY own_tenant_at_the_door ON users FOR SELECT TO tocsin_ingest
  USING (tenant = current_setting('tocsin.tenant', true));
-- Rejected originals of records that named no tenant lie under ''.
CREATE POLICY rejected_originals ON bodies TO tocsin_ingest USING (true) WITH CHECK (true);
-- Poison that names no tenant belongs to the only one, where there is only one.
CREATE POLICY nobodys_letters ON dead_letters TO tocsin_console
  USING (tenant = '' AND (SELECT count(*) FROM tenants) = 1)
  WITH CHECK (tenant = '' AND (SELECT count(*) FROM tenants) = 1);
CREATE POLICY nobodys_originals ON bodies FOR SELECT TO tocsin_console
  USING (tenant = '' AND (SELECT count(*) FROM tenants) = 1);
