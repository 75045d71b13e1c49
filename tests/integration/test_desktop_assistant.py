"""The Desktop Assistant dialect (seed 000) at both doors, on real Kafka and PostgreSQL: one row a sentence."""

import asyncio
import base64
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from shared import access
from shared.client import ClientError, DesktopAppNotificationUtils, Patience
from shared.contract import desktop_switch, referrers, topics
from shared.postgres import bodies
from shared.retry import Backoff
from tests.support import door, service, waiting

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/api/sn_dex_desktop/notifications"
HASTY = Patience(attempts=2, timeout_seconds=10.0, backoff=Backoff(first_seconds=0.01, longest_seconds=0.02))


@dataclass
class Assistant:
    """An ingest, and a key with the dialect's role."""

    ingest: door.Ingest
    key: str

    async def post(self, content: Any, key: str | None = None, **headers: str) -> tuple[int, door.Json]:
        given = {"Authorization": f"Bearer {key or self.key}", **headers}
        return await self.ingest.post(content, given, PATH)

    async def put_property(self, name: str, value: Any) -> None:
        statement = (
            "INSERT INTO properties (tenant, name, value) VALUES ($1, $2, $3) ON CONFLICT (tenant, name) "
            "DO UPDATE SET value = excluded.value, changed_at = clock_timestamp()"
        )
        await self.ingest.owner.execute(statement, door.TENANT, name, json.dumps(value))


def parameters(**changed: Any) -> door.Json:
    """The call of the source, with recipients that exist; `...` leaves a parameter out."""
    whole = {
        "notification_title": "Incident Assigned to You",
        "notification_message": "INC0001234 has been assigned to your group. Please review.",
        "recipient_list": "ada, grace,",
        "referrer_table": "incident",
        "referrer_id": "9d385017",
        "source": "mim",
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not ...}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def assistant(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Assistant]:
    """One ingest for this file."""
    folder = tmp_path_factory.mktemp("ingest")
    async with door.alone(kafka_bootstrap, postgres_server, folder) as running:
        for user in ("ada", "grace"):
            await running.owner.execute("INSERT INTO users (tenant, id) VALUES ($1, $2)", door.TENANT, user)
        await running.owner.execute("INSERT INTO tenants (id) VALUES ('globex')")
        await running.owner.execute("INSERT INTO users (tenant, id) VALUES ('globex', 'hank')")
        yield Assistant(running, await running.new_key([access.Scope.DESKTOP_ASSISTANT]))


async def test_success_answers_200_with_the_id_and_one_notification_is_queued(assistant: Assistant) -> None:
    status, answer = await assistant.post(parameters())
    assert (status, answer["responseCode"], set(answer)) == (200, 200, {"responseCode", "message", "metadata"})
    (message,) = await assistant.ingest.accepted(answer["metadata"])
    assert (message["name"], message["source"]) == ("Incident Assigned to You", "mim")
    assert message["description"] == "INC0001234 has been assigned to your group. Please review."
    assert message["recipients"] == ["ada", "grace"]
    assert (message["importance"], message["channels"]) == ("info", ["inbox", "push"])
    assert message["items"] == [{"table": "incident", "id": "9d385017", "url": None}]


