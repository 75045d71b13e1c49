"""What ingest looks up while a caller waits is found by an index, confined to one tenant as it is."""

from services.ingest.sam_store import SamStore
from tests.support import intake
from tests.support.databases import Database

_USERS = 20_000
_FILL = """
INSERT INTO users (tenant, id, login, email)
SELECT 'many', 'u' || n, 'l' || n, 'User' || n || '@example.com' FROM generate_series(1, $1) AS n
"""


async def test_users_are_found_by_login_mail_and_id_without_reading_them_all(database: Database) -> None:
    async with intake.connected(database.owner) as connection:
        await connection.execute("INSERT INTO tenants (id) VALUES ('many')")
        await connection.execute(_FILL, _USERS)
        await connection.execute("ANALYZE users")
    async with intake.connected(database.dsn("ingest")) as connection, connection.transaction():
        await connection.execute("SELECT set_config('tocsin.tenant', 'many', true)")
        asked = ["l5", "user77@example.com", "u9"]
        found = await connection.fetch(SamStore._USERS, "many", asked, None)  # noqa: SLF001 - the statement as it is sent
        assert sorted(row["id"] for row in found) == ["u5", "u77", "u9"]
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE asked (text, text[], text) AS {SamStore._USERS}")  # noqa: SLF001
        plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN EXECUTE asked ('many', '{u9}', '3')"))
    assert plan.count("Index") >= 3, plan
    assert "Seq Scan" not in plan, plan
