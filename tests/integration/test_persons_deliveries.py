"""An erasure while deliveries are under way: what is being sent ends as it ends, what comes later reaches nobody."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from pydantic import SecretStr

from services.console.erasure import Erasing, Report
from services.dispatcher.delivery import outcomes
from services.dispatcher.delivery.ports import Receipt
from shared.contract.messages import DeliveryRequested
from shared.contract.outcomes import AttemptOutcome, Channel, Reason
from shared.postgres.pool import Pool, open_pool
from shared.retry import Backoff
from shared.runtime.settings import PostgresSettings
from tests.support import databases, delivering, person
from tests.support.delivering import Bench

ADA = person.made(delivering.TENANT)


@pytest_asyncio.fixture
async def console(database: databases.Database) -> AsyncIterator[Pool]:
    async with open_pool(PostgresSettings(postgres_dsn=SecretStr(database.dsn("console"))), "test") as pool:
        yield pool


@pytest_asyncio.fixture
async def email(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, Channel.EMAIL) as bench:
        await bench.user(ADA.id, email=ADA.email)
        yield bench


async def told(bench: Bench) -> tuple[UUID, DeliveryRequested]:
    """A notification to this person and another one, and the mail of it to this person on its way."""
    notification = await bench.notification()
    for recipient in (ADA.id, ADA.other):
        await bench.owner.execute(
            """INSERT INTO inbox_items (tenant, recipient, notification_id, expires_on, importance, class_key, hidden,
                 created_at, push_endpoints, email_plan)
               VALUES ($1, $2, $3, $4, 'warning', 'enquiries', false, now(), '{}', 'immediate')""",
            delivering.TENANT, recipient, notification, delivering.tomorrow(),
        )  # fmt: skip
    return notification, bench.request(notification, recipient=ADA.id)


async def erased(console: Pool) -> Report:
    report = await Erasing(console, delivering.TENANT, ADA.id).run()
    assert report is not None
    return report


async def test_what_is_leased_is_sent_and_recorded_and_then_erased(console: Pool, email: Bench) -> None:
    _, request = await told(email)
    (claim,) = (await email.claim(request)).claims
    assert not (await erased(console)).complete
    sent = outcomes.outcome_of(
        claim, Receipt(AttemptOutcome.DELIVERED), outcomes.Policy(3, Backoff(1, 2)), 0.1, 0.0
    )  # fmt: skip
    assert len((await email.outcomes.record([sent])).outcomes) == 1
    report = await erased(console)
    assert report.complete
    assert {each.table: each.erased for each in report.tables}["attempts"] == 1
    assert set(await person.traces(email.owner, ADA)) <= {"outbox"}


async def test_what_is_claimed_after_it_reaches_nobody_whatever_was_planned(console: Pool, email: Bench) -> None:
    _, unclaimed = await told(email)
    digest = await email.digest([await email.notification()], recipient=ADA.id)
    assert (await erased(console)).complete
    late = await email.claim(unclaimed, email.request(digest, subject="digest", recipient=ADA.id))
    assert late.claims == []
    assert [(each.request.id, each.reason) for each in late.ended] == [(unclaimed.id, Reason.UNKNOWN_RECIPIENT)]
    assert (await email.row(unclaimed.id))["state"] == "skipped"
    assert (await erased(console)).complete
    assert set(await person.traces(email.owner, ADA)) <= {"outbox"}


async def test_a_retry_that_waits_is_not_tried_again(console: Pool, email: Bench) -> None:
    _, request = await told(email)
    (claim,) = (await email.claim(request)).claims
    failed = Receipt(AttemptOutcome.RETRY, Reason.TIMEOUT)
    await email.outcomes.record([outcomes.outcome_of(claim, failed, outcomes.Policy(3, Backoff(1, 2)), 0.1, 0.0)])
    assert (await erased(console)).complete
    again = request.model_copy(update={"attempt": 2})
    assert [each.reason for each in (await email.claim(again)).ended] == [Reason.UNKNOWN_RECIPIENT]


@pytest.mark.parametrize("is_open", [True, False], ids=["under way", "ended"])
async def test_a_place_in_a_fan_out_is_taken_by_nobody(console: Pool, email: Bench, *, is_open: bool) -> None:
    notification, _ = await told(email)
    await email.owner.execute(
        """INSERT INTO fanouts (notification_id, tenant, lane, expires_on, recipients, expected, created_at, turned_at,
             member_after, ended_at)
           VALUES ($1, $2, 'bulk', $3, $4, 3, now(), now(), $5, $6)""",
        notification, delivering.TENANT, delivering.tomorrow(), [ADA.other, ADA.id, "linus"],
        None if is_open else ADA.id, None if is_open else person.NOW,
    )  # fmt: skip
    assert (await erased(console)).complete
    recipients = await email.owner.fetchval("SELECT recipients FROM fanouts")
    assert [recipients[0], recipients[2]] == [ADA.other, "linus"]
    assert set(await person.traces(email.owner, ADA)) <= {"outbox"}
