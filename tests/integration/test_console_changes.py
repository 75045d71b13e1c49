"""`directory.changes` on real Kafka and PostgreSQL: applied once, in whatever order it comes, poison put aside."""

import asyncio
import itertools
import json
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.console.erasure import Erasing
from services.console.following import GROUP, Following
from services.console.metrics import Metrics
from shared.contract import generate, records, topics
from shared.contract.records import Record
from shared.kafka.consumer import Batch, Consumer, open_consumer
from shared.kafka.producer import Producer, open_producer
from shared.postgres import outbox
from shared.postgres.burial import PoisonLimitError
from shared.postgres.pool import Pool, open_pool
from shared.runtime.settings import KafkaSettings, PostgresSettings
from tests.support import databases, directory, rows, service, waiting

EXAMPLES = sorted(generate.EXAMPLES.glob("tocsin.directory.changed.v1*.json"))


def change(version: int, tenant: str = rows.TENANT, **about: Any) -> dict[str, Any]:
    """A change of the directory; `about` is one of user, group, member and removed."""
    return {
        "type": "tocsin.directory.changed.v1", "id": str(uuid.uuid4()), "at": "2026-11-22T10:00:00Z", "tenant": tenant,
        "version": version, **about,
    }  # fmt: skip


@dataclass
class Bench:
    """The reader of the topic between it and a database of one test's own."""

    producer: Producer
    consumer: Consumer
    following: Following
    owner: asyncpg.Connection
    metrics: CollectorRegistry
    pool: Pool

    async def tell(self, *told: dict[str, Any] | bytes | None) -> None:
        """Put changes on the topic, or bytes as they are, and take them in a batch at a time."""
        values = [json.dumps(each).encode() if isinstance(each, dict) else each for each in told]
        await self.producer.send_all([Record(topics.DIRECTORY_CHANGES, b"key", value) for value in values])
        waiting_for = len(values)
        while waiting_for > 0:
            batch = await self.consumer.batch(5)
            if batch.records:
                await self.following.take_in(batch)
                waiting_for -= len(batch.records)

    async def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What the owner of the database reads."""
        return [tuple(row) for row in await self.owner.fetch(query)]

    def counted(self, outcome: str) -> float | None:
        return self.metrics.get_sample_value("tocsin_directory_changes_total", {"outcome": outcome})


@pytest_asyncio.fixture
async def bench(kafka_settings: KafkaSettings, database: databases.Database) -> AsyncIterator[Bench]:
    registry = CollectorRegistry()
    owner = await rows.owner(database.owner)
    for tenant in ("acme", "globex"):
        await rows.tenant(owner, tenant)
    async with (
        open_pool(PostgresSettings(postgres_dsn=SecretStr(database.dsn("console"))), "test") as pool,
        open_producer(kafka_settings) as producer,
        open_consumer(kafka_settings, GROUP, [topics.DIRECTORY_CHANGES], 100) as consumer,
    ):
        yield Bench(producer, consumer, Following(pool, Metrics(registry), POISON_PER_MINUTE), owner, registry, pool)
    await owner.close()


ADA: dict[str, Any] = {"user": {"id": "ada", "email": "ada@example.test"}}
TEAM: dict[str, Any] = {"group": {"kind": "team", "id": "23", "company": "3"}}
MEMBER: dict[str, Any] = {"member": {"kind": "team", "group": "23", "user": "ada", "status": "invited"}}
POISON_PER_MINUTE = 6
EVERYTHING = """
SELECT 'user', id, email FROM users UNION ALL SELECT kind, id, company FROM groups
UNION ALL SELECT group_id, user_id, status FROM group_members ORDER BY 1, 2
"""
KNOWN = [("23", "ada", "invited"), ("team", "23", "3"), ("user", "ada", "ada@example.test")]


async def test_users_groups_and_members_are_kept_as_told_in_whatever_order_they_come(bench: Bench) -> None:
    for version, order in enumerate(itertools.permutations([ADA, TEAM, MEMBER]), 1):
        await bench.tell(*(change(version, **about) for about in order))
        assert await bench.ask(EVERYTHING) == KNOWN
        await bench.owner.execute("DELETE FROM users; DELETE FROM groups; DELETE FROM group_members")


async def test_the_committed_examples_are_taken_in(bench: Bench) -> None:
    await bench.tell(*(json.loads(path.read_text()) for path in EXAMPLES))
    assert bench.counted("applied") == len(EXAMPLES) == 4
    assert await bench.ask("SELECT 1 FROM dead_letters") == []
    quiet = await bench.ask("SELECT to_char(quiet_from, 'HH24:MI'), to_char(quiet_to, 'HH24:MI') FROM users")
    assert ("22:00", "07:00") in quiet


async def test_only_a_larger_version_changes_anything_removals_included(bench: Bench) -> None:
    def told(version: int) -> dict[str, Any]:
        if version == 9:
            return change(9, removed={"user": {"id": "ada"}})
        return change(version, user={"id": "ada", "login": f"v{version}"})

    await bench.tell(told(3), told(5), told(4), told(5))
    assert await bench.ask("SELECT login FROM users") == [("v5",)]
    await bench.tell(told(9), told(8))
    assert await bench.ask("SELECT login FROM users") == [], "what comes late brings nobody back"
    await bench.tell(told(10))
    assert await bench.ask("SELECT login FROM users") == [("v10",)]
    assert (bench.counted("applied"), bench.counted("passed_over")) == (3, 4)


async def test_who_was_erased_comes_back_only_by_what_was_said_after_it(bench: Bench) -> None:
    await bench.tell(change(5, **ADA))
    report = await Erasing(bench.pool, rows.TENANT, "ada").run()
    assert report is not None
    assert report.complete
    await bench.tell(change(4, **ADA), change(6, **ADA), change(1, **MEMBER), change(1, "globex", **ADA))
    assert await bench.ask("SELECT tenant, id FROM users") == [("globex", "ada")], "newer, but said before"
    assert await bench.ask("SELECT 1 FROM group_members") == []
    said_after = (report.begun_at + timedelta(seconds=1)).isoformat()
    await bench.tell({**change(7, **ADA), "at": said_after}, {**change(2, **MEMBER), "at": said_after})
    assert await bench.ask("SELECT id FROM users WHERE tenant = 'acme'") == [("ada",)]
    assert await bench.ask("SELECT user_id FROM group_members") == [("ada",)]


async def test_an_erasure_lets_the_compacted_topic_forget_the_user(bench: Bench) -> None:
    await bench.tell(change(5, **ADA))
    await Erasing(bench.pool, rows.TENANT, "ada").run()
    packed = await bench.ask("SELECT records FROM outbox ORDER BY id DESC LIMIT 1")
    told = outbox.records_of(packed[0][0])
    assert [(each.topic, each.key, each.value) for each in told] == [
        (topics.DIRECTORY_CHANGES, records.recipient_key("acme", "ada"), None)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_any_order_and_any_repeats_end_the_same(bench: Bench, seed: int) -> None:
    dice = random.Random(seed)
    story = [change(version, user={"id": f"u{version % 5}", "login": f"v{version}"}) for version in range(40)]
    story += [change(100, removed={"user": {"id": "u0"}}), change(101, user={"id": "u1", "login": "last"})]
    shuffled = story + dice.sample(story, 20)
    dice.shuffle(shuffled)
    for begin in range(0, len(shuffled), 7):
        await bench.tell(*shuffled[begin : begin + 7])
    assert await bench.ask("SELECT id, login FROM users ORDER BY id") == [
        ("u1", "last"), ("u2", "v37"), ("u3", "v38"), ("u4", "v39"),
    ]  # fmt: skip


async def test_a_removal_takes_along_what_hangs_on_it(bench: Bench) -> None:
    event = {"kind": "event", "id": "e1", "company": "3"}
    team = {"kind": "event_team", "id": "456", "company": "3", "parent": "e1"}
    await bench.tell(change(1, group=event), change(1, group=team), change(1, **ADA), change(1, **TEAM))
    for group in ({"kind": "event_team", "group": "456"}, {"kind": "team", "group": "23"}):
        await bench.tell(change(1, member={**group, "user": "ada"}), change(1, member={**group, "user": "bob"}))
    await bench.tell(change(2, removed={"group": {"kind": "event", "id": "e1"}}))
    assert await bench.ask("SELECT group_id, user_id FROM group_members ORDER BY 2") == [("23", "ada"), ("23", "bob")]
    assert await bench.ask("SELECT id FROM groups") == [("23",)]
    await bench.tell(change(2, removed={"member": {"kind": "team", "group": "23", "user": "bob"}}))
    await bench.tell(change(2, removed={"user": {"id": "ada"}}))
    assert await bench.ask("SELECT group_id, user_id FROM group_members") == []


async def test_a_removed_group_is_empty_before_the_transaction_that_removes_it(bench: Bench) -> None:
    await bench.tell(change(1, **TEAM), change(1, **ADA), change(1, **MEMBER))
    async with directory.kept(bench.owner, "team/23", rows.TENANT) as left:
        removing = asyncio.create_task(bench.tell(change(2, removed={"group": {"kind": "team", "id": "23"}})))
        await waiting.until(left.nothing_else, 20, "the team has no members")
    await removing
    assert await bench.ask("SELECT id FROM groups") == []


async def test_a_removal_that_comes_late_takes_nobody_out_of_the_group(bench: Bench) -> None:
    await bench.tell(change(5, **TEAM), change(1, **ADA), change(1, **MEMBER))
    for late in (4, 5):
        await bench.tell(change(late, removed={"group": {"kind": "team", "id": "23"}}))
    assert await bench.ask(EVERYTHING) == KNOWN


async def test_who_gets_the_id_of_a_removed_user_does_not_get_its_tokens(bench: Bench) -> None:
    await bench.tell(change(1, **ADA), change(1, user={"id": "grace"}), change(1, "globex", **ADA))
    for tenant, user in (("acme", "ada"), ("acme", "grace"), ("globex", "ada")):
        token = {"tenant": tenant, "id": f"{tenant}-{user}", "user_id": user, "hmac": b"hmac"}
        await rows.insert(bench.owner, "sam_tokens", token)
    await bench.tell(change(2, removed={"user": {"id": "ada"}}), change(3, **ADA))
    await bench.tell(change(4, removed={"user": {"id": "ada"}}))
    await bench.tell(change(5, **ADA))
    assert await bench.ask("SELECT id FROM sam_tokens ORDER BY id") == [("acme-grace",), ("globex-ada",)]


async def test_poison_becomes_dead_letters_and_holds_up_nobody(bench: Bench) -> None:
    await bench.tell(
        b"\xff", b"{}", None, change(1, user={"id": "ada", "emial": "x"}), change(1, "nobody", **ADA),
        change(1, user={"id": "grace"}, removed={"user": {"id": "grace"}}), change(1, **ADA),
    )  # fmt: skip
    assert await bench.ask("SELECT tenant, id FROM users") == [("acme", "ada")]
    letters = await bench.ask('SELECT tenant, topic, reason FROM dead_letters ORDER BY "offset"')
    assert letters == [("", topics.DIRECTORY_CHANGES, reason) for reason in
                       ("undecodable", "undecodable", "undecodable", "unknown_tenant", "undecodable")]  # fmt: skip
    stored = [
        record for (packed,) in await bench.ask("SELECT records FROM outbox") for record in outbox.records_of(packed)
    ]
    assert {record.topic for record in stored} == {topics.DEAD_LETTERS}
    assert len(stored) == 5
    assert bench.metrics.get_sample_value("tocsin_dead_letters_total", {"reason": "unknown_tenant"}) == 1


async def test_a_topic_full_of_poison_pauses_its_reader_and_nothing_is_thrown_away(bench: Bench) -> None:
    values = [*(b"poison %d" % number for number in range(8)), json.dumps(change(1, **ADA)).encode()]
    await bench.producer.send_all([Record(topics.DIRECTORY_CHANGES, b"key", value) for value in values])
    batches: list[Batch] = []
    while sum(len(batch.records) for batch in batches) < len(values):
        batches.append(await bench.consumer.batch(5))
    batch = Batch([record for each in batches for record in each.records], batches[-1].positions)
    for _ in range(2):
        with pytest.raises(PoisonLimitError, match=r"directory\.changes"):
            await bench.following.take_in(batch)
        assert await bench.ask("SELECT count(*) FROM dead_letters") == [(6,)]
        assert await bench.ask("SELECT count(*) FROM positions") == [(0,)]
    assert await bench.ask("SELECT id FROM users") == [("ada",)]
    await bench.owner.execute(
        "CREATE OR REPLACE FUNCTION db_now() RETURNS timestamptz LANGUAGE sql STABLE AS "
        "$$ SELECT now() + interval '61 seconds' $$"
    )
    await bench.following.take_in(batch)
    assert await bench.ask("SELECT count(*) FROM dead_letters") == [(8,)]
    assert await bench.ask("SELECT count(*) FROM positions") == [(1,)]


async def test_each_tenants_versions_are_its_own(bench: Bench) -> None:
    await bench.tell(change(7, user={"id": "ada", "login": "a"}), change(1, "globex", user={"id": "ada", "login": "g"}))
    assert await bench.ask("SELECT tenant, login FROM users ORDER BY 1") == [("acme", "a"), ("globex", "g")]


async def test_positions_are_written_with_the_work(bench: Bench) -> None:
    await bench.tell(change(1, **ADA), change(2, **ADA))
    assert await bench.ask('SELECT consumer_group, topic, "offset" FROM positions') == [
        ("console", topics.DIRECTORY_CHANGES, 2)
    ]


async def test_the_console_follows_the_topic_and_answers_while_kafka_is_away(
    kafka_settings: KafkaSettings, database: databases.Database, tmp_path: Any
) -> None:
    owner = await rows.owner(database.owner)
    await rows.tenant(owner, rows.TENANT)
    (tmp_path / "secret").write_bytes(b"secret")
    told = {
        "postgres_dsn": database.dsn("console"), "api_key_secret_file": str(tmp_path / "secret"),
        "kafka_bootstrap": kafka_settings.kafka_bootstrap, "topic_prefix": kafka_settings.topic_prefix,
    }  # fmt: skip
    async with service.running("console", {**told, "kafka_bootstrap": "127.0.0.1:9"}) as without_kafka:
        await without_kafka.until("/readyz", 200)
        assert await without_kafka.stop() == 0
    async with service.running("console", told) as running, open_producer(kafka_settings) as producer:
        await running.until("/readyz", 200)
        value = json.dumps(change(1, **ADA)).encode()
        await producer.send_all([Record(topics.DIRECTORY_CHANGES, b"ada", value)])
        await waiting.until(lambda: owner.fetchval("SELECT id FROM users"), 30, "the user")
        assert await running.stop() == 0
    await owner.close()