@pytest.mark.parametrize(
    "optional", [{}, {"notification_title": "", "referrer_table": "", "referrer_id": ""}], ids=["left out", "empty"]
)
async def test_the_three_required_parameters_are_enough(assistant: Assistant, optional: dict[str, str]) -> None:
    least = {"notification_message": "Down", "recipient_list": "ada", "source": "pe"}
    status, answer = await assistant.post({**least, **optional})
    assert status == 200
    (message,) = await assistant.ingest.accepted(answer["metadata"])
    assert (message["name"], message["items"]) == ("Proactive Engagement", [])


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        pytest.param(parameters(notification_message=...), 400, "notification_message", id="no message"),
        pytest.param(parameters(notification_message=""), 400, "notification_message", id="empty message"),
        pytest.param(parameters(notification_message=" \n"), 400, "notification_message", id="blank message"),
        pytest.param(parameters(notification_message=7), 400, "notification_message", id="number for text"),
        pytest.param(parameters(notification_message="m" * 4_097), 400, "notification_message", id="long message"),
        pytest.param(parameters(notification_message="a\x00b"), 400, "notification_message", id="NUL"),
        pytest.param(parameters(recipient_list=...), 400, "recipient_list", id="no recipients"),
        pytest.param(parameters(recipient_list=" , "), 400, "recipient_list", id="empty recipients"),
        pytest.param(parameters(recipient_list=["ada"]), 400, "recipient_list", id="a list for a string"),
        pytest.param(parameters(recipient_list="r" * 256), 400, "recipient_list", id="an id too long"),
        pytest.param(
            parameters(recipient_list=",".join(map(str, range(10_001)))), 400, "recipient_list", id="10,001 recipients"
        ),
        pytest.param(parameters(source=...), 400, "source", id="no source"),
        pytest.param(parameters(source="MIM"), 400, "source", id="another source"),
        pytest.param(parameters(notification_title="t" * 256), 400, "notification_title", id="long title"),
        pytest.param(parameters(notification_title="a\nb"), 400, "notification_title", id="title of two lines"),
        pytest.param(parameters(referrer_id=...), 400, "referrer_id", id="table without id"),
        pytest.param(parameters(referrer_table=...), 400, "referrer_table", id="id without table"),
        pytest.param(parameters(recipients="ada"), 400, "recipients", id="unknown parameter"),
        pytest.param(parameters(recipient_list="ada,nobody,ghost"), 400, "nobody, ghost", id="unknown recipients"),
        pytest.param(parameters(recipient_list="ada,hank"), 400, "hank", id="another tenant's recipient"),
        pytest.param([parameters()], 400, "object", id="a list of calls"),
        pytest.param(b"{", 400, "JSON", id="not JSON"),
        pytest.param(b'"' + b"x" * 1_100_000 + b'"', 413, "1,048,576", id="more than 1 MiB"),
    ],
)
async def test_any_other_response_code_means_that_nothing_was_queued_and_says_why(
    assistant: Assistant, content: Any, status: int, said: str
) -> None:
    before = await assistant.ingest.ends()
    answered, answer = await assistant.post(content)
    assert (answered, answer["responseCode"], answer["metadata"]) == (status, status, {}), answer
    assert said in answer["message"]
    assert await assistant.ingest.ends() == before


async def test_of_many_unknown_recipients_all_are_named(assistant: Assistant) -> None:
    strangers = [f"{number:032x}" for number in range(1_900)]
    before = await assistant.ingest.ends()
    status, answer = await assistant.post(parameters(recipient_list=",".join(["ada", *strangers])))
    assert (status, answer["responseCode"]) == (400, 400)
    assert ", ".join(strangers) in answer["message"]
    assert "more" not in answer["message"]
    assert await assistant.ingest.ends() == before


async def test_of_more_unknown_recipients_than_fit_beside_the_largest_original_the_rest_is_counted(
    assistant: Assistant,
) -> None:
    strangers = [f"{number:04d}" + '"' * 22 for number in range(10_000)]
    content = json.dumps(parameters(recipient_list=",".join(strangers))).encode()
    assert bodies.LARGEST_INLINE_BYTES - 40_000 < len(content) <= bodies.LARGEST_INLINE_BYTES
    mark = uuid.uuid4().bytes
    headers = [("tenant", door.TENANT.encode()), ("dialect", b"desktop_assistant"), ("mark", mark * 4_000)]
    await assistant.ingest.produce((content, headers))

    def marked(found: door.Json) -> bool:
        return base64.b64decode(found["headers"].get("mark", "")).startswith(mark)

    (answer,) = await assistant.ingest.written([topics.REJECTED], marked, 1)
    detail = answer["errors"][0]["detail"]
    named = detail.count('"' * 22)
    assert strangers[named - 1] in detail
    assert f" and {10_000 - named:,} more;" in detail
    assert named > 2_000


