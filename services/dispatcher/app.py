"""The composition root: which role runs which loops, and what they are made of."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from services.dispatcher import store_mails
from services.dispatcher.delivery import (
    admission,
    claim_store,
    observed,
    outcome_store,
    outcomes,
    ports,
    publisher,
    pulse,
    reader,
)
from services.dispatcher.delivery import loop as delivery
from services.dispatcher.fanout.backlog import Backlog
from services.dispatcher.fanout.loop import Spreading
from services.dispatcher.follow_ups.loop import FollowingUp
from services.dispatcher.intake import loop as intake
from services.dispatcher.metrics import Metrics
from services.dispatcher.parts import Parts
from services.dispatcher.policy import Rules
from services.dispatcher.runs.calling import Callers
from services.dispatcher.runs.endings import Endings
from services.dispatcher.runs.loop import Background
from services.dispatcher.settings import Settings
from services.dispatcher.sinks import mail, webhook
from shared.clock import SystemClock
from shared.contract import topics
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel
from shared.kafka import consumer
from shared.kafka.lag import open_lag_reader
from shared.kafka.producer import open_producer
from shared.retry import Backoff
from shared.runtime import lifecycle, startup

Loops = Mapping[str, lifecycle.Loop]
Assembly = Callable[[Parts], Awaitable[Loops]]
"""Opens what a role needs and gives its loops by name."""


async def intake_loops(parts: Parts, lane: Lane) -> Loops:
    """Role `intake.<lane>`: what was accepted becomes rows and deliveries."""
    settings, group = parts.settings, intake.group(lane)
    taking_in = intake.Intake(lane, await parts.pool(lane), parts, _rules(settings))
    reading = await parts.consumer(group, topics.accepted(lane), settings.intake_batch_notifications)
    parts.start.health.ready[f"poison.intake.{lane}"] = taking_in.burial.paused
    return {f"intake.{lane}": partial(consumer.consume, reading, taking_in.work)}


async def fanout_loops(parts: Parts) -> Loops:
    """Role `fanout`: notifications to very many recipients, a stretch at a time; routine ones continue in bulk.

    What happens to one of them afterwards, and concerns each of its recipients, goes the same way.
    """
    lag = await parts.start.client(lambda: open_lag_reader(parts.settings), "lag reader")
    loops: dict[str, lifecycle.Loop] = {"follow_ups": FollowingUp(await parts.pool(Lane.BULK), parts).run}
    for lane in (Lane.URGENT, Lane.BULK):
        backlog = Backlog(lag, lane, parts.settings.fanout_most_waiting)
        loops[f"fanout.{lane}"] = Spreading(lane, await parts.pool(lane), backlog, parts).run
    return loops


async def sink_loops(parts: Parts, channel: Channel, lane: Lane) -> Loops:
    """Role `<channel>.<lane>`: deliveries are claimed, sent and recorded."""
    settings, clock, slot = parts.settings, SystemClock(), claim_store.Slot(channel, lane, parts.instance)
    pool, beating = await parts.pool(lane), pulse.Pulse(slot.role)
    opening: AbstractAsyncContextManager[ports.Sink] = (
        webhook.open_sink(settings, clock)
        if channel is Channel.PUSH
        else mail.open_sink(settings, store_mails.MailStore(pool), clock)
    )
    sink = await parts.start.stack.enter_async_context(opening)
    reading = await parts.consumer(slot.group, topics.deliveries(channel, lane), settings.claim_batch)
    bounds = claim_store.Bounds(settings.lease_seconds, settings.poison_limit_per_minute, settings.digest_items_max)
    claims = claim_store.ClaimStore(pool, slot, bounds, clock)
    parts.start.health.ready[f"poison.{slot.role}"] = claims.burial.paused
    store = outcome_store.OutcomeStore(pool, slot, clock)
    stages = delivery.Stages(
        reader.Reader(slot, reading, claims, beating),
        sink,
        store,
        publisher.Publisher(parts.producer, store),
        observed.Observed(parts.metrics, slot, clock),
        beating,
    )
    parts.start.health.live[f"loop.{slot.role}"] = beating.missing
    return {slot.role: delivery.DeliveryLoop(stages, _delivery_rules(settings, sink), clock).run}


def _delivery_rules(settings: Settings, sink: ports.Sink) -> delivery.Rules:
    backoff = Backoff(settings.retry_first_seconds, settings.retry_longest_seconds)
    # With nobody behind to get past it, a destination may be waited for as long as the lease allows.
    longest = settings.lease_seconds - 2 * settings.send_timeout_seconds
    wait_seconds = longest if sink.single else settings.wait_for_destination_seconds
    return delivery.Rules(
        outcomes.Policy(settings.max_attempts, backoff),
        admission.Limits(settings.in_flight, sink.connections, wait_seconds),
        settings.claim_batch,
    )


async def script_loops(parts: Parts) -> Loops:
    """Role `scripts`: scripts, jobs and completion mails, in the background."""
    pool, owner = await parts.pool(Lane.BULK), f"{parts.instance}/scripts"
    endings = Endings(pool, parts.producer, SystemClock())
    background = Background(pool, endings, Callers(), parts.metrics, parts.settings, owner)
    parts.start.health.live["scripts"] = background.stuck
    return {"scripts": background.run}


ROLES: dict[str, Assembly] = {
    **{f"intake.{lane}": partial(intake_loops, lane=lane) for lane in Lane},
    "fanout": fanout_loops,
    "scripts": script_loops,
    **{
        f"{channel}.{lane}": partial(sink_loops, channel=channel, lane=lane)
        for channel in (Channel.PUSH, Channel.EMAIL)
        for lane in Lane
    },
}


def roles_named(asked: Sequence[str]) -> list[str]:
    """The roles that names mean, each once: a role, or a family such as `intake`; none asked means all.

    Raises:
        ValueError: a name means no role.
    """
    for name in asked:
        if not any(_means(name, role) for role in ROLES):
            raise ValueError(f"unknown role {name!r}; choose from {', '.join(ROLES)}")
    return [role for role in ROLES if not asked or any(_means(name, role) for name in asked)]


def _means(name: str, role: str) -> bool:
    return role == name or role.startswith(f"{name}.")


async def run(settings: Settings, roles: Sequence[str]) -> None:
    """Run the loops of these roles until SIGTERM or SIGINT, then drain.

    Raises:
        SchemaTooOldError: migrations are missing.
        StopAskedError: stopped before it had started.
        ExceptionGroup: a loop crashed.
        TimeoutError: the loops did not end within `drain_seconds`.
    """
    async with startup.starting(settings) as start:
        producer = await start.client(lambda: open_producer(settings), "Kafka")
        instance = lifecycle.instance_name(settings.instance)
        parts = Parts(settings, instance, Metrics(start.registry), producer, start)
        loops: dict[str, lifecycle.Loop] = {}
        for role in roles:
            loops |= await ROLES[role](parts)
        await start.run(loops, loops=list(loops))


def _rules(settings: Settings) -> Rules:
    return Rules(
        settings.default_window_seconds,
        settings.fanout_threshold,
        settings.intake_batch_recipients,
        settings.poison_limit_per_minute,
    )
