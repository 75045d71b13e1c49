"""Valid requests on their way in: which identity they have, which lane they take, and when Kafka has them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.ingest import acceptance, lanes, mails
from services.ingest.acceptance import Caller, Identity, Refused, Valid
from services.ingest.identities import Decided, Identities, Standing
from services.ingest.mails import MailAsked, Mails
from services.ingest.metrics import Metrics
from services.ingest.publisher import Publisher
from services.ingest.routine_lag import RoutineLag
from services.ingest.store import Claim
from shared.clock import Clock
from shared.contract import ids, records, template_params
from shared.contract.importance import Lane, lane_of
from shared.contract.messages import FieldError
from shared.contract.outcomes import Door, Reason
from shared.contract.records import Record
from shared.errors import PermanentError, TransientError
from shared.failpoint import failpoint


class Deduplication(StrEnum):
    """What the answer says about the idempotency key."""

    CHECKED = "checked"
    DEFERRED = "deferred"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Entrant:
    """A valid request, who asks, and the id of its notification."""

    valid: Valid
    caller: Caller
    id: UUID

    def but(self, late: Iterable[FieldError]) -> "Entrant":
        """The same with what has become wrong: it enters only if it did before, and is answered as then."""
        return replace(self, valid=replace(self.valid, late=(*self.valid.late, *late)))


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may enter; `records` are to be sent before it is answered, none when intake has it already."""

    identity: Identity
    deduplication: Deduplication
    lane: Lane
    records: tuple[Record, ...]
    repeated: bool


Verdict = Admitted | Refused | TransientError
"""TransientError: nobody can say while PostgreSQL is away."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the record is asked: which keys were used before, and whether mails can be made."""

    identities: Identities
    mails: Mails


class Admission:
    """Decides and sends for both doors."""

    def __init__(
        self, recorded: Recorded, publisher: Publisher, lag: RoutineLag, metrics: Metrics, clock: Clock
    ) -> None:
        self._identities = recorded.identities
        self._mails = recorded.mails
        self._publisher = publisher
        self._lag = lag
        self._metrics = metrics
        self._clock = clock
        self._shares = lanes.Shares()

    async def decide(self, entrants: Sequence[Entrant]) -> list[Verdict]:
        """What becomes of each request.

        The topic door leaves keys to intake, which decides them anyway; only what must be known now is asked here.
        """
        now = self._clock.now()
        held = await self._held_to_templates(entrants)
        claims = {
            index: claim for index, each in enumerate(held) if isinstance(each, Entrant) and (claim := _claim(each))
        }
        decided: dict[int, Decided] = {}
        away: TransientError | None = None
        if claims:
            try:
                decided = dict(zip(claims, await self._identities.decide(list(claims.values())), strict=True))
            except TransientError as error:
                away = error
        return [
            each
            if isinstance(each, TransientError)
            else self._without_database(each, now, away)
            if (decision := decided.get(index)) is None
            else self._decided(each, decision)
            for index, each in enumerate(held)
        ]

    async def _held_to_templates(self, entrants: Sequence[Entrant]) -> list[Entrant | TransientError]:
        """Requests with what their mails lack among what time has made wrong; templates and bodies come and go."""
        asked = {index: asked for index, entrant in enumerate(entrants) if (asked := _mail_asked(entrant))}
        if not asked:
            return list(entrants)
        held: list[Entrant | TransientError] = list(entrants)
        try:
            found = dict(zip(asked, await self._mails.lacking(list(asked.values())), strict=True))
        except TransientError as error:
            return [error if index in asked else each for index, each in enumerate(held)]
        for index, lacking in found.items():
            held[index] = entrants[index].but(mails.field_errors(lacking, entrants[index].valid.at))
        return held

    async def send(self, admitted: Sequence[Admitted]) -> list[Refused | None]:
        """Send the records of requests and wait for Kafka; says which were larger than Kafka takes.

        Raises:
            TransientError: not acknowledged; some may have been written all the same.
        """
        failpoint("ingest.before_send")
        try:
            await self._publisher.send_all([record for each in admitted for record in each.records])
        except PermanentError as error:
            if len(admitted) == 1:
                return [_too_large(error)]
            return [answer for each in admitted for answer in await self.send([each])]
        failpoint("ingest.after_send")
        return [None] * len(admitted)

    def count(self, door: Door, outcome: Admitted | Refused) -> None:
        """Count an outcome once its answer is certain."""
        if isinstance(outcome, Refused):
            self._metrics.dropped.labels(door, outcome.reason).inc()
        elif outcome.repeated:
            self._metrics.dropped.labels(door, Reason.DUPLICATE).inc()
        else:
            self._metrics.accepted.labels(door, outcome.lane).inc()

    def _without_database(self, entrant: Entrant, now: datetime, away: TransientError | None) -> Verdict:
        valid = entrant.valid
        if away is not None and _cannot_wait(valid, away):
            return away
        identity = Identity(entrant.id, now, answered_count=valid.answered_count)
        if valid.key is None:
            return self._admitted(entrant, identity, Deduplication.NONE)
        if away is not None and entrant.caller.door is Door.HTTP:
            self._metrics.deferred.inc()
        return self._admitted(entrant, identity, Deduplication.DEFERRED)

    def _decided(self, entrant: Entrant, decision: Decided) -> Verdict:
        if decision.entry is None:
            if entrant.valid.late:
                return Refused(_reason_of(entrant.valid.late), entrant.valid.late)
            return TransientError("the identity was just removed; try again", Reason.POSTGRES_UNAVAILABLE)
        if decision.standing is Standing.CONFLICT:
            return _conflict()
        entry = decision.entry
        identity = Identity(entry.id, entry.accepted_at, entry.schedule_id, entry.answered_count)
        said = Deduplication.NONE if entrant.valid.key is None else Deduplication.CHECKED
        if decision.standing is Standing.FIRST:
            return self._admitted(entrant, identity, said)
        if entry.taken_in:
            return Admitted(identity, said, lane_of(entrant.valid.request.importance), (), repeated=True)
        return self._admitted(entrant, identity, said, repeated=True)

    def _admitted(
        self, entrant: Entrant, identity: Identity, said: Deduplication, *, repeated: bool = False
    ) -> Admitted:
        lane = self._lane(entrant)
        message = acceptance.accepted(entrant.valid, entrant.caller, identity, lane)
        if entrant.valid.due_at is None:
            return Admitted(identity, said, lane, (records.accepted(message),), repeated)
        scheduled = acceptance.scheduled(message, entrant.valid)
        detail = {"schedule_id": scheduled.schedule_id, "due_at": scheduled.due_at.isoformat()}
        event = records.event("scheduled", message.tenant, message.notification_id, message.at, detail)
        return Admitted(identity, said, lane, (records.scheduled(scheduled), event), repeated)

    def _lane(self, entrant: Entrant) -> Lane:
        """Urgent work is not counted: a tenant's alarms must not move its routine notifications to bulk."""
        request = entrant.valid.request
        if lane_of(request.importance) is Lane.URGENT:
            return Lane.URGENT
        share = self._shares.add(
            entrant.caller.tenant, max(1, len(request.recipients) + entrant.valid.reached), self._clock.monotonic()
        )
        return lanes.lane_for(request.importance, share, routine_is_behind=self._lag.behind)


