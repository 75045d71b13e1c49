"""Ingest, dispatcher and retention together: records go by their importance, and a duplicate is known longer."""

import contextlib
import pathlib
from datetime import timedelta
from uuid import UUID

from shared.postgres.pool import Pool
from shared.runtime.settings import KafkaSettings
from tests.support import databases, door, mailing, service, unsubscribing, waiting

WITHIN_SECONDS = 60
_THIRTY_DAYS = """
INSERT INTO importances (tenant, name, retention, css_class, sort, send) VALUES ($1, 'danger', 30, 'bg-danger', 1, true)
"""


async def _recorded(owner: Pool, expected: set[str]) -> None:
    """Wait until these notifications and no other are in the record."""

    async def so() -> bool:
        return {str(row["id"]) for row in await owner.fetch("SELECT id FROM notifications")} == expected

    await waiting.until(so, WITHIN_SECONDS, f"{len(expected)} notifications in the record")


async def test_records_go_by_importance_and_their_duplicates_are_refused_longer(
    owner: Pool, database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    told = {
        "kafka_bootstrap": kafka_settings.kafka_bootstrap,
        "topic_prefix": kafka_settings.topic_prefix,
        "retention_poll_seconds": "0.2",
        "leader_poll_seconds": "0.2",
        **unsubscribing.SETTINGS,
    }
    week, month = door.body(), door.body(importance="danger")
    async with contextlib.AsyncExitStack() as stack:
        ingest = await stack.enter_async_context(door.ingest(database, kafka_settings, tmp_path))
        for name in ("dispatcher", "retention"):
            dsn = {"postgres_dsn": database.dsn(name)}
            running = await stack.enter_async_context(service.running(name, told | dsn))
            await running.until("/readyz", 200)
        await mailing.directory(owner, {"ada": None})
        await owner.execute(_THIRTY_DAYS, door.TENANT)
        _, expiring = await ingest.post(week, {"Idempotency-Key": "week"})
        _, kept = await ingest.post(month, {"Idempotency-Key": "month"})
        await _recorded(owner, {expiring["notification_id"], kept["notification_id"]})

        await mailing.shift_clock(owner, timedelta(days=8))
        await _recorded(owner, {kept["notification_id"]})

        status, again = await ingest.post(week, {"Idempotency-Key": "week"})
        assert (status, again["notification_id"]) == (202, expiring["notification_id"])
        assert (await ingest.post(month, {"Idempotency-Key": "week"}))[0] == 422
        _, newer = await ingest.post(week, {"Idempotency-Key": "another"})
        await _recorded(owner, {kept["notification_id"], newer["notification_id"]})
        assert UUID(newer["notification_id"]) != UUID(expiring["notification_id"])
