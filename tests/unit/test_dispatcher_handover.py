"""What is produced once rows are committed."""

import json
from datetime import UTC, datetime, timedelta

from services.dispatcher import handover, policy
from services.dispatcher.handover import Window
from services.dispatcher.policy import Configured, Rules, Subject
from services.dispatcher.routing import Route, Routed, Skip
from shared.contract import codec, ids, messages, records, topics
from shared.contract.outcomes import Channel, EmailPlan, Reason
from shared.contract.records import Record
from tests.support.notifications import accepted

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def subject() -> Subject:
    return policy.plan_of(accepted(), Configured({}, {}), Rules(900, 10, 100, 10), NOW).subject


def produced(of: Subject, *routes: Route, windows: tuple[Window, ...] = ()) -> list[Record]:
    return list(handover.records_of([Routed(of, list(routes))], windows, NOW))


def test_a_delivery_is_what_its_model_says() -> None:
    of = subject()
    found = produced(of, Route("Zoë", True, ("e1",), EmailPlan.IMMEDIATE))
    for record, channel, endpoint in zip(found, (Channel.PUSH, Channel.EMAIL), ("e1", "email"), strict=True):
        expected = messages.DeliveryRequested(
            id=ids.delivery("acme", of.id, "Zoë", endpoint), at=NOW, tenant="acme", subject="notification",
            subject_id=of.id, recipient="Zoë", endpoint=endpoint, channel=channel, lane=of.lane, attempt=1,
            accepted_at=of.accepted_at, expires_on=of.lifetime.expires_on,
        )  # fmt: skip
        assert codec.decoded(record.value, messages.DeliveryRequested) == expected
        assert json.loads(record.value or b"").keys() == json.loads(expected.encoded()).keys()
        assert (record.topic, record.key) == (records.delivery(expected).topic, records.delivery(expected).key)


def test_an_inbox_is_hinted_at_once_however_much_came_for_it() -> None:
    of, other = subject(), subject()
    shown = Route("ada", False, (), EmailPlan.DIGEST)
    batch = [Routed(of, [shown, Route("grace", True, (), EmailPlan.NONE)]), Routed(other, [shown])]
    assert [record.topic for record in handover.records_of(batch, (), NOW)] == [topics.INBOX_CHANGES]


def test_every_skip_and_every_window_that_opened_is_told() -> None:
    window = Window("acme", "ada", "news", subject().id, NOW, NOW + timedelta(seconds=30))
    skips = (Skip(Channel.PUSH, Reason.NO_ENDPOINT), Skip(Channel.EMAIL, Reason.NO_ADDRESS))
    found = produced(subject(), Route("ada", True, (), EmailPlan.NONE, skips), windows=(window,))
    assert [record.topic for record in found] == [topics.EVENTS, topics.EVENTS, topics.DIGEST_WINDOWS]
    reasons = [json.loads(record.value or b"")["data"]["reason"] for record in found[:2]]
    assert reasons == ["no_endpoint", "no_address"]
    assert codec.decoded(found[2].value, messages.WindowOpened).due_at == window.due_at
