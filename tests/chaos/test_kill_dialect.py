"""Services die between accepting and delivering a sendNotification to a team, at once or for later."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.trial import Trial
from shared.client import Console
from tests.support import outside, replicas, waiting

pytestmark = [
    pytest.mark.timeout(400), pytest.mark.enable_socket, pytest.mark.asyncio(loop_scope="session"),
]  # fmt: skip

MEMBERS = 10_000
HOOKED = 50
"""How many of them have a webhook: enough to see a loss or a repeat, few enough to be made one by one."""

WITHIN = 150.0
COMPANY, EVERYBODY, HOOKED_ONLY = "77", "770", "771"

_REACHED = """
SELECT count(DISTINCT i.recipient) FROM schedules s
JOIN inbox_items i ON i.tenant = s.tenant AND i.notification_id = s.notification_id WHERE s.id = $1
"""
_NOTIFICATION = "SELECT notification_id FROM schedules WHERE id = $1"


@dataclass(frozen=True)
class Sender:
    """A super user of the company, and the record as its owner sees it."""

    system: Trial
    headers: dict[str, str]
    record: "asyncpg.Connection[asyncpg.Record]"

    async def send(self, team: str, message: str, **fields: Any) -> int:
        """The id of the schedule behind an accepted sendNotification."""
        body = {"version": 3, "type": "GT", "key": COMPANY, "values": [team], "message": message, **fields}
        url = self.system.endpoints["ingest"] + "/rest/notification/send"
        async with self.system.http.post(url, json=body, headers=self.headers) as response:
            assert response.status == 200, await response.text()
            return int((await response.json())["notificationScheduleId"])

    async def reached(self, schedule: int) -> int:
        """How many recipients have it in their inbox."""
        return int(await self.record.fetchval(_REACHED, schedule))

    async def hooks(self, schedule: int) -> dict[str, list[outside.Json]]:
        """What each member with a webhook received of it."""
        notification = str(await self.record.fetchval(_NOTIFICATION, schedule))
        return {user: await outside.hooks(self.system, user, notification) for user in members(HOOKED)}

    async def reports(self, message: str) -> list[outside.Json]:
        """The mails to an admin about its end, repeats under one Message-ID once."""
        found = await outside.mails(self.system, "boss@example.test", message)
        return list({mail["message_id"]: mail for mail in found}.values())


def members(count: int) -> list[str]:
    return [f"member-{number}" for number in range(count)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sender(system: Trial) -> AsyncIterator[Sender]:
    """A company with two teams: one of everybody, one of those with a webhook."""
    async with Console(system.endpoints["console"], system.key) as console:
        await _imported(console, "users", [{"id": user} for user in members(MEMBERS)])
        await console.put_group("company", COMPANY, {"company": COMPANY})
        for team, count in ((EVERYBODY, MEMBERS), (HOOKED_ONLY, HOOKED)):
            await console.put_group("team", team, {"company": COMPANY})
            lines = [{"kind": "team", "group": team, "user": user, "status": "accepted"} for user in members(count)]
            await _imported(console, "members", lines)
    for user in members(HOOKED):
        webhook = {"recipient": user, "channel": "push", "kind": "webhook",
                   "address": f"{system.endpoints['mailbox']}/hooks/{user}"}  # fmt: skip
        await system.console("POST", "/v1/endpoints", webhook)
    await system.console("PUT", "/v1/users/root", {"roles": ["SUPER_USER"]})
    token = await system.console("POST", "/v1/sam/tokens", {"user": "root"})
    key = await system.console("POST", "/v1/sam/company-keys", {"company": COMPANY})
    record = await asyncpg.connect(system.endpoints["postgres"])
    yield Sender(
        system,
        {"x-nextinteract-authtoken": token["authtoken"], "x-nextinteract-company-api-key": key["key"]},
        record,
    )
    await record.close()


async def _imported(console: Console, of: str, lines: list[dict[str, str]]) -> None:
    file = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    answer = await console.import_directory(file, "application/x-ndjson", of)
    assert (answer.imported, answer.failed) == (len(lines), 0)


async def test_killed_while_a_team_of_ten_thousand_is_told_each_member_is_told_once(sender: Sender) -> None:
    told: dict[str, int] = {}
    for service in replicas.SERVICES:
        told[f"Blast at {service}"] = schedule = await sender.send(EVERYBODY, f"Blast at {service}")
        assert await sender.reached(schedule) < MEMBERS, "the kill comes too late to try anything"
        await replicas.kill(sender.system, service)
    told["Blast under way"] = schedule = await sender.send(EVERYBODY, "Blast under way")
    await waiting.until(lambda: sender.reached(schedule), WITHIN, "the fan-out to begin")
    assert await sender.reached(schedule) < MEMBERS, "the kill comes too late to try anything"
    await replicas.kill(sender.system, "dispatcher")

    for message, schedule in told.items():
        await _ended(sender, message, schedule)
        assert await sender.reached(schedule) == MEMBERS
    assert {message: len(await sender.reports(message)) for message in told} == dict.fromkeys(told, 1)


async def test_killed_before_its_time_a_scheduled_one_is_told_once_and_not_too_early(sender: Sender) -> None:
    told: dict[str, tuple[int, datetime]] = {}
    for service in replicas.SERVICES:
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        local = due.replace(tzinfo=None).isoformat()
        later = {"scheduleTimezoneId": "Etc/UTC", "scheduleLocalDateTime": local}
        told[f"Later at {service}"] = (await sender.send(HOOKED_ONLY, f"Later at {service}", **later), due)
        await replicas.kill(sender.system, service)

    for message, (schedule, due) in told.items():
        received = await _ended(sender, message, schedule)
        assert all(datetime.fromisoformat(hook["received_at"]) >= due for hook in received)
    assert {message: len(await sender.reports(message)) for message in told} == dict.fromkeys(told, 1)


async def _ended(sender: Sender, message: str, schedule: int) -> list[outside.Json]:
    """Every member's webhook once its end was reported, once: told under one id each, and none failed."""
    [report] = await waiting.until(lambda: sender.reports(message), WITHIN, f"the report on {message}")
    skipped = r"([\d,]+ skipped \(no_endpoint\), )?"  # the members without a webhook
    assert re.search(rf"- push: {skipped}{HOOKED} sent\s", report["text"])
    assert not re.search("dead|expired", report["text"])
    hooks = await sender.hooks(schedule)
    identities = {user: {hook["body"]["delivery_id"] for hook in received} for user, received in hooks.items()}
    assert {user: len(ids) for user, ids in identities.items()} == dict.fromkeys(hooks, 1)
    return [hook for received in hooks.values() for hook in received]
