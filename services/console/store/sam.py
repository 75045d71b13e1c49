"""`sam_company_keys`, `sam_tokens`: who may use the sendNotification dialect, kept as HMACs."""

from dataclasses import dataclass
from datetime import datetime

from services.console.store import statements
from shared.postgres.pool import Pool


@dataclass(frozen=True, slots=True)
class CompanyKey:
    """A company's key without what it is."""

    id: str
    company: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """A user's token without what it is."""

    id: str
    user: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


_ADD_KEY = """
INSERT INTO sam_company_keys (tenant, id, company, hmac) VALUES ($1, $2, $3, $4)
RETURNING id, company, created_at, revoked_at
"""


async def add_key(pool: Pool, tenant: str, key_id: str, company: str, hmac: bytes) -> CompanyKey:
    """Store a company's key."""
    [row] = await statements.rows(pool, tenant, _ADD_KEY, key_id, company, hmac)
    return CompanyKey(*row.values())


_KEYS = """
SELECT id, company, created_at, revoked_at FROM sam_company_keys
WHERE tenant = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3
"""


async def keys_after(pool: Pool, tenant: str, last: str | None, most: int) -> list[CompanyKey]:
    """Company keys in the order of their ids, behind `last`, revoked ones too."""
    return [CompanyKey(*row.values()) for row in await statements.rows(pool, tenant, _KEYS, last, most)]


_REVOKE_KEY = """
UPDATE sam_company_keys SET revoked_at = db_now() WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL RETURNING id
"""


async def revoke_key(pool: Pool, tenant: str, key_id: str) -> bool:
    """End a company's key at once; False when there is none, or it has been revoked before."""
    return await statements.row(pool, tenant, _REVOKE_KEY, key_id) is not None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be stored."""

    id: str
    user: str
    hmac: bytes
    expires_at: datetime | None


_ADD_USERS = """
INSERT INTO sam_tokens (tenant, id, user_id, hmac, expires_at)
SELECT $1, $2, id, $4, $5 FROM users WHERE tenant = $1 AND id = $3 FOR KEY SHARE
RETURNING id, user_id, created_at, expires_at, revoked_at
"""


async def add_token(pool: Pool, tenant: str, new: NewToken) -> Token | None:
    """Store a token; None when there is no such user."""
    row = await statements.row(pool, tenant, _ADD_USERS, new.id, new.user, new.hmac, new.expires_at)
    return None if row is None else Token(*row.values())


_TOKENS = """
SELECT id, user_id, created_at, expires_at, revoked_at FROM sam_tokens
WHERE tenant = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3
"""


async def tokens_after(pool: Pool, tenant: str, last: str | None, most: int) -> list[Token]:
    """Tokens in the order of their ids, behind `last`, ended ones too."""
    return [Token(*row.values()) for row in await statements.rows(pool, tenant, _TOKENS, last, most)]


_REVOKE_USERS = """
UPDATE sam_tokens SET revoked_at = db_now() WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL RETURNING id
"""


async def revoke_token(pool: Pool, tenant: str, token_id: str) -> bool:
    """End a token at once; False when there is none, or it has been revoked before."""
    return await statements.row(pool, tenant, _REVOKE_USERS, token_id) is not None
