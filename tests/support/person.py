"""One person with a row in every table that can have one, and whether anything in a database still names the person."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson

from shared.contract.records import recipient_key
from tests.support import rows

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Person:
    """Names that stand nowhere but in this person's rows."""

    tenant: str
    id: str
    other: str = "grace"

    @property
    def email(self) -> str:
        """The address."""
        return f"{self.id}@example.test"

    @property
    def login(self) -> str:
        """The login."""
        return f"login-of-{self.id}"


def made(tenant: str) -> Person:
    """A person nobody else is."""
    return Person(tenant, f"ada-{uuid.uuid4().hex[:8]}")


async def everywhere(owner: asyncpg.Connection, who: Person) -> dict[str, Any]:
    """A row of the person in every table; the notifications that both and that the person alone got."""
    await rows.tenant(owner, who.tenant)
    shared = await rows.open_action(owner, tenant=who.tenant, completed_by=who.id, completed_at=NOW)
    own = await rows.notification(owner, tenant=who.tenant, recipient_count=1, description=f"Dear {who.id}")
    asked = await rows.notification(owner, tenant=who.tenant, owner=f"sendNotification:{who.id}")
    await rows.item(owner, asked, who.other)
    digest = await _digest(owner, who)
    for told in (shared, own):
        await rows.item(owner, told, who.id, email_plan="digest", digest_id=digest["id"])
        sent = {"recipient": who.id, "state": "sent", "reason": None, "due_at": None}
        delivery = await rows.delivery(owner, told, **sent)
        await _attempt(owner, delivery)
        await _insert(owner, who, "timeline", notification_id=told["id"], expires_on=told["expires_on"], at=NOW,
                      event="completed", detail={"recipient": who.id})  # fmt: skip
    await rows.item(owner, shared, who.other)
    await _directory(owner, who)
    await _waiting(owner, who, shared)
    await _letters(owner, who, delivery)
    return {"shared": shared["id"], "own": own["id"], "asked": asked["id"]}


async def _digest(owner: asyncpg.Connection, who: Person) -> dict[str, Any]:
    day = NOW.date() + timedelta(days=7)
    digest = await _insert(owner, who, "digests", id=uuid.uuid4(), expires_on=day, recipient=who.id,
                           class_key="general", opened_at=NOW, due_at=NOW, flushed_at=NOW, member_count=2)  # fmt: skip
    subject = {"tenant": who.tenant, "id": digest["id"], "expires_on": day, "lane": "routine"}
    mail = await rows.delivery(owner, subject, subject="digest", recipient=who.id, channel="email", endpoint="email")
    await _attempt(owner, mail)
    return digest


async def _attempt(owner: asyncpg.Connection, delivery: dict[str, Any]) -> None:
    values = {"tenant": delivery["tenant"], "delivery_id": delivery["id"], "expires_on": delivery["expires_on"]}
    tried = {"attempt": 1, "at": NOW, "outcome": "delivered", "seconds": 0.1}
    await rows.insert(owner, "attempts", values | tried)


async def _directory(owner: asyncpg.Connection, who: Person) -> None:
    await _insert(owner, who, "users", id=who.id, email=who.email, login=who.login, first_name=f"Ada of {who.id}")
    await _insert(owner, who, "group_members", kind="team", group_id="23", user_id=who.id, status="accepted")
    await _insert(owner, who, "endpoints", id=uuid.uuid4(), recipient=who.id, channel="push", kind="webhook",
                  address=f"https://{who.id}.example", secret="whsec_secret")  # fmt: skip
    await _insert(owner, who, "sam_tokens", id=f"token-{uuid.uuid4()}", user_id=who.id, hmac=b"hmac")
    await _insert(owner, who, "preferences", recipient=who.id, channel="email", class_key="general", asset="",
                  state="unsubscribed", changed_at=NOW)  # fmt: skip
    subject = hashlib.sha256(orjson.dumps(["user", who.id])).digest()
    await _insert(owner, who, "directory_versions", subject=subject, version=7)
    for address, detail in ((who.email, "550"), (f"old-{who.email}", f"asked by {who.id}")):
        name = await owner.fetchval("SELECT address_hash($1, $2)", who.tenant, address)
        delivery = await owner.fetchval("SELECT id FROM deliveries WHERE recipient = $1 LIMIT 1", who.id)
        await _insert(owner, who, "suppressions", hash=name, address=address, reason="bounce", detail=detail,
                      delivery_id=delivery, at=NOW)  # fmt: skip