async def test_every_wrong_parameter_is_named_at_once(assistant: Assistant) -> None:
    _, answer = await assistant.post({"source": "x", "notification_title": "a\nb"})
    for name in ("source", "notification_title", "notification_message", "recipient_list"):
        assert f"{name}: " in answer["message"]


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        pytest.param(["sn_dex_desktop.admin"], 200, id="sn_dex_desktop.admin"),
        pytest.param(["admin"], 200, id="admin"),
        pytest.param(["publish"], 403, id="publish"),
        pytest.param(["directory", "trace", "redrive", "publish:general"], 403, id="every other"),
    ],
)
async def test_only_the_two_roles_may(assistant: Assistant, scopes: list[str], status: int) -> None:
    answered, answer = await assistant.post(parameters(), await assistant.ingest.new_key(scopes))
    assert (answered, answer["responseCode"]) == (status, status)


async def test_the_role_opens_nothing_else_and_without_a_key_it_is_401_in_the_same_shape(assistant: Assistant) -> None:
    status, _ = await assistant.ingest.post(door.body(), {"Authorization": f"Bearer {assistant.key}"})
    assert status == 403
    status, answer = await assistant.post(parameters(), "nonsense")
    assert (status, answer["responseCode"], answer["metadata"]) == (401, 401, {})


async def test_a_repeat_under_one_key_is_the_same_notification_and_another_body_is_refused(
    assistant: Assistant,
) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = await assistant.post(parameters(), **key)
    assert await assistant.post(parameters(), **key) == first
    status, answer = await assistant.post(parameters(notification_message="Another"), **key)
    assert (status, answer["responseCode"], answer["metadata"]) == (422, 422, {})


async def test_a_repeat_after_a_recipient_was_removed_is_answered_as_then(assistant: Assistant) -> None:
    await assistant.ingest.owner.execute("INSERT INTO users (tenant, id) VALUES ($1, 'leaver')", door.TENANT)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    asked = parameters(recipient_list="ada,leaver")
    first = await assistant.post(asked, **key)
    assert first[0] == 200
    await assistant.ingest.owner.execute("DELETE FROM users WHERE tenant = $1 AND id = 'leaver'", door.TENANT)
    assert await assistant.post(asked, **key) == first
    assert (await assistant.post(asked, **{"Idempotency-Key": str(uuid.uuid4())}))[0] == 400


async def test_the_property_turns_the_api_off_and_on_at_every_replica_within_two_seconds(
    assistant: Assistant,
) -> None:
    async with service.running("ingest", assistant.ingest.told) as second:
        await second.until("/readyz", 200)
        replicas = [assistant.ingest.running.http, second.http]
        for value, status in ((False, 400), ("true", 200), ("false", 400), (True, 200)):
            await assistant.put_property(desktop_switch.PROPERTY, value)
            turned_at = time.monotonic()
            for address in replicas:
                await waiting.until(_answers(assistant, address, status), 10, f"{status} from {address}")
            assert time.monotonic() - turned_at < 2
        assert await second.stop() == 0


def _answers(assistant: Assistant, address: str, status: int) -> Any:
    async def answered() -> bool:
        headers = {"Authorization": f"Bearer {assistant.key}"}
        async with assistant.ingest.http.post(address + PATH, json=parameters(), headers=headers) as response:
            said = (await response.json())["message"]
            assert response.status == 200 or desktop_switch.PROPERTY in said
            return response.status == status

    return answered


async def test_a_referrer_links_to_where_its_tenant_says(assistant: Assistant) -> None:
    await assistant.put_property(referrers.PROPERTY, "https://crm.example/{table}?sys_id={id}")

    async def linked() -> str | None:
        _, answer = await assistant.post(parameters(referrer_id="a b/c"))
        (message,) = await assistant.ingest.accepted(answer["metadata"])
        url: str | None = message["items"][0]["url"]
        return url

    assert await waiting.until(linked, 10, "a link") == "https://crm.example/incident?sys_id=a%20b%2Fc"
    status, answer = await assistant.post(parameters(referrer_id="é" * 255, referrer_table="é" * 100))
    assert (status, "referrer_id: makes a link" in answer["message"]) == (400, True)


