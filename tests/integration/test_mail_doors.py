"""Mails of templates at both doors: what is taken over, what is refused by name, and what waits for the record."""

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.contract import topics
from tests.support import door, sam
from tests.support.sam import Caller
from tests.unit.test_sam_body import sent

pytestmark = pytest.mark.asyncio(loop_scope="module")

_TEMPLATE = "INSERT INTO templates (tenant, name, version, html, required, optional) VALUES ($1, $2, 1, $3, $4, '{}')"
TEAM = {"values": ["23"]}
ORDER = {"emailTemplate": "order.html", "emailSubject": "Your order"}
SHOWN = {"emailTemplate": "body.html", "emailSubject": "Your body"}
PARAM = {"key": "order", "value": "7"}
BODY_PARAM = {"key": "emailBody", "value": "ignored"}
NO_BODY = "0" * 64
RECORD = {"tenant": door.TENANT, "dialect": "sam"}
MAIL = {"template": "order.html", "subject": "Your order", "params": {"order": "7"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Caller]:
    async with sam.running(kafka_bootstrap, postgres_server, tmp_path_factory.mktemp("mails")) as running:
        owner = running.ingest.owner
        personal = "{{ userFirstName }}{{ desktopURL }}{{ interactURL }}{{ unsubcribeURL }}{{ userLastName }}"
        await owner.execute(_TEMPLATE, door.TENANT, "order.html", "{{ order }}", ["order"])
        await owner.execute(_TEMPLATE, door.TENANT, "body.html", "{{ emailBody|html }}", ["emailBody"])
        await owner.execute(
            _TEMPLATE, door.TENANT, "personal.html", personal,
            ["userFirstName", "desktopURL", "interactURL", "unsubcribeURL", "userLastName"],
        )  # fmt: skip
        yield running


async def uploaded(caller: Caller, text: str) -> str:
    given = {"Authorization": f"Bearer {caller.ingest.key}"}
    address = caller.ingest.running.http + "/v1/bodies"
    async with caller.ingest.http.post(address, data=io.BytesIO(text.encode()), headers=given) as response:
        return str((await response.json())["id"])


async def taken(caller: Caller, **fields: Any) -> door.Json:
    """The accepted record of a sendNotification of version 2, told by its message."""
    answer = await caller.send(sent(version=2, **TEAM, **fields))
    assert (answer.status, answer.json) == (200, 3)
    [found] = await caller.ingest.written(door.ACCEPTED, lambda record: record["description"] == fields["message"], 1)
    return found


async def test_a_template_sends_mail_with_the_push_and_under_the_campaigns_tag(caller: Caller) -> None:
    found = await taken(caller, message="With mail", **ORDER, emailParams=[PARAM], campaignTagId=12)
    assert found["channels"] == ["inbox", "push", "email"]
    assert found["completion_email"] is True
    assert found["mail"] == {
        "template": "order.html", "subject": "Your order", "params": {"order": "7"}, "body_ref": None,
        "link_query": {"campaignTagId": "12", "campaignId": "C 7"},
    }  # fmt: skip


async def test_without_a_template_there_is_no_mail(caller: Caller) -> None:
    found = await taken(caller, message="Without mail", emailParams=[])
    assert (found["channels"], found["mail"]) == (["inbox", "push"], None)


async def test_personal_params_are_not_lacking_and_what_was_sent_for_them_is_not_used(caller: Caller) -> None:
    params = [{"key": "userLastName", "value": "Hopper"}, {"key": "userFirstName", "value": "ignored"}]
    fields = {"emailTemplate": "personal.html", "emailSubject": "S", "emailParams": params}
    found = await taken(caller, message="Personal", **fields)
    assert found["mail"]["params"] == {"userLastName": "Hopper"}


async def test_a_body_is_kept_once_and_named_where_its_param_is_given(caller: Caller) -> None:
    found = await taken(caller, message="Body", **SHOWN, emailBody="<p>Grüße</p>", emailParams=[BODY_PARAM])
    assert found["mail"]["params"] == {}
    assert "Grüße" not in json.dumps(found, ensure_ascii=False)
    kept = await caller.ingest.owner.fetchval(
        "SELECT content FROM bodies WHERE hash = $1", bytes.fromhex(found["mail"]["body_ref"])
    )
    assert kept.decode() == "<p>Grüße</p>"


async def test_without_a_body_its_param_is_one_like_any_other(caller: Caller) -> None:
    found = await taken(caller, message="Param", **SHOWN, emailParams=[BODY_PARAM])
    assert (found["mail"]["params"], found["mail"]["body_ref"]) == ({"emailBody": "ignored"}, None)


async def kept(caller: Caller, text: str) -> int:
    """How many bodies of a text there are."""
    return int(await caller.ingest.owner.fetchval("SELECT count(*) FROM bodies WHERE content = $1", text.encode()))


UNUSED: dict[str, tuple[dict[str, Any], dict[str, str] | None]] = {
    "no param for it": ({**ORDER, "emailParams": [PARAM]}, {"order": "7"}),
    "no template": ({"emailSubject": "Your body", "emailParams": [BODY_PARAM]}, None),
    "nothing else of a mail": ({}, None),
}


@pytest.mark.parametrize(("fields", "params"), UNUSED.values(), ids=UNUSED)
async def test_a_body_that_no_param_triggers_is_neither_kept_nor_sent(
    caller: Caller, request: pytest.FixtureRequest, fields: dict[str, Any], params: dict[str, str] | None
) -> None:
    text = f"Unused: {request.node.callspec.id}"
    found = await taken(caller, message=text, **fields, emailBody=text)
    mail = found["mail"] or {"params": None, "body_ref": None}
    assert (mail["params"], mail["body_ref"]) == (params, None)
    assert found["name"] == ("Your order" if params else text)
    assert await kept(caller, text) == 0


@pytest.mark.parametrize(("fields", "params"), UNUSED.values(), ids=UNUSED)
async def test_a_reference_that_no_param_triggers_is_not_used_either(
    caller: Caller, request: pytest.FixtureRequest, fields: dict[str, Any], params: dict[str, str] | None
) -> None:
    text = f"By reference, unused: {request.node.callspec.id}"
    body = sent(version=2, **TEAM, message=text, **fields)
    await caller.ingest.produce((body, {**RECORD, "email-body": NO_BODY}))
    [found] = await caller.ingest.written(door.ACCEPTED, lambda record: record["description"] == text, 1)
    mail = found["mail"] or {"params": None, "body_ref": None}
    assert (mail["params"], mail["body_ref"]) == (params, None)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"emailTemplate": "none.html", "emailSubject": "S"}, "emailTemplate", id="no such template"),
        pytest.param({"emailTemplate": "no\u00e9 t/h", "emailSubject": "S"}, "emailTemplate", id="no name of one"),
        pytest.param(ORDER, "emailParams", id="a param lacks"),
        pytest.param(SHOWN, "emailParams", id="the body lacks"),
        pytest.param({"emailTemplate": "personal.html", "emailSubject": "S"}, "emailParams", id="no userLastName"),
        pytest.param({"emailTemplate": "order.html"}, "emailSubject", id="no subject"),
        pytest.param({**SHOWN, "emailBody": "B"}, "emailParams", id="no param for a body that it shows"),
    ],
)
async def test_what_is_wrong_with_an_email_names_its_field(caller: Caller, fields: dict[str, Any], field: str) -> None:
    answer = await caller.send(sent(version=4, **TEAM, **fields))
    assert answer.fault == (400, "WSInvalidParameterException", field)