async def _waiting(owner: asyncpg.Connection, who: Person, told: dict[str, Any]) -> None:
    await _insert(owner, who, "windows", id=uuid.uuid4(), recipient=who.id, class_key="general", opened_at=NOW,
                  due_at=NOW)  # fmt: skip
    await _insert(owner, who, "runs", id=uuid.uuid4(), kind="script", name="s", notification_id=told["id"],
                  expires_on=told["expires_on"], recipient=who.id, due_at=NOW, created_at=NOW)  # fmt: skip
    for recipients in ([who.id], [who.other, who.id]):
        number = await owner.fetchval("SELECT nextval('schedule_ids')")
        schedule = await rows.schedule(owner, who.tenant, uuid.uuid4(), number)
        said = {
            "recipients": recipients,
            "description": "Dear all" if who.other in recipients else f"Dear {who.id}",
            "owner": f"sendNotification:{who.other if who.other in recipients else who.id}",
        }
        await owner.execute("UPDATE schedules SET notification = $2 WHERE id = $1", schedule["id"], said)
    await _insert(owner, who, "fanouts", notification_id=uuid.uuid4(), lane="bulk", expires_on=told["expires_on"],
                  recipients=[who.other, who.id, "linus"], resolved=[who.id], expected=3, created_at=NOW,
                  turned_at=NOW)  # fmt: skip
    await _insert(owner, who, "follow_ups", kind="completed", notification_id=told["id"],
                  expires_on=told["expires_on"], at=NOW, recipient_after=who.id, turned_at=NOW)  # fmt: skip


async def _letters(owner: asyncpg.Connection, who: Person, delivery: dict[str, Any]) -> None:
    request = orjson.dumps({"id": str(delivery["id"]), "recipient": who.id})
    await _letter(owner, who, request, delivery_id=delivery["id"], key=recipient_key(who.tenant, who.id))
    await _letter(owner, who, orjson.dumps({"recipients": [who.other, who.id], "name": 7}), key=b"k")
    await _letter(owner, who, b'{"to": "' + who.email.encode() + b'", cut off', key=None)
    large = orjson.dumps({"recipients": [who.id], "filling": "x" * 1000})
    name = hashlib.sha256(large).digest()
    await _insert(owner, who, "bodies", hash=name, content=large, keep_until=NOW + timedelta(days=8))
    await _letter(owner, who, None, original_ref=name)


async def _letter(owner: asyncpg.Connection, who: Person, original: bytes | None, **values: Any) -> None:
    standard = {"id": uuid.uuid4(), "expires_on": NOW.date() + timedelta(days=7), "reason": "invalid", "detail": "x",
                "topic": "t", "headers": [], "at": NOW, "original": original}  # fmt: skip
    await _insert(owner, who, "dead_letters", **{**standard, **values})


async def _insert(owner: asyncpg.Connection, who: Person, table: str, **values: Any) -> dict[str, Any]:
    return await rows.insert(owner, table, {"tenant": who.tenant, **values})


async def tables(owner: asyncpg.Connection) -> list[str]:
    """Every table of the schema, without partitions."""
    found = await owner.fetch(
        """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
           AND relnamespace = 'public'::regnamespace ORDER BY relname"""
    )
    return [row["relname"] for row in found]


async def traces(owner: asyncpg.Connection, who: Person) -> dict[str, int]:
    """How many rows of each table hold one of the person's names anywhere, whatever the column; bytes are read too."""
    found = {}
    for table in await tables(owner):
        columns = await owner.fetch(
            """SELECT attname, atttypid = 'bytea'::regtype AS is_bytes FROM pg_attribute
               WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped""", table
        )  # fmt: skip
        texts = [
            f"""encode("{column["attname"]}", 'escape')""" if column["is_bytes"] else f'"{column["attname"]}"::text'
            for column in columns
        ]
        wanted = " || ' ' || ".join(f"coalesce({text}, '')" for text in texts)
        query = f"SELECT count(*) FROM {table} WHERE position($1 IN {wanted}) > 0"  # noqa: S608 - names of the schema
        if count := await owner.fetchval(query, who.id):
            found[table] = count
    return found
