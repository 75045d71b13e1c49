"""What a claim makes of deliveries on a real database."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.dispatcher.delivery import claims as pure_claims
from services.dispatcher.delivery.claims import Arrived, Asked
from services.dispatcher.delivery.ports import Mailbox, Webhook
from shared.contract import records, topics
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel, Reason
from shared.contract.records import Record
from shared.postgres import dead_letters
from shared.postgres.burial import PoisonLimitError
from tests.support import claims, databases, delivering
from tests.support.delivering import Bench

PAST = datetime.now(UTC) - timedelta(minutes=1)
ADDRESS = "https://hooks.example/ada"


@pytest_asyncio.fixture
async def push(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, Channel.PUSH) as bench:
        yield bench


@pytest_asyncio.fixture
async def email(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, Channel.EMAIL) as bench:
        yield bench


async def test_a_first_delivery_is_leased_with_all_that_is_sent(push: Bench) -> None:
    endpoint, notification = await push.endpoint(ADDRESS), await push.notification(options='{"on_ambiguous": "hold"}')
    request = push.request(notification, endpoint)
    (claim,) = (await push.claim(request)).claims
    assert claim.request == request
    assert claim.target == Webhook(ADDRESS, claims.SECRET)
    assert (claim.fence, claim.holds) == (1, True)
    assert [(notice.id, notice.name) for notice in claim.notices] == [(notification, "Customer enquiry")]
    row = await push.row(request.id)
    assert (row["state"], row["attempt"], row["fence"]) == ("leased", 1, 1)
    assert row["lease_owner"] == "sink-0/push.urgent"
    assert row["lease_until"] - row["created_at"] == timedelta(seconds=delivering.LEASE_SECONDS)


async def test_what_is_leased_or_ended_is_passed_over(push: Bench) -> None:
    request = push.request(await push.notification(), await push.endpoint(ADDRESS))
    await push.claim(request)
    again = await push.claim(request)
    assert (again.claims, again.ended) == ([], [])
    assert (await push.row(request.id))["fence"] == 1


async def test_what_is_gone_leaves_nothing(push: Bench) -> None:
    request = push.request(uuid4(), await push.endpoint(ADDRESS))
    claimed = await push.claim(request)
    assert (claimed.claims, claimed.ended) == ([], [])
    assert await push.row(request.id) == {}


async def test_another_tenants_notification_or_endpoint_is_not_found(push: Bench) -> None:
    endpoint, notification = await push.endpoint(ADDRESS), await push.notification()
    await push.owner.execute("INSERT INTO tenants (id) VALUES ('other')")
    await push.owner.execute("UPDATE endpoints SET tenant = 'other'")
    claimed = await push.claim(push.request(notification, endpoint))
    assert [ended.reason for ended in claimed.ended] == [Reason.ENDPOINT_GONE]
    await push.owner.execute("UPDATE notifications SET tenant = 'other'")
    claimed = await push.claim(push.request(notification, endpoint, recipient="grace"))
    assert (claimed.claims, claimed.ended) == ([], [])


ENDS: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("cancelled", {"cancelled_at": PAST}, {}, "cancelled", "cancelled"),
    ("expired", {"expires_at": PAST}, {}, "expired", "expired"),
    ("disabled", {}, {"state": "disabled"}, "skipped", "endpoint_disabled"),
    ("unsupported", {}, {"kind": "webpush"}, "skipped", "unsupported"),
]


@pytest.mark.parametrize(
    ("notification", "endpoint", "state", "reason"), [e[1:] for e in ENDS], ids=[e[0] for e in ENDS]
)
async def test_what_may_not_be_sent_ends_at_its_claim_with_an_event(
    push: Bench, notification: dict[str, Any], endpoint: dict[str, Any], state: str, reason: str
) -> None:
    about = await push.notification(**notification)
    request = push.request(about, await push.endpoint(ADDRESS, **endpoint))
    claimed = await push.claim(request)
    row = await push.row(request.id)
    assert (row["state"], row["reason"], row["ended_at"] is not None) == (state, reason, True)
    assert [(ended.state, ended.reason) for ended in claimed.ended] == [(state, reason)]
    (event,) = claimed.records
    assert (event.topic, event.key) == (topics.EVENTS, str(about).encode())
    assert await push.owner.fetchval("SELECT count(*) FROM outbox WHERE id = $1", claimed.outbox_id) == 1
    assert (await push.claim(request)).ended == [], "it ends once"


async def test_a_deleted_endpoint_is_skipped(push: Bench) -> None:
    await push.tenant()
    request = push.request(await push.notification(), uuid4())
    await push.claim(request)
    row = await push.row(request.id)
    assert (row["state"], row["reason"]) == ("skipped", "endpoint_gone")


async def test_a_paused_tenants_delivery_waits_until_it_is_resumed(push: Bench) -> None:
    request = push.request(await push.notification(), await push.endpoint(ADDRESS))
    await push.tenant("paused")
    assert (await push.claim(request)).claims == []
    row = await push.row(request.id)
    assert (row["state"], row["reason"], row["attempt"]) == ("retry", "tenant_paused", 1)
    assert await push.owner.fetchval("SELECT due_at = 'infinity' FROM deliveries")
    await push.tenant("active")
    assert (await push.claim(request)).claims == [], "it is not due before it is resumed"
    await push.owner.execute("UPDATE deliveries SET due_at = now()")
    assert len((await push.claim(request)).claims) == 1


async def test_only_the_attempt_that_is_due_is_claimed(push: Bench) -> None:
    notification, endpoint = await push.notification(), await push.endpoint(ADDRESS)
    first = push.request(notification, endpoint)
    await push.claim(first)
    await push.owner.execute("UPDATE deliveries SET state = 'retry', attempt = 3, due_at = now() + interval '1 hour'")
    assert (await push.claim(push.request(notification, endpoint, attempt=3))).claims == [], "not yet due"
    await push.owner.execute("UPDATE deliveries SET due_at = now()")
    for stale in (1, 2, 4):
        assert (await push.claim(push.request(notification, endpoint, attempt=stale))).claims == []
    (claim,) = (await push.claim(push.request(notification, endpoint, attempt=3))).claims
    assert claim.fence == 2


async def test_two_sinks_claim_a_delivery_once(push: Bench) -> None:
    endpoint, notification = await push.endpoint(ADDRESS), await push.notification()
    requests = [push.request(notification, endpoint, recipient=f"user-{number}") for number in range(50)]
    found = await delivering.side_by_side(
        push.claim(*requests), push.claim(*reversed(requests)), push.claim(*requests[10:30])
    )
    claimed = [claim.request.id for each in found for claim in each.claims]
    assert sorted(claimed) == sorted(request.id for request in requests)


async def test_poison_is_buried_and_positions_are_noted_with_the_claim(push: Bench) -> None:
    original = Record(topics.deliveries(Channel.PUSH, Lane.URGENT), b"key", b"not json", [("a", b"\xff")])
    letter = dead_letters.of_record(original, (1, 42), "", Reason.UNDECODABLE, "not JSON")
    claimed = await push.claims.claim(Asked((), (letter,), (("deliveries.push.urgent", 1, 43),)))
    assert [record.topic for record in claimed.records] == [topics.DEAD_LETTERS]
    assert await push.owner.fetchval('SELECT original FROM dead_letters WHERE "offset" = 42') == b"not json"
    group = "SELECT \"offset\" FROM positions WHERE consumer_group = 'dispatcher.push.urgent' AND partition = 1"
    assert await push.owner.fetchval(group) == 43


async def test_more_poison_than_plausible_is_buried_at_the_limit_and_claims_nothing(push: Bench) -> None:
    request = push.request(await push.notification(), await push.endpoint(ADDRESS))
    original = Record(topics.deliveries(Channel.PUSH, Lane.URGENT), b"key", b"not json")
    letters = [dead_letters.of_record(original, (1, offset), "", Reason.UNDECODABLE, "not JSON") for offset in range(6)]
    store, asked = push.claims, Asked((request,), letters, ())
    with pytest.raises(PoisonLimitError):
        await store.claim(asked)
    assert await push.row(request.id) == {}
    assert await push.owner.fetchval("SELECT count(*) FROM dead_letters") == 5
    assert "poison_limit_per_minute" in (await store.burial.paused() or "")
    await push.pass_time(61)
    assert len((await store.claim(asked)).claims) == 1
    assert await push.owner.fetchval("SELECT count(*) FROM dead_letters") == 6
    assert await store.burial.paused() is None


@pytest.mark.parametrize(
    "strange", [{"recipient": "a\x00"}, {"attempt": 3_000_000_000}, {"tenant": "a\x00"}], ids=["nul", "int4", "tenant"]
)
async def test_a_delivery_the_record_refuses_is_buried_and_holds_up_no_other(
    push: Bench, strange: dict[str, Any]
) -> None:
    endpoint = await push.endpoint(ADDRESS)
    good = [push.request(await push.notification(), endpoint) for _ in range(4)]
    bad = push.request(await push.notification(), endpoint).model_copy(update=strange)
    claimed = await push.claim(*good[:2], bad, *good[2:])
    assert {claim.request.id for claim in claimed.claims} == {request.id for request in good}
    assert [(letter.reason, letter.tenant) for letter in claimed.poison] == [(Reason.INVALID, "")]
    assert await push.owner.fetchval("SELECT original FROM dead_letters") == bad.encoded()
    assert [record.topic for record in claimed.records] == [topics.DEAD_LETTERS]


async def test_poison_of_a_sink_with_strange_headers_and_text_is_buried(push: Bench) -> None:
    headers: list[Any] = [("null", None), ("a\x00b", b"\xff")]
    original = Record(topics.deliveries(Channel.PUSH, Lane.URGENT), b"key", b'{"type":"\\u0000"}', headers)
    asked = pure_claims.asked([Arrived(original, (0, 7))], Channel.PUSH, ())
    assert len((await push.claims.claim(asked)).poison) == 1
    stored = json.loads(await push.owner.fetchval("SELECT headers FROM dead_letters"))
    assert stored == [["null", ""], ["a\ufffdb", "/w=="]]


async def test_a_mail_is_claimed_with_its_recipients_address(email: Bench) -> None:
    await email.user()
    await email.owner.execute("INSERT INTO classes VALUES ($1, 'enquiries', 'Customer enquiries', '{}')", "acme")
    (claim,) = (await email.claim(email.request(await email.notification()))).claims
    assert claim.target == Mailbox("ada@example.test", "Ada")
    assert claim.class_name == "Customer enquiries"


@pytest.mark.parametrize(
    ("user", "reason"),
    [(None, "unknown_recipient"), ({"email": None}, "no_address"), ({"kind": "system"}, "system_user")],
    ids=["unknown", "no_address", "system"],
)
async def test_who_cannot_get_mail_is_skipped(email: Bench, user: dict[str, Any] | None, reason: str) -> None:
    await email.tenant()
    if user is not None:
        await email.user(**user)
    request = email.request(await email.notification())
    await email.claim(request)
    row = await email.row(request.id)
    assert (row["state"], row["reason"]) == ("skipped", reason)


async def test_a_digest_leaves_out_what_is_no_longer_valid(email: Bench) -> None:
    await email.user()
    valid = [await email.notification("First"), await email.notification("Second", requires_action=True)]
    ended = [
        await email.notification("Expired", expires_at=PAST),
        await email.notification("Cancelled", cancelled_at=PAST),
        await email.notification("Completed", requires_action=True, completed_at=PAST),
    ]
    digest = await email.digest([*valid, *ended])
    (claim,) = (await email.claim(email.request(digest, subject="digest"))).claims
    assert [notice.id for notice in claim.notices] == valid


_OVERRIDE = """
INSERT INTO importances (tenant, name, retention, css_class, sort, send) VALUES ('acme', $1, 7, '', $2, true)
"""
_IN_NAMES = """
UPDATE notifications SET importance = split_part(name, ' ', 1),
  created_at = created_at - split_part(name, ' ', 2)::integer * interval '1 hour'
