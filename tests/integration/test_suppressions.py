"""Bounces and complaints, from the report to the mail that is not sent any more."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.dispatcher.delivery import outcomes
from services.dispatcher.delivery.ports import Receipt
from shared.access import Scope
from shared.contract import mail_settings
from shared.contract.outcomes import AttemptOutcome, Channel, Reason
from shared.postgres import suppressions
from shared.postgres.suppressions import Cause, Suppressed
from shared.retry import Backoff
from tests.support import api, consoles, databases, delivering, mail_reports, rows
from tests.support.consoles import Console, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPORT = {"content-type": "message/rfc822"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with consoles.running(postgres_server, tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def console(site: Site) -> Console:
    return await consoles.of_new_tenant(site)


async def mailed(console: Console, recipient: str = "ada", address: str = "ada@example.test") -> uuid.UUID:
    """A mail that was delivered to a user; the delivery's id."""
    await console.user(recipient, email=address)
    made = await rows.notification(console.owner, tenant=console.tenant)
    await rows.item(console.owner, made, recipient)
    written_to = await console.owner.fetchval("SELECT address_hash($1, $2)", console.tenant, address)
    values = {"recipient": recipient, "channel": "email", "endpoint": "email", "state": "sent", "due_at": None}
    delivery = await rows.delivery(console.owner, made, address_hash=written_to, **values)
    found: uuid.UUID = delivery["id"]
    return found


async def reported(console: Console, report: bytes) -> Any:
    headers = {**console.admin, **REPORT}
    answer = await console.client.ask("POST", "/v1/mail/reports", headers, data=report)
    assert answer.status == 200
    return answer.json


async def listed(console: Console) -> list[tuple[str | None, str]]:
    answer = await console.ask("GET", "/v1/suppressions")
    return [(each["address"], each["reason"]) for each in answer.json["items"]]


async def test_a_hard_bounce_suppresses_its_address_until_somebody_lifts_it(console: Console) -> None:
    delivery = await mailed(console)
    assert await reported(console, mail_reports.bounce(delivery)) == {"suppressed": 1, "noted": 0, "unmatched": 0}
    assert (await reported(console, mail_reports.bounce(delivery)))["suppressed"] == 1, "told again"
    found = (await console.ask("GET", "/v1/suppressions/ADA@example.test")).json
    assert (found["address"], found["reason"], found["detail"]) == ("ada@example.test", "bounce", "status 5.1.1")
    assert found["delivery_id"] == str(delivery)
    assert (await console.ask("DELETE", "/v1/suppressions/ada@example.test")).status == 204
    assert (await console.ask("DELETE", "/v1/suppressions/ada@example.test")).status == 404
    assert await listed(console) == []


async def test_a_bounce_is_told_in_the_trace(console: Console) -> None:
    delivery = await mailed(console)
    await reported(console, mail_reports.bounce(delivery, status="5.2.2"))
    about = await rows.one(console.owner, "SELECT subject_id FROM deliveries WHERE id = $1", delivery)
    trace = (await console.ask("GET", f"/v1/traces/{about['subject_id']}")).json
    told = [moment for moment in trace["timeline"] if moment["event"] == "bounced"]
    assert [moment["detail"] for moment in told] == [{"recipient": "ada", "detail": "status 5.2.2"}]
    assert await listed(console) == [], "a full mailbox may be emptied"


async def test_a_report_is_matched_by_return_path_also_where_the_mail_was_forwarded(console: Console) -> None:
    delivery = await mailed(console)
    to = mail_settings.return_path("bounces@acme.example", delivery)
    await reported(console, mail_reports.bounce("nothing", to=to, address="elsewhere@forward.example"))
    assert await listed(console) == [("ada@example.test", "bounce")]


async def test_a_complaint_suppresses(console: Console) -> None:
    await reported(console, mail_reports.complaint(await mailed(console)))
    assert await listed(console) == [("ada@example.test", "complaint")]


