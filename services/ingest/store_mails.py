"""What ingest asks of PostgreSQL about mails of templates, and the large bodies it keeps for them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from shared.postgres import bodies, templates, uploads
from shared.postgres.pool import Pool, transaction


class MailStore:
    """The statements, as ingest's role."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def required(self, asked: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[str]]:
        """The params that templates, each named by (tenant, name), need; those that there are.

        Raises:
            TransientError: PostgreSQL is away.
        """
        return await templates.required(self._pool, asked)

    # Locked in one order, so that two batches never wait for each other in a ring.
    _KEEP_ON = """
    UPDATE bodies SET keep_until = greatest(keep_until, greatest(db_now(), locked.due_at) + make_interval(days => $4))
    FROM (
      SELECT tenant, hash, due_at
      FROM bodies JOIN unnest($1::text[], $2::bytea[], $3::timestamptz[]) AS used (tenant, hash, due_at)
        USING (tenant, hash)
      ORDER BY tenant, hash FOR UPDATE OF bodies
    ) AS locked
    WHERE bodies.tenant = locked.tenant AND bodies.hash = locked.hash
    RETURNING bodies.tenant, bodies.hash
    """

    async def keep_on(self, uses: Sequence[tuple[str, str, datetime | None]]) -> set[tuple[str, str]]:
        """Keep bodies, each named by (tenant, reference), until they were sent at a time; those that there are.

        Raises:
            TransientError: PostgreSQL is away.
        """
        latest: dict[tuple[str, str], datetime | None] = {}
        for tenant, reference, due_at in uses:
            known = latest.get((tenant, reference))
            latest[tenant, reference] = due_at if known is None or (due_at and due_at > known) else known
        columns = (
            [tenant for tenant, _ in latest],
            [bytes.fromhex(reference) for _, reference in latest],
            list(latest.values()),
        )
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(self._KEEP_ON, *columns, uploads.KEPT_DAYS)
        return {(row["tenant"], row["hash"].hex()) for row in rows}

    async def keep_body(self, tenant: str, content: bytes, days: int) -> str:
        """Keep a large body until its mail is sent in so many days; its reference.

        Raises:
            TransientError: PostgreSQL is away.
        """
        async with transaction(self._pool) as connection:
            return (await bodies.keep(connection, tenant, content, days + uploads.KEPT_DAYS)).hex()
