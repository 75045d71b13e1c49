"""Services as processes: they start, say so, wait for what is away, and end on SIGTERM with exit code 0."""

import json
import pathlib
import re
from collections.abc import Mapping

import pytest

from shared.runtime.settings import KafkaSettings
from tests.support import databases, service, unsubscribing

SERVICES = ["ingest", "dispatcher", "scheduler", "digest", "retention", "inbox", "console"]
PASSWORD = "never-to-be-seen-1b7d2f9c"

# The metrics every dashboard starts from, in the services that have the moment.
METRICS = {
    "ingest": {"tocsin_notifications_accepted_total", "tocsin_dropped_total"},
    "dispatcher": {
        "tocsin_dropped_total", "tocsin_delivery_attempts_total", "tocsin_delivery_seconds",
        "tocsin_dead_letters_total",
    },
    "scheduler": {"tocsin_oldest_pending_seconds", "tocsin_delivery_attempts_total", "tocsin_dead_letters_total"},
    "digest": {"tocsin_digest_lateness_seconds", "tocsin_dropped_total"},
    "retention": {"tocsin_retention_behind_seconds"},
}  # fmt: skip


def _settings(postgres: str, kafka: KafkaSettings, folder: pathlib.Path) -> Mapping[str, str]:
    secret = folder / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef")
    return {
        "postgres_dsn": postgres,
        "kafka_bootstrap": kafka.kafka_bootstrap,
        "topic_prefix": kafka.topic_prefix,
        "api_key_secret_file": str(secret),
        "inbox_token_secret_file": str(secret),
        **unsubscribing.SETTINGS,
    }


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_becomes_ready_shows_its_metrics_and_ends_with_0_on_sigterm(
    name: str, database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    settings = _settings(database.dsn(name), kafka_settings, tmp_path)
    async with service.running(name, settings, is_cold=True) as running:
        await running.until("/readyz", 200)
        assert await running.status("/livez") == 200
        shown = set(re.findall(r"^# TYPE (\w+) ", await running.text("/metrics"), re.MULTILINE))
        assert shown >= {"process_cpu_seconds_total", *METRICS.get(name, ())}
        assert await running.stop() == 0


@pytest.mark.parametrize("name", SERVICES)
async def test_without_postgresql_a_service_lives_is_not_ready_says_so_in_events_and_ends_with_0(
    name: str, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    nobody = f"postgresql://tocsin_{name}:{PASSWORD}@127.0.0.1:{service.free_port()}/nowhere"
    written = tmp_path / "log"
    with written.open("wb") as output:
        async with service.running(name, _settings(nobody, kafka_settings, tmp_path), output, is_cold=True) as running:
            await running.until("/livez", 200)
            assert await running.status("/readyz") == 503
            assert await running.stop() == 0
    _logged(name, written.read_text())


def _logged(name: str, log: str) -> None:
    """Hold a log to its rules: a JSON object a line, our own events by name, nothing secret."""
    events = [json.loads(line) for line in log.splitlines()]
    assert {event["service"] for event in events} == {name}
    assert all({"event", "level", "timestamp"} <= event.keys() for event in events)
    ours = [event["event"] for event in events if "logger" not in event]
    assert ours
    assert [event for event in ours if not re.fullmatch(r"[a-z0-9_]+", event)] == []
    assert PASSWORD not in log
