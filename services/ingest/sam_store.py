"""What the sendNotification dialect asks of PostgreSQL: who presents what, and whom a notification names."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from services.ingest.dialects.sam import meaning
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.meaning import Facts, Tag
from services.ingest.dialects.sam.roles import Sender
from shared.contract.importance import BULK_RECIPIENTS
from shared.contract.messages import Audience
from shared.postgres import audiences
from shared.postgres.pool import Connection, Pool, tenant_transaction, transient_when_away


@dataclass(frozen=True, slots=True)
class Presented:
    """What a caller presents, as the record keeps it: the HMACs, and the id within the token."""

    token_id: str
    token: bytes
    company_key: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """Whose a company's key and a token are; the HMACs are compared by who asked. None where there is no live one."""

    key: tuple[str, str, bytes] | None
    token: tuple[str, str, bytes] | None


class SamStore:
    """The dialect's statements, as ingest's role."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    _KEY = "SELECT tenant, company, hmac FROM sam_company_keys WHERE hmac = $1 AND revoked_at IS NULL"
    _SPEAKS_FOR = """
    SELECT tenant, user_id, hmac FROM sam_tokens
    WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > db_now())
    """

    async def found(self, presented: Presented) -> Found:
        """What the presented credentials are known as; raises TransientError while PostgreSQL is away."""
        with transient_when_away():
            async with self._pool.acquire() as connection:
                key = await connection.fetchrow(self._KEY, presented.company_key)
                token = await connection.fetchrow(self._SPEAKS_FOR, presented.token_id)
        return Found(None if key is None else tuple(key), None if token is None else tuple(token))

    _ROLES = "SELECT roles FROM users WHERE tenant = $1 AND id = $2"

    async def sender(self, tenant: str, user: str, company: str) -> Sender | None:
        """The user behind a token, by a company's key; None when the directory has no such user any more."""
        async with tenant_transaction(self._pool, tenant) as connection:
            row = await connection.fetchrow(self._ROLES, tenant, user)
            if row is None:
                return None
            companies = await audiences.companies_of(connection, tenant, user)
        return Sender(tenant, user, frozenset(row["roles"]), frozenset(companies), company)

    # The key of an event or a library is known by its own group, or by a group within it.
    _COMPANY = """
    SELECT company FROM groups
    WHERE tenant = $1 AND ((kind = $2 AND id = $3) OR (kind = $4 AND parent = $3)) ORDER BY kind = $2 DESC LIMIT 1
    """
    # A company is known by its own group, by a group within it, or by a key of its own.
    _IS_COMPANY = """
    SELECT EXISTS (SELECT FROM groups WHERE tenant = $1 AND kind = 'company' AND id = $2)
      OR EXISTS (SELECT FROM groups WHERE tenant = $1 AND kind = $3 AND company = $2)
      OR EXISTS (SELECT FROM sam_company_keys WHERE tenant = $1 AND company = $2 AND revoked_at IS NULL)
    """
    _TAG = "SELECT id, campaign FROM tags WHERE tenant = $1 AND id = $2"

    async def facts(self, tenant: str, sent: SendNotification, only: str | None = None) -> Facts:
        """What the directory says about whom a notification names; with `only`, users of that company alone.

        Raises:
            TransientError: PostgreSQL is away.
        """
        async with tenant_transaction(self._pool, tenant) as connection:
            company = await self._company(connection, tenant, sent)
            audience = meaning.audience_of(sent)
            unknown: Sequence[str] = ()
            count = 0
            if audience is not None:
                unknown = await audiences.unknown(connection, tenant, audience)
                count = await self._count(connection, tenant, sent, audience)
            users = None if audience is not None else await self._users(connection, tenant, sent.values or [], only)
            tag = await connection.fetchrow(self._TAG, tenant, sent.campaign_tag_id) if sent.campaign_tag_id else None
        return Facts(company, unknown, users, count, None if tag is None else Tag(*tag.values()))

    async def _count(self, connection: Connection, tenant: str, sent: SendNotification, audience: Audience) -> int:
        if sent.version < meaning.SCHEDULES_SINCE:
            return await audiences.count(connection, tenant, audience)
        return await audiences.about(connection, tenant, audience, BULK_RECIPIENTS)

    async def _company(self, connection: Connection, tenant: str, sent: SendNotification) -> str | None:
        within, kind = meaning.kinds_of(sent)
        if within == "company":
            known = await connection.fetchval(self._IS_COMPANY, tenant, sent.key, kind)
            return sent.key if known else None
        found: str | None = await connection.fetchval(self._COMPANY, tenant, within, sent.key, kind)
        return found

    # By login before e-mail before id: what one user calls itself must not be taken by another's address.
    _USERS = """
    SELECT asked.value, found.id, found.rank FROM unnest($2::text[]) AS asked (value) CROSS JOIN LATERAL (
      SELECT id, 1 AS rank FROM users WHERE tenant = $1 AND login = asked.value
      UNION ALL SELECT id, 2 FROM users WHERE tenant = $1 AND email_lower = lower(asked.value)
      UNION ALL SELECT id, 3 FROM users WHERE tenant = $1 AND id = asked.value
    ) AS found
    WHERE $3::text IS NULL OR EXISTS (
      SELECT FROM group_members WHERE tenant = $1 AND kind = 'company' AND group_id = $3
        AND user_id = found.id AND status = 'accepted')
    """

    async def _users(
        self, connection: Connection, tenant: str, values: Sequence[str], only: str | None
    ) -> dict[str, list[str]]:
        rows = await connection.fetch(self._USERS, tenant, list(dict.fromkeys(values)), only)
        return {value: _best([row for row in rows if row["value"] == value]) for value in values}


def _best(rows: Sequence[asyncpg.Record]) -> list[str]:
    """The ids of the lowest rank there is, each once."""
    best = min((row["rank"] for row in rows), default=0)
    return sorted({row["id"] for row in rows if row["rank"] == best})
