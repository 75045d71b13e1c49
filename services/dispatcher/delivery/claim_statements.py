"""The statements that claim a batch: they judge each delivery by what holds now, and lease what may be sent."""

from shared.contract.outcomes import Channel

_ASKED = """
asked AS (
  SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[],
                       $8::integer[], $9::timestamptz[])
    AS a (id, expires_on, tenant, subject, subject_id, recipient, endpoint, attempt, accepted_at)
),"""

# LIMIT 1 keeps the lookups by key whatever the planner thinks of the partitions; no row: it is gone.
_JUDGED_PUSH = """
judged AS MATERIALIZED (
  SELECT a.*, n.notices, n.class_key AS class_name, n.holds, false AS templated,
    jsonb_build_array(e.address, e.secret) AS target, NULL::bytea AS address_hash,
    least(q.until, n.expires_at) AS quiet_until,
    CASE WHEN n.cancelled_at IS NOT NULL THEN 'cancelled'
         WHEN n.expires_at <= db_now() THEN 'expired'
         WHEN t.state = 'paused' THEN 'tenant_paused'
         WHEN e.id IS NULL THEN 'endpoint_gone'
         WHEN e.state <> 'active' THEN 'endpoint_disabled'
         WHEN e.kind <> 'webhook' THEN 'unsupported'
         WHEN p.state = 'unsubscribed' THEN 'unsubscribed'
         WHEN q.until IS NOT NULL THEN 'quiet_hours'
    END AS reason
  FROM asked a
  CROSS JOIN LATERAL (
    SELECT n.cancelled_at, n.expires_at, n.class_key, n.asset,
      coalesce(n.options ->> 'on_ambiguous' = 'hold', false) AS holds,
      jsonb_build_array(jsonb_build_array(n.id, n.name, n.description, n.importance, n.class_key, NULL,
        n.requires_action, n.completed_at IS NOT NULL, n.action_url, n.items, n.created_at, n.asset)) AS notices
    FROM notifications n
    WHERE n.id = a.subject_id AND n.expires_on = a.expires_on AND n.tenant = a.tenant LIMIT 1
  ) n
  LEFT JOIN tenants t ON t.id = a.tenant
  LEFT JOIN endpoints e ON e.id = a.endpoint::uuid AND e.tenant = a.tenant
  LEFT JOIN LATERAL (
    SELECT quiet_until(db_now(), u.quiet_from, u.quiet_to, coalesce(u.timezone, 'UTC')) AS until FROM users u
    WHERE $11 <> 'urgent' AND u.tenant = a.tenant AND u.id = a.recipient AND u.quiet_from IS NOT NULL
  ) q ON true
  LEFT JOIN LATERAL preferred(a.tenant, a.recipient, 'push', n.class_key, n.asset, $11 = 'urgent') p ON true
),"""

