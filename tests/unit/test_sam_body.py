"""sendNotification of seed 001: a row for each sentence about its body, the limits exact and one beyond."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest import documents
from services.ingest.dialects.sam import body, faults, reading, rules
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Exceptions, Fault

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
KEYS = {"GE": "ed90fcd2-cbb4-49b8-9be4-a14ccbc2d1e8", "SN": "lib-1"}
SCHEDULE = {"scheduleTimezoneId": "Australia/Sydney", "scheduleLocalDateTime": "2026-12-01T09:00:00"}
MAIL = {"emailTemplate": "T", "emailSubject": "S"}
LARGE = {**MAIL, "emailParams": [{"key": "emailBody", "value": "any"}]}

EXAMPLES = (
    """{ "version": 2, "type": "GE", "key": "ed90fcd2-cbb4-49b8-9be4-a14ccbc2d1e8", "values": ["456", "459"],
"message": "This is test message for event team ids 456 and 459" }""",
    """{ "version": 2, "type": "GT", "key": "3", "values": ["23", "27"],
"message": "This is test message for team ids 23 and 27" }""",
    """{
"version": 4,
"type": "UN",
"key": "3",
"values": [
"aaron.mcmullen@hypermedia.com.au"
],
"message": "PFIZER ORDER UPDATE - Order 123456 hs SHIPPED",
"emailParams": [],
"brochureId": 4,
"updateEntityLastModified": false,
"userNotificationTypeId": 7,
"userNotificationTypeStatusId": 1
}""",
)


def sent(kind: Any = "GT", version: Any = 4, **fields: Any) -> dict[str, Any]:
    """A valid body of a type, with fields added, replaced or (...) taken away."""
    whole: dict[str, Any] = {"version": version, "type": kind, "key": KEYS.get(kind, "3"), "message": "Hello"}
    own: dict[str, dict[str, Any]] = {"UN": {"values": ["ada"]}, "GA": {"brochureId": 4}}
    return {name: value for name, value in (whole | own.get(kind, {}) | fields).items() if value is not ...}


def read(document: Any) -> SendNotification | list[Fault]:
    return reading.read(json.dumps(document).encode())


def wrong(document: Any) -> set[str]:
    """The fields at fault; each says what to do and names itself."""
    found = read(document)
    assert isinstance(found, list), found
    assert all(fault.detail and fault.message.startswith(fault.field) for fault in found)
    assert {fault.name for fault in found} == {Exceptions.INVALID_PARAMETER}
    return {fault.field for fault in found}


@pytest.mark.parametrize("example", EXAMPLES, ids=["GE", "GT", "UN"])
def test_the_examples_of_the_source_are_valid_word_by_word(example: str) -> None:
    assert isinstance(reading.read(example.encode()), SendNotification)


VALID = {
    **{f"{kind} in version {version}": sent(kind, version)
       for version in (2, 3, 4) for kind in ("GE", "GT", "SN", "JN", "GA")},
    **{f"{kind} for all of its groups": sent(kind, values=...) for kind in ("GE", "GT", "SN", "JN")},
    **{f"{kind} for some of its groups": sent(kind, values=["23", "27"]) for kind in ("GE", "GT", "SN", "JN")},
    "GA with no values": sent("GA", values=[]),
    "GA with values, which are not used": sent("GA", values=["23"]),
    "null url in version 2": sent(version=2, url=None),
    "UN in version 4": sent("UN"),
    "UN for ten users": sent("UN", values=[f"user{number}" for number in range(10)]),
    "scheduled in version 3": sent(version=3, **SCHEDULE),
    "scheduled in version 4": sent(version=4, **SCHEDULE),
    "scheduled with a job": sent(version=3, **SCHEDULE, scheduleJobName="nightly"),
    "scheduled to the minute": sent(version=3, **SCHEDULE | {"scheduleLocalDateTime": "2026-12-01 09:00"}),
    "url in version 3": sent(version=3, url="https://crm.example/4172"),
    "a deep link": sent(url="interact://event/12?tab=2"),
    "an address without slashes": sent(url="myapp:order"),
    "email in version 2": sent(version=2, **MAIL),
    "email with params": sent(**MAIL, emailParams=[{"key": "userFirstName", "value": "x"}, {"key": "a", "value": ""}]),
    "emailBody triggered by a param": sent(**LARGE, emailBody="<p>Hello</p>"),
    "a param emailBody of its own": sent(**LARGE),
    "emailBody that no param triggers": sent(**MAIL, emailBody="B"),
    "a subject without template": sent(emailSubject="S"),
    "a body without template": sent(emailBody="B", emailParams=[{"key": "emailBody", "value": ""}]),
    "params without template": sent(emailParams=[{"key": "a", "value": "b"}]),
    "no emailParams": sent(emailParams=[]),
    "campaignTagId": sent(campaignTagId=12),
    "brochureId with a team": sent(brochureId=4),
    "GA touches its asset": sent("GA", updateEntityLastModified=True),
    "SN touches its entries": sent("SN", values=["9"], updateEntityLastModified=True),
    "SN touches its entries and a brochure": sent("SN", values=["9"], brochureId=4, updateEntityLastModified=True),
    "SN touches no entry that is not named": sent("SN", updateEntityLastModified=True),
    "any type touches its brochure": sent(brochureId=4, updateEntityLastModified=True),
    "a type without anything to touch": sent(updateEntityLastModified=True),
    "updateEntityLastModified false": sent(updateEntityLastModified=False),
    "user notification": sent("UN", userNotificationTypeId=7, userNotificationTypeStatusId=4),
    "optional fields as null": sent(values=None, url=None, brochureId=None, emailTemplate=None),
    "a message of several lines": sent(message="one\ntwo"),
}  # fmt: skip


@pytest.mark.parametrize("document", VALID.values(), ids=VALID)
def test_what_the_source_allows_is_valid(document: dict[str, Any]) -> None:
    assert isinstance(read(document), SendNotification)


INVALID: dict[str, tuple[Any, set[str]]] = {
    "a list": ([1], {""}),
    "text": ("text", {""}),
    "no version": (sent(version=...), {"version"}),
    "version 0": (sent(version=0), {"version"}),
    "version 1": (sent(version=1), {"version"}),
    "version 5": (sent(version=5), {"version"}),
    "version as text": (sent(version="3"), {"version"}),
    "version true": (sent(version=True), {"version"}),
    "version as a fraction": (sent(version=3.0), {"version"}),
    "no type": (sent(type=...), {"type"}),
    "an unknown type": (sent("XX"), {"type"}),
    "a type in small letters": (sent("ge"), {"type"}),
    "no key": (sent(key=...), {"key"}),
    "an empty key": (sent(key=""), {"key"}),
    "null key": (sent(key=None), {"key"}),
    "a number for key": (sent(key=3), {"key"}),
    "no message": (sent(message=...), {"message"}),
    "an empty message": (sent(message=""), {"message"}),
    "null message": (sent(message=None), {"message"}),
    "a number for message": (sent(message=7), {"message"}),
    "a NUL in message": (sent(message="a\x00b"), {"message"}),
    "text for values": (sent(values="23"), {"values"}),
    "numbers in values": (sent(values=["23", 27]), {"values[1]"}),
    "empty text in values": (sent(values=[""]), {"values[0]"}),
    "no values named": (sent(values=[]), {"values"}),
    "GA without brochureId": (sent("GA", brochureId=...), {"brochureId"}),
    "UN in version 2": (sent("UN", 2), {"type"}),
    "UN in version 3": (sent("UN", 3), {"type"}),
    "UN without values": (sent("UN", values=...), {"values"}),
    "UN with no values": (sent("UN", values=[]), {"values"}),
    "UN for eleven users": (sent("UN", values=[f"user{number}" for number in range(11)]), {"values"}),
    "url in version 2": (sent(version=2, url="https://a.example"), {"url"}),
    "a schedule in version 2": (sent(version=2, **SCHEDULE), {"scheduleTimezoneId", "scheduleLocalDateTime"}),
    "a job in version 2": (sent(version=2, scheduleJobName="nightly"), {"scheduleJobName"}),
    "user fields in version 3": (sent(version=3, userNotificationTypeId=7, userNotificationTypeStatusId=1),
                                 {"userNotificationTypeId", "userNotificationTypeStatusId"}),
    "user fields of another type": (sent(userNotificationTypeId=7, userNotificationTypeStatusId=1),
                                    {"userNotificationTypeId", "userNotificationTypeStatusId"}),
    "an unknown status": (sent("UN", userNotificationTypeStatusId=5), {"userNotificationTypeStatusId"}),
    "text for a status": (sent("UN", userNotificationTypeStatusId="1"), {"userNotificationTypeStatusId"}),
    "a url without scheme": (sent(url="crm.example/4172"), {"url"}),
    "a url that runs": (sent(url="JavaScript:alert(1)"), {"url"}),
    "a url without host": (sent(url="https:///x"), {"url"}),
    "a url with a blank": (sent(url="https://a.example/a b"), {"url"}),
    "a zone without a time": (sent(scheduleTimezoneId="Europe/London"), {"scheduleLocalDateTime"}),
    "a time without a zone": (sent(scheduleLocalDateTime="2026-12-01T09:00:00"), {"scheduleTimezoneId"}),
    "a job without a schedule": (sent(scheduleJobName="nightly"), {"scheduleJobName"}),
    "an unknown zone": (sent(**SCHEDULE | {"scheduleTimezoneId": "Mars/Olympus"}), {"scheduleTimezoneId"}),
    "a time with offset": (sent(**SCHEDULE | {"scheduleLocalDateTime": "2026-12-01T09:00:00Z"}),
                           {"scheduleLocalDateTime"}),
    "a date alone": (sent(**SCHEDULE | {"scheduleLocalDateTime": "2026-12-01"}), {"scheduleLocalDateTime"}),
    "a day that is none": (sent(**SCHEDULE | {"scheduleLocalDateTime": "2026-02-30T09:00"}), {"scheduleLocalDateTime"}),
    "a number for a time": (sent(**SCHEDULE | {"scheduleLocalDateTime": 1_800_000_000}), {"scheduleLocalDateTime"}),
    "text for brochureId": (sent(brochureId="4"), {"brochureId"}),
    "zero for brochureId": (sent(brochureId=0), {"brochureId"}),
    "true for brochureId": (sent(brochureId=True), {"brochureId"}),
    "a fraction for campaignTagId": (sent(campaignTagId=1.5), {"campaignTagId"}),
    "text for a boolean": (sent(brochureId=4, updateEntityLastModified="true"), {"updateEntityLastModified"}),
    "number for a boolean": (sent(brochureId=4, updateEntityLastModified=1), {"updateEntityLastModified"}),
    "a template without subject": (sent(emailTemplate="T"), {"emailSubject"}),
    "a param without value and template": (sent(emailParams=[{"key": "a"}]), {"emailParams[0].value"}),
    "a template that cannot be": (sent(emailTemplate="7 up", emailSubject="S"), {"emailTemplate"}),
    "a line break in the subject": (sent(emailTemplate="T", emailSubject="a\nBcc: x"), {"emailSubject"}),
    "a param without key": (sent(**MAIL, emailParams=[{"value": "b"}]), {"emailParams[0].key"}),
    "a param without value": (sent(**MAIL, emailParams=[{"key": "a"}]), {"emailParams[0].value"}),
    "a param with an empty key": (sent(**MAIL, emailParams=[{"key": "", "value": "b"}]), {"emailParams[0].key"}),
    "a number for a value": (sent(**MAIL, emailParams=[{"key": "a", "value": 1}]), {"emailParams[0].value"}),
    "a param with more": (sent(**MAIL, emailParams=[{"key": "a", "value": "b", "x": 1}]), {"emailParams[0].x"}),
    "text for a param": (sent(**MAIL, emailParams=["a"]), {"emailParams[0]"}),
    "a key twice": (sent(**MAIL, emailParams=[{"key": "a", "value": "b"}, {"key": "a", "value": "c"}]),
                    {"emailParams"}),
    "a misspelt field": (sent(mesage="x"), {"mesage"}),
    "our own name of a field": (sent(brochure_id=4), {"brochure_id"}),
    "UN in version 3, and a field": (sent("UN", 3, key=""), {"type", "key"}),
    "everything at once": (sent(version=2, url="x", key="", nonsense=1), {"url", "key", "nonsense"}),
}  # fmt: skip


@pytest.mark.parametrize(("document", "fields"), INVALID.values(), ids=INVALID)
def test_what_it_does_not_is_an_error_that_names_the_field(document: Any, fields: set[str]) -> None:
    assert wrong(document) == fields


URL = "https://a.example/"
LIMITS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "key": ("key", 100, {}),
    "message": ("message", 2_048, {}),
    "message with its url": ("message", 2_048 - len(URL), {"url": URL}),
    "url": ("url", 1_024, {}),
    "emailTemplate": ("emailTemplate", 100, {"emailSubject": "S"}),
    "emailSubject": ("emailSubject", 256, {"emailTemplate": "T"}),
    "emailBody": ("emailBody", 10_000_000, LARGE),
    "scheduleJobName": ("scheduleJobName", 100, SCHEDULE),
}


@pytest.mark.parametrize(("field", "longest", "others"), LIMITS.values(), ids=LIMITS)
def test_a_text_may_be_as_long_as_its_limit_and_not_one_character_longer(
    field: str, longest: int, others: dict[str, Any]
) -> None:
    start = URL if field == "url" else ""
    letter = "t" if field == "emailTemplate" else "ü"
    exact = start + letter * (longest - len(start))
    assert isinstance(read(sent(**others | {field: exact})), SendNotification)
    assert wrong(sent(**others | {field: exact + letter})) == {field}


def test_the_names_and_values_of_params_have_their_limits_too() -> None:
    def param(key: int, value: int) -> dict[str, Any]:
        return sent(**MAIL, emailParams=[{"key": "k" * key, "value": "v" * value}])

    assert isinstance(read(param(100, 2_000)), SendNotification)
    assert wrong(param(101, 2_000)) == {"emailParams[0].key"}
    assert wrong(param(100, 2_001)) == {"emailParams[0].value"}


@pytest.mark.parametrize(("length", "said"), [(40, "is not one of"), (41, "has more than 40 characters")])
def test_the_name_of_a_zone_has_its_limit_though_no_zone_reaches_it(length: int, said: str) -> None:
    found = read(sent(**SCHEDULE | {"scheduleTimezoneId": "x" * length}))
    assert isinstance(found, list)
    assert [(fault.field, fault.detail.startswith(said)) for fault in found] == [("scheduleTimezoneId", True)]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"hello", "not JSON", id="not JSON"),
        pytest.param(b'{"message": "\xff"}', "not UTF-8", id="not UTF-8"),
        pytest.param(b'{"key": "1", "key": "2"}', "stands twice", id="a field twice"),
        pytest.param(b"[" * 2_000_000, "without the text of its emailBody", id="large and no document"),
        pytest.param(
            json.dumps({"x": "x" * 2_000_000}).encode(), "without the text of its emailBody", id="large elsewhere"
        ),
    ],
)
def test_what_is_no_document_says_why(raw: bytes, said: str) -> None:
    found = reading.read(raw)
    assert isinstance(found, list)
    assert [said in fault.message for fault in found] == [True]


def test_a_large_body_keeps_every_other_field() -> None:
    found = read(sent(**LARGE, emailBody="<p>" + "é" * 3_000_000, version=2))
    assert isinstance(found, SendNotification)
    assert (found.version, found.key, len(found.email_body or "")) == (2, "3", 3_000_003)


@pytest.mark.parametrize(
    ("local", "zone", "expected"),
    [
        pytest.param("2026-12-01T09:00:00", "Australia/Sydney", "2026-11-30T22:00:00", id="Sydney"),
        pytest.param("2027-10-03T02:30:00", "Australia/Sydney", "2027-10-02T16:30:00", id="Sydney: gap"),
        pytest.param("2027-04-04T02:30:00", "Australia/Sydney", "2027-04-03T15:30:00", id="Sydney: overlap"),
        pytest.param("2027-03-14T02:30:00", "America/New_York", "2027-03-14T07:30:00", id="New York: gap"),
        pytest.param("2027-11-07T01:30:00", "America/New_York", "2027-11-07T05:30:00", id="New York: overlap"),
        pytest.param("2027-03-28T01:30:00", "Europe/London", "2027-03-28T01:30:00", id="London: gap"),
        pytest.param("2027-10-31T01:30:00", "Europe/London", "2027-10-31T00:30:00", id="London: overlap"),
        pytest.param("2027-10-03T02:15:00", "Australia/Lord_Howe", "2027-10-02T15:45:00", id="Lord Howe: gap"),
        pytest.param("2027-04-04T01:45:00", "Australia/Lord_Howe", "2027-04-03T14:45:00", id="Lord Howe: overlap"),
        pytest.param("2027-07-01T12:00:00", "America/Sao_Paulo", "2027-07-01T15:00:00", id="no DST since 2019"),
        pytest.param("2027-01-15T12:00:00", "America/Sao_Paulo", "2027-01-15T15:00:00", id="its summer of old"),
    ],
)  # fmt: skip
def test_a_local_time_in_a_gap_moves_forward_and_in_an_overlap_is_the_earlier(
    local: str, zone: str, expected: str
) -> None:
    found = read(sent(scheduleTimezoneId=zone, scheduleLocalDateTime=local))
    assert isinstance(found, SendNotification)
    assert rules.due_at(found, NOW) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "local",
    [
        pytest.param("2026-11-23T07:00:00", id="this very moment"),
        pytest.param("2026-11-23T06:59:59", id="a second ago"),
        pytest.param("2037-01-01T00:00:00", id="in more than ten years"),
    ],
)
def test_a_time_that_has_passed_or_is_far_off_is_an_error(local: str) -> None:
    found = read(sent(scheduleTimezoneId="Australia/Sydney", scheduleLocalDateTime=local))
    assert isinstance(found, SendNotification)
    due_at = rules.due_at(found, NOW)
    [fault] = [due_at] if isinstance(due_at, Fault) else rules.past_faults(due_at, NOW)
    assert fault.field == "scheduleLocalDateTime"


def test_a_job_is_one_that_is_registered() -> None:
    found = read(sent(**SCHEDULE, scheduleJobName="nightly"))
    assert isinstance(found, SendNotification)
    assert rules.job_faults(found, {"nightly"}) == []
    assert [fault.field for fault in rules.job_faults(found, {"weekly"})] == ["scheduleJobName"]


@pytest.mark.parametrize("document", [*EXAMPLES, json.dumps(sent(message="ÿ😀\u2028", url=None))])
@pytest.mark.parametrize("body_ref", [None, "0" * 64])
def test_the_hash_is_the_canonical_one_however_it_is_spaced_and_ordered(document: str, body_ref: str | None) -> None:
    whole = json.loads(document)
    canonical = documents.canonical_hash(whole if body_ref is None else [whole, body_ref])
    turned = json.dumps(dict(reversed(whole.items())), indent=2, ensure_ascii=False)
    for text in (document, turned):
        found = reading.read_hashed(text.encode(), body_ref)
        assert isinstance(found, tuple), found
        assert found == (reading.read(text.encode()), canonical)


def test_what_is_not_scheduled_is_due_at_once() -> None:
    found = read(sent())
    assert isinstance(found, SendNotification)
    assert rules.due_at(found, NOW) is None


def test_a_fault_is_an_error_of_the_topic_door_with_the_name_of_the_source() -> None:
    (error,) = faults.as_field_errors([faults.invalid("emailParams[0].key", "is required")])
    assert (error.pointer, error.code) == ("/emailParams/0/key", "WSInvalidParameterException")
    assert error.detail == "emailParams[0].key: is required"


def test_every_error_of_the_source_has_a_status() -> None:
    assert set(faults.STATUS) == set(Exceptions)
    assert body.VERSIONS == (2, 3, 4)
