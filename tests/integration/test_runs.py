"""Scripts, jobs and completions on real Kafka and PostgreSQL: made at intake, run in the background, ended once."""

import pathlib
from typing import Any

import pytest

from services.dispatcher.runs import store
from shared import owners
from shared.contract import ids, topics
from shared.contract.messages import NotificationAccepted
from shared.postgres import pool as postgres
from shared.runtime.settings import KafkaSettings
from tests.support import intake, notifications, scripted, waiting
from tests.support.databases import Database
from tests.support.intake import Bench, Json
from tests.support.notifications import TENANT
from tests.support.scripted import working

KEY = "0123456789abcdef"


@pytest.fixture(autouse=True)
def installed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.install(tmp_path, monkeypatch)


@pytest.fixture
def bench_of(kafka_settings: KafkaSettings, database: Database) -> Any:
    return lambda: intake.opened(kafka_settings, database)


def message(script: str = "default", *recipients: str, **fields: Any) -> NotificationAccepted:
    return notifications.accepted(*(recipients or ("u0", "u1")), **{"owner": owners.TOPIC, "script": script, **fields})


async def states(bench: Bench, count: int, *wanted: str) -> list[Json]:
    """The runs once there are so many in the wanted states."""

    async def ended() -> list[Json] | None:
        rows = await bench.rows("SELECT name, recipient, state, reason, attempt FROM runs ORDER BY recipient, name")
        found = [dict(zip(("name", "recipient", "state", "reason", "attempt"), row, strict=True)) for row in rows]
        return found if len(found) == count and {each["state"] for each in found} <= set(wanted) else None

    return await waiting.until(ended, 20, f"{count} runs {wanted}")


async def test_only_what_names_a_script_has_a_run_and_the_script_makes_its_mail(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 2)
        plain, scripted = message(), message("politely")
        digest = message("politely", options={"email": "digest"})
        await bench.take_in(plain, scripted, digest)
        rows = await bench.rows("SELECT notification_id, kind, name, recipient FROM runs")
        assert sorted(rows) == sorted((each.notification_id, "script", "politely", None) for each in (scripted, digest))
        plans = await bench.rows("SELECT DISTINCT notification_id, email_plan FROM inbox_items")
        assert dict(plans) == {
            plain.notification_id: "digest", scripted.notification_id: "none", digest.notification_id: "digest",
        }  # fmt: skip
        skips = await bench.rows("SELECT DISTINCT subject_id, channel, reason FROM deliveries")
        assert skips == [(scripted.notification_id, "email", "left_to_script")]


async def test_a_script_asks_for_notifications_once_and_the_story_says_so(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 2)
        sent = message("politely", name="Boiler")
        await bench.take_in(sent)
        async with working(bench):
            await states(bench, 1, "done")
        asked = await bench.written(topics.REQUESTS)
        assert sorted(body["name"] for body in asked) == ["Boiler 0", "Boiler 1"]
        assert len({body["idempotency_key"] for body in asked}) == 2
        assert await bench.rows("SELECT count(*) FROM outbox") == [(0,)]
        story = await bench.rows("SELECT event FROM timeline WHERE event LIKE 'script%'")
        assert story == [("script_done",)]
        assert bench.counted("tocsin_runs_total", kind="script", outcome="done") == 1


async def test_a_script_of_each_recipient_runs_at_its_time_and_copes_with_system_users(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 2)
        await bench.rows("INSERT INTO users (tenant, id, kind) VALUES ($1, 'robot', 'system') RETURNING id", TENANT)
        await bench.take_in(message("remind", "u0", "u1", "robot", "ghost", options={"after_seconds": 0.5}))
        async with working(bench):
            runs = await states(bench, 5, "done")
        assert {run["recipient"] for run in runs} == {None, "u0", "u1", "robot", "ghost"}
        asked = await bench.written(topics.REQUESTS)
        assert sorted((body["recipients"], body["channels"]) for body in asked) == [
            (["u0"], ["email"]),
            (["u1"], ["email"]),
        ]
        late = await bench.rows(
            "SELECT min(due_at - created_at) >= interval '0.4 s' FROM runs WHERE recipient IS NOT NULL"
        )
        assert late == [(True,)]


