"""Row-level security as each service's own role: the second lock between tenants, table by table."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.support import databases, rows

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)
TENANTS = ("acme", "globex")
ONE_TENANT = ("inbox", "console")
"""Roles that answer for one tenant at a time."""
EVERY_TENANT = ("dispatcher", "digest", "scheduler", "retention")
"""Roles that work in batches of many tenants."""
# What roles of one tenant may read beyond it, and why, stands beside the policies in the migration.
READS_ALL = {
    ("inbox", "api_keys"), ("console", "api_keys"), ("ingest", "api_keys"), ("ingest", "identities"),
    ("ingest", "properties"), ("ingest", "importances"), ("ingest", "classes"), ("ingest", "bodies"),
    ("ingest", "templates"),
    ("ingest", "sam_company_keys"), ("ingest", "sam_tokens"),
}  # fmt: skip


async def fill(owner: asyncpg.Connection, tenant: str) -> None:
    """One row of a tenant in every table that is guarded."""
    await rows.tenant(owner, tenant)
    made = await rows.notification(owner, tenant=tenant)
    await rows.item(owner, made)
    delivery = await rows.delivery(owner, made)
    await rows.schedule(owner, tenant, made["id"], TENANTS.index(tenant))
    day = made["expires_on"]
    digest = {"recipient": "ada", "class_key": "general", "opened_at": NOW, "due_at": NOW}
    others: dict[str, dict[str, Any]] = {
        "api_keys": {"id": f"key-{tenant}", "name": "x", "scopes": ["admin"], "hmac": b"x"},
        "properties": {"name": "p", "value": 1},
        "importances": {"name": "info", "retention": 7, "css_class": "", "sort": 1, "send": True},
        "classes": {"key": "general", "name": "General", "options": {}},
        "users": {"id": "ada"},
        "groups": {"kind": "team", "id": "23", "company": "3"},
        "group_members": {"kind": "team", "group_id": "23", "user_id": "ada", "status": "accepted"},
        "directory_versions": {"subject": b"s", "version": 1},
        "endpoints": {"id": uuid.uuid4(), "recipient": "ada", "channel": "push", "kind": "webhook",
                      "address": "https://a.example", "secret": "s"},
        "identities": {"id": made["id"], "accepted_at": NOW, "expires_on": day},
        "attempts": {"delivery_id": delivery["id"], "expires_on": day, "attempt": 1, "at": NOW,
                     "outcome": "retry", "seconds": 0.0},
        "timeline": {"notification_id": made["id"], "expires_on": day, "at": NOW, "event": "accepted", "detail": {}},
        "digests": {"id": uuid.uuid4(), "expires_on": day, "flushed_at": NOW, "member_count": 1, **digest},
        "dead_letters": {"id": uuid.uuid4(), "expires_on": day, "reason": "x", "detail": "x", "topic": "x",
                         "headers": [], "at": NOW},
        "windows": {"id": uuid.uuid4(), **digest},
        "fanouts": {"notification_id": made["id"], "lane": "bulk", "expires_on": day, "recipients": [],
                    "expected": 0, "created_at": NOW, "turned_at": NOW},
        "follow_ups": {"kind": "completed", "notification_id": made["id"], "expires_on": day, "at": NOW,
                       "recipient_after": "", "turned_at": NOW},
        "templates": {"name": "t", "version": 1, "html": "x", "required": [], "optional": []},
        "sam_company_keys": {"id": f"company-{tenant}", "company": "3", "hmac": tenant.encode()},
        "sam_tokens": {"id": f"token-{tenant}", "user_id": "ada", "hmac": b"x"},
        "tags": {"id": 1, "name": "Spring"},
        "runs": {"id": uuid.uuid4(), "kind": "script", "name": "s", "notification_id": made["id"], "expires_on": day,
                 "due_at": NOW, "created_at": NOW},
        "erasures": {"subject": b"s", "begun_at": NOW},
        "suppressions": {"hash": b"h", "reason": "bounce", "detail": "550", "at": NOW},
        "preferences": {"recipient": "ada", "channel": "email", "class_key": "", "asset": "", "state": "unsubscribed",
                        "changed_at": NOW},
        "bodies": {"hash": b"h", "content": b"c", "keep_until": NOW + timedelta(days=1)},
    }  # fmt: skip
    for table, values in others.items():
        await rows.insert(owner, table, {"tenant": tenant, **values})


@dataclass
class Record:
    """A record of two tenants: its owner's connection, and one of each role."""

    owner: asyncpg.Connection
    roles: dict[str, asyncpg.Connection]

    async def may(self, role: str, what: str, table: str) -> bool:
        found: bool = await self.owner.fetchval(
            "SELECT has_table_privilege($1::name, $2::text, $3::text)", f"tocsin_{role}", table, what
        )
        return found

    async def seen(self, role: str, table: str, tenant: str | None) -> list[str]:
        """Whose rows a role sees in a transaction of a tenant, or of none."""
        connection = self.roles[role]
        async with connection.transaction():
            if tenant is not None:
                await connection.execute("SELECT set_config('tocsin.tenant', $1, true)", tenant)
            found = await connection.fetch(f"SELECT tenant FROM {table} ORDER BY tenant")  # noqa: S608
        return [row["tenant"] for row in found]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def record(postgres_server: str) -> AsyncIterator[Record]:
    async with databases.cloned(postgres_server) as database:
        owner = await rows.owner(database.owner)
        for tenant in TENANTS:
            await fill(owner, tenant)
        roles = {role: await asyncpg.connect(database.dsn(role)) for role in (*ONE_TENANT, *EVERY_TENANT, "ingest")}
        yield Record(owner, roles)
        for connection in (owner, *roles.values()):
            await connection.close()


