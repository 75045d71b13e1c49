"""Where something about one person may stand, and what becomes of it: plain functions of values.

The record's tables are all named here; a test holds this against the schema, so that a new table or column is decided
on before it is used.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from shared.contract import topics
from shared.contract.topics import TOPICS

ERASED = "erased"
"""What stands in the place of a person's id where a row has to go on."""

PLACES: Mapping[str, str] = {
    "users": "deleted",
    "group_members": "deleted",
    "endpoints": "deleted",
    "sam_tokens": "deleted",
    "preferences": "deleted",
    "windows": "deleted; the timer of a window ends by itself when the window would have",
    "schedules": "taken out of the recipients; where nobody else is left, cancelled and emptied of what it said",
    "fanouts": "replaced by an id that says nothing; nothing is sent to it",
    "follow_ups": "put back to whoever comes before, where one stands at the person",
    "runs": "deleted, as soon as none of them is at work",
    "inbox_items": "deleted, as soon as nothing of the notification is being sent to the person",
    "deliveries": "deleted with the inbox item or digest; what is being sent is let finish first",
    "attempts": "deleted with the delivery",
    "digests": "deleted, as soon as the mail is not being sent",
    "timeline": "lines that name the person are deleted",
    "notifications": "deleted where nobody else received them; otherwise who completed or asked for it is taken out",
    "dead_letters": "deleted where the original names the person",
    "bodies": "originals of deleted dead letters are deleted; others are texts without recipients, kept for some days",
    "suppressions": "the address is taken out and its hash kept, so that nobody writes there again",
    "outbox": "kept: records on their way to Kafka, within seconds; then see the topics",
    "identities": "kept until they expire: a notification's id and the hash of its request, by which a repeat is known",
    "directory_versions": "kept: a hash, by which what the topic told before is known to be old",
    "erasures": "kept: the same hash and when, so that nothing older brings the person back",
}
"""What becomes of a person's rows in each table that has any."""

NOBODY = frozenset({
    "api_keys", "classes", "groups", "importances", "positions", "properties", "sam_company_keys", "schema_migrations",
    "tags", "templates", "tenants",
})  # fmt: skip
"""Tables in which nothing is about a recipient."""

_NAMES_NOBODY = frozenset({topics.ENTITIES_TOUCHED})


@dataclass(frozen=True, slots=True)
class ErasedTable:
    """A table: the rows erased so far, those that are left for now, and what becomes of them."""

    table: str
    erased: int
    remaining: int
    treatment: str


@dataclass(frozen=True, slots=True)
class AgingTopic:
    """A topic that may hold copies, and when the last of them is gone by its retention."""

    topic: str
    until: datetime


def tables(erased: Mapping[str, int], remaining: Mapping[str, int]) -> list[ErasedTable]:
    """Every table that may hold something, in one order."""
    return [
        ErasedTable(table, erased.get(table, 0), remaining.get(table, 0), treatment)
        for table, treatment in PLACES.items()
    ]


def aging(last_written: datetime) -> list[AgingTopic]:
    """Until when the topics may hold what was written until then."""
    return [
        AgingTopic(topic.name, last_written + timedelta(milliseconds=topic.gone_after_ms))
        for topic in TOPICS
        if topic.name not in _NAMES_NOBODY
    ]


def needles(names: Collection[str]) -> list[bytes]:
    """What a JSON document has in it that names the person: the names as strings, in both spellings, and addresses."""
    quoted = {spelled.encode() for name in names for spelled in (orjson.dumps(name).decode(), json.dumps(name))}
    return sorted(quoted | {name.encode() for name in names if "@" in name})


_WHO = frozenset({"recipient", "user", "user_id", "login", "email", "address", "completed_by"})
_OTHER_LISTS = frozenset({"ids", "items", "keys", "channels"})


def is_named(original: bytes, names: Collection[str]) -> bool:
    """Whether a dead letter's original concerns the person; of what is no JSON, whether a name stands in it."""
    try:
        document = orjson.loads(original)
    except ValueError:
        return any(needle in original for needle in needles(names))
    return _is_named(document, frozenset(names))


def _is_named(value: Any, names: frozenset[str]) -> bool:
    """A name counts where a person is meant: another thing may have the same number for an id."""
    if isinstance(value, list):
        return any(_is_named(each, names) for each in value)
    if isinstance(value, dict):
        return any(_means(key, held, names) or _is_named(held, names) for key, held in value.items())
    return isinstance(value, str) and "@" in value and value in names


def _means(key: str, held: Any, names: frozenset[str]) -> bool:
    if isinstance(held, list):
        return key not in _OTHER_LISTS and bool(names & _texts(held))
    if isinstance(held, dict):
        return key == "user" and bool(names & _texts([held.get("id")]))
    return key in _WHO and bool(names & _texts([held]))


def _texts(values: list[Any]) -> set[str]:
    return {value for value in values if isinstance(value, str)}
