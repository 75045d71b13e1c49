"""What a sendNotification asks of the routine lane is counted in those it reaches (X3)."""

import pathlib

import pytest

from shared.contract import topics
from shared.runtime.settings import KafkaSettings
from tests.support import databases, directory, door, sam, waiting
from tests.unit.test_sam_body import sent

BESIDE = 20


@pytest.mark.parametrize(
    ("reached", "lane"),
    [pytest.param(3 * BESIDE, "bulk", id="more than half"), pytest.param(BESIDE, "routine", id="no more than half")],
)
async def test_a_team_counts_with_its_members_for_its_tenants_share_of_the_lane(
    database: databases.Database, kafka_settings: KafkaSettings, tmp_path: pathlib.Path, reached: int, lane: str
) -> None:
    async with door.ingest(database, kafka_settings, tmp_path) as ingest:
        caller = await sam.caller(ingest, "boss", "SUPER_USER", tenant="globex")
        await directory.team_of(ingest.owner, "all", reached, tenant="globex")

        async def behind() -> bool:
            return await ingest.metric("tocsin_routine_intake_behind") == 1

        everybody = [f"u{number}" for number in range(BESIDE)]
        assert (await ingest.post(door.body(importance="info", recipients=everybody)))[0] == 202
        await waiting.until(behind, 30, "intake to lag, since nobody reads")
        assert (await ingest.post(door.body(importance="info", recipients=everybody)))[0] == 202
        assert (await caller.send(sent(version=3, values=["all"]))).status == 200
        [later] = await ingest.written(
            [topics.SCHEDULED], lambda record: record["notification"]["tenant"] == "globex", 1
        )
        assert later["notification"]["lane"] == lane