async def test_a_forged_report_suppresses_nobody(console: Console, site: Site) -> None:
    await mailed(console)
    stranger = await consoles.of_new_tenant(site)
    theirs = await mailed(stranger)
    for message_id in (uuid.uuid4(), theirs, "nothing"):
        answer = await reported(console, mail_reports.bounce(message_id))
        assert answer == {"suppressed": 0, "noted": 0, "unmatched": 1}
    assert await listed(console) == await listed(stranger) == []


@pytest.mark.parametrize("address", ["ada@example.test", "new@example.test", None])
async def test_who_got_a_mail_cannot_have_another_address_suppressed(console: Console, address: str | None) -> None:
    delivery = await mailed(console)
    await mailed(console, "boss", "boss@example.test")
    await console.user("ada", email=address)  # as any synchronisation does, whether it changed or not
    own = [("ada@example.test", "bounce")] if address == "ada@example.test" else []
    answer = await reported(console, mail_reports.bounce(delivery, address="boss@example.test"))
    assert answer == {"suppressed": len(own), "noted": 0, "unmatched": 1 - len(own)}
    assert await listed(console) == own, "at most the own one"
    await reported(console, mail_reports.complaint(delivery, address="ADA@example.test"))
    assert [name for name, _ in await listed(console)] == [own[0][0] if own else "ADA@example.test"]


async def test_a_report_about_a_mail_that_was_not_sent_suppresses_nobody(console: Console) -> None:
    delivery = await mailed(console)
    await console.owner.execute("UPDATE deliveries SET state = 'skipped', address_hash = NULL WHERE id = $1", delivery)
    assert (await reported(console, mail_reports.bounce(delivery)))["unmatched"] == 1
    assert await listed(console) == []


async def test_a_provider_tells_by_json(console: Console) -> None:
    delivery = await mailed(console)
    events = [
        {"type": "bounce", "address": "grace@example.test", "detail": "5.1.1"},
        {"type": "bounce", "address": "full@example.test", "permanent": False},
        {"type": "complaint", "address": "ada@example.test", "delivery_id": str(delivery)},
    ]
    answer = await console.ask("POST", "/v1/mail/events", json={"events": events})
    assert answer.json == {"suppressed": 2, "noted": 1, "unmatched": 0}
    assert sorted(await listed(console)) == [("ada@example.test", "complaint"), ("grace@example.test", "bounce")]


async def test_what_is_no_report_and_who_may_not_tell_is_refused(console: Console) -> None:
    answer = await console.client.ask(
        "POST", "/v1/mail/reports", {**console.admin, **REPORT}, data=b"Subject: x\r\n\r\n"
    )
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, "no_report")
    publisher = await api.key(console.owner, console.tenant, [Scope.PUBLISH])
    assert (await console.client.ask("GET", "/v1/suppressions", publisher)).status == 403
    teller = await api.key(console.owner, console.tenant, [Scope.MAIL])
    assert (await console.client.ask("GET", "/v1/suppressions", teller)).status == 200


async def test_suppressions_are_made_by_hand_and_read_page_by_page_by_their_tenant_alone(
    console: Console, site: Site
) -> None:
    for number in range(3):
        body = {"address": f"user-{number}@example.test", "detail": "asked for it"}
        assert (await console.ask("POST", "/v1/suppressions", json=body)).status == 201
    first = (await console.ask("GET", "/v1/suppressions?limit=2")).json
    rest = (await console.ask("GET", f"/v1/suppressions?limit=2&cursor={first['next']}")).json
    assert [each["address"] for each in (*first["items"], *rest["items"])] == [
        f"user-{n}@example.test" for n in range(3)
    ]
    stranger = await consoles.of_new_tenant(site)
    assert await listed(stranger) == []
    assert (await stranger.ask("DELETE", "/v1/suppressions/user-1@example.test")).status == 404


@pytest.mark.parametrize("value", ["Eve\r\nBcc: all@acme.example <a@b.example>", "nobody", 7])
async def test_a_sender_that_would_write_headers_is_refused(console: Console, value: Any) -> None:
    answer = await console.ask("PUT", "/v1/properties/mail.from", json={"value": value})
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, "mail_setting")


