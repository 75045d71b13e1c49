"""What the records of a batch ask for, and what others are told of its end."""

import json
from datetime import UTC, datetime
from uuid import uuid4

from services.dispatcher.delivery import claims, events, outcomes
from services.dispatcher.delivery.claims import Arrived
from services.dispatcher.delivery.events import Ended
from services.dispatcher.delivery.outcomes import Policy
from services.dispatcher.delivery.ports import Receipt
from shared.contract import records, topics
from shared.contract.outcomes import AttemptOutcome, Channel, DeliveryState, Reason
from shared.contract.records import Record
from shared.retry import Backoff
from tests.support import claims as made

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
POLICY = Policy(max_attempts=3, backoff=Backoff(1, 10))


def arrived(*values: bytes | None) -> list[Arrived]:
    return [
        Arrived(Record("deliveries.push.urgent", b"key", value), (0, offset)) for offset, value in enumerate(values)
    ]


def test_a_delivery_that_stands_twice_in_a_batch_is_claimed_once_at_its_latest_attempt() -> None:
    first = made.request(Channel.PUSH)
    third = first.model_copy(update={"attempt": 3})
    other = made.request(Channel.PUSH)
    asked = claims.asked(arrived(first.encoded(), third.encoded(), other.encoded(), first.encoded()), Channel.PUSH, ())
    assert list(asked.requests) == [third, other]
    assert asked.poison == []


def test_what_cannot_be_understood_is_poison_and_the_rest_is_claimed() -> None:
    good = made.request(Channel.PUSH)
    bad = [
        b"not json", b"{}", b"\xff\xfe", None,
        made.request(Channel.EMAIL).encoded(), made.request(Channel.PUSH, endpoint="no uuid").encoded(),
        made.request(Channel.PUSH, endpoint=f"urn:uuid:{uuid4()}").encoded(),
        records.inbox_changed("acme", "ada", NOW).value,
    ]  # fmt: skip
    asked = claims.asked(arrived(*bad, good.encoded()), Channel.PUSH, (("deliveries.push.urgent", 0, 9),))
    assert list(asked.requests) == [good]
    assert [letter.position for letter in asked.poison] == [(0, offset) for offset in range(8)]
    assert {letter.reason for letter in asked.poison} == {Reason.UNDECODABLE}


def test_the_end_of_a_digest_is_told_of_each_of_its_members() -> None:
    members = (uuid4(), uuid4())
    request = made.request(Channel.EMAIL, subject="digest")
    told = events.told_of(Ended(request, DeliveryState.SENT, None, members), NOW)
    found = [json.loads(record.value or b"") for record in told]
    assert [event["subject"] for event in found] == [str(member) for member in members]
    assert {event["type"] for event in found} == {"tocsin.notification.delivered.v1"}
    assert {event["data"]["digest_id"] for event in found} == {str(request.subject_id)}


def test_an_end_is_told_with_the_same_identity_every_time() -> None:
    request, member = made.request(Channel.PUSH), uuid4()
    ended = Ended(request, DeliveryState.SKIPPED, Reason.ENDPOINT_DISABLED, [member])
    (first,), (second,) = events.told_of(ended, NOW), events.told_of(ended, datetime.now(UTC))
    assert json.loads(first.value or b"")["id"] == json.loads(second.value or b"")["id"]
    assert json.loads(first.value or b"")["data"]["reason"] == "endpoint_disabled"


def test_no_address_and_no_text_is_told_to_others() -> None:
    claim = made.push("https://hooks.example/secret-path")
    receipt = Receipt(AttemptOutcome.FAILED, Reason.ENDPOINT_GONE, "HTTP 410", gone=True)
    told = events.records_of(outcomes.outcome_of(claim, receipt, POLICY, 0.1, 0.0), NOW)
    assert [record.topic for record in told] == [topics.EVENTS, topics.DEAD_LETTERS, topics.EVENTS]
    assert not any(b"secret-path" in (record.value or b"") or b"answer" in (record.value or b"") for record in told)
