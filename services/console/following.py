"""`directory.changes` to the directory: each thing as its newest record tells it, whatever the order."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import structlog

from services.console import changes
from services.console.changes import Told
from services.console.metrics import Metrics
from services.console.store import erasures, groups, members, users, versions
from shared.contract import topics
from shared.contract.directory_entries import DirectoryChanged
from shared.contract.outcomes import Reason
from shared.kafka.consumer import Batch, consume, open_consumer
from shared.postgres import outbox, positions
from shared.postgres.burial import Burial
from shared.postgres.dead_letters import DeadLetter
from shared.postgres.pool import REFUSED, Connection, Pool, tenant_transaction, transaction
from shared.runtime import lifecycle, startup
from shared.runtime.health import Health
from shared.runtime.settings import KafkaSettings

_log = structlog.get_logger()

GROUP = "console"
_RECORDS_AT_ONCE = 500


class Following:
    """Keeps the directory as the topic tells it."""

    def __init__(self, pool: Pool, metrics: Metrics, poison_per_minute: int) -> None:
        self._pool = pool
        self._burial = Burial(pool, poison_per_minute)
        self._metrics = metrics

    async def run(self, settings: KafkaSettings, health: Health, stop: asyncio.Event) -> None:
        """Read the topic until `stop`; while Kafka is away the rest of the console answers all the same."""
        async with AsyncExitStack() as stack:
            try:
                consumer = await startup.until_it_answers(
                    lambda: stack.enter_async_context(
                        open_consumer(settings, GROUP, [topics.DIRECTORY_CHANGES], _RECORDS_AT_ONCE)
                    ),
                    stop,
                    "Kafka",
                )
            except lifecycle.StopAskedError:
                return
            health.live["directory changes"] = lambda: consumer.stalled(time.monotonic())
            await consume(consumer, self.take_in, stop)

    async def take_in(self, batch: Batch) -> None:
        """Apply a batch and bury what says nothing understandable; a repeat changes nothing.

        Raises:
            TransientError: PostgreSQL is away; the batch is safe to repeat.
            PoisonLimitError: too much of the topic cannot be read; the batch is safe to repeat.
        """
        told, poison = changes.read(batch.records)
        by_tenant: dict[str, list[Told]] = defaultdict(list)
        for each in told:
            by_tenant[each.message.tenant].append(each)
        async with transaction(self._pool) as connection:
            known = await versions.known_tenants(connection, list(by_tenant))
        for tenant, own in by_tenant.items():
            poison += await self._applied(tenant, own) if tenant in known else _of_no_tenant(own)
        await self._ended(batch, poison)

    async def _applied(self, tenant: str, told: Sequence[Told]) -> list[DeadLetter]:
        """Apply a tenant's changes; what the record refuses is found one by one, so that it holds up no others."""
        try:
            await self._apply(tenant, told)
        except REFUSED as error:
            if len(told) == 1:
                return [told[0].buried(Reason.INVALID, f"the record refuses it: {type(error).__name__}")]
            return [letter for each in told for letter in await self._applied(tenant, [each])]
        return []

    async def _apply(self, tenant: str, told: Sequence[Told]) -> None:
        newest = changes.newest(each.message for each in told)
        await self._empty_gone_groups(tenant, newest)
        async with tenant_transaction(self._pool, tenant) as connection:
            raised = await versions.raised(
                connection, tenant, {subject: change.version for subject, change in newest.items()}
            )
            counting = await self._without_erased(
                connection, tenant, [change for subject, change in newest.items() if subject in raised]
            )
            effect = changes.effect_of(counting)
            await users.put(connection, tenant, effect.users)
            await groups.put(connection, tenant, effect.groups, orphans=True)
            await members.put(connection, tenant, effect.members)
            await members.delete(connection, tenant, effect.gone_members)
            for gone in effect.gone_groups:
                await groups.delete(connection, tenant, gone.kind, gone.id)
            await users.delete(connection, tenant, effect.gone_users)
        self._metrics.changes.labels("applied").inc(len(counting))
        self._metrics.changes.labels("passed_over").inc(len(told) - len(counting))

    async def _empty_gone_groups(self, tenant: str, newest: Mapping[bytes, DirectoryChanged]) -> None:
        """Empty the groups whose removal counts, before the transaction that removes them: it has a time limit."""
        gone = {subject: group for subject, change in newest.items() if (group := changes.gone_group(change))}
        if not gone:
            return
        async with tenant_transaction(self._pool, tenant) as connection:
            newer = await versions.newer(connection, tenant, {subject: newest[subject].version for subject in gone})
        for subject in newer:
            await groups.empty(self._pool, tenant, gone[subject].kind, gone[subject].id)

    async def _without_erased(
        self, connection: Connection, tenant: str, told: Sequence[DirectoryChanged]
    ) -> list[DirectoryChanged]:
        persons = {person for change in told if (person := changes.person_of(change)) is not None}
        return changes.without_erased(told, await erasures.begun(connection, tenant, persons))

    async def _ended(self, batch: Batch, poison: Sequence[DeadLetter]) -> None:
        read = [(position.topic, position.partition, position.offset) for position in batch.positions]
        await self._burial.bury(poison)
        async with transaction(self._pool) as connection:
            await outbox.add(connection, [letter.record() for letter in poison])
            await positions.write(connection, GROUP, read)
        for letter in poison:
            self._metrics.dead_letters.labels(letter.reason).inc()
            _log.warning("dead_letter", topic=topics.DIRECTORY_CHANGES, position=letter.position, reason=letter.reason)


def _of_no_tenant(told: Sequence[Told]) -> list[DeadLetter]:
    return [each.buried(Reason.UNKNOWN_TENANT, "there is no such tenant; make it first") for each in told]
