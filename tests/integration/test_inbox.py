"""The inbox over real HTTP and PostgreSQL: C3 to C7 as a recipient meets them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.inbox.metrics import Metrics
from services.inbox.relay import Relay, Told
from shared.access import Scope
from shared.contract import messages, topics
from shared.contract.records import Record
from shared.kafka.consumer import open_consumer
from shared.postgres import outbox
from shared.postgres.pool import Pool, open_pool, transaction
from shared.runtime.settings import KafkaSettings, PostgresSettings
from tests.support import api, databases, inboxes, rows, waiting
from tests.support.inboxes import Inbox, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "https://crm.example/4172?popup=true"
NOWHERE = KafkaSettings(kafka_bootstrap="127.0.0.1:9")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with inboxes.serving(postgres_server, tmp_path_factory.mktemp("inbox")) as serving:
        yield serving


@pytest_asyncio.fixture(loop_scope="module")
async def inbox(site: Site) -> Inbox:
    return await inboxes.inbox(site)


async def told(inbox: Inbox, notification: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The events in the outbox about a notification."""
    found = []
    for row in await inbox.owner.fetch("SELECT records FROM outbox ORDER BY id"):
        for record in outbox.records_of(row["records"]):
            if record.topic == topics.EVENTS and record.key == str(notification["id"]).encode():
                event = messages.NotificationEvent.model_validate_json(record.value or b"")
                found.append((event.type.split(".")[2], event.data))
    return found


