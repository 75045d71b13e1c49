"""Every statement of the dispatcher finds its rows by an index, however the record grows."""

import re
from types import ModuleType

import asyncpg

from services.dispatcher import store_directory, store_mails, store_rows, store_stored
from services.dispatcher.delivery import claim_store, outcome_store
from services.dispatcher.fanout import store as fanout_store
from services.dispatcher.intake import store as intake_store
from shared.postgres import audiences, burial, outbox, templates
from tests.support import intake
from tests.support.databases import Database

MODULES = (
    store_directory, store_rows, store_stored, fanout_store, intake_store, burial, claim_store, outcome_store,
    store_mails, audiences, outbox, templates,
)  # fmt: skip


def statements(module: ModuleType) -> dict[str, str]:
    """The SQL constants of a module, by name."""
    return {
        f"{module.__name__}.{name}": value
        for name, value in vars(module).items()
        if isinstance(value, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s", value)
    }


STATEMENTS = {name: sql for module in MODULES for name, sql in statements(module).items()}


async def test_no_statement_must_scan_a_table(database: Database) -> None:
    assert len(STATEMENTS) > 20
    async with intake.connected(database.owner) as connection:
        # Where there is an index to go by, a generic plan that may not scan a table does not.
        await connection.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
        plans = {name: await plan(connection, sql) for name, sql in STATEMENTS.items()}
    assert {name: text for name, text in plans.items() if "Seq Scan" in text} == {}


async def plan(connection: "asyncpg.Connection[asyncpg.Record]", sql: str) -> str:
    parameters = max((int(number) for number in re.findall(r"\$(\d+)", sql)), default=0)
    arguments = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    await connection.execute(f"PREPARE examined AS {sql}")
    lines = await connection.fetch(f"EXPLAIN EXECUTE examined{arguments} -- {hash(sql)}")
    await connection.execute("DEALLOCATE examined")
    return "\n".join(line[0] for line in lines)
