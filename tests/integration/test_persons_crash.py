"""An erasure killed at any step is gone on with by asking again, and its report is the same as if nothing had been."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from services.console import persons
from tests.support import api, databases, person, rows, service

NOBODY_THERE = "127.0.0.1:1"
WITHIN = 60.0


@pytest.mark.parametrize("step", ["after_directory", "before_commit", "after_portion"])
async def test_an_erasure_killed_at_a_step_is_resumed_and_reports_every_row_once(
    database: databases.Database, tmp_path: Path, step: str
) -> None:
    owner = await rows.owner(database.owner)
    admin = await api.key(owner, "acme")
    ada, linus = person.made("acme"), person.made("acme")
    for who in (ada, linus):
        await person.everywhere(owner, who)
    told = {
        "postgres_dsn": database.dsn("console"),
        "kafka_bootstrap": NOBODY_THERE,
        "api_key_secret_file": str(api.secret_file(tmp_path)),
    }
    async with service.running("console", {**told, "failpoints": f"console.erasure.{step}=kill"}) as killed:
        await killed.until("/livez", 200)
        with pytest.raises(aiohttp.ClientError):
            await erased(killed, admin, ada)
        assert await asyncio.to_thread(killed.process.wait, WITHIN) == -9
    left = set(await person.traces(owner, ada))
    assert "erasures" in left, "the names by which the rest is found"
    assert "users" not in left
    assert "inbox_items" in left

    async with service.running("console", told) as resumed:
        await resumed.until("/livez", 200)
        report = await erased(resumed, admin, ada)
        whole = await erased(resumed, admin, linus)
        assert await resumed.stop() == 0
    assert set(await person.traces(owner, ada)) <= {"outbox"}
    assert report["complete"]
    assert counts(report) == counts(whole)
    await owner.close()


async def erased(running: service.Service, admin: dict[str, str], who: person.Person) -> dict[str, object]:
    async with (
        aiohttp.ClientSession(headers=admin) as session,
        session.post(f"{running.http}/v1/users/{who.id}/erasure") as answer,
    ):
        assert answer.status == 200, await answer.text()
        report: dict[str, object] = await answer.json()
        return report


def counts(report: dict[str, object]) -> dict[str, int]:
    tables = report["tables"]
    assert isinstance(tables, list)
    assert len(tables) == len(persons.PLACES)
    return {each["table"]: each["erased"] for each in tables}
