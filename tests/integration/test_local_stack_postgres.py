"""The embedded database: starts, survives a kill with what it committed, ends clean."""

import pathlib
import uuid

import asyncpg
import psutil
import pytest

from deploy.local import assembly, postgres, wiring
from deploy.local.postgres.options import Options
from shared.postgres import migrate
from tests.support import databases


async def test_what_postgres_committed_survives_a_kill_and_it_returns_at_the_same_address(
    tmp_path: pathlib.Path,
) -> None:
    server = postgres.Postgres(tmp_path, Options(fsync=False))
    try:
        address = await server.start()
        connection = await asyncpg.connect(address)
        await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        await server.kill()
        assert await server.start() == address
        connection = await asyncpg.connect(address)
        assert await connection.fetchval("SELECT n FROM kept") == 7
        await connection.close()
    finally:
        await server.stop()
    assert server.returncode == 0
    assert server.pid is not None
    assert not psutil.pid_exists(server.pid)


async def test_a_state_folder_too_deep_for_a_socket_path_still_works(tmp_path: pathlib.Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    async with postgres.Postgres(deep, Options(fsync=False)) as server:
        connection = await asyncpg.connect(server.dsn())
        assert await connection.fetchval("SELECT current_user") == "tocsin"
        await connection.close()
    assert not server.sockets.exists()


async def test_tcp_is_closed_unless_a_port_is_asked_for(tmp_path: pathlib.Path) -> None:
    async with postgres.Postgres(tmp_path, Options(fsync=False)) as server:
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncpg.connect("postgresql://tocsin@127.0.0.1:5432/tocsin", timeout=5)
        assert server.returncode is None


async def test_the_owner_of_a_brought_database_acts_as_each_service_without_touching_its_login(
    postgres_server: str,
) -> None:
    names = {"owner": f"owner_{uuid.uuid4().hex[:8]}", "database": f"brought_{uuid.uuid4().hex[:8]}"}
    server = await asyncpg.connect(postgres_server)
    await databases.template(postgres_server)  # makes the roles: they belong to the whole server
    await server.execute("CREATE ROLE {owner} LOGIN CREATEROLE".format(**names))
    await server.execute("CREATE DATABASE {database} OWNER {owner}".format(**names))
    try:
        owned = postgres_server.replace("tocsin@", f"{names['owner']}@").replace("/tocsin?", f"/{names['database']}?")
        # On a server where other databases made the roles first, only its superuser may hand them out.
        await server.execute("GRANT tocsin_ingest TO {owner} WITH ADMIN OPTION".format(**names))
        await migrate.migrate(owned)
        await assembly.let_owner_act(owned, ["tocsin_ingest"])
        acting = await asyncpg.connect(wiring.acting(owned, "tocsin_ingest"))
        assert await acting.fetchval("SELECT current_user") == "tocsin_ingest"
        assert await acting.fetchval("SELECT count(*) FROM tenants") == 0
        await acting.close()
    finally:
        await server.execute("DROP DATABASE {database} WITH (FORCE)".format(**names))
        await server.execute("DROP OWNED BY {owner}; DROP ROLE {owner}".format(**names))
        await server.close()
