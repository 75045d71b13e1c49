"""What an outcome makes of a claim on a real database, and what a fence that has moved on refuses."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from services.dispatcher.delivery import outcomes
from services.dispatcher.delivery.claim_store import Slot
from services.dispatcher.delivery.outcome_store import OutcomeStore
from services.dispatcher.delivery.outcomes import Outcome, Policy
from services.dispatcher.delivery.ports import Claim, Receipt
from shared.clock import SystemClock
from shared.contract import topics
from shared.contract.importance import Lane
from shared.contract.outcomes import AttemptOutcome, Channel, Reason
from shared.postgres import outbox
from shared.retry import Backoff
from tests.support import databases, delivering, waiting
from tests.support.delivering import Bench

POLICY = Policy(max_attempts=3, backoff=Backoff(10, 100))
DELIVERED = Receipt(AttemptOutcome.DELIVERED)
LATER = Receipt(AttemptOutcome.RETRY, Reason.RATE_LIMITED, "HTTP 429", 30.0)
NEVER = Receipt(AttemptOutcome.FAILED, Reason.DESTINATION_REFUSED, "HTTP 400")
UNKNOWN = Receipt(AttemptOutcome.AMBIGUOUS, Reason.TIMEOUT, "TimeoutError")
GONE = Receipt(AttemptOutcome.FAILED, Reason.ENDPOINT_GONE, "HTTP 410", gone=True)


@pytest_asyncio.fixture
async def bench(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, Channel.PUSH) as opened:
        yield opened


async def claimed(bench: Bench, attempt: int = 1, **notification: Any) -> Claim:
    about = await bench.notification(**notification)
    request = bench.request(about, await bench.endpoint("https://hooks.example/ada"), attempt=attempt)
    (claim,) = (await bench.claim(request)).claims
    return claim


def ended(claim: Claim, receipt: Receipt) -> Outcome:
    return outcomes.outcome_of(claim, receipt, POLICY, 0.25, 0.0)


async def stored(bench: Bench) -> list[str]:
    """The topics of everything in the outbox."""
    rows = await bench.owner.fetch("SELECT records FROM outbox ORDER BY id")
    return [record.topic for row in rows for record in outbox.records_of(row["records"])]


async def test_what_was_delivered_is_sent_with_its_attempt_and_event(bench: Bench) -> None:
    claim = await claimed(bench)
    recorded = await bench.outcomes.record([ended(claim, DELIVERED)])
    row = await bench.row(claim.request.id)
    assert (row["state"], row["reason"], row["attempt"], row["lease_owner"]) == ("sent", None, 1, None)
    assert row["ended_at"] is not None
    assert await bench.attempts(claim.request.id) == [(1, "delivered", None)]
    assert [record.topic for record in recorded.records] == [topics.EVENTS]
    await bench.outcomes.forget([recorded.outbox_id or 0])
    assert await stored(bench) == []


async def test_a_mails_outcome_is_recorded_although_its_endpoint_has_no_id(database: databases.Database) -> None:
    # PostgreSQL read the mail's endpoint as a uuid, and the whole batch with it was refused.
    async with delivering.opened(database, Channel.EMAIL) as email:
        await email.user()
        (claim,) = (await email.claim(email.request(await email.notification()))).claims
        await email.endpoint("https://hooks.example/ada")
        await email.outcomes.record([ended(claim, DELIVERED)])
        assert (await email.row(claim.request.id))["state"] == "sent"


async def test_what_failed_for_now_is_due_again_no_sooner_than_asked(bench: Bench) -> None:
    claim = await claimed(bench)
    recorded = await bench.outcomes.record([ended(claim, LATER)])
    row = await bench.row(claim.request.id)
    assert (row["state"], row["reason"], row["attempt"], row["ended_at"]) == ("retry", "rate_limited", 2, None)
    assert (row["due_at"] - row["created_at"]).total_seconds() >= 30
    assert await bench.attempts(claim.request.id) == [(1, "retry", "rate_limited")]
    assert recorded.records == []


async def test_what_will_never_be_taken_is_dead_with_a_letter_in_table_and_topic(bench: Bench) -> None:
    claim = await claimed(bench)
    recorded = await bench.outcomes.record([ended(claim, NEVER)])
    row = await bench.row(claim.request.id)
    assert (row["state"], row["reason"]) == ("dead", "destination_refused")
    letter = await bench.owner.fetchrow("SELECT * FROM dead_letters")
    assert letter is not None
    assert (letter["delivery_id"], letter["reason"], letter["detail"]) == (
        claim.request.id, "destination_refused", "HTTP 400",
    )  # fmt: skip
    assert letter["topic"] == "deliveries.push.urgent"
    assert [record.topic for record in recorded.records] == [topics.EVENTS, topics.DEAD_LETTERS]


async def test_the_last_attempt_that_fails_is_the_end(bench: Bench) -> None:
    claim = await claimed(bench, attempt=3)
    await bench.outcomes.record([ended(claim, LATER)])
    row = await bench.row(claim.request.id)
    assert (row["state"], row["reason"], row["attempt"]) == ("dead", "attempts_exhausted", 3)
    assert await bench.attempts(claim.request.id) == [(3, "retry", "rate_limited")]


async def test_an_ambiguous_attempt_is_recorded_and_repeated(bench: Bench) -> None:
    claim = await claimed(bench)
    await bench.outcomes.record([ended(claim, UNKNOWN)])
    assert (await bench.row(claim.request.id))["state"] == "retry"
    assert await bench.attempts(claim.request.id) == [(1, "ambiguous", "timeout")]


async def test_an_ambiguous_attempt_is_held_where_that_is_asked_for(bench: Bench) -> None:
    claim = await claimed(bench, options='{"on_ambiguous": "hold"}')
    await bench.outcomes.record([ended(claim, UNKNOWN)])
    row = await bench.row(claim.request.id)
    assert (row["state"], row["reason"]) == ("dead", "ambiguous")


async def test_an_endpoint_that_is_gone_is_disabled_and_said_so(bench: Bench) -> None:
    claim = await claimed(bench)
    recorded = await bench.outcomes.record([ended(claim, GONE)])
    state = await bench.owner.fetchrow("SELECT state, reason FROM endpoints")
    assert state is not None
    assert tuple(state) == ("disabled", "endpoint_gone")
    assert b"tocsin.endpoint.disabled.v1" in (recorded.records[-1].value or b"")


async def test_what_was_put_off_spends_no_attempt(bench: Bench) -> None:
    claim = await claimed(bench)
    await bench.outcomes.record([outcomes.put_off(claim, Reason.DESTINATION_FULL, 5.0)])
    row = await bench.row(claim.request.id)
    assert (row["state"], row["reason"], row["attempt"]) == ("retry", "destination_full", 1)
    assert await bench.attempts(claim.request.id) == []
    await bench.pass_time(6)
    (again,) = (await bench.claim(claim.request)).claims
    assert again.fence == 2


async def test_an_outcome_with_an_old_fence_is_refused_whole(bench: Bench) -> None:
    claim = await claimed(bench)
    await bench.owner.execute("UPDATE deliveries SET fence = fence + 1")
    recorded = await bench.outcomes.record([ended(claim, NEVER), ended(await claimed(bench), DELIVERED)])
    assert len(recorded.outcomes) == 1
    assert (await bench.row(claim.request.id))["state"] == "leased"
    assert await bench.attempts(claim.request.id) == []
    assert await bench.owner.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert await stored(bench) == [topics.EVENTS]


async def test_recording_again_after_a_doubtful_commit_changes_nothing(bench: Bench) -> None:
    claim = await claimed(bench)
    await bench.outcomes.record([ended(claim, NEVER)])
    again = await bench.outcomes.record([ended(claim, NEVER)])
    assert (again.outcomes, again.outbox_id) == ([], None)
    assert await stored(bench) == [topics.EVENTS, topics.DEAD_LETTERS]


async def test_a_starting_sink_takes_up_what_its_slot_held_and_nothing_else(bench: Bench) -> None:
    mine, held = await claimed(bench), await claimed(bench, options='{"on_ambiguous": "hold"}')
    bench.instance = "sink-1"
    other = await claimed(bench)
    restarted = OutcomeStore(bench.pool, Slot(Channel.PUSH, Lane.URGENT, "sink-0"), SystemClock())
    assert await restarted.reopen(max_attempts=3) == 1
    row = await bench.row(mine.request.id)
    assert (row["state"], row["reason"], row["attempt"], row["lease_owner"]) == ("retry", "lease_ran_out", 2, None)
    assert await bench.attempts(mine.request.id) == [(1, "ambiguous", "lease_ran_out")]
    assert [(await bench.row(claim.request.id))["state"] for claim in (held, other)] == ["leased", "leased"]
    late = await bench.outcomes.record([ended(mine, DELIVERED)])
    assert late.outcomes == [], "the process that died may have been only slow: its outcome is refused"


async def test_a_starting_sink_leaves_a_digest_that_holds_to_the_scheduler(database: databases.Database) -> None:
    async with delivering.opened(database, Channel.EMAIL) as bench:
        await bench.user()
        held, free = [
            await bench.digest([await bench.notification(), await bench.notification(options=options)])
            for options in ('{"on_ambiguous": "hold"}', '{"on_ambiguous": "retry"}')
        ]
        claims = (await bench.claim(*(bench.request(digest, subject="digest") for digest in (held, free)))).claims
        assert {claim.request.subject_id: claim.holds for claim in claims} == {held: True, free: False}
        assert await bench.outcomes.reopen(max_attempts=3) == 1
        states = await bench.owner.fetch("SELECT subject_id, state FROM deliveries")
        assert {row["subject_id"]: row["state"] for row in states} == {held: "leased", free: "retry"}


async def test_a_digest_that_was_sent_is_told_for_the_members_too_that_it_only_counts(
    database: databases.Database,
) -> None:
    async with delivering.opened(database, Channel.EMAIL) as bench:
        await bench.user()
        members = [await bench.notification() for _ in range(5)]
        request = bench.request(await bench.digest(members), subject="digest")
        (claim,) = (await bench.claim(request)).claims
        recorded = await bench.outcomes.record([ended(claim, DELIVERED)])
    told = [json.loads(record.value or b"") for record in recorded.records]
    assert {event["subject"] for event in told} == {str(member) for member in members}
    assert {event["type"] for event in told} == {"tocsin.notification.delivered.v1"}


async def test_words_the_record_refuses_are_left_out_and_hold_up_no_other(bench: Bench) -> None:
    first, strange, last = [await claimed(bench) for _ in range(3)]
    nul = Receipt(AttemptOutcome.FAILED, Reason.DESTINATION_REFUSED, "550 a\x00b")
    batch = [ended(first, DELIVERED), ended(strange, nul), ended(last, DELIVERED)]
    assert len((await bench.outcomes.record(batch)).outcomes) == 3
    states = [(await bench.row(claim.request.id))["state"] for claim in (first, strange, last)]
    assert states == ["sent", "dead", "sent"]
    assert await bench.attempts(strange.request.id) == [(1, "failed", "destination_refused")]


async def test_an_outcome_the_record_refuses_is_dead_lettered_and_holds_up_no_other(bench: Bench) -> None:
    first, strange = await claimed(bench), await claimed(bench)
    impossible = dataclasses.replace(ended(strange, LATER), due_in_seconds=1e300)
    recorded = await bench.outcomes.record([impossible, ended(first, DELIVERED)])
    assert [outcome.claim.request.id for outcome in recorded.outcomes] == [first.request.id]
    assert (await bench.row(strange.request.id))["state"] == "leased"
    assert await bench.owner.fetchval("SELECT reason FROM dead_letters") == "invalid"
    assert topics.DEAD_LETTERS in await stored(bench)


async def test_an_outcome_does_not_bring_back_what_is_erased_while_it_is_recorded(bench: Bench) -> None:
    claim = await claimed(bench)
    erasing = bench.owner.transaction()
    await erasing.start()
    await bench.owner.execute("DELETE FROM deliveries WHERE id = $1", claim.request.id)
    recording = asyncio.create_task(bench.outcomes.record([ended(claim, DELIVERED)]))
    await waiting.until(bench.holds_somebody_up, 10, "the outcome to wait for the erasure")
    await erasing.commit()
    recorded = await recording
    assert (recorded.outcomes, recorded.records) == ([], [])
    assert await bench.owner.fetchval("SELECT count(*) FROM deliveries") == 0