async def test_a_tenants_server_gets_a_token_for_one_recipient(inbox: Inbox) -> None:
    answer = await inbox.client.ask("POST", "/v1/inbox/tokens", inbox.admin, json={"recipient": "ada", "seconds": 60})
    assert answer.status == 200
    ends = datetime.fromisoformat(answer.json["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=50) < ends <= timedelta(seconds=60)
    assert answer.json["login_url"] == f"https://inbox.example/login/{answer.json['token']}"
    too_long = await inbox.client.ask(
        "POST", "/v1/inbox/tokens", inbox.admin, json={"recipient": "ada", "seconds": 3_601}
    )
    assert (too_long.status, too_long.json["errors"][0]["pointer"]) == (422, "/seconds")
    limited = await api.key(inbox.owner, inbox.tenant, [Scope.DIRECTORY])
    assert (await inbox.client.ask("POST", "/v1/inbox/tokens", limited, json={"recipient": "a"})).status == 403
    assert (await inbox.client.ask("GET", "/v1/inbox", inbox.admin)).status == 401, "a key is no recipient"
    answer = await inbox.client.ask("POST", "/v1/inbox/tokens", await inbox.token("ada"), json={"recipient": "a"})
    assert answer.status == 401, "a recipient is no tenant's server"


async def test_items_come_by_importance_and_oldest_first_page_by_page(inbox: Inbox) -> None:
    wanted = []
    now = datetime.now(UTC)
    for importance in ("danger", "warning", "primary", "success", "info", "default"):
        for age in (3, 2, 1):
            made = await inbox.notify(importance=importance, created_at=now - timedelta(hours=age))
            wanted.append(str(made["id"]))
    seen, cursor = [], ""
    while True:
        answer = (await inbox.ask("GET", f"?limit=4{cursor}")).json
        seen += [item["id"] for item in answer["items"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert seen == wanted


async def test_a_tenant_changes_the_order_and_the_colour(inbox: Inbox) -> None:
    danger, info = await inbox.notify(importance="danger"), await inbox.notify(importance="info")
    values = {"tenant": inbox.tenant, "name": "info", "retention": 7, "css_class": "bg-mine", "sort": 0, "send": True}
    await rows.insert(inbox.owner, "importances", values)
    answer = (await inbox.ask("GET", "")).json["items"]
    assert [(item["id"], item["css_class"]) for item in answer] == [
        (str(info["id"]), "bg-mine"),
        (str(danger["id"]), "bg-danger"),
    ]


async def test_only_what_is_there_for_the_recipient_is_shown(inbox: Inbox) -> None:
    now = datetime.now(UTC)
    shown = await inbox.notify("ada", "grace")
    await inbox.notify("grace")
    for hidden in (
        await inbox.notify(hidden=True),
        await inbox.notify(cancelled_at=now),
        await inbox.notify(expires_at=now - timedelta(seconds=1)),
    ):
        assert (await inbox.act(hidden, "dismiss")).status == 404
    assert await inbox.listed() == [str(shown["id"])]
    assert (await inbox.ask("GET", "/count")).json == {"open": 1, "action_required": 0}


async def test_an_item_shows_all_that_a_client_needs(inbox: Inbox) -> None:
    related = [{"table": "incident", "id": "4172", "url": "https://crm.example/4172"}]
    made = await inbox.ask_to_act(description="[x](javascript:alert(1)) **b**", items=related, action_url=URL)
    [item] = (await inbox.ask("GET", "")).json["items"]
    assert (item["id"], item["state"], item["popup"], item["dismissed"]) == (
        str(made["id"]), "action_required", True, False,
    )  # fmt: skip
    assert (item["class"], item["items"], item["version"], item["expires_at"]) == ("alarms", related, 1, None)
    assert "<strong>b</strong>" in item["description_html"]
    assert "href" not in item["description_html"]


async def test_completing_redirects_asks_or_completes_at_once(inbox: Inbox) -> None:
    with_url, without = await inbox.ask_to_act(action_url=URL), await inbox.ask_to_act()
    answer = await inbox.act(with_url, "complete")
    assert (answer.status, answer.headers["location"]) == (303, URL)
    answer = await inbox.act(without, "complete")
    assert (answer.status, list(answer.json)) == (200, ["confirm"])
    assert await told(inbox, without) == [], "asking changes nothing"
    answer = await inbox.act(with_url, "complete?complete=true")
    assert (answer.status, answer.json["state"], answer.json["completed_by"]) == (200, "action_complete", "ada")
    assert answer.json["version"] == 2


@pytest.mark.parametrize(
    ("locale", "asked"),
    [
        ("de-AT", "„{name}“ für alle, die es erhalten haben, als erledigt markieren?"),
        ("fr", "Marquer « {name} » comme terminé pour tous ses destinataires ?"),
        ("es_MX", "¿Marcar «{name}» como completado para todos sus destinatarios?"),
        ("fi", "Mark “{name}” as complete for all its recipients?"),
        (None, "Mark “{name}” as complete for all its recipients?"),
    ],
)
async def test_before_completing_a_recipient_is_asked_in_the_own_language(
    inbox: Inbox, locale: str | None, asked: str
) -> None:
    await rows.insert(inbox.owner, "users", {"tenant": inbox.tenant, "id": "ada", "locale": locale})
    action = await inbox.ask_to_act("ada", "grace")
    assert (await inbox.act(action, "complete")).json == {"confirm": asked.format(name=action["name"])}
    unknown = await inbox.act(action, "complete", "grace")
    assert unknown.json["confirm"].startswith("Mark "), "who is not in the directory is asked in English"


async def test_what_needs_no_action_cannot_be_completed_and_what_needs_one_not_dismissed(inbox: Inbox) -> None:
    plain, action = await inbox.notify(), await inbox.ask_to_act()
    assert (await inbox.act(plain, "complete?complete=true")).status == 409
    assert (await inbox.act(action, "dismiss")).status == 409
    assert (await inbox.act(action, "undismiss")).status == 409
    assert (await inbox.act(action, "complete?complete=true")).status == 200
    assert (await inbox.act(action, "dismiss")).status == 200


async def test_one_recipient_completes_for_all_and_a_second_is_told_who_did(inbox: Inbox) -> None:
    made = await inbox.ask_to_act("ada", "grace")
    first = await inbox.act(made, "complete?complete=true")
    second = await inbox.act(made, "complete?complete=true", "grace")
    assert second.status == 409
    assert second.headers["content-type"] == "application/problem+json"
    assert (second.json["completed_by"], datetime.fromisoformat(second.json["completed_at"])) == (
        "ada", datetime.fromisoformat(first.json["completed_at"]),
    )  # fmt: skip
    [seen] = (await inbox.ask("GET", "", "grace")).json["items"]
    assert (seen["state"], seen["completed_by"], seen["version"]) == ("action_complete", "ada", 2)
    assert (await inbox.ask("GET", "/count", "grace")).json == {"open": 1, "action_required": 0}


async def test_of_two_who_complete_at_once_exactly_one_does(inbox: Inbox) -> None:
    names = [f"user-{number}" for number in range(6)]
    made = await inbox.ask_to_act(*names)
    answers = await asyncio.gather(*(inbox.act(made, "complete?complete=true", name) for name in names))
    won = [answer.json["completed_by"] for answer in answers if answer.status == 200]
    assert len(won) == 1
    assert {answer.json["completed_by"] for answer in answers if answer.status == 409} == set(won)
    assert [name for name, _ in await told(inbox, made)] == ["completed"]


async def test_completion_plans_the_end_by_the_tenants_retention(inbox: Inbox) -> None:
    values = {"tenant": inbox.tenant, "name": "warning", "retention": 3, "css_class": "", "sort": 1, "send": True}
    await rows.insert(inbox.owner, "importances", values)
    made = await inbox.ask_to_act("ada", "grace")
    identity = {"id": made["id"], "tenant": inbox.tenant, "accepted_at": made["accepted_at"], "expires_on": date.max}
    await rows.insert(inbox.owner, "identities", identity)
    answer = await inbox.act(made, "complete?complete=true")
    ends = datetime.fromisoformat(answer.json["completed_at"]) + timedelta(days=3)
    assert datetime.fromisoformat(answer.json["expires_at"]) == ends
    row = await rows.one(inbox.owner, "SELECT expires_at, remove_after FROM notifications WHERE id = $1", made["id"])
    assert row == {"expires_at": ends, "remove_after": ends}
    [of_another] = (await inbox.ask("GET", "", "grace")).json["items"]
    assert of_another["expires_at"] == answer.json["expires_at"], "it is over for everybody"
    until = await inbox.owner.fetchval("SELECT expires_on FROM identities WHERE id = $1", made["id"])
    assert until == (ends + timedelta(days=7)).date()


async def test_completion_for_very_many_shows_at_once_and_tells_the_first_of_them(inbox: Inbox) -> None:
    """It was one statement for all, which ran into its time limit with a hundred thousand."""
    made = await inbox.ask_to_act("ada", "zoe")
    await inbox.owner.execute(MANY, inbox.tenant, made["id"], 1_100)
    answer = await inbox.act(made, "complete?complete=true")
    assert (answer.status, answer.json["state"], answer.json["version"]) == (200, "action_complete", 2)
    [last] = (await inbox.ask("GET", "", "zoe")).json["items"]
    assert (last["state"], last["completed_by"], last["version"]) == ("action_complete", "ada", 2)
    assert (await inbox.ask("GET", "/count", "zoe")).json["action_required"] == 0
    again = await inbox.act(made, "complete?complete=true", "zoe")
    assert (again.status, again.json["completed_by"]) == (409, "ada")
    assert len(await hinted(inbox)) == 500
    left = await inbox.owner.fetch("SELECT kind, recipient_after FROM follow_ups WHERE tenant = $1", inbox.tenant)
    assert [tuple(row) for row in left] == [("completed", max(await hinted(inbox)))]


MANY = """
INSERT INTO inbox_items (tenant, recipient, notification_id, expires_on, importance, class_key, hidden, created_at,
  push_endpoints, email_plan)
SELECT $1, 'm' || number, $2, 'infinity', 'warning', 'alarms', false, now(), '{}', 'none'
FROM generate_series(1, $3::integer) AS number
"""


async def hinted(inbox: Inbox) -> list[str]:
    """Whose inbox the outbox tells to have changed."""
    stored = await inbox.owner.fetch("SELECT records FROM outbox")
    hints = [
        messages.InboxChanged.model_validate_json(record.value or b"")
        for row in stored
        for record in outbox.records_of(row["records"])
        if record.topic == topics.INBOX_CHANGES
    ]
    return sorted(hint.recipient for hint in hints if hint.tenant == inbox.tenant)


async def test_completion_keeps_an_end_that_was_sooner(inbox: Inbox) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = await inbox.ask_to_act(expires_at=soon)
    answer = await inbox.act(made, "complete?complete=true")
    assert datetime.fromisoformat(answer.json["expires_at"]) == soon


async def test_an_item_is_dismissed_and_brought_back_for_this_recipient_only(inbox: Inbox) -> None:
    made = await inbox.notify("ada", "grace")
    key = str(made["id"])
    first = await inbox.act(made, "dismiss")
    assert (first.status, first.json["dismissed"], first.json["version"]) == (200, True, 2)
    assert (await inbox.act(made, "dismiss")).json["version"] == 2, "a repeat changes nothing"
    assert [await inbox.listed(f"?show={show}") for show in ("open", "dismissed", "all")] == [[], [key], [key]]
    assert await inbox.listed("", "grace") == [key]
    assert (await inbox.ask("GET", "/count")).json["open"] == 0
    back = await inbox.act(made, "undismiss")
    assert (back.json["dismissed"], back.json["version"]) == (False, 3)
    assert await inbox.listed() == [key]
    assert [name for name, _ in await told(inbox, made)] == ["dismissed", "undismissed"]


async def test_what_recipients_do_is_told_in_the_same_transaction(inbox: Inbox) -> None:
    made = await inbox.ask_to_act("ada", "grace")
    await inbox.act(made, "complete?complete=true")
    assert await told(inbox, made) == [("completed", {"notification_id": str(made["id"]), "recipient": "ada"})]
    story = await inbox.owner.fetch("SELECT event, detail FROM timeline WHERE notification_id = $1", made["id"])
    assert [tuple(row) for row in story] == [("completed", {"recipient": "ada"})]
    assert await hinted(inbox) == ["ada", "grace"]


@pytest.mark.parametrize("action", ["complete", "complete?complete=true", "dismiss", "undismiss"])
async def test_what_is_anothers_is_not_found(inbox: Inbox, site: Site, action: str) -> None:
    made = await inbox.ask_to_act("grace")
    assert (await inbox.act(made, action)).status == 404, "of another recipient"
    stranger = Inbox(site.client, site.owner, "stranger", await api.key(site.owner, "stranger"))
    assert (await stranger.act(made, action, "grace")).status == 404, "of another tenant"
    assert await stranger.listed("", "grace") == []
    assert (await inbox.ask("POST", f"/nonsense/{action}")).status == 422


async def test_what_comes_later_is_not_there_yet(inbox: Inbox) -> None:
    for path in ("/stream", "/push-subscriptions"):
        assert (await inbox.ask("GET", path)).status == 404
    document = (await inbox.client.ask("GET", "/v1/openapi.json")).json
    assert "/v1/inbox/{item}/complete" in document["paths"]


async def test_changes_are_produced_at_once_and_forgotten(
    database: databases.Database, kafka_settings: KafkaSettings
) -> None:
    settings = PostgresSettings(postgres_dsn=SecretStr(database.dsn("inbox")))
    async with open_pool(settings, "test") as pool:
        relay = Relay(pool, kafka_settings, Metrics(CollectorRegistry()))
        stop = asyncio.Event()
        running = asyncio.create_task(relay.run(stop))
        relay.tell(await _committed(pool, Record(topics.INBOX_CHANGES, b"k", b"1")))
        async with open_consumer(kafka_settings, "reader", [topics.INBOX_CHANGES], 10) as consumer:
            batch = await waiting.until(lambda: _some(consumer.batch), 30, "the change")
        assert [record.value for record in batch.records] == [b"1"]

        async def forgotten() -> bool:
            return not await pool.fetch("SELECT id FROM outbox")

        await waiting.until(forgotten, 10, "the outbox to be empty")
        stop.set()
        await running


async def _committed(pool: Pool, record: Record) -> Told:
    async with transaction(pool) as connection:
        outbox_id = await outbox.add(connection, [record])
    assert outbox_id is not None
    return Told(outbox_id, [record])


async def _some(read: Any) -> Any:
    batch = await read()
    return batch if batch.records else None