async def test_a_record_of_the_dialect_is_accepted_or_answered_all_or_nothing(assistant: Assistant) -> None:
    mark = uuid.uuid4().hex
    headers = {"tenant": door.TENANT, "dialect": "desktop_assistant"}
    await assistant.ingest.produce(
        (parameters(notification_title=mark), headers),
        (parameters(recipient_list="ada,ghost"), {**headers, "mark": mark}),
        (parameters(source="x"), {**headers, "mark": mark}),
    )
    (message,) = await assistant.ingest.written(door.ACCEPTED, lambda found: found["name"] == mark, 1)
    assert (message["recipients"], message["door"]) == (["ada", "grace"], "topic")

    def marked(found: door.Json) -> bool:
        return base64.b64decode(found["headers"].get("mark", "")) == mark.encode()

    answers = await assistant.ingest.written([topics.REJECTED], marked, 2)
    assert {(error["pointer"], error["code"]) for answer in answers for error in answer["errors"]} == {
        ("/recipient_list", "unknown_recipient"), ("/source", "literal_error"),
    }  # fmt: skip
    assert "ghost" in str(answers)


async def test_what_nobody_foresaw_has_a_response_code_too_and_tells_nothing_of_the_inside(
    assistant: Assistant,
) -> None:
    before = await assistant.ingest.ends()
    await assistant.ingest.owner.execute("REVOKE SELECT ON users FROM tocsin_ingest")
    try:
        status, answer = await assistant.post(parameters())
    finally:
        await assistant.ingest.owner.execute("GRANT SELECT ON users TO tocsin_ingest")
    assert (status, answer["responseCode"], answer["metadata"]) == (500, 500, {})
    assert "nothing was queued" in answer["message"]
    assert "denied" not in answer["message"]
    assert await assistant.ingest.ends() == before


async def test_the_helper_returns_the_same_object_by_both_names(assistant: Assistant) -> None:
    utils = DesktopAppNotificationUtils(assistant.ingest.running.http, assistant.key, HASTY)
    first = await asyncio.to_thread(utils.sendDANotification, parameters())
    second = await asyncio.to_thread(lambda: utils.send_da_notification(**parameters()))
    refused = await asyncio.to_thread(utils.sendDANotification, parameters(recipient_list="ghost"))
    assert [answer["responseCode"] for answer in (first, second, refused)] == [200, 200, 400]
    assert len(await assistant.ingest.accepted(first["metadata"], second["metadata"])) == 2
    assert refused["metadata"] == {}


async def test_the_helper_takes_what_it_is_not_told_from_the_environment_and_works_where_a_loop_runs(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_INGEST_URL", assistant.ingest.running.http)
    monkeypatch.setenv("TOCSIN_API_KEY", assistant.key)
    answer = DesktopAppNotificationUtils().sendDANotification(parameters())
    assert answer["responseCode"] == 200
    assert len(await assistant.ingest.accepted(answer["metadata"])) == 1
    monkeypatch.setenv("TOCSIN_API_KEY", "nonsense")
    assert DesktopAppNotificationUtils().sendDANotification(parameters())["responseCode"] == 401
    assert DesktopAppNotificationUtils(api_key=assistant.key).sendDANotification(parameters())["responseCode"] == 200


async def test_the_helper_raises_where_somebody_else_answers(assistant: Assistant) -> None:
    elsewhere = DesktopAppNotificationUtils(assistant.ingest.running.http + "/elsewhere", assistant.key, HASTY)
    with pytest.raises(ClientError, match="is this address ingest's"):
        elsewhere.sendDANotification(parameters())
