"""What records of `directory.changes` say, and which of them still count: plain functions of values."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

import orjson
from pydantic import ValidationError

from shared.contract import codec, topics
from shared.contract.directory_entries import DirectoryChanged, GroupEntry, GroupKey, MemberEntry, MemberKey, UserEntry
from shared.contract.outcomes import Reason
from shared.contract.records import Record
from shared.postgres import dead_letters
from shared.postgres.dead_letters import DeadLetter

E = TypeVar("E")


class RawRecord(Protocol):
    """A record as the consumer gives it."""

    partition: int
    offset: int
    key: Any
    value: Any
    headers: Any


@dataclass(frozen=True, slots=True)
class Told:
    """A change and the record that told it."""

    message: DirectoryChanged
    raw: RawRecord

    def buried(self, reason: Reason, detail: str) -> DeadLetter:
        """The record as a dead letter."""
        return letter(self.raw, reason, detail)


def read(records: Iterable[RawRecord]) -> tuple[list[Told], list[DeadLetter]]:
    """The changes of a batch, and letters for what says nothing understandable.

    A record without a value says nothing on purpose: it lets Kafka forget its key.
    """
    told: list[Told] = []
    poison: list[DeadLetter] = []
    for raw in records:
        if raw.value is None:
            continue
        try:
            told.append(Told(DirectoryChanged.model_validate_json(raw.value), raw))
        except ValidationError as error:
            poison.append(letter(raw, Reason.UNDECODABLE, str(codec.undecodable(error))))
    return told, poison


def letter(raw: RawRecord, reason: Reason, detail: str) -> DeadLetter:
    """The dead letter of a record; it is nobody's, since nobody is sure whom the writer may speak for."""
    original = Record(topics.DIRECTORY_CHANGES, raw.key, raw.value, raw.headers)
    return dead_letters.of_record(original, (raw.partition, raw.offset), "", reason, detail)


def subject_of(change: DirectoryChanged) -> bytes:
    """What a change is about, as a hash: it must outlive a removal, and then say nothing about anybody."""
    about = change.removed or change
    if about.user is not None:
        return subject_of_user(about.user.id)
    if about.group is not None:
        parts = ["group", about.group.kind, about.group.id]
    elif about.member is not None:
        parts = ["member", about.member.kind, about.member.group, about.member.user]
    else:
        raise ValueError("the change is about nothing")
    return _hashed(parts)


def subject_of_user(user: str) -> bytes:
    """What changes of a user are about."""
    return _hashed(["user", user])


def _hashed(parts: list[str]) -> bytes:
    return hashlib.sha256(orjson.dumps(parts)).digest()


def person_of(change: DirectoryChanged) -> bytes | None:
    """The user whom a change puts into the directory or a group, as a hash; None where it puts nobody."""
    if change.user is not None:
        return subject_of_user(change.user.id)
    return None if change.member is None else subject_of_user(change.member.user)


def without_erased(changes: Iterable[DirectoryChanged], erased: Mapping[bytes, datetime]) -> list[DirectoryChanged]:
    """Those that bring nobody back who was erased after they were said."""
    kept = []
    for change in changes:
        person = person_of(change)
        if person is None or person not in erased or erased[person] < change.at:
            kept.append(change)
    return kept


def newest(changes: Iterable[DirectoryChanged]) -> dict[bytes, DirectoryChanged]:
    """Of the changes of one tenant, the one that counts for each subject: the largest version, the first of equals."""
    found: dict[bytes, DirectoryChanged] = {}
    for change in changes:
        subject = subject_of(change)
        if subject not in found or found[subject].version < change.version:
            found[subject] = change
    return found


def gone_group(change: DirectoryChanged) -> GroupKey | None:
    """The group that a change removes, if it does."""
    return None if change.removed is None else change.removed.group


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes do to the directory: what is put first, then what is removed with all that hangs on it."""

    users: Sequence[UserEntry]
    groups: Sequence[GroupEntry]
    members: Sequence[MemberEntry]
    gone_users: Sequence[str]
    gone_groups: Sequence[GroupKey]
    gone_members: Sequence[MemberKey]


def effect_of(changes: Sequence[DirectoryChanged]) -> Effect:
    """The effect of changes, each about something else."""
    removals = [change.removed for change in changes if change.removed is not None]
    return Effect(
        _present(change.user for change in changes),
        _present(change.group for change in changes),
        _present(change.member for change in changes),
        [removed.user.id for removed in removals if removed.user is not None],
        _present(removed.group for removed in removals),
        _present(removed.member for removed in removals),
    )


def _present(entries: Iterable[E | None]) -> list[E]:
    return [entry for entry in entries if entry is not None]
