"""Every statement of the dispatcher finds its rows by an index, however small the record was and however it grows."""

import re
from types import ModuleType

import pytest

from services.dispatcher import store_directory, store_mails, store_rows, store_stored
from services.dispatcher.delivery import claim_statements, outcome_store
from services.dispatcher.fanout import store as fanout_store
from services.dispatcher.follow_ups import steps as follow_up_steps
from services.dispatcher.follow_ups import store as follow_up_store
from services.dispatcher.intake import store as intake_store
from shared.contract.importance import Lane
from shared.postgres import audiences, burial, follow_ups, outbox, templates
from shared.postgres.pool import Connection
from shared.runtime.settings import KafkaSettings
from tests.support import intake
from tests.support.databases import Database

MODULES = (
    store_directory, store_rows, store_stored, fanout_store, intake_store, burial, claim_statements, outcome_store,
    store_mails, audiences, outbox, templates, follow_up_steps, follow_up_store, follow_ups,
)  # fmt: skip


def statements(module: ModuleType) -> dict[str, str]:
    """The SQL constants of a module, by name."""
    return {
        f"{module.__name__}.{name}": value
        for name, value in vars(module).items()
        if isinstance(value, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s", value)
    }


STATEMENTS = {name: sql for module in MODULES for name, sql in statements(module).items()}


@pytest.mark.parametrize("rows", [0, 60, 10_000])
async def test_no_statement_scans_a_table(kafka_settings: KafkaSettings, database: Database, rows: int) -> None:
    assert len(STATEMENTS) > 20
    async with intake.connected(database.owner) as owner:
        await owner.execute(_DELIVERIES, rows)
        await owner.execute("ANALYZE")
    async with intake.opened(kafka_settings, database) as bench:
        pool = await bench.parts.pool(Lane.ROUTINE)
        async with pool.acquire() as connection:
            await connection.execute("SET plan_cache_mode = force_generic_plan")
            plans = {name: await plan(connection, sql) for name, sql in STATEMENTS.items()}
    assert {name: text for name, text in plans.items() if "Seq Scan" in text} == {}


_DELIVERIES = """
INSERT INTO deliveries (tenant, id, expires_on, subject, subject_id, recipient, endpoint, channel, lane, state,
  attempt, fence, accepted_at, created_at)
SELECT 'acme', gen_random_uuid(), current_date + 1, 'notification', gen_random_uuid(), 'ada', 'email', 'email',
  'routine', 'sent', 1, 1, now(), now()
FROM generate_series(1, $1::integer)
"""


async def plan(connection: Connection, sql: str) -> str:
    parameters = max((int(number) for number in re.findall(r"\$(\d+)", sql)), default=0)
    arguments = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    await connection.execute(f"PREPARE examined AS {sql}")
    lines = await connection.fetch(f"EXPLAIN EXECUTE examined{arguments} -- {hash(sql)}")
    await connection.execute("DEALLOCATE examined")
    return "\n".join(line[0] for line in lines)
