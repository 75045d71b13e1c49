"""Services as processes: they start, say so, wait for what is away, and end on SIGTERM with exit code 0."""

import pathlib
from collections.abc import Mapping

import pytest

from shared.runtime.settings import KafkaSettings
from tests.support import databases, service

SERVICES = ["ingest", "scheduler", "digest", "retention", "inbox", "console"]


def _settings(postgres: str, kafka: KafkaSettings, folder: pathlib.Path) -> Mapping[str, str]:
    secret = folder / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef")
    return {
        "postgres_dsn": postgres,
        "kafka_bootstrap": kafka.kafka_bootstrap,
        "topic_prefix": kafka.topic_prefix,
        "api_key_secret_file": str(secret),
        "inbox_token_secret_file": str(secret),
    }


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_becomes_ready_and_ends_with_0_on_sigterm(
    name: str, database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    settings = _settings(database.dsn(name), kafka_settings, tmp_path)
    async with service.running(name, settings) as running:
        await running.until("/readyz", 200)
        assert await running.status("/livez") == 200
        assert await running.stop() == 0


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_without_postgresql_is_alive_but_not_ready_and_still_ends_with_0(
    name: str, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    nobody = f"postgresql://tocsin_{name}@127.0.0.1:{service.free_port()}/nowhere"
    async with service.running(name, _settings(nobody, kafka_settings, tmp_path)) as running:
        await running.until("/livez", 200)
        assert await running.status("/readyz") == 503
        assert await running.stop() == 0
