"""What recipients do: decided under the notification's lock, recorded with everything that follows from it."""

from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

import structlog

from services.inbox import items, store
from services.inbox.items import Completion, Item, StoredItem
from services.inbox.metrics import Action, Metrics
from services.inbox.relay import Relay, Told
from services.inbox.store import Moment
from services.inbox.tokens import Recipient
from shared import words
from shared.contract import records
from shared.contract.importance import Importance, ImportanceOptions
from shared.contract.messages import EventName
from shared.contract.records import Record
from shared.postgres import follow_ups, outbox
from shared.postgres.follow_ups import FollowUp, Kind
from shared.postgres.pool import Connection, Pool, tenant_transaction
from shared.runtime.problems import ProblemError

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Redirect:
    """Follow the action URL to complete the item."""

    url: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Ask the recipient this before completing the item."""

    confirm: str


class Actions:
    """Completes, dismisses and brings back items; raises ProblemError 404 and 409 by the rules of C4 to C7."""

    def __init__(self, pool: Pool, relay: Relay, metrics: Metrics) -> None:
        self._pool = pool
        self._relay = relay
        self._metrics = metrics

    async def complete(self, who: Recipient, notification: UUID, *, at_once: bool) -> Item | Redirect | Confirmation:
        """C5: complete at once, or say how the recipient shall."""
        told: Told | None = None
        async with tenant_transaction(self._pool, who.tenant) as connection:
            item = _found(await store.lock(connection, who, notification))
            verdict = items.completion(item, at_once=at_once)
            if verdict is Completion.REDIRECT and item.action_url:
                return Redirect(item.action_url)
            if verdict is Completion.CONFIRM:
                said = words.of(await store.locale(connection, who))
                return Confirmation(said.text("inbox", "confirm", name=item.name))
            if verdict is not Completion.COMPLETE:
                raise _not_now(item, verdict)
            importances = items.presented(await store.importances(connection, who.tenant))
            told = await _completed(connection, who, item, importances[item.importance].retention)
            changed = _found(await store.item(connection, who, notification))
        self._tell(Action.COMPLETE, told)
        return items.seen(changed, importances)

    async def dismiss(self, who: Recipient, notification: UUID, *, dismissed: bool) -> Item:
        """C6: hide an item from this recipient's open ones, or bring it back; repeating it changes nothing."""
        async with tenant_transaction(self._pool, who.tenant) as connection:
            # Unlocked: an item that may be dismissed now never becomes one that may not.
            item = _found(await store.item(connection, who, notification))
            if not items.may_dismiss(item):
                raise ProblemError(
                    HTTPStatus.CONFLICT, "the item requires an action; it can be dismissed once that is complete"
                )
            told = await _dismissed(connection, who, item, dismissed=dismissed)
            importances = await _importances(connection, who)
            changed = _found(await store.item(connection, who, notification))
        self._tell(Action.DISMISS if dismissed else Action.UNDISMISS, told)
        return items.seen(changed, importances)

    def _tell(self, action: Action, told: Told | None) -> None:
        if told is not None:
            self._relay.tell(told)
            self._metrics.actions.labels(action).inc()
            _log.info("item_changed", action=action, outbox_id=told.outbox_id)


async def _importances(connection: Connection, who: Recipient) -> dict[Importance, ImportanceOptions]:
    return items.presented(await store.importances(connection, who.tenant))


def _found(item: StoredItem | None) -> StoredItem:
    """C7: anyone but its recipients gets 404."""
    if item is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "there is no such item in this inbox")
    return item


def _not_now(item: StoredItem, verdict: Completion) -> ProblemError:
    if verdict is Completion.NOT_REQUIRED:
        return ProblemError(HTTPStatus.CONFLICT, "the item requires no action; dismiss it instead")
    members = {
        "completed_by": item.completed_by,
        "completed_at": None if item.completed_at is None else item.completed_at.isoformat(),
    }
    return ProblemError(HTTPStatus.CONFLICT, "the item is complete already", members=members)


async def _completed(connection: Connection, who: Recipient, item: StoredItem, retention_days: int) -> Told | None:
    at = await store.complete(connection, who, item, retention_days)
    await store.tell(connection, who.tenant, item, Moment(at, "completed", {"recipient": who.id}))
    event = records.event("completed", who.tenant, item.notification_id, at, {"recipient": who.id})
    what = FollowUp(who.tenant, Kind.COMPLETED, item.notification_id, item.expires_on, at)
    return await _stored(connection, [event, *follow_ups.hints(what, await follow_ups.begun(connection, what))])


async def _dismissed(connection: Connection, who: Recipient, item: StoredItem, *, dismissed: bool) -> Told | None:
    change = await store.dismiss(connection, who, item, dismissed=dismissed)
    if change is None:
        return None
    detail = {"recipient": who.id}
    name: EventName = "dismissed" if dismissed else "undismissed"
    await store.tell(connection, who.tenant, item, Moment(change.at, name, detail))
    event = records.event(
        name, who.tenant, item.notification_id, change.at, detail, who.id, change.version,
    )  # fmt: skip
    return await _stored(connection, [event, records.inbox_changed(who.tenant, who.id, change.at)])


async def _stored(connection: Connection, changes: list[Record]) -> Told | None:
    outbox_id = await outbox.add(connection, changes)
    return None if outbox_id is None else Told(outbox_id, changes)
