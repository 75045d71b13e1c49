"""The embedded database: starts, survives a kill with what it committed, ends clean."""

import pathlib

import asyncpg
import psutil
import pytest

from deploy.local import postgres
from deploy.local.postgres.options import Options


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
