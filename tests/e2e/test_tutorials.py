"""The programs of the tutorials, run letter by letter against a whole system."""

import asyncio
import os
import re
import subprocess
import sys

from deploy.local.trial import Trial
from tests.support import outside, repository, waiting

PROGRAM = re.compile(r"```python\n(.+?)```", re.DOTALL)


def program(tutorial: str) -> str:
    (found,) = PROGRAM.findall((repository.ROOT / "docs" / "tutorials" / tutorial).read_text())
    says = [line for line in found.splitlines() if re.search(r"\w", line) and not re.match("from|import", line)]
    assert len(says) <= 10, "ten lines, beside imports and brackets"
    return str(found)


async def ran(system: Trial, text: str) -> str:
    told = {"TOCSIN_INGEST_URL": system.endpoints["ingest"], "TOCSIN_API_KEY": system.key}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(repository.ROOT), **told}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


async def test_from_servicenow_reaches_inbox_and_push_with_a_link_to_the_incident(system: Trial) -> None:
    recipients = ("abc123def456", "xyz789")
    for user in recipients:
        await system.console("PUT", f"/v1/users/{user}", {"id": user, "email": f"{user}@example.test"})
        webhook = {"recipient": user, "channel": "push", "kind": "webhook",
                   "address": f"{system.endpoints['mailbox']}/hooks/{user}"}  # fmt: skip
        await system.console("POST", "/v1/endpoints", webhook)
    pattern = "https://crm.example/{table}?sys_id={id}"
    await system.console("PUT", "/v1/properties/sn_dex_desktop.referrer_url", {"value": pattern})

    text = program("from-servicenow.md")

    async def linked() -> str | None:
        """The property counts within two seconds."""
        said = await ran(system, text)
        assert said.startswith("200 "), said
        sent = re.findall(r"[0-9a-f-]{36}", said)[0]
        await outside.ended(system, sent, len(recipients))
        [hook] = await outside.hooks(system, recipients[0], sent)
        return sent if hook["body"]["url"] else None

    sent = await waiting.until(linked, 60, "a notification with a link")
    deliveries = await outside.ended(system, sent, len(recipients))
    assert {(one["recipient"], one["channel"], one["state"]) for one in deliveries} == {
        (recipient, "push", "sent") for recipient in recipients
    }
    item = next(
        item for item in await outside.inbox_items(system, await outside.inbox_of(system, recipients[1]))
        if item["id"] == sent
    )  # fmt: skip
    assert item["items"] == [
        {"table": "incident", "id": "9d385017c611228701d22104cc95c371",
         "url": "https://crm.example/incident?sys_id=9d385017c611228701d22104cc95c371"}
    ]  # fmt: skip


async def test_from_a_process_reaches_the_accepted_members_of_a_team_in_inbox_push_and_mail(system: Trial) -> None:
    await system.console("PUT", "/v1/groups/team/on-call", {"name": "On call", "company": "acme"})
    for user, status in (("user-0", "accepted"), ("user-1", "accepted"), ("user-2", "declined")):
        await system.console("PUT", f"/v1/groups/team/on-call/members/{user}", {"status": status})

    text = program("from-a-process.md")
    said = await ran(system, text)
    assert await ran(system, text) == said, "the same event is the same notification"
    deliveries = await outside.ended(system, said.split()[0], 4)
    assert {(one["recipient"], one["channel"], one["state"]) for one in deliveries} == {
        (recipient, channel, "sent") for recipient in ("user-0", "user-1") for channel in ("push", "email")
    }
    items = await outside.inbox_items(system, await outside.inbox_of(system, "user-1"))
    assert [item["importance"] for item in items if item["name"] == "Nightly export failed"] == ["danger"]