async def test_the_topic_takes_a_body_by_its_reference(caller: Caller) -> None:
    reference = await uploaded(caller, "<p>Large</p>")
    body = sent(version=2, **TEAM, message="By reference", **SHOWN, emailParams=[BODY_PARAM])
    await caller.ingest.produce((body, {**RECORD, "email-body": reference}))
    [found] = await caller.ingest.written(door.ACCEPTED, lambda record: record["description"] == "By reference", 1)
    assert found["mail"]["body_ref"] == reference


@pytest.mark.parametrize(
    ("fields", "reference", "pointer"),
    [
        pytest.param({**SHOWN, "emailParams": [BODY_PARAM]}, NO_BODY, "/email-body", id="no such body"),
        pytest.param({**SHOWN, "emailParams": [BODY_PARAM]}, "x", "/email-body", id="no reference"),
        pytest.param({}, "x", "/email-body", id="no reference, and no template"),
        pytest.param(
            {**SHOWN, "emailParams": [BODY_PARAM], "emailBody": "B"}, NO_BODY, "/email-body", id="a body beside it"
        ),
    ],
)
async def test_a_reference_that_means_nothing_is_answered(
    caller: Caller, request: pytest.FixtureRequest, fields: dict[str, Any], reference: str, pointer: str
) -> None:
    key = request.node.callspec.id
    body = sent(version=2, **TEAM, **fields)
    await caller.ingest.produce((body, {**RECORD, "email-body": reference, "x-case": key}))
    [rejected] = await caller.ingest.written(
        [topics.REJECTED], lambda record: record["errors"][0]["pointer"] == pointer and _case(record, key), 1
    )
    assert rejected["errors"][0]["code"] == "WSInvalidParameterException"