def entrant(valid: Valid, caller: Caller, own_id: Callable[[], UUID]) -> Entrant:
    """A valid request with its id: by its key where it has one, else `own_id`."""
    return Entrant(valid, caller, ids.keyed_notification(caller.tenant, *valid.key) if valid.key else own_id())


def _reason_of(late: Sequence[FieldError]) -> Reason:
    strangers = all(error.code == Reason.UNKNOWN_RECIPIENT for error in late)
    return Reason.UNKNOWN_RECIPIENT if strangers else Reason.INVALID


def _claim(entrant: Entrant) -> Claim | None:
    """What PostgreSQL must say about a request before it is answered, if anything."""
    valid = entrant.valid
    keyed_at_http = valid.key is not None and entrant.caller.door is Door.HTTP
    if not (keyed_at_http or valid.due_at is not None or valid.late):
        return None
    return Claim(
        entrant.id, entrant.caller.tenant, valid.payload_hash, valid.due_at,
        only_known=bool(valid.late), answered_count=valid.answered_count,
    )  # fmt: skip


def _cannot_wait(valid: Valid, away: TransientError) -> bool:
    """Whether the record must decide now; a key alone waits for intake, unless intake would fail at it likewise."""
    if valid.due_at is not None or valid.late or valid.answered_count is not None:
        return True
    return valid.key is not None and away.reason is Reason.INTERNAL


def _mail_asked(entrant: Entrant) -> MailAsked | None:
    mail = entrant.valid.request.mail
    if mail is None:
        return None
    given = template_params.given(mail.params, mail.body_ref)
    return MailAsked(entrant.caller.tenant, mail.template, given, mail.body_ref, entrant.valid.due_at)


def _conflict() -> Refused:
    detail = "this idempotency key was used for another body; repeat that body or choose another key"
    return Refused(Reason.KEY_CONFLICT, (FieldError(pointer="", code="key_conflict", detail=detail),))


def _too_large(error: PermanentError) -> Refused:
    detail = f"{error}; name fewer recipients at once or send less text"
    return Refused(Reason.TOO_LARGE, (FieldError(pointer="", code="too_large", detail=detail),))
