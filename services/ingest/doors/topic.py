"""The topic door: records of notifications.requests, each accepted or answered, offsets committed behind both."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from aiokafka import ConsumerRecord

from services.ingest import acceptance, admission
from services.ingest.acceptance import Caller, Refused, Valid
from services.ingest.admission import Admission, Admitted, Deduplication, Entrant
from services.ingest.dialects import desktop_assistant
from services.ingest.directory import Directory
from services.ingest.doors import topic_answers, topic_records, topic_sam
from services.ingest.doors.topic_answers import Answers
from services.ingest.doors.topic_records import Arrived, UnreadableHeadersError
from services.ingest.doors.topic_sam import SamRecords
from services.ingest.settings import Settings
from services.ingest.settings_cache import SettingsCache
from services.ingest.unforeseen import Unforeseen
from shared.clock import Clock
from shared.contract import records
from shared.contract.messages import FieldError
from shared.contract.outcomes import Door, Reason
from shared.errors import TransientError
from shared.failpoint import failpoint
from shared.kafka.consumer import Batch

_log = structlog.get_logger()

GROUP = "ingest.requests"

_EXAMINED_AT_ONCE = 25
"""HTTP requests get their turn after so many records."""


@dataclass(slots=True)
class Case:
    """A record and what has become of it so far; `subject` is the notification it asks for, or would have.

    `dialect` is what its header says, None for the native body.
    """

    arrived: Arrived
    tenant: str | None
    subject: UUID
    outcome: Entrant | Admitted | Refused
    dialect: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A record with the headers that mean something, and whom it speaks for."""

    arrived: Arrived
    headers: dict[str, str]
    owner: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the door knows of tenants and of their users."""

    cache: SettingsCache
    directory: Directory
    sam: SamRecords


class TopicDoor:
    """Turns batches of records into accepted notifications and answers."""

    def __init__(self, settings: Settings, known: Known, entry: Admission, answers: Answers, clock: Clock) -> None:
        self._settings = settings
        self._cache = known.cache
        self._directory = known.directory
        self._sam = known.sam
        self._admission = entry
        self._answers = answers
        self._clock = clock
        self._unforeseen = Unforeseen("requests_not_taken", "the topic of requests waits")

    async def take(self, batch: Batch) -> None:
        """Accept or answer every record of a batch; when it returns, Kafka has acknowledged all of it.

        Raises:
            TransientError: it could not be finished; the batch must be given again, and repeats are recognised.
        """
        try:
            await self._take(batch)
        except TransientError:
            raise
        except Exception as error:
            raise self._unforeseen.transient(error, "something unforeseen happened and was logged") from error
        self._unforeseen.over()

    async def _take(self, batch: Batch) -> None:
        cases = await self._examined(batch.records)
        await self._hold_to_directory(cases)
        await self._decide(cases)
        await self._send([case for case in cases if isinstance(case.outcome, Admitted)])
        now = self._clock.now()
        await self._answers.send([
            topic_answers.answer(case.arrived, case.outcome, case.tenant, case.subject, now)
            for case in cases
            if isinstance(case.outcome, Refused)
        ])  # fmt: skip
        failpoint("ingest.before_commit")
        for case in cases:
            self._note(case)

    async def _examined(self, found: Sequence["ConsumerRecord[bytes, bytes]"]) -> list[Case]:
        read = [self._read(Arrived.of(record)) for record in found]
        named = {self._tenant(each.headers) for each in read if isinstance(each, Read)}
        strange = await self._cache.unknown_tenants(named - {""})
        cases = []
        for number, each in enumerate(read):
            cases.append(await self._case(each, strange) if isinstance(each, Read) else each)
            if number % _EXAMINED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return cases

    def _read(self, arrived: Arrived) -> Read | Case:
        try:
            headers = arrived.meant()
            return Read(arrived, headers, topic_records.owner_of(headers))
        except UnreadableHeadersError as error:
            own = arrived.own_id("", self._settings.source_epoch)
            return Case(arrived, None, own, Refused(Reason.UNDECODABLE, (error.error,)))

    def _tenant(self, headers: Mapping[str, str]) -> str:
        return headers.get("tenant", self._settings.single_tenant)

    async def _case(self, read: Read, strange: Collection[str]) -> Case:
        epoch, arrived, headers = self._settings.source_epoch, read.arrived, read.headers
        tenant = self._tenant(headers)
        if not tenant or tenant in strange:
            return Case(arrived, None, arrived.own_id("", epoch), _unknown_tenant(tenant))
        valid = await self._valid(arrived, headers, tenant)
        if isinstance(valid, Refused):
            return Case(arrived, tenant, arrived.own_id(tenant, epoch), valid)
        caller = Caller(tenant, read.owner, Door.TOPIC)
        entrant = admission.entrant(valid, caller, lambda: arrived.own_id(tenant, epoch))
        return Case(arrived, tenant, entrant.id, entrant, headers.get("dialect"))

    async def _valid(self, arrived: Arrived, headers: dict[str, str], tenant: str) -> Valid | Refused:
        if headers.get("dialect") == topic_sam.NAME:
            return await self._sam.valid(arrived, headers, tenant)
        asked = topic_records.asked(arrived, headers, self._cache.properties(tenant))
        return asked if isinstance(asked, Refused) else acceptance.examine(asked, self._clock.now())

    async def _hold_to_directory(self, cases: Sequence[Case]) -> None:
        """All or nothing where the dialect promises it; TransientError while the directory is away."""
        promised = [case for case in cases if case.dialect == desktop_assistant.NAME]
        for case in promised:
            if isinstance(case.outcome, Entrant):
                request = case.outcome.valid.request
                unknown = await self._directory.unknown(case.outcome.caller.tenant, request.recipients)
                case.outcome = case.outcome.but(desktop_assistant.unknown_recipients(unknown))

    async def _decide(self, cases: Sequence[Case]) -> None:
        verdicts = iter(
            await self._admission.decide([case.outcome for case in cases if isinstance(case.outcome, Entrant)])
        )
        for case in cases:
            if isinstance(case.outcome, Entrant):
                verdict = next(verdicts)
                if isinstance(verdict, TransientError):
                    raise verdict
                case.outcome = verdict

    async def _send(self, cases: Sequence[Case]) -> None:
        admitted = [_from(case.arrived, case.outcome) for case in cases if isinstance(case.outcome, Admitted)]
        for case, refused in zip(cases, await self._admission.send(admitted), strict=True):
            case.outcome = refused or case.outcome

    def _note(self, case: Case) -> None:
        if isinstance(case.outcome, Entrant):
            return
        self._admission.count(Door.TOPIC, case.outcome)
        if isinstance(case.outcome, Refused):
            _log.info("request_refused", door=Door.TOPIC, tenant=case.tenant, partition=case.arrived.partition,
                      offset=case.arrived.offset, reason=case.outcome.reason,
                      codes=sorted({error.code for error in case.outcome.errors}))  # fmt: skip


def _from(arrived: Arrived, admitted: Admitted) -> Admitted:
    """What is admitted, saying where its request stands: intake may still find that its key was used for another."""
    if admitted.deduplication is not Deduplication.DEFERRED:
        return admitted
    origin = (records.ORIGIN, f"{arrived.partition}:{arrived.offset}".encode())
    return replace(admitted, records=tuple(replace(each, headers=(*each.headers, origin)) for each in admitted.records))


def _unknown_tenant(tenant: str) -> Refused:
    if tenant:
        detail = f"there is no tenant {tenant[:100]!r}; correct the header tenant"
    else:
        detail = "the header tenant is missing; name the tenant the notification belongs to"
    return Refused(Reason.UNKNOWN_TENANT, (FieldError(pointer="", code="unknown_tenant", detail=detail),))
