"""Services die between accepting and delivering what has a script, a job or a completion mail."""

from collections import Counter

import pytest

from deploy.local.trial import Trial
from tests.support import outside, replicas, waiting

pytestmark = [
    pytest.mark.timeout(400), pytest.mark.enable_socket, pytest.mark.asyncio(loop_scope="session"),
]  # fmt: skip

COUNT = 12
KILLED = ("dispatcher", "ingest", "scheduler", "dispatcher", "digest", "retention", "inbox", "console")


async def test_killed_in_between_every_script_and_every_report_mails_exactly_once(system: Trial) -> None:
    await system.populate(1, "reminded")
    for number in range(COUNT):
        await _sent(system, number)
    for service in KILLED:
        await replicas.kill(system, service)
    await _arrived(system, COUNT)
    await _sent(system, COUNT)  # what is still on its way would be there by the time this one is
    await _arrived(system, COUNT + 1)
    wanted = Counter({f"Ended: Round {number}": 1 for number in range(COUNT + 1)})
    wanted["Reminder for reminded-0"] = COUNT + 1
    assert await _mails(system) == wanted


async def _sent(system: Trial, number: int) -> None:
    body = outside.request(
        f"Round {number}", "reminded-0", importance="info", script="remind", options={"after_seconds": 2},
        channels=["inbox", "push"], completion_email=True,
    )  # fmt: skip
    await outside.accepted(system, body)


async def _arrived(system: Trial, rounds: int) -> None:
    """Wait for a reminder and a report of each round."""

    async def arrived() -> bool:
        seen = await _mails(system)
        return len(seen) == rounds + 1 and seen["Reminder for reminded-0"] >= rounds

    await waiting.until(arrived, 150, f"the mails of {rounds} rounds")


async def _mails(system: Trial) -> Counter[str]:
    """How many different mails have a subject; a repeat under the same Message-ID is recognised and counts once."""
    seen: dict[str, str] = {}
    for user in ("reminded-0", "boss"):
        url = f"{system.endpoints['mailbox']}/api/mails"
        async with system.http.get(url, params={"to": f"{user}@example.test"}) as response:
            seen |= {mail["message_id"]: mail["subject"] for mail in await response.json() if _is_ours(mail["subject"])}
    return Counter(seen.values())


def _is_ours(subject: str) -> bool:
    return subject.startswith(("Ended: Round ", "Reminder for reminded-"))