"""
STANDARD = ["danger", "warning", "primary", "success", "info", "default"]
ORDERS: dict[str, tuple[dict[str, int], list[str]]] = {
    "of the product": ({}, STANDARD),
    "of the tenant": ({"default": 0, "danger": 7}, ["default", "warning", "primary", "success", "info", "danger"]),
    "of the tenant, two alike": (
        {"info": 1, "success": 1},
        ["danger", "success", "info", "warning", "primary", "default"],
    ),
}


@pytest.mark.parametrize(("overrides", "order"), ORDERS.values(), ids=ORDERS)
async def test_a_digest_is_ordered_by_the_tenants_sort_and_oldest_first_within_each(
    email: Bench, overrides: dict[str, int], order: list[str]
) -> None:
    await email.user()
    for name, sort in overrides.items():
        await email.owner.execute(_OVERRIDE, name, sort)
    members = {await email.notification(f"{name} {hours}"): f"{name} {hours}" for hours in (0, 1) for name in STANDARD}
    await email.owner.execute(_IN_NAMES)
    (claim,) = (await email.claim(email.request(await email.digest(list(members)), subject="digest"))).claims
    told = [*(each.id for each in claim.notices), *(each.id for each in claim.unshown)]
    assert [members[each] for each in told] == [f"{name} {hours}" for name in order for hours in (1, 0)]


async def test_a_large_digest_shows_what_matters_most_and_counts_the_others(email: Bench) -> None:
    await email.user()
    members = [await email.notification(requires_action=number == 4) for number in range(6)]
    await email.owner.execute("UPDATE notifications SET importance = 'danger' WHERE id = $1", members[5])
    digest = await email.digest(members)
    (claim,) = (await email.claim(email.request(digest, subject="digest"))).claims
    assert [notice.id for notice in claim.notices] == [members[5], members[0], members[1]]
    assert [(each.id, each.requires_action) for each in claim.unshown] == [
        (members[2], False), (members[3], False), (members[4], True),
    ]  # fmt: skip


async def test_a_digest_without_valid_members_is_skipped(email: Bench) -> None:
    await email.user()
    digest = await email.digest([await email.notification()], dismissed_at=PAST)
    request = email.request(digest, subject="digest")
    await email.claim(request)
    row = await email.row(request.id)
    assert (row["state"], row["reason"]) == ("skipped", "empty_digest")


def test_a_request_survives_its_topic() -> None:
    request = claims.request(Channel.PUSH)
    assert records.delivery(request).topic == "deliveries.push.urgent"