async def test_a_script_that_deletes_its_notification_leaves_nothing_to_deliver_or_to_see(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 2)
        sent = message("welcome", requires_action=True)
        await bench.take_in(sent)
        [(push,)] = await bench.rows("SELECT push_endpoints[1]::text FROM inbox_items WHERE recipient = 'u0'")
        retrying = ids.delivery(TENANT, sent.notification_id, "u0", push)
        await bench.rows(RETRYING, TENANT, sent.notification_id, retrying, push)
        async with working(bench):
            await states(bench, 1, "done")
        (mail,) = await bench.written(topics.REQUESTS)
        assert (mail["recipients"], mail["channels"]) == (["u0", "u1"], ["email"])
        row = await bench.rows("SELECT cancelled_at IS NOT NULL, remove_after IS NOT NULL FROM notifications")
        assert row == [(True, True)], "an open action has an end from now on"
        assert await bench.rows("SELECT count(*) FROM identities WHERE expires_on = 'infinity'") == [(0,)]
        delivery = await bench.rows("SELECT state, reason FROM deliveries WHERE id = $1", retrying)
        assert delivery == [("cancelled", "cancelled")]
        events = [event["type"] for event in await bench.written(topics.EVENTS)]
        assert "tocsin.notification.cancelled.v1" in events
        hints = [hint["recipient"] for hint in await bench.written(topics.INBOX_CHANGES)]
        assert sorted(hints) == ["u0", "u0", "u1", "u1"], "at intake, and when it vanished"


RETRYING = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state, attempt,
  due_at, accepted_at, created_at)
VALUES ($1, $3, 'infinity', 'notification', $2, 'u0', $4, 'push', 'routine', 'retry', 2,
  'infinity', now(), now())
RETURNING id
"""


@pytest.mark.parametrize(
    ("script", "reason", "said", "attempts"),
    [
        pytest.param("broken", "script_failed", "the boiler is off, attempt 2", 2, id="raises"),
        pytest.param("slow", "script_failed", "did not return within 0.2 s", 2, id="does not return"),
        pytest.param("gone", "script_failed", "no installed package offers", 2, id="was uninstalled"),
        pytest.param("tampering", "script_failed", "not JSON serializable", 2, id="asks for what cannot be written"),
        pytest.param("leaving", "script_failed", "this is a program", 2, id="leaves when it is imported"),
        pytest.param("hanging", "script_failed", "did not return within 0.2 s", 2, id="hangs when it is imported"),
        pytest.param("onward", "forbidden", "may not publish notifications of class alarms", 1, id="not its owner's"),
    ],
)
async def test_a_script_that_fails_asks_for_nothing_and_ends_as_a_dead_letter_that_says_why(
    bench_of: Any, script: str, reason: str, said: str, attempts: int
) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 2)
        await bench.rows(ADD_KEY, TENANT, KEY, ["publish:general"])
        await bench.take_in(message(script, owner=KEY, options={"seconds": 1} if script == "slow" else {}))
        async with working(bench, script_seconds=0.2 if script in {"slow", "hanging"} else 10.0):
            (run,) = await states(bench, 1, "dead")
        assert (run["reason"], run["attempt"]) == (reason, attempts)
        ((why, detail, letter_of, topic),) = await bench.rows(
            "SELECT reason, detail, delivery_id IS NOT NULL, topic FROM dead_letters"
        )
        assert (why, letter_of, topic) == (reason, True, "runs")
        assert said in detail
        assert ("Traceback" in detail) == (script not in {"slow", "hanging", "tampering"})
        (letter,) = await bench.written(topics.DEAD_LETTERS)
        assert letter["name"] == script
        assert await bench.written(topics.REQUESTS) == []


async def test_what_kafka_does_not_take_of_a_script_is_left_to_who_buries_it(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 1)
        await bench.take_in(message("tampering", "u0", options={"length": 9_000_000}), message("politely", "u0"))
        async with working(bench):
            await states(bench, 2, "done")
        assert await bench.rows("SELECT count(*) FROM outbox") == [(1,)]
        assert len(await bench.written(topics.REQUESTS)) == 2, "those of the other script"


ADD_KEY = """
INSERT INTO api_keys (tenant, id, name, scopes, hmac) VALUES ($1, $2, 'k', $3, 'x') RETURNING id
"""


async def test_a_script_of_a_revoked_key_does_not_run(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 1)
        await bench.rows(ADD_KEY, TENANT, KEY, ["admin"])
        await bench.rows("UPDATE api_keys SET revoked_at = now() RETURNING id")
        await bench.take_in(message("politely", "u0", owner=KEY))
        async with working(bench):
            (run,) = await states(bench, 1, "dead")
        assert (run["reason"], run["attempt"]) == ("forbidden", 1)
        assert await bench.written(topics.REQUESTS) == []


async def test_a_script_of_a_user_has_what_the_user_may_do_now(bench_of: Any) -> None:
    """A user who named a job had the whole tenant's authority, also after having been removed."""
    async with bench_of() as bench:
        await intake.users(bench.database, 3)
        await bench.rows("UPDATE users SET roles = '{SUPER_USER}' WHERE id = 'u0' RETURNING id")
        await bench.rows("UPDATE users SET roles = '{EVENT_PUSH_NOTIFICATION_ROLE}' WHERE id <> 'u0' RETURNING id")
        await bench.rows(ADD_COMPANY, TENANT)
        await bench.rows(ADD_MEMBERS, TENANT, ["u1"])
        owned = {(script, user): message(script, "ada", owner=owners.of_user(user))
                 for script in ("politely", "onward") for user in ("u0", "u1", "u2", "gone")}  # fmt: skip
        await bench.take_in(*owned.values())
        async with working(bench):
            await states(bench, 8, "done", "dead")
        rows = await bench.rows("SELECT notification_id, state, reason FROM runs")
        ends = {notification: (state, reason) for notification, state, reason in rows}
        done = {named for named, sent in owned.items() if ends[sent.notification_id] == ("done", None)}
        assert done == {("politely", "u0"), ("onward", "u0"), ("politely", "u1")}
        assert {end for end in ends.values() if end[0] == "dead"} == {("dead", "forbidden")}


