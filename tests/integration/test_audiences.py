"""How the directory resolves an audience: whom it reaches, whom not, and a piece at a time."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from shared.contract.directory import GroupKind
from shared.contract.messages import Audience
from shared.postgres import audiences
from shared.postgres.audiences import Position
from shared.postgres.pool import Connection, Pool, open_pool, tenant_transaction
from shared.runtime.settings import PostgresSettings
from tests.support import databases, directory, rows

EVENT = "ed90fcd2-cbb4-49b8-9be4-a14ccbc2d1e8"


@pytest_asyncio.fixture
async def owner(database: databases.Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await rows.owner(database.owner)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def pool(database: databases.Database) -> AsyncIterator[Pool]:
    """As the door of a dialect asks: within one tenant."""
    async with open_pool(PostgresSettings(postgres_dsn=SecretStr(database.dsn("ingest"))), "test") as opened:
        yield opened


async def walked(pool: Pool, audience: Audience, most: int, tenant: str = rows.TENANT) -> list[list[str]]:
    """The pieces of an audience, each asked for in a transaction of its own."""
    pieces, position, ended = [], Position(), False
    while not ended:
        async with tenant_transaction(pool, tenant) as connection:
            piece = await audiences.step(connection, tenant, audience, position, most)
        pieces.append(piece.members)
        position, ended = piece.position, piece.ended
    return pieces


async def reached(pool: Pool, audience: Audience, tenant: str = rows.TENANT) -> set[str]:
    """Whom an audience reaches, the same however it is cut, and as many as are counted."""
    found = {user for piece in await walked(pool, audience, 100, tenant) for user in piece}
    assert {user for piece in await walked(pool, audience, 1, tenant) for user in piece} == found
    async with tenant_transaction(pool, tenant) as connection:
        assert await audiences.count(connection, tenant, audience) == len(found)
        assert await audiences.about(connection, tenant, audience, 1_000) >= len(found)
        assert await audiences.about(connection, tenant, audience, 1) == min(1, len(found))
    return found


@pytest_asyncio.fixture
async def filled(owner: asyncpg.Connection) -> None:
    await directory.group(owner, f"event/{EVENT}")
    await directory.group(owner, "event_team/456", ["ada", "grace"], parent=EVENT)
    await directory.group(owner, "event_team/456", ["bob"], parent=EVENT, status="invited")
    await directory.group(owner, "event_team/459", ["grace", "carol"], parent=EVENT)
    await directory.group(owner, "event_team/700", ["dave"], parent="another event")
    await directory.group(owner, "team/23", ["ada", "erin"])
    await directory.group(owner, "team/27", ["erin"])
    await directory.group(owner, "team/99", ["frank"], company="4")
    await directory.group(owner, "job_group/23", ["judy"])
    await directory.group(owner, "smart_library_entry/e1", ["ada"], parent="lib")
    await directory.group(owner, "smart_library_entry/e2", ["heidi"], parent="lib")
    await directory.group(owner, "asset/4", ["ivan"])
    await directory.group(owner, "company/3", ["ada"])
    await directory.group(owner, "team/23", ["zoe"], tenant="globex")


def asked(kind: str, *ids: str, company: str | None = None, parent: str | None = None) -> Audience:
    return Audience(kind=GroupKind(kind), company=company, parent=parent, ids=ids)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("audience", "users"),
    [
        pytest.param(asked("event_team", "456", parent=EVENT), {"ada", "grace"}, id="accepted_attendees_only"),
        pytest.param(asked("event_team", parent=EVENT), {"ada", "grace", "carol"}, id="every_team_of_the_event"),
        pytest.param(asked("event_team", "700", parent=EVENT), set(), id="another_events_team"),
        pytest.param(asked("team", "23", "27", company="3"), {"ada", "erin"}, id="teams"),
        pytest.param(asked("team", company="3"), {"ada", "erin"}, id="every_team_of_the_company"),
        pytest.param(asked("team", "99", company="3"), set(), id="another_companys_team"),
        pytest.param(asked("job_group", company="3"), {"judy"}, id="job_groups_are_no_teams"),
        pytest.param(asked("smart_library_entry", "e2", parent="lib"), {"heidi"}, id="entry"),
        pytest.param(asked("smart_library_entry", parent="lib"), {"ada", "heidi"}, id="every_entry_of_the_library"),
        pytest.param(asked("asset", "4", company="3"), {"ivan"}, id="asset"),
        pytest.param(asked("asset", "4", company="4"), set(), id="another_companys_asset"),
        pytest.param(asked("team", "nowhere", company="3"), set(), id="unknown"),
    ],
)
async def test_an_audience_reaches_the_accepted_members_of_its_groups(
    pool: Pool, audience: Audience, users: set[str]
) -> None:
    assert await reached(pool, audience) == users


@pytest.mark.usefixtures("filled")
async def test_a_tenant_reaches_none_but_its_own(pool: Pool) -> None:
    assert await reached(pool, asked("team", "23", company="3"), "globex") == {"zoe"}
    async with tenant_transaction(pool, "globex") as connection:
        # Row-level security holds also where a statement would name the wrong tenant.
        assert await audiences.count(connection, "acme", asked("team", company="3")) == 0
        assert await audiences.group(connection, "acme", GroupKind.TEAM, "23") is None


@pytest.mark.usefixtures("filled")
async def test_what_a_door_asks_before_it_accepts(pool: Pool) -> None:
    async with tenant_transaction(pool, "acme") as connection:
        named = asked("event_team", "459", "1", "700", "456", parent=EVENT)
        assert await audiences.unknown(connection, "acme", named) == ["1", "700"]
        assert await audiences.unknown(connection, "acme", asked("team", company="no such company")) == []
        event = await audiences.group(connection, "acme", GroupKind.EVENT, EVENT)
        assert event == audiences.Group(GroupKind.EVENT, EVENT, "", "3", None)
        assert await audiences.group(connection, "acme", GroupKind.EVENT, "23") is None
        assert await audiences.companies_of(connection, "acme", "ada") == ["3"]
        assert await audiences.companies_of(connection, "acme", "erin") == []


async def test_pieces_are_bounded_and_begin_where_the_one_before_ended(pool: Pool, owner: asyncpg.Connection) -> None:
    for number in range(60):
        await directory.group(owner, f"team/t{number:02}", [f"t{number:02}-{member}" for member in range(number % 4)])
    everybody = {f"t{number:02}-{member}" for number in range(60) for member in range(number % 4)}
    pieces = await walked(pool, asked("team", company="3"), 7)
    assert max(map(len, pieces)) == 7
    assert sorted(user for piece in pieces for user in piece) == sorted(everybody)


@contextlib.asynccontextmanager
async def beside_a_huge_team(pool: Pool, owner: asyncpg.Connection) -> AsyncIterator[Connection]:
    """A small team and one of 20,000, looked at by plans that were made for either."""
    await directory.team_of(owner, "huge", 20_000)
    await directory.group(owner, "team/small", ["u2", "u7", "u9"])
    await owner.execute("ANALYZE group_members")
    async with tenant_transaction(pool, "acme") as connection:
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        yield connection


@pytest.mark.parametrize(("team", "read"), [("huge", 500), ("small", 3)])
async def test_a_piece_reads_no_more_than_itself_however_large_the_directory(
    pool: Pool, owner: asyncpg.Connection, team: str, read: int
) -> None:
    async with beside_a_huge_team(pool, owner) as connection:
        piece = await audiences.step(connection, "acme", asked("team", team, company="3"), Position(team, "u15"), 500)
        assert len(piece.members) == read
        assert await connection.fetchval(_READ) == read


@pytest.mark.parametrize(("team", "about"), [("huge", 500), ("small", 3)])
async def test_about_how_many_reads_no_more_than_it_counts_however_large_the_directory(
    pool: Pool, owner: asyncpg.Connection, team: str, about: int
) -> None:
    async with beside_a_huge_team(pool, owner) as connection:
        assert await audiences.about(connection, "acme", asked("team", team, company="3"), 500) == about
        assert await connection.fetchval(_READ) == about


_READ = """
SELECT sum(pg_stat_get_xact_tuples_returned(relid)) FROM (
  SELECT 'group_members'::regclass AS relid
  UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = 'group_members'::regclass) AS read
"""