_JUDGED_EMAIL = """
told AS (  -- with all that is asked: a join back to it would compare the batch with itself
  SELECT a.*, n.cancelled_at, n.expires_at, n.class_key,
    coalesce(n.options ->> 'on_ambiguous' = 'hold', false) AS holds, n.mail IS NOT NULL AS templated,
    jsonb_build_array(jsonb_build_array(n.id, n.name, n.description, n.importance, n.class_key, n.css_class,
      n.requires_action, n.completed_at IS NOT NULL, n.action_url, n.items, n.created_at, n.asset)) AS notices,
    p.state = 'unsubscribed' AS unwanted
  FROM asked a CROSS JOIN LATERAL (
    SELECT n.*, m.css_class FROM notifications n
    LEFT JOIN importances m ON m.tenant = n.tenant AND m.name = n.importance
    WHERE n.id = a.subject_id AND n.expires_on = a.expires_on AND n.tenant = a.tenant LIMIT 1
  ) n
  LEFT JOIN LATERAL preferred(a.tenant, a.recipient, 'email', n.class_key, n.asset, $11 = 'urgent') p ON true
  WHERE a.subject = 'notification'
  UNION ALL
  SELECT a.*, NULL, NULL, g.class_key, coalesce(m.holds, false), false, coalesce(m.notices, '[]'),
    m.unwanted AND m.notices IS NULL
  FROM asked a CROSS JOIN LATERAL (
    SELECT g.class_key FROM digests g
    WHERE g.id = a.subject_id AND g.expires_on = a.expires_on AND g.tenant = a.tenant LIMIT 1
  ) g CROSS JOIN LATERAL (  -- what ended or was unsubscribed from since the flush is left out
    SELECT jsonb_agg(CASE WHEN n.place <= $14
        THEN jsonb_build_array(n.id, n.name, n.description, n.importance, n.class_key, n.css_class,
          n.requires_action, false, n.action_url, n.items, n.created_at, n.asset)
        ELSE jsonb_build_array(n.id, n.requires_action) END ORDER BY n.place) FILTER (WHERE NOT n.unwanted) AS notices,
      bool_or(n.holds) FILTER (WHERE NOT n.unwanted) AS holds,  -- a repeat would repeat the one that asked for none
      bool_or(n.unwanted) AS unwanted
    FROM (
      SELECT n.*, s.css_class, n.options ->> 'on_ambiguous' = 'hold' AS holds,
        p.state IS NOT DISTINCT FROM 'unsubscribed' AS unwanted, row_number() OVER (
          ORDER BY p.state IS NOT DISTINCT FROM 'unsubscribed',  -- these take no place of the others
            coalesce(s.sort, c.sort), c.sort, n.created_at, n.id) AS place  -- C3, as the inbox presents them
      FROM inbox_items i
      JOIN notifications n ON n.id = i.notification_id AND n.expires_on = i.expires_on AND n.tenant = i.tenant
      CROSS JOIN LATERAL (  -- the standard order, whose places are the standard sorts
        SELECT array_position(ARRAY['danger', 'warning', 'primary', 'success', 'info', 'default'], n.importance) AS sort
      ) c
      LEFT JOIN importances s ON s.tenant = n.tenant AND s.name = n.importance
      LEFT JOIN LATERAL preferred(i.tenant, i.recipient, 'email', n.class_key, n.asset, false) p ON true
      WHERE i.digest_id = a.subject_id AND i.tenant = a.tenant AND i.recipient = a.recipient
        AND i.dismissed_at IS NULL AND n.completed_at IS NULL AND n.cancelled_at IS NULL
        AND coalesce(i.expires_at > db_now(), true) AND coalesce(n.expires_at > db_now(), true)
    ) n
  ) m
  WHERE a.subject = 'digest'
), senders AS MATERIALIZED (  -- once a batch, not once a delivery
  SELECT p.tenant, jsonb_object_agg(p.name, p.value) AS properties FROM properties p
  WHERE p.tenant IN (SELECT tenant FROM asked)
    AND p.name IN ('mail.from', 'mail.reply_to', 'mail.bounces_to', 'mail.dkim_selector', 'mail.desktop_url',
      'mail.interact_url')
  GROUP BY p.tenant
), judged AS MATERIALIZED (
  SELECT a.*, coalesce(nullif(k.name, ''), a.class_key) AS class_name,
    jsonb_build_array(u.email, u.first_name, u.last_name, u.locale, u.timezone, f.properties) AS target,
    address_hash(a.tenant, u.email) AS address_hash,
    least(q.until, a.expires_at) AS quiet_until,
    CASE WHEN a.cancelled_at IS NOT NULL THEN 'cancelled'
         WHEN a.expires_at <= db_now() THEN 'expired'
         WHEN t.state = 'paused' THEN 'tenant_paused'
         WHEN a.unwanted THEN 'unsubscribed'
         WHEN a.notices = '[]' THEN 'empty_digest'
         WHEN u.id IS NULL THEN 'unknown_recipient'
         WHEN u.kind = 'system' THEN 'system_user'
         WHEN coalesce(u.email, '') = '' THEN 'no_address'
         WHEN s.suppressed THEN 'suppressed'
         WHEN q.until IS NOT NULL THEN 'quiet_hours'
    END AS reason
  FROM told a
  LEFT JOIN tenants t ON t.id = a.tenant
  LEFT JOIN users u ON u.tenant = a.tenant AND u.id = a.recipient
  LEFT JOIN senders f ON f.tenant = a.tenant
  LEFT JOIN LATERAL (
    SELECT true AS suppressed FROM suppressions s
    WHERE s.tenant = a.tenant AND s.hash = address_hash(a.tenant, u.email) LIMIT 1
  ) s ON true
  LEFT JOIN LATERAL (
    SELECT quiet_until(db_now(), u.quiet_from, u.quiet_to, coalesce(u.timezone, 'UTC')) AS until
    WHERE $11 <> 'urgent' AND u.quiet_from IS NOT NULL
  ) q ON true
  LEFT JOIN classes k ON k.tenant = a.tenant AND k.key = a.class_key
),"""

# In the order of ids, so that two claims of the same deliveries never wait for each other in a ring.
_CLAIMED = """
claimed AS (
  INSERT INTO deliveries AS d (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state,
    reason, attempt, fence, lease_owner, lease_until, due_at, accepted_at, created_at, ended_at,
    address_hash)
  SELECT j.tenant, j.id, j.expires_on, j.subject, j.subject_id, j.recipient, j.endpoint, $10, $11, s.state,
    j.reason, j.attempt, 1,
    CASE WHEN s.state = 'leased' THEN $12 END,
    CASE WHEN s.state = 'leased' THEN db_now() + make_interval(secs => $13) END,
    CASE j.reason WHEN 'tenant_paused' THEN 'infinity' WHEN 'quiet_hours' THEN j.quiet_until END,
    j.accepted_at, db_now(),
    CASE WHEN s.state NOT IN ('leased', 'retry') THEN db_now() END,
    CASE WHEN s.state = 'leased' THEN j.address_hash END
  FROM judged j CROSS JOIN LATERAL (
    SELECT CASE WHEN j.reason IS NULL THEN 'leased' WHEN j.reason IN ('tenant_paused', 'quiet_hours') THEN 'retry'
                WHEN j.reason IN ('cancelled', 'expired') THEN j.reason ELSE 'skipped' END AS state
  ) s
  ORDER BY j.id
  ON CONFLICT (id, expires_on) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason, fence = d.fence + 1,
    lease_owner = EXCLUDED.lease_owner, lease_until = EXCLUDED.lease_until, due_at = EXCLUDED.due_at,
    ended_at = EXCLUDED.ended_at, released_until = NULL,
    address_hash = coalesce(EXCLUDED.address_hash, d.address_hash)
  WHERE d.state = 'retry' AND d.attempt = EXCLUDED.attempt AND d.due_at <= db_now()
  RETURNING d.id, d.state, d.fence
)
SELECT c.id, c.state, c.fence, j.reason, j.notices, j.class_name, j.holds, j.templated, j.target
FROM claimed c JOIN judged j USING (id)
"""

PUSH = "WITH" + _ASKED + _JUDGED_PUSH + _CLAIMED
EMAIL = "WITH" + _ASKED + _JUDGED_EMAIL + _CLAIMED
OF = {Channel.PUSH: PUSH, Channel.EMAIL: EMAIL}
"""The statement of each channel. Its parameters: the columns of what is asked, then channel, lane, owner and seconds of
the lease, and for email how many members of a digest a mail shows. Its rows: see claims.Row."""
