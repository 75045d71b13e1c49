"""Whoever tries keys is seen: each refused credential counts at its door, and none of them is written down."""

import pathlib
import re
from collections import Counter

import aiohttp
import asyncpg
import pytest

from shared.access import Scope
from shared.runtime.settings import KafkaSettings
from tests.support import api, databases, sam, service, unsubscribing

GUESSED = "Bearer tk_guessed_6b1f"

KEY = (401, 401, 403)
OTHER = (401, 401, 401)
DOORS = {
    "ingest": {
        "/v1/notifications": ("notifications", KEY),
        "/v1/notifications/batch": ("notifications", KEY),
        "/api/sn_dex_desktop/notifications": ("desktop_assistant", KEY),
        sam.PATH: ("send_notification", OTHER),
        "/v1/bodies": ("bodies", KEY),
    },
    "inbox": {
        "/v1/inbox/tokens": ("inbox_tokens", KEY),
        "/v1/inbox/ed90fcd2-cbb4-49b8-9be4-a14ccbc2d1e8/dismiss": ("inbox", OTHER),
    },
    "console": {"/v1/keys": ("console", KEY), "/v1/endpoints": ("console", KEY)},
}
"""A service's paths, the door of each, and what it answers to nothing, to a guess, and to a key that may not."""


async def refused(running: service.Service) -> dict[tuple[str, int], int]:
    """How often each door of a service answered 401 or 403, by its metrics; without those that never did."""
    shown = r'^tocsin_credentials_refused_total{door="(\w+)",status="(\d+)"} (\d+)\.0$'
    found = re.findall(shown, await running.text("/metrics"), re.MULTILINE)
    return {(door, int(status)): int(count) for door, status, count in found if count != "0"}


@pytest.mark.parametrize("name", DOORS)
async def test_a_refused_credential_counts_at_its_door_by_its_status_and_stays_out_of_the_log(
    name: str, database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path
) -> None:
    secret, log = str(api.secret_file(tmp_path)), tmp_path / "log"
    settings = {
        "postgres_dsn": database.dsn(name), "kafka_bootstrap": kafka_settings.kafka_bootstrap,
        "topic_prefix": kafka_settings.topic_prefix, "api_key_secret_file": secret, "inbox_token_secret_file": secret,
        **unsubscribing.SETTINGS,
    }  # fmt: skip
    owner = await asyncpg.connect(database.owner)
    limited = await api.key(owner, "acme", [Scope.TRACE])
    await owner.close()
    expected: Counter[tuple[str, int]] = Counter()
    with log.open("wb") as output:
        async with service.running(name, settings, output) as running, aiohttp.ClientSession(running.http) as http:
            await running.until("/readyz", 200)
            for path, (door, statuses) in DOORS[name].items():
                for headers, status in zip(({}, {"Authorization": GUESSED}, limited), statuses, strict=True):
                    async with http.post(path, json={}, headers=headers) as response:
                        assert (path, response.status) == (path, status)
                    expected[door, status] += 1
            async with http.get("/v1/nowhere") as response:
                assert response.status == 404
            assert await refused(running) == expected
    assert "guessed" not in log.read_text()