ADD_ADMINS = """
INSERT INTO users (tenant, id, roles) SELECT $1, id, '{COMPANY_ADMIN}' FROM unnest($2::text[]) AS id RETURNING id
"""
ADD_MEMBERS = """
INSERT INTO group_members (tenant, kind, group_id, user_id, status)
SELECT $1, 'company', '3', id, 'accepted' FROM unnest($2::text[]) AS id RETURNING user_id
"""
ADD_COMPANY = "INSERT INTO groups (tenant, kind, id, name, company) VALUES ($1, 'company', '3', 'c', '3') RETURNING id"


@pytest.mark.parametrize(
    ("whom", "state"),
    [
        pytest.param({"recipients": ["mate", "guest"]}, "done", id="a user of the company and whom it is about"),
        pytest.param({"recipients": ["mate", "other"]}, "dead", id="a user of another company"),
        pytest.param({"audience": {"kind": "team", "company": "3"}}, "done", id="the company's teams"),
        pytest.param({"audience": {"kind": "team", "company": "9"}}, "dead", id="another company's teams"),
    ],
)
async def test_a_script_of_a_company_reaches_nobody_outside_of_it(bench_of: Any, whom: Json, state: str) -> None:
    owner = "o" * 255
    async with bench_of() as bench:
        await intake.users(bench.database, 1)
        await bench.rows(ADD_ADMINS, TENANT, [owner, "mate", "guest", "other"])
        await bench.rows(ADD_COMPANY, TENANT)
        await bench.rows(ADD_MEMBERS, TENANT, [owner, "mate"])
        await bench.take_in(message("outward", "guest", owner=owners.of_user(owner), options={"whom": whom}))
        async with working(bench):
            (run,) = await states(bench, 1, "done", "dead")
        assert (run["state"], run["reason"]) == (state, "forbidden" if state == "dead" else None)
        assert len(await bench.written(topics.REQUESTS)) == (state == "done")


async def test_what_was_withdrawn_or_has_expired_runs_no_script(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 1)
        first, second = message("politely", "u0"), message("politely", "u0")
        await bench.take_in(first, second)
        change = "UPDATE notifications SET {} = now() WHERE id = $1 RETURNING id"
        await bench.rows(change.format("cancelled_at"), first.notification_id)
        await bench.rows(change.format("expires_at"), second.notification_id)
        async with working(bench):
            runs = await states(bench, 2, "cancelled")
        assert {run["reason"] for run in runs} == {"cancelled", "expired"}
        assert await bench.written(topics.REQUESTS) == []


async def test_a_paused_tenant_and_an_unfinished_fan_out_are_waited_for(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 1)
        await intake.users(bench.database, 1, tenant="paused")
        await bench.take_in(message("politely", "u0"), message("politely", "u0", tenant="paused"))
        await bench.rows("UPDATE tenants SET state = 'paused' WHERE id = 'paused' RETURNING id")
        many = message("politely", *(f"r{number}" for number in range(1_001)))
        await bench.take_in(many)
        async with working(bench):
            await waiting.until(lambda: _done(bench, 1), 20, "the one that may run")
            await bench.take_in(message("politely", "u0"))
            await waiting.until(lambda: _done(bench, 2), 20, "one behind those that wait, which are passed over")
            assert await bench.rows("SELECT count(*) FROM runs WHERE state = 'waiting'") == [(2,)]
            await bench.rows("UPDATE tenants SET state = 'active' RETURNING id")
            await bench.rows("UPDATE fanouts SET ended_at = now() RETURNING notification_id")
            await states(bench, 4, "done")


