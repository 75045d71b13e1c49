"""The tenant `demo`: so that whoever starts the stack can send something at once."""

import json
from typing import Any

import asyncpg

from deploy.local import state
from shared import access
from shared.postgres import tenants
from shared.postgres.pool import Connection

TENANT = "demo"
USERS = (
    "ada", "alan", "barbara", "claude", "donald", "dorothy", "edsger", "frances", "grace", "hedy",
    "jean", "john", "karen", "katherine", "ken", "leslie", "margaret", "radia", "robin", "tim",
)  # fmt: skip
SCOPES = {"api_key": (access.Scope.PUBLISH, access.Scope.TRACE), "admin_key": (access.Scope.ADMIN,)}
SAM_USER = "ada"
SAM_COMPANY = "3"
"""The company of the source's own examples."""

GROUPS = (
    ("company", SAM_COMPANY, "Demo", None, USERS),
    ("team", "23", "Pioneers", None, ("ada", "grace", "hedy", "katherine")),
    ("team", "27", "Languages", None, ("barbara", "frances", "john", "ken", "robin")),
    ("event", "9", "Open day", None, ()),
    ("event_team", "91", "Guides", "9", ("margaret", "radia", "tim")),
)
"""Kind, id, name, parent and members; a team is what the source's type GT sends to."""

KEYS_FILE = "demo-keys.json"
NOBODY: dict[str, Any] = {
    "tenant": None,
    "api_key": None,
    "admin_key": None,
    "sam_authtoken": None,
    "sam_company_api_key": None,
    "users": [],
    "groups": [],
}

_ADD_USERS = """
INSERT INTO users (tenant, id, login, email, first_name)
SELECT $1, name, name, name || '@demo.example', initcap(name) FROM unnest($2::text[]) AS name
ON CONFLICT DO NOTHING
"""
_ADD_GROUP = """
INSERT INTO groups (tenant, kind, id, name, company, parent) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""
_ADD_MEMBERS = """
INSERT INTO group_members (tenant, kind, group_id, user_id, status)
SELECT $1, $2, $3, name, 'accepted' FROM unnest($4::text[]) AS name ON CONFLICT DO NOTHING
"""
_MAKE_SUPER_USER = """
UPDATE users SET roles = array_append(roles, 'SUPER_USER')
WHERE tenant = $1 AND id = $2 AND NOT 'SUPER_USER' = ANY (roles)
"""
_IS_SAM_PAIR = """
SELECT EXISTS (SELECT FROM sam_tokens WHERE tenant = $1 AND hmac = $2 AND revoked_at IS NULL)
  AND EXISTS (SELECT FROM sam_company_keys WHERE tenant = $1 AND hmac = $3 AND revoked_at IS NULL)
"""
_STORED_HMAC = "SELECT hmac FROM api_keys WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL"


async def seeded(dsn: str, held: state.State) -> dict[str, Any]:
    """Make the tenant, its users, groups and keys where they are missing; the `demo` of `endpoints.json`."""
    connection = await asyncpg.connect(dsn)
    try:
        await tenants.create_tenant(connection, TENANT, "Demo")
        await connection.execute(_ADD_USERS, TENANT, list(USERS))
        await connection.execute(_MAKE_SUPER_USER, TENANT, SAM_USER)
        for kind, group, name, parent, members in GROUPS:
            await connection.execute(_ADD_GROUP, TENANT, kind, group, name, SAM_COMPANY, parent)
            await connection.execute(_ADD_MEMBERS, TENANT, kind, group, list(members))
        keys = await _keys(connection, held)
    finally:
        await connection.close()
    groups = [{"kind": kind, "id": group} for kind, group, *_ in GROUPS]
    return {**NOBODY, "tenant": TENANT, **keys, "users": list(USERS), "groups": groups}


async def _keys(connection: Connection, held: state.State) -> dict[str, str]:
    """The keys: those of the last start while the database still knows them, else new ones."""
    secret = held.secret_file(state.API_KEYS).read_bytes().strip()
    file = held.folder / "secrets" / KEYS_FILE
    kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    whole = [await _known(connection, kept.get(name, ""), secret) for name in SCOPES]
    if not all([*whole, await _is_sam_pair(connection, kept, secret)]):
        kept = await _made(connection, secret)
        state.write_private(file, json.dumps(kept))
    return kept


async def _made(connection: Connection, secret: bytes) -> dict[str, str]:
    keys = {
        name: await tenants.create_key(connection, TENANT, name.replace("_", " "), scopes, secret)
        for name, scopes in SCOPES.items()
    }
    token = await tenants.create_sam_token(connection, TENANT, SAM_USER, secret)
    company_key = await tenants.create_company_key(connection, TENANT, SAM_COMPANY, secret)
    return {**keys, "sam_authtoken": token, "sam_company_api_key": company_key}


async def _is_sam_pair(connection: Connection, kept: dict[str, str], secret: bytes) -> bool:
    hmacs = [access.key_hmac(kept.get(name, ""), secret) for name in ("sam_authtoken", "sam_company_api_key")]
    return bool(await connection.fetchval(_IS_SAM_PAIR, TENANT, *hmacs))


async def _known(connection: Connection, key: str, secret: bytes) -> bool:
    stored = await connection.fetchval(_STORED_HMAC, TENANT, access.key_id(key))
    return bool(stored == access.key_hmac(key, secret))
