"""What a notification touches is told at once, and kept for the scheduler should its teller die (B10)."""

import json
from typing import Any

from shared.contract import topics
from shared.contract.records import Record
from shared.postgres import outbox
from shared.runtime.settings import KafkaSettings
from tests.support import intake, roles
from tests.support.databases import Database
from tests.support.notifications import accepted

ASSET = {"table": "brochure", "id": "4"}


async def kept(bench: intake.Bench) -> list[Record]:
    """Every record that waits in the outbox."""
    return [record for row in await bench.pool.fetch("SELECT records FROM outbox") for record in
            outbox.records_of(row["records"])]  # fmt: skip


async def test_a_touch_is_told_on_its_topic_once_however_often_the_notification_comes(
    kafka_settings: KafkaSettings, database: Database
) -> None:
    await intake.users(database, 1)
    async with intake.opened(kafka_settings, database) as bench:
        message = accepted("u0", touches=[ASSET], payload_hash="ab" * 32)
        await bench.take_in(message)
        await bench.take_in(message)
        [told] = await bench.written(topics.ENTITIES_TOUCHED)
        assert await kept(bench) == []
        [(taken_in,)] = await bench.rows("SELECT taken_in_at FROM identities")
    assert (told["type"], told["table"], told["entity"]) == ("tocsin.entity.touched.v1", "brochure", "4")
    assert told["notification_id"] == str(message.notification_id)
    assert told["at"] == taken_in.isoformat().replace("+00:00", "Z")


async def test_a_touch_whose_teller_was_killed_is_kept_once_for_the_scheduler(
    kafka_settings: KafkaSettings, database: Database
) -> None:
    await intake.users(database, 1)
    async with intake.opened(kafka_settings, database, group="watching.the.topic") as bench:
        message = accepted("u0", touches=[ASSET], payload_hash="ab" * 32)
        await bench.send(message)
        await roles.killed(bench, "intake.routine", "dispatcher.intake.after_commit")
        assert await bench.written(topics.ENTITIES_TOUCHED) == []
        await bench.take_in(message)
        [record] = await kept(bench)
    told: dict[str, Any] = json.loads(record.value or b"")
    assert (record.topic, json.loads(record.key or b"")) == (topics.ENTITIES_TOUCHED, ["acme", "brochure", "4"])
    assert told["notification_id"] == str(message.notification_id)


async def test_a_notification_that_touches_nothing_writes_nothing_more(
    kafka_settings: KafkaSettings, database: Database
) -> None:
    await intake.users(database, 1)
    async with intake.opened(kafka_settings, database) as bench:
        await bench.take_in(accepted("u0"))
        assert await bench.written(topics.ENTITIES_TOUCHED) == []
        assert await kept(bench) == []