async def _done(bench: Bench, count: int) -> bool:
    return await bench.rows("SELECT count(*) FROM runs WHERE state = 'done'") == [(count,)]


async def test_a_job_is_called_with_its_schedule_when_it_is_due(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 1)
        sent = message("default", "u0", name="Stock", job="weekly", schedule_id=77)
        await bench.rows(SCHEDULE, TENANT, sent.notification_id)
        await bench.take_in(sent)
        async with working(bench):
            await states(bench, 1, "done")
        (asked,) = await bench.written(topics.REQUESTS)
        assert (asked["name"], asked["description"]) == ("Weekly: Stock", "2026-12-01T09:00:00 Australia/Sydney")
        plan = await bench.rows("SELECT email_plan FROM inbox_items")
        assert plan == [("digest",)], "a job comes beside what the notification itself does"


SCHEDULE = """
INSERT INTO schedules (id, tenant, notification_id, due_at, local, timezone, job, notification, remove_after)
VALUES (77, $1, $2, now(), '2026-12-01T09:00:00', 'Australia/Sydney', 'weekly', '{}', now() + interval '14 days')
RETURNING id
"""


async def test_the_admins_are_told_once_when_the_last_delivery_has_ended(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 3)
        await bench.rows("UPDATE users SET roles = '{COMPANY_ADMIN}' WHERE id = 'u1' RETURNING id")
        await bench.rows("UPDATE users SET roles = '{SUPER_USER}' WHERE id = 'u2' RETURNING id")
        await intake.users(bench.database, 2, tenant="globex")
        sent = message("default", "u0", "u1", "ghost", name="Team news", completion_email=True,
                       options={"email": "immediate"}, importance="info")  # fmt: skip
        await bench.take_in(sent, message("default", "u0", completion_email=False))
        async with working(bench):
            await waiting.until(lambda: _looked(bench), 20, "a look")
            assert await bench.written(topics.REQUESTS) == [], "four deliveries are still to begin"
            await bench.rows(DELIVERED, TENANT, sent.notification_id, "sent", 3)
            await bench.rows(DELIVERED, TENANT, sent.notification_id, "retry", 1)
            await waiting.until(lambda: _looked(bench, 3), 20, "looks that find a retry")
            assert await bench.written(topics.REQUESTS) == []
            await bench.rows(
                "UPDATE deliveries SET state = 'dead', reason = 'timeout' WHERE state = 'retry' RETURNING id"
            )
            await states(bench, 1, "done")
        (body,) = await bench.written(topics.REQUESTS)
        assert (body["recipients"], body["channels"]) == (["u1", "u2"], ["email"])
        assert body["name"] == "Ended: Team news"
        assert "- push: 3 sent, " in body["description"]
        assert "1 dead (timeout)" in body["description"]
        assert "skipped (unknown_recipient)" in body["description"]


async def _looked(bench: Bench, times: int = 1) -> bool:
    return bench.counted("tocsin_runs_total", kind="completion", outcome="again") >= times


DELIVERED = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state, attempt,
  due_at, accepted_at, created_at)
SELECT tenant, gen_random_uuid(), expires_on, 'notification', id, 'u0', 'e' || number, 'push', lane, $3, 1,
  'infinity', now(), now()
FROM notifications, generate_series(1, $4::integer) AS number WHERE tenant = $1 AND id = $2
RETURNING id
"""


async def test_a_tenants_many_scripts_do_not_hold_up_another_tenants(bench_of: Any) -> None:
    async with bench_of() as bench:
        await intake.users(bench.database, 1)
        await intake.users(bench.database, 1, tenant="globex")
        await bench.take_in(*(message("politely", "u0") for _ in range(5)))
        await bench.take_in(message("politely", "u0", tenant="globex"), message("politely", "u0", tenant="globex"))
        leased = []
        async with postgres.transaction(bench.pool) as connection:
            for _ in range(7):
                run = await store.lease(connection, "test", 60.0)
                assert run is not None
                leased.append(run.tenant)
            assert await store.lease(connection, "test", 60.0) is None
        assert leased == [TENANT, "globex", TENANT, "globex", TENANT, TENANT, TENANT]
