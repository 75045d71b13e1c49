"""What an operator types and a program imports, against the whole system."""

import asyncio

from deploy.local.trial import Trial
from shared.client import AsyncTocsin, Console
from tests.support.commands import Ran, tocsin


async def typed(*arguments: str) -> Ran:
    return await asyncio.to_thread(tocsin, *arguments)


async def test_what_is_sent_from_a_shell_is_traced_to_its_end_there(system: Trial) -> None:
    own = ["--state", str(system.state), "--key", system.key]
    sent = await typed("send", "--to", "user-1", "--name", "Typed", "--class", "alarms", "--importance", "danger",
                       *own, "--json")  # fmt: skip
    assert sent.code == 0, sent.err
    traced = await typed("trace", sent.json["notification_id"], "--wait", "30", *own, "--json")
    assert traced.code == 0, traced.err
    assert traced.json["state"] == "ended"
    assert {(one["channel"], one["state"]) for one in traced.json["deliveries"]} == {
        ("push", "sent"),
        ("email", "sent"),
    }


async def test_a_program_sends_and_reads_why_nothing_came(system: Trial) -> None:
    async with AsyncTocsin(system.endpoints["ingest"], system.key) as client:
        accepted = await client.notify(
            source="e2e", name="Imported", description="To nobody", recipients=["stranger"], importance="info"
        )
    traced = await typed("trace", str(accepted.notification_id), "--wait", "30", "--state", str(system.state),
                         "--key", system.key)  # fmt: skip
    assert traced.code == 0, traced.err
    async with Console(system.endpoints["console"], system.key) as console:
        trace = await console.trace(accepted.notification_id, "stranger")
    assert {(one.state, one.reason) for one in trace.deliveries} == {("skipped", "unknown_recipient")}


async def test_a_shell_takes_up_where_the_system_is(system: Trial) -> None:
    taken = await typed("env", "--state", str(system.state), "--json")
    assert taken.json["TOCSIN_INGEST_URL"] == system.endpoints["ingest"]
    assert taken.json["TOCSIN_CONSOLE_URL"] == system.endpoints["console"]


async def test_a_team_of_the_demo_tenant_is_reached_from_a_shell(system: Trial) -> None:
    assert {"kind": "team", "id": "23"} in system.endpoints["demo"]["groups"]
    own = ["--state", str(system.state), "--json"]
    sent = await typed("send", "--audience", "team:23@3", "--name", "To a team", "--option", "email=none", *own)
    assert sent.code == 0, sent.err
    traced = await typed("trace", sent.json["notification_id"], "--wait", "30", *own)
    assert traced.json["state"] == "ended"
    assert {one["recipient"] for one in traced.json["deliveries"]} == {"ada", "grace", "hedy", "katherine"}
