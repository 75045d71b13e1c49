"""Rows of the record for tests: every column has a plausible value, and a test states only what it is about."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import orjson

TENANT = "acme"


def _today() -> date:
    return datetime.now(UTC).date()


async def owner(dsn: str) -> asyncpg.Connection:
    """A connection of the owner, for whom row-level security does not count; jsonb comes and goes as values."""
    connection = await asyncpg.connect(dsn)
    await connection.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )
    return connection


async def insert(connection: asyncpg.Connection, table: str, values: dict[str, Any]) -> dict[str, Any]:
    """Insert one row and return it."""
    columns = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    statement = f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING *"  # noqa: S608 - a test's own names
    return await one(connection, statement, *values.values())


async def one(connection: asyncpg.Connection, statement: str, *arguments: Any) -> dict[str, Any]:
    """The one row of a statement; there must be exactly one."""
    [row] = await connection.fetch(statement, *arguments)
    return dict(row)


async def tenant(connection: asyncpg.Connection, name: str = TENANT) -> None:
    """A tenant."""
    await connection.execute("INSERT INTO tenants (id) VALUES ($1) ON CONFLICT DO NOTHING", name)


async def notification(connection: asyncpg.Connection, **values: Any) -> dict[str, Any]:
    """A notification that needs no action, made now, kept for 7 days."""
    now = datetime.now(UTC)
    standard: dict[str, Any] = {
        "tenant": TENANT, "id": uuid.uuid4(), "expires_on": _today() + timedelta(days=7), "source": "test",
        "name": "Boiler 7", "description": "It is **hot**", "importance": "warning", "class_key": "alarms",
        "options": {}, "items": [], "requires_action": False, "action_url": None, "script": "default",
        "channels": ["inbox", "push", "email"], "lane": "urgent", "door": "http", "owner": "key",
        "accepted_at": now, "created_at": now, "expires_at": now + timedelta(days=7), "recipient_count": 1,
    }  # fmt: skip
    return await insert(connection, "notifications", {**standard, **values})


async def open_action(connection: asyncpg.Connection, **values: Any) -> dict[str, Any]:
    """A notification somebody has to act on: it has no end yet."""
    return await notification(
        connection, **{"requires_action": True, "expires_on": date.max, "expires_at": None, **values}
    )


async def item(
    connection: asyncpg.Connection, of: dict[str, Any], recipient: str = "ada", **values: Any
) -> dict[str, Any]:
    """A recipient's inbox item of a notification, with nothing planned but the inbox."""
    standard: dict[str, Any] = {
        "tenant": of["tenant"], "recipient": recipient, "notification_id": of["id"], "expires_on": of["expires_on"],
        "importance": of["importance"], "class_key": of["class_key"], "hidden": False,
        "created_at": of["created_at"], "expires_at": of["expires_at"], "push_endpoints": [], "email_plan": "none",
    }  # fmt: skip
    return await insert(connection, "inbox_items", {**standard, **values})


async def delivery(connection: asyncpg.Connection, of: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A push delivery of a notification whose second attempt is due now."""
    now = datetime.now(UTC)
    standard: dict[str, Any] = {
        "tenant": of["tenant"], "id": uuid.uuid4(), "expires_on": of["expires_on"], "subject": "notification",
        "subject_id": of["id"], "recipient": "ada", "endpoint": str(uuid.uuid4()), "channel": "push",
        "lane": of["lane"], "state": "retry", "reason": "timeout", "attempt": 2, "due_at": now, "accepted_at": now,
        "created_at": now,
    }  # fmt: skip
    return await insert(connection, "deliveries", {**standard, **values})


async def schedule(
    connection: asyncpg.Connection, tenant: str, notification: uuid.UUID, number: int, owner: str = "a-key"
) -> dict[str, Any]:
    """A notification that waits for an hour more; `number` is the schedule's id."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "id": number, "tenant": tenant, "notification_id": notification, "due_at": now + timedelta(hours=1),
        "local": datetime.fromisoformat("2026-12-01T09:00:00"), "timezone": "Europe/Berlin",
        "notification": {"accepted_at": now.isoformat(), "owner": owner}, "remove_after": now + timedelta(days=14),
    }  # fmt: skip
    return await insert(connection, "schedules", values)
