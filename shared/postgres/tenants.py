"""The first tenant and its first key, made by the owner of the database: before them no API lets anyone in."""

from collections.abc import Sequence

from shared import access, sam_access
from shared.postgres.pool import Connection

_CREATE_TENANT = """
INSERT INTO tenants (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name
"""

_CREATE_KEY = """
INSERT INTO api_keys (tenant, id, name, scopes, hmac) VALUES ($1, $2, $3, $4, $5)
"""


async def create_tenant(connection: Connection, tenant: str, name: str) -> None:
    """Make a tenant, or rename the one there is; the connection is the database owner's."""
    await connection.execute(_CREATE_TENANT, tenant, name)


async def create_key(
    connection: Connection, tenant: str, name: str, scopes: Sequence[access.Scope | str], secret: bytes
) -> str:
    """Make a key of a tenant and return it: only its HMAC under `secret` is stored, so it is never shown again."""
    key_id, key = access.new_key()
    await connection.execute(_CREATE_KEY, tenant, key_id, name, list(scopes), access.key_hmac(key, secret))
    return key


_CREATE_COMPANY_KEY = "INSERT INTO sam_company_keys (tenant, id, company, hmac) VALUES ($1, $2, $3, $4)"


async def create_company_key(connection: Connection, tenant: str, company: str, secret: bytes) -> str:
    """Make a key of one of a tenant's companies for the sendNotification dialect and return it, as `create_key`."""
    key_id, key = sam_access.new_company_key()
    await connection.execute(_CREATE_COMPANY_KEY, tenant, key_id, company, access.key_hmac(key, secret))
    return key


_CREATE_SAM_USER = "INSERT INTO sam_tokens (tenant, id, user_id, hmac) VALUES ($1, $2, $3, $4)"


async def create_sam_token(connection: Connection, tenant: str, user: str, secret: bytes) -> str:
    """Make a token that speaks for a user in the sendNotification dialect and return it, as `create_key`."""
    token_id, token = sam_access.new_token()
    await connection.execute(_CREATE_SAM_USER, tenant, token_id, user, access.key_hmac(token, secret))
    return token
