"""What a request must be to be accepted: tables of cases, every error at once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.ingest import acceptance, documents
from services.ingest.acceptance import Asked, Caller, Identity, Refused, Valid
from shared.contract import field_errors
from shared.contract.directory import GroupKind
from shared.contract.importance import Lane
from shared.contract.messages import Audience
from shared.contract.outcomes import Channel, Door

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
LATER = (NOW + timedelta(days=1)).isoformat()


def body(**fields: Any) -> dict[str, Any]:
    whole = {"source": "billing", "name": "Enquiry", "description": "Please", "recipients": ["ada"], **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def examine(asked_body: Any, **keys: str) -> Valid | Refused:
    return acceptance.examine(Asked(asked_body, keys), NOW)


def errors(asked_body: Any, **keys: str) -> set[tuple[str, str]]:
    refused = examine(asked_body, **keys)
    assert isinstance(refused, Refused), refused
    assert all(error.detail for error in refused.errors)
    return {(error.pointer, error.code) for error in refused.errors}


def valid(asked_body: Any, **keys: str) -> Valid:
    found = examine(asked_body, **keys)
    assert isinstance(found, Valid), found
    return found


@pytest.mark.parametrize(
    ("asked_body", "expected"),
    [
        pytest.param([1], {("", "not_an_object")}, id="a list"),
        pytest.param("text", {("", "not_an_object")}, id="text"),
        pytest.param(None, {("", "not_an_object")}, id="null"),
        pytest.param(body(name=...), {("/name", "missing")}, id="missing field"),
        pytest.param(body(nmae="x"), {("/nmae", "extra_forbidden")}, id="unknown field"),
        pytest.param(body(class_key="x"), {("/class_key", "extra_forbidden")}, id="our name of a field"),
        pytest.param(body(name=5), {("/name", "string_type")}, id="number for text"),
        pytest.param(body(requires_action="yes"), {("/requires_action", "bool_type")}, id="text for boolean"),
        pytest.param(body(requires_action=1), {("/requires_action", "bool_type")}, id="number for boolean"),
        pytest.param(body(recipients="ada"), {("/recipients", "array_type")}, id="text for list"),
        pytest.param(body(recipients=["ada", 7]), {("/recipients/1", "string_type")}, id="number in list"),
        pytest.param(body(recipients=[""]), {("/recipients/0", "string_too_short")}, id="empty recipient"),
        pytest.param(body(recipients=[]), {("/recipients", "missing")}, id="no recipients"),
        pytest.param(body(recipients=...), {("/recipients", "missing")}, id="recipients left out"),
        pytest.param(body(recipients=["r"] * 10_001), {("/recipients", "too_long")}, id="10,001 recipients"),
        pytest.param(body(name="n" * 5_000), {("/name", "string_too_long")}, id="5,000-character name"),
        pytest.param(body(name="n" * 256), {("/name", "string_too_long")}, id="256-character name"),
        pytest.param(body(description="d" * 4_097), {("/description", "string_too_long")}, id="long description"),
        pytest.param(body(source="s" * 101), {("/source", "string_too_long")}, id="long source"),
        pytest.param(body(name="a\x00b"), {("/name", "nul")}, id="NUL"),
        pytest.param(body(name="a\ud800b"), {("/name", "lone_surrogate")}, id="lone surrogate"),
        pytest.param(body(name="Bcc: x\r\nfoo"), {("/name", "value_error")}, id="line break in a name"),
        pytest.param(body(options={"a": ["\x00"]}), {("/options/a/0", "nul")}, id="NUL in options"),
        pytest.param(body(options={"\ud800": 1}), {("/options", "lone_surrogate")}, id="surrogate as a name"),
        pytest.param(body(options={"a": "x" * 16_377}), {("/options", "too_long")}, id="16,385 bytes of options"),
        pytest.param(body(options=[]), {("/options", "object_type")}, id="list for options"),
        pytest.param(
            body(options={"email": "imediate", "window_seconds": "5m", "on_ambiguous": "Hold"}),
            {("/options/email", "option"), ("/options/window_seconds", "option"), ("/options/on_ambiguous", "option")},
            id="options that mean nothing",
        ),
        pytest.param(body(options={"email": {"a": 1}}), {("/options/email", "option")}, id="object for a word"),
        pytest.param(body(options={"email": None}), {("/options/email", "option")}, id="null for a word"),
        pytest.param(body(options={"window_seconds": True}), {("/options/window_seconds", "option")}, id="true"),
        pytest.param(body(options={"window_seconds": 0}), {("/options/window_seconds", "option")}, id="no window"),
        pytest.param(body(options={"window_seconds": 518_400}), {("/options/window_seconds", "option")}, id="6 days"),
        pytest.param(body(items=[{"table": "t", "id": "1"}] * 101), {("/items", "too_long")}, id="101 items"),
        pytest.param(body(items=[{"table": "t"}]), {("/items/0/id", "missing")}, id="item without id"),
        pytest.param(body(importance="critical"), {("/importance", "enum")}, id="unknown importance"),
        pytest.param(body(channels=["sms"]), {("/channels/0", "enum"), ("/channels", "too_short")}, id="channel"),
        pytest.param(body(channels=[]), {("/channels", "too_short")}, id="no channel"),
        pytest.param(body(expires_at="2026-11-22T19:59:59Z"), {("/expires_at", "past")}, id="past expires_at"),
        pytest.param(body(expires_at="9999-12-31T23:59:59-05:00"), {("/expires_at", "too_far")}, id="end of time"),
        pytest.param(body(expires_at="2027-01-01T00:00:00"), {("/expires_at", "timezone_aware")}, id="no zone"),
        pytest.param(body(expires_at=1_900_000_000), {("/expires_at", "datetime_type")}, id="number for a time"),
        pytest.param(body(expires_at="1900000000"), {("/expires_at", "value_error")}, id="digits for a time"),
        pytest.param(body(expires_at="2027-01-01T00:00Z"), {("/expires_at", "value_error")}, id="no seconds"),
        pytest.param(body(expires_at="20270101T000000Z"), {("/expires_at", "value_error")}, id="basic format"),
        pytest.param(body(expires_at="2027-13-01T00:00:00Z"), {("/expires_at", "value_error")}, id="no such month"),
        pytest.param(body(action_url="javascript:alert(1)"), {("/action_url", "url")}, id="script address"),
        pytest.param(body(action_url="//crm.example/1"), {("/action_url", "url")}, id="address without scheme"),
        pytest.param(body(action_url="http://[::1"), {("/action_url", "url")}, id="broken address"),
        pytest.param(body(items=[{"table": "t", "id": "1", "url": "data:,"}]), {("/items/0/url", "url")}, id="item"),
        pytest.param(body(audience={"kind": "team"}), {("/audience/company", "missing")}, id="audience of no company"),
        pytest.param(body(audience={"kind": "club", "company": "3"}), {("/audience/kind", "enum")}, id="kind of group"),
        pytest.param(
            body(audience={"kind": "team", "company": "3", "id": "23"}),
            {("/audience/id", "extra_forbidden")},
            id="misspelt audience",
        ),
        pytest.param(
            body(audience={"kind": "team", "company": "3", "ids": "23"}), {("/audience/ids", "array_type")}, id="one id"
        ),
        pytest.param(
            body(audience={"kind": "team", "company": "3", "ids": ["x"] * 10_001}),
            {("/audience/ids", "too_long")},
            id="10,001 groups",
        ),
        pytest.param(body(script="mine"), {("/script", "unknown_script")}, id="script"),
        pytest.param(body(idempotency_key=""), {("/idempotency_key", "string_too_short")}, id="empty key"),
        pytest.param(body(idempotency_key="k" * 256), {("/idempotency_key", "string_too_long")}, id="long key"),
        pytest.param(
            {"nmae": "x", "importance": 3, "recipients": [1]},
            {("/source", "missing"), ("/name", "missing"), ("/description", "missing"), ("/nmae", "extra_forbidden"),
             ("/importance", "enum"), ("/recipients/0", "string_type")},
            id="everything at once",
        ),
        pytest.param(
            body(name="a\x00", description=..., options={"a": "\ud800"}),
            {("/name", "nul"), ("/options/a", "lone_surrogate"), ("/description", "missing")},
            id="unstorable text beside other errors",
        ),
        pytest.param(
            body(action_url="x", script="mine", recipients=[], expires_at="2020-01-01T00:00:00Z"),
            {("/action_url", "url"), ("/script", "unknown_script"), ("/recipients", "missing"),
             ("/expires_at", "past")},
            id="rules beside rules",
        ),
        pytest.param(
            body(name="n" * 256, source=..., script="mine", expires_at="2020-01-01T00:00:00Z", **{"a/b": 1}),
            {("/name", "string_too_long"), ("/source", "missing"), ("/a~1b", "extra_forbidden"),
             ("/script", "unknown_script"), ("/expires_at", "past")},
            id="rules beside fields",
        ),
        pytest.param(
            body(name="a\x00", action_url="x"), {("/name", "nul"), ("/action_url", "url")}, id="rules beside NUL"
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_every_error(asked_body: Any, expected: set[tuple[str, str]]) -> None:
    assert errors(asked_body) == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param({"local": "2026-11-22T20:59:59", "timezone": "Europe/Berlin"}, {("/schedule/local", "past")},
                     id="past"),
        pytest.param({"local": "2026-12-01T09:00:00Z", "timezone": "UTC"}, {("/schedule/local", "timezone_naive")},
                     id="local time with a zone"),
        pytest.param({"local": "2026-12-01T09:00:00"}, {("/schedule/timezone", "missing")}, id="no zone"),
        pytest.param({"timezone": "UTC"}, {("/schedule/local", "missing")}, id="no time"),
        pytest.param({"local": "2026-12-01T09:00:00", "timezone": "Mars/Olympus"},
                     {("/schedule/timezone", "no_instant")}, id="no such zone"),
        pytest.param({"local": "2126-12-01T09:00:00", "timezone": "UTC"}, {("/schedule/local", "too_far")},
                     id="in a hundred years"),
        pytest.param({"local": "2026-12-01T09:00:00", "timezone": "UTC", "job": "weekly"},
                     {("/schedule/job", "unknown_job")}, id="job"),
    ],
)  # fmt: skip
def test_a_schedule_names_one_time_to_come(schedule: dict[str, str], expected: set[tuple[str, str]]) -> None:
    assert errors(body(schedule=schedule)) == expected


def test_a_schedule_is_resolved_and_may_name_no_job() -> None:
    schedule = {"local": "2026-12-01T09:00:00", "timezone": "Australia/Sydney", "job": None}
    assert valid(body(schedule=schedule)).due_at == datetime(2026, 11, 30, 22, tzinfo=UTC)


def test_what_expires_before_it_is_due_is_refused() -> None:
    schedule = {"local": "2026-12-01T09:00:00", "timezone": "UTC"}
    assert errors(body(schedule=schedule, expires_at="2026-12-01T08:59:59Z")) == {("/expires_at", "past")}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"name": "n" * 255, "description": "d" * 4_096, "source": "s" * 100}, id="longest texts"),
        pytest.param({"name": "\U0001f600" * 255}, id="characters are code points"),
        pytest.param({"options": {"a": "x" * 16_376}}, id="16,384 bytes of options"),
        pytest.param({"items": [{"table": "t", "id": "i" * 255}] * 100}, id="100 items"),
        pytest.param({"idempotency_key": "k" * 255}, id="longest key"),
        pytest.param({"recipients": [str(number) for number in range(10_000)]}, id="10,000 recipients"),
        pytest.param({"description": "two\nlines\tand a tab"}, id="a description of lines"),
        pytest.param({"expires_at": "2026-11-23t20:00:00.123456789z"}, id="small letters and nanoseconds"),
        pytest.param({"expires_at": LATER, "audience": None, "schedule": None, "idempotency_key": None}, id="nulls"),
        pytest.param({"options": {"deep": {"er": [1, 1.5, None, True]}}}, id="options"),
        pytest.param(
            {"options": {"email": "none", "window_seconds": 518_399, "on_ambiguous": "hold"}}, id="known options"
        ),
        pytest.param({"action_url": "https://crm.example/4172?popup=true"}, id="link"),
    ],
)
def test_what_is_within_the_limits_is_valid(fields: dict[str, Any]) -> None:
    assert valid(body(**fields)).late == ()


def test_more_than_a_hundred_errors_are_counted_not_listed() -> None:
    refused = examine(body(recipients=[0] * 5_000))
    assert isinstance(refused, Refused)
    assert len(refused.errors) == field_errors.MOST_ERRORS + 1
    assert refused.errors[-1].detail == "and 4900 errors more"


def test_a_pointer_does_not_grow_with_an_unknown_name() -> None:
    refused = examine(body(**{"x" * 100_000: 1}))
    assert isinstance(refused, Refused)
    assert len(refused.errors[0].pointer) <= 300


@pytest.mark.parametrize(
    ("in_body", "beside", "key"),
    [
        pytest.param(..., {}, None, id="none"),
        pytest.param("a", {}, ("billing", "a"), id="in the body"),
        pytest.param(..., {"header": "a"}, ("billing", "a"), id="beside it"),
        pytest.param("a", {"header": "a", "id": "a"}, ("billing", "a"), id="both, the same"),
    ],
)
def test_a_key_is_the_same_wherever_it_stands(in_body: Any, beside: dict[str, str], key: Any) -> None:
    found = valid(body(idempotency_key=in_body), **beside)
    assert found.key == key
    assert (found.payload_hash is None) == (key is None)


def test_keys_that_differ_are_refused() -> None:
    assert errors(body(idempotency_key="a"), header="b") == {("", "keys_differ")}


@pytest.mark.parametrize("key", ["", "k" * 256, "a\nb", "a\x00"])
def test_a_key_beside_the_body_keeps_to_the_same_limits(key: str) -> None:
    assert {pointer for pointer, _ in errors(body(), header=key)} == {""}


def test_the_hash_is_of_the_body_as_it_was_sent_not_of_what_it_means() -> None:
    plain = valid(body(idempotency_key="a"))
    same = valid(dict(reversed(body(idempotency_key="a").items())))
    spelled_out = valid(body(idempotency_key="a", importance="default"))
    assert plain.payload_hash == same.payload_hash != spelled_out.payload_hash
    with_options = valid(body(idempotency_key="a", options={"x": 1.0}))
    assert with_options.payload_hash == documents.canonical_hash(body(idempotency_key="a", options={"x": 1}))


def test_what_only_time_made_wrong_is_told_apart_when_there_is_a_key() -> None:
    repeated = valid(body(idempotency_key="a", expires_at="2026-11-22T19:00:00Z"))
    assert [error.code for error in repeated.late] == ["past"]


def test_an_accepted_request_becomes_the_message_with_everyone_once_in_order() -> None:
    found = valid(body(recipients=["b", "a", "b"], channels=["push", "inbox", "push"], idempotency_key="k"))
    identity = Identity(UUID(int=7), NOW)
    message = acceptance.accepted(found, Caller("acme", "key-1", Door.TOPIC), identity, Lane.ROUTINE)
    assert (message.recipients, message.audience) == (("b", "a"), None)
    assert message.channels == (Channel.PUSH, Channel.INBOX)
    assert message.payload_hash == (found.payload_hash or b"").hex()
    assert (message.tenant, message.owner, message.door, message.lane) == ("acme", "key-1", "topic", "routine")


def test_an_audience_alone_reaches_somebody_and_goes_along_with_each_group_once() -> None:
    asked = {"kind": "event_team", "company": "3", "parent": "e1", "ids": ["456", "459", "456"]}
    alone = {name: value for name, value in body(audience=asked).items() if name != "recipients"}
    message = acceptance.accepted(
        valid(alone), Caller("acme", "key-1", Door.HTTP), Identity(UUID(int=7), NOW), Lane.ROUTINE
    )
    expected = Audience(kind=GroupKind.EVENT_TEAM, company="3", parent="e1", ids=("456", "459"))
    assert (message.recipients, message.audience) == ((), expected)


def test_a_scheduled_request_becomes_a_message_that_holds_the_accepted_one() -> None:
    found = valid(body(schedule={"local": "2026-12-01T09:00:00", "timezone": "Europe/Berlin"}))
    identity = Identity(UUID(int=7), NOW, schedule_id=5)
    message = acceptance.accepted(found, Caller("acme", "key-1", Door.HTTP), identity, Lane.ROUTINE)
    scheduled = acceptance.scheduled(message, found)
    assert (scheduled.schedule_id, scheduled.notification.schedule_id) == (5, 5)
    assert scheduled.due_at == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert (scheduled.local.isoformat(), scheduled.timezone) == ("2026-12-01T09:00:00", "Europe/Berlin")