TABLES = (
    "api_keys", "properties", "importances", "classes", "users", "endpoints", "identities", "notifications",
    "inbox_items", "deliveries", "attempts", "timeline", "digests", "dead_letters", "windows", "schedules", "fanouts",
    "follow_ups", "bodies", "templates", "groups", "group_members", "directory_versions",
    "sam_company_keys", "sam_tokens", "tags", "runs", "suppressions", "erasures",
    "preferences",
)  # fmt: skip


async def test_every_table_with_a_tenant_is_guarded(record: Record) -> None:
    found = await record.owner.fetch(
        """SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS guarded
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
           WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"""
    )
    assert {row["relname"] for row in found if row["guarded"]} == set(TABLES)
    assert [row["relname"] for row in found if not row["guarded"]] == []


@pytest.mark.parametrize("table", TABLES)
async def test_a_role_of_one_tenant_sees_that_tenant_and_without_one_nothing(record: Record, table: str) -> None:
    for role in (*ONE_TENANT, "ingest"):
        if not await record.may(role, "SELECT", table) or (role, table) in READS_ALL:
            continue
        assert await record.seen(role, table, "acme") == ["acme"], role
        assert await record.seen(role, table, "initech") == [], role
        assert await record.seen(role, table, "") == [], role
        assert await record.seen(role, table, None) == [], role


@pytest.mark.parametrize("table", TABLES)
async def test_a_role_of_batches_sees_every_tenant(record: Record, table: str) -> None:
    for role in EVERY_TENANT:
        if await record.may(role, "SELECT", table):
            assert await record.seen(role, table, None) == ["acme", "globex"], role


@pytest.mark.parametrize("table", TABLES)
async def test_a_role_of_one_tenant_changes_nothing_of_another(record: Record, table: str) -> None:
    for role in ONE_TENANT:
        if not await record.may(role, "UPDATE", table):
            continue
        connection = record.roles[role]
        async with connection.transaction():
            await connection.execute("SELECT set_config('tocsin.tenant', 'acme', true)")
            changed = await connection.execute(f"UPDATE {table} SET tenant = tenant WHERE tenant = 'globex'")  # noqa: S608
        assert changed == "UPDATE 0", role


_WRITES = {
    "console": "INSERT INTO users (tenant, id) VALUES ('globex', 'mallory')",
    "inbox": """INSERT INTO timeline (tenant, notification_id, expires_on, at, event, detail)
                VALUES ('globex', gen_random_uuid(), current_date, now(), 'completed', '{}')""",
}


@pytest.mark.parametrize("role", ONE_TENANT)
async def test_a_role_of_one_tenant_writes_nothing_for_another(record: Record, role: str) -> None:
    connection = record.roles[role]
    async with connection.transaction():
        await connection.execute("SELECT set_config('tocsin.tenant', 'acme', true)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await _alone(connection, _WRITES[role])


async def _alone(connection: asyncpg.Connection, statement: str) -> None:
    """Run a statement so that its failure leaves the transaction around it usable."""
    async with connection.transaction():
        await connection.execute(statement)


async def test_no_role_reads_a_partition_around_the_lock_of_its_table(record: Record) -> None:
    partitions = await record.owner.fetch("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
    assert partitions
    open_ones = [
        (role, row["relname"])
        for row in partitions
        for role in ONE_TENANT
        if await record.may(role, "SELECT", row["relname"])
    ]
    assert open_ones == []