def _case(record: door.Json, key: str) -> bool:
    return bool(record["headers"].get("x-case") == base64.b64encode(key.encode()).decode())


async def test_a_native_request_asks_for_mail_with_its_body_by_reference(caller: Caller) -> None:
    reference = await uploaded(caller, "<p>Native</p>")
    mail = {"template": "body.html", "subject": "S", "body_ref": reference}
    status, answer = await caller.ingest.post(door.body(mail=mail))
    assert status == 202, answer
    [found] = await caller.ingest.accepted(answer)
    assert found["mail"] == {**mail, "params": {}, "link_query": {}}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"mail": {**MAIL, "template": "none.html"}}, ("/mail/template", "unknown_template")),
        ({"mail": {**MAIL, "template": "a/b"}}, ("/mail/template", "string_pattern_mismatch")),
        ({"mail": {**MAIL, "params": {}}}, ("/mail/params/order", "missing")),
        ({"mail": {**MAIL, "params": {"order": "7", "desktopURL": "x"}}}, ("/mail/params/desktopURL", "personal")),
        ({"mail": {**MAIL, "body_ref": NO_BODY}}, ("/mail/body_ref", "unknown_body")),
        ({"mail": {**MAIL, "body_ref": "x"}}, ("/mail/body_ref", "string_pattern_mismatch")),
        ({"mail": {**MAIL, "body_ref": NO_BODY, "params": {"emailBody": "x", "order": "7"}}},
         ("/mail/params/emailBody", "given_twice")),
        ({"mail": {**MAIL, "subject": ""}}, ("/mail/subject", "string_too_short")),
        ({"mail": {**MAIL, "subject": "a\nBcc: x"}}, ("/mail/subject", "value_error")),
        ({"mail": {**MAIL, "link_query": {}}}, ("/mail/link_query", "extra_forbidden")),
        ({"mail": MAIL, "channels": ["inbox"]}, ("/mail", "no_email")),
        ({"mail": MAIL, "options": {"email": "none"}}, ("/options/email", "option")),
    ],
    ids=lambda value: f"{value[0]} {value[1]}" if isinstance(value, tuple) else "",
)  # fmt: skip
async def test_what_is_wrong_with_a_native_mail_is_answered_with_its_place(
    caller: Caller, fields: dict[str, Any], error: tuple[str, str]
) -> None:
    status, answer = await caller.ingest.post(door.body(**fields))
    assert status == 422
    assert [(each["pointer"], each["code"]) for each in answer["errors"]] == [error]


async def test_the_native_topic_answers_a_template_that_there_is_not(caller: Caller) -> None:
    body = door.body(mail={**MAIL, "template": "gone.html"})
    await caller.ingest.produce((body, {"tenant": door.TENANT}))
    [rejected] = await caller.ingest.written(
        [topics.REJECTED], lambda record: record["errors"][0]["code"] == "unknown_template", 1
    )
    assert rejected["errors"][0]["pointer"].endswith("/mail/template")
