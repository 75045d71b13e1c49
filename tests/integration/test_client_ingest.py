"""The SDK and `tocsin send` against the real door."""

import asyncio
import json
import pathlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.client import Accepted, AsyncTocsin, Refused, RefusedError
from tests.support import door
from tests.support.commands import Ran, tocsin

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ingest(
    kafka_bootstrap: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[door.Ingest]:
    """One ingest for this file: its tests keep apart by names and keys."""
    async with door.alone(kafka_bootstrap, postgres_server, tmp_path_factory.mktemp("ingest")) as running:
        yield running


def fields(name: str) -> Any:
    return {"source": "billing", "name": name, "description": "Paid.", "recipients": ["ada"]}


async def sent(ingest: door.Ingest, *arguments: str) -> Ran:
    return await asyncio.to_thread(tocsin, "send", "--url", ingest.running.http, "--key", ingest.key, *arguments)


async def test_the_same_idempotency_key_gives_the_same_notification(ingest: door.Ingest) -> None:
    async with AsyncTocsin(ingest.running.http, ingest.key) as client:
        first = await client.notify(**fields("Invoice 81"), idempotency_key="invoice-81")
        again = await client.notify(**fields("Invoice 81"), idempotency_key="invoice-81")
        with pytest.raises(RefusedError) as refused:
            await client.notify(**fields("Invoice 82"), idempotency_key="invoice-81")
    assert first.notification_id == again.notification_id
    assert (first.status, first.deduplication) == ("accepted", "checked")
    assert refused.value.status == 422


async def test_what_the_client_sends_is_what_the_topic_carries(ingest: door.Ingest) -> None:
    async with AsyncTocsin(ingest.running.http, ingest.key) as client:
        accepted = await client.notify(
            **fields("Boiler 7"), importance="danger", class_key="alarms", channels=["push"],
            items=[{"table": "boiler", "id": "7"}], options={"email": "none"},
        )  # fmt: skip
    (message,) = await ingest.accepted({"notification_id": str(accepted.notification_id)})
    assert message["notification_id"] == str(accepted.notification_id)
    assert (message["class"], message["lane"], message["channels"]) == ("alarms", "urgent", ["push"])
    assert message["items"] == [{"table": "boiler", "id": "7", "url": None}]


async def test_a_batch_answers_each_notification_in_its_place(ingest: door.Ingest) -> None:
    async with AsyncTocsin(ingest.running.http, ingest.key) as client:
        answers = await client.submit_many([dict(fields("one")), {"source": "billing"}, dict(fields("three"))])
    assert [type(answer) for answer in answers] == [Accepted, Refused, Accepted]
    assert [answer.status for answer in answers] == ["accepted", 422, "accepted"]


async def test_a_wrong_key_says_so_and_is_not_repeated(ingest: door.Ingest) -> None:
    async with AsyncTocsin(ingest.running.http, "tk_0000000000000000_" + "x" * 43) as client:
        with pytest.raises(RefusedError, match="unknown"):
            await client.notify(**fields("Invoice 81"))


async def test_send_by_options_prints_the_id_and_by_file_one_line_each(
    ingest: door.Ingest, tmp_path: pathlib.Path
) -> None:
    one = await sent(ingest, "--to", "ada", "--name", "Boiler 7 is hot", "--importance", "danger", "--json")
    assert (one.code, one.json["status"], one.json["deduplication"]) == (0, "accepted", "checked"), one.err
    path = tmp_path / "two.ndjson"
    path.write_text(f"{json.dumps(fields('a'))}\n{json.dumps(fields('b'))}\n")
    two = await sent(ingest, str(path))
    assert two.code == 0
    assert [line.split()[1] for line in two.out.splitlines()] == ["accepted", "accepted"]
    answered = [one.json["notification_id"], *(line.split()[0] for line in two.out.splitlines())]
    assert len(await ingest.accepted(*({"notification_id": each} for each in answered))) == 3


async def test_send_for_later_prints_the_number_of_its_schedule(ingest: door.Ingest) -> None:
    local = (datetime.now(UTC) + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%S")
    later = await sent(ingest, "--to", "ada", "--name", "n", "--at", f"{local}@Australia/Sydney", "--json")
    assert (later.code, later.json["status"]) == (0, "scheduled"), later.err
    assert later.json["schedule_id"] > 0


async def test_what_the_door_refuses_exits_with_one_and_names_the_field(ingest: door.Ingest) -> None:
    refused = await sent(ingest, "--to", "ada", "--name", "n", "--importance", "dire")
    assert refused.code == 1
    assert "/importance" in refused.err


async def test_validate_says_what_the_door_says(ingest: door.Ingest, tmp_path: pathlib.Path) -> None:
    body = {**fields("x" * 256), "action_url": "javascript:alert(1)", "script": "mine", "importanse": "info"}
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(body))
    offline = await asyncio.to_thread(tocsin, "validate", str(path), "--json")
    status, answer = await ingest.post(body)
    assert (offline.code, status) == (1, 422)
    assert offline.json["errors"]["0"] == answer["errors"]
