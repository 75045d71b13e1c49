"""What completion asks: where a notification stands, and who its tenant's admins are."""

from services.dispatcher.runs.completion import Admin, Standing, Tally
from services.dispatcher.runs.planning import Run
from shared.contract.outcomes import DeliveryState
from shared.contract.requests import MAX_RECIPIENTS
from shared.postgres.pool import Connection

# What was skipped at intake or by a flush has attempt 0: it was not among what was meant. Expiry is given a minute,
# within which sinks and scheduler still end what they hold.
_MEANT = """
SELECT n.name, n.expires_at + interval '1 minute' <= db_now() IS TRUE AS is_past,
  count(i.*) AS recipients,
  coalesce(sum(cardinality(i.push_endpoints)), 0) + count(*) FILTER (WHERE i.email_plan = 'immediate') AS meant,
  count(*) FILTER (WHERE i.email_plan = 'digest' AND i.digest_id IS NULL AND i.email_skipped IS NULL) AS undigested
FROM notifications n
LEFT JOIN inbox_items i ON i.tenant = n.tenant AND i.notification_id = n.id AND i.expires_on = n.expires_on
WHERE n.tenant = $1 AND n.id = $2 AND n.expires_on = $3
GROUP BY n.name, n.expires_at
"""

# Of a mail that tells of many notifications, its recipient's part counts here.
_TALLIES = """
SELECT channel, state, reason, count(*), count(*) FILTER (WHERE attempt > 0 AND own) AS begun
FROM (
  SELECT d.channel, d.state, d.reason, d.attempt, true AS own FROM deliveries d
  WHERE d.tenant = $1 AND d.subject = 'notification' AND d.subject_id = $2 AND d.expires_on = $3
  UNION ALL
  SELECT d.channel, d.state, d.reason, d.attempt, false FROM inbox_items i
  JOIN deliveries d ON d.tenant = i.tenant AND d.subject = 'digest' AND d.subject_id = i.digest_id
  WHERE i.tenant = $1 AND i.notification_id = $2 AND i.expires_on = $3 AND i.digest_id IS NOT NULL
) AS every
GROUP BY channel, state, reason
"""


async def standing(connection: Connection, run: Run) -> Standing | None:
    """Where the notification of a run stands; None when its record is gone."""
    key = (run.tenant, run.notification_id, run.expires_on)
    meant = await connection.fetchrow(_MEANT, *key)
    if meant is None:
        return None
    rows = await connection.fetch(_TALLIES, *key)
    tallies = [Tally(row["channel"], DeliveryState(row["state"]), row["reason"], row["count"]) for row in rows]
    return Standing(
        run.notification_id, meant["name"], meant["recipients"], int(meant["meant"]), sum(row["begun"] for row in rows),
        meant["undigested"], meant["is_past"], tallies,
    )  # fmt: skip


_ADMINS = """
SELECT id, locale FROM users WHERE tenant = $1 AND roles && '{COMPANY_ADMIN,SUPER_USER}' AND kind = 'user'
ORDER BY id LIMIT $2
"""


async def admins(connection: Connection, tenant: str) -> list[Admin]:
    """The tenant's admins: users with the role COMPANY_ADMIN or SUPER_USER, of every company (B12)."""
    return [Admin(row["id"], row["locale"]) for row in await connection.fetch(_ADMINS, tenant, MAX_RECIPIENTS)]