@pytest_asyncio.fixture(loop_scope="module")
async def email(postgres_server: str) -> AsyncIterator[delivering.Bench]:
    async with (
        databases.cloned(postgres_server) as database,
        delivering.opened(database, Channel.EMAIL) as bench,
    ):
        yield bench


async def suppressed(bench: delivering.Bench, address: str) -> None:
    async with bench.owner.transaction():
        await suppressions.add(bench.owner, [Suppressed(delivering.TENANT, address, Cause.BOUNCE, "5.1.1")])


async def test_immediate_and_digest_mail_to_a_suppressed_address_are_skipped(email: delivering.Bench) -> None:
    await email.user(email="Ada@example.test")
    await suppressed(email, "ada@EXAMPLE.test")
    notification = await email.notification()
    digest = await email.digest([await email.notification()])
    immediate = email.request(notification)
    batched = email.request(digest, subject="digest")
    claimed = await email.claim(immediate, batched)
    assert claimed.claims == []
    assert [ended.reason for ended in claimed.ended] == [Reason.SUPPRESSED] * 2
    assert {(await email.row(each.id))["state"] for each in (immediate, batched)} == {"skipped"}


async def test_another_address_of_the_user_or_another_tenants_suppression_stops_nothing(
    email: delivering.Bench,
) -> None:
    await email.user()
    await suppressed(email, "old@example.test")
    await email.owner.execute("INSERT INTO tenants (id) VALUES ('other')")
    await suppressions.add(email.owner, [Suppressed("other", "ada@example.test", Cause.BOUNCE, "")])
    claimed = await email.claim(email.request(await email.notification()))
    assert len(claimed.claims) == 1


async def test_a_claim_carries_the_tenants_sender(email: delivering.Bench) -> None:
    await email.user()
    for name, value in (("mail.from", '"a@b.example"'), ("mail.dkim_selector", '"s1"'), ("other", "1")):
        await email.owner.execute(
            "INSERT INTO properties (tenant, name, value) VALUES ($1, $2, $3)", delivering.TENANT, name, value
        )
    (claim,) = (await email.claim(email.request(await email.notification()))).claims
    assert getattr(claim.target, "sender", None) == {"mail.from": "a@b.example", "mail.dkim_selector": "s1"}


async def test_a_delivery_remembers_the_hash_of_the_address_it_was_last_sent_to(email: delivering.Bench) -> None:
    async def remembered(address: str) -> bool:
        compared = "SELECT address_hash = address_hash(tenant, $2) FROM deliveries WHERE id = $1"
        return bool(await email.owner.fetchval(compared, request.id, address))

    await email.user()
    request = email.request(await email.notification())
    await email.claim(request)
    assert await remembered("ADA@example.test")
    again = "UPDATE deliveries SET state = 'retry', due_at = now() WHERE id = $1"
    for address, known in (("new@example.test", "new@example.test"), ("", "new@example.test")):
        await email.owner.execute("UPDATE users SET email = $1", address)
        await email.owner.execute(again, request.id)
        await email.claim(request)
        assert await remembered(known)
    unsent = email.request(await email.notification("Unsent"))
    await email.claim(unsent)
    row = await email.row(unsent.id)
    assert (row["state"], row["address_hash"]) == ("skipped", None)


async def test_a_mailbox_the_relay_does_not_know_is_not_written_to_again(email: delivering.Bench) -> None:
    await email.user()
    (claim,) = (await email.claim(email.request(await email.notification()))).claims
    refused = Receipt(AttemptOutcome.FAILED, Reason.DESTINATION_REFUSED, "550 5.1.1 no", no_mailbox=True)
    policy = outcomes.Policy(3, Backoff(1, 2))
    await email.outcomes.record([outcomes.outcome_of(claim, refused, policy, 0.1, 0.0)])
    assert (await email.row(claim.request.id))["state"] == "dead"
    again = await email.claim(email.request(await email.notification()))
    assert [ended.reason for ended in again.ended] == [Reason.SUPPRESSED]
