"""Groups and members over the console's API and from files."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from shared.access import Scope
from tests.support import api, consoles, directory, waiting
from tests.support.api import Answer
from tests.support.consoles import Console, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMPORT = "/v1/directory/import"


async def imported(console: Console, of: str, text: str, content_type: str = "application/x-ndjson") -> Any:
    headers = {**console.admin, "content-type": content_type}
    answer = await console.client.ask("POST", f"{IMPORT}?of={of}", headers, data=text.encode())
    assert answer.status == 200, answer.json
    return answer.json


def wrong_lines(answer: Any) -> list[tuple[int, list[str]]]:
    return [(line["line"], [error["code"] for error in line["errors"]]) for line in answer["errors"]]


async def ids(console: Console, path: str, name: str = "id") -> list[str]:
    return [each[name] for each in (await console.ask("GET", path)).json["items"]]


def codes(answer: Answer) -> tuple[int, list[str]]:
    return answer.status, [error["code"] for error in answer.json["errors"]]


async def test_a_group_is_put_read_listed_and_deleted_with_its_members(console: Console) -> None:
    team = {"kind": "team", "id": "23", "name": "Sales", "company": "3", "parent": None}
    made = await console.ask("PUT", "/v1/groups/team/23", json={"name": "Sales", "company": "3"})
    assert (made.status, made.json) == (200, team)
    await console.ask("PUT", "/v1/groups/team/27", json={"company": "4"})
    await console.ask("PUT", "/v1/groups/job_group/23", json={"company": "3"})
    assert await ids(console, "/v1/groups/team") == ["23", "27"]
    assert await ids(console, "/v1/groups/team?company=3") == ["23"]
    await console.user("ada")
    member = await console.ask("PUT", "/v1/groups/team/23/members/ada", json={})
    assert (member.status, member.json) == (200, {"user": "ada", "status": "accepted"})
    await console.ask("PUT", "/v1/groups/team/23", json={"company": "3"})
    assert await ids(console, "/v1/groups/team/23/members", "user") == ["ada"], "a PUT of the group keeps its members"
    assert (await console.ask("DELETE", "/v1/groups/team/23")).status == 204
    assert (await console.ask("GET", "/v1/groups/team/23")).status == 404
    assert (await console.ask("DELETE", "/v1/groups/team/23")).status == 404
    assert (await console.ask("GET", "/v1/groups/team/23/members")).status == 404
    assert (await console.ask("GET", "/v1/groups/job_group/23")).status == 200, "ids are unique within a kind only"
    await console.ask("PUT", "/v1/groups/team/23", json={"company": "3"})
    assert await ids(console, "/v1/groups/team/23/members", "user") == []


async def test_an_event_goes_with_its_teams(console: Console) -> None:
    orphan = await console.ask("PUT", "/v1/groups/event_team/456", json={"company": "3", "parent": "e1"})
    assert codes(orphan) == (422, ["unknown_parent"])
    for event in ("e1", "e2"):
        await console.ask("PUT", f"/v1/groups/event/{event}", json={"company": "3"})
        body = {"company": "3", "parent": event}
        assert (await console.ask("PUT", f"/v1/groups/event_team/team-{event}", json=body)).status == 200
    assert await ids(console, "/v1/groups/event_team?parent=e1") == ["team-e1"]
    assert (await console.ask("DELETE", "/v1/groups/event/e1")).status == 204
    assert await ids(console, "/v1/groups/event_team") == ["team-e2"]


async def test_who_is_told_that_there_is_no_such_event_has_deleted_none_of_its_teams(console: Console) -> None:
    # As the topic leaves them, where things come in any order.
    await directory.group(console.owner, "event_team/456", ["ada"], parent="e1", tenant=console.tenant)
    assert (await console.ask("DELETE", "/v1/groups/event/e1")).status == 404
    assert await ids(console, "/v1/groups/event_team?parent=e1") == ["456"]
    assert await ids(console, "/v1/groups/event_team/456/members", "user") == ["ada"]


async def test_a_large_group_is_deleted_soon_though_nobody_analysed_its_table(console: Console) -> None:
    await directory.team_of(console.owner, "23", 15_000, console.tenant)
    assert (await console.ask("DELETE", "/v1/groups/team/23")).status == 204
    await console.ask("PUT", "/v1/groups/team/23", json={"company": "3"})
    assert await ids(console, "/v1/groups/team/23/members", "user") == []


async def test_what_hangs_on_a_group_is_gone_before_the_transaction_that_deletes_it(console: Console) -> None:
    owner, tenant = console.owner, console.tenant
    await directory.group(owner, "event/e1", ["ada"], tenant=tenant)
    everybody = [f"u{number}" for number in range(15_000)]
    for team, members in (("event_team/456", everybody), ("event_team/459", ["ada"])):
        await directory.group(owner, team, members, parent="e1", tenant=tenant)
    async with directory.kept(owner, "event/e1", tenant) as left:
        deleting = asyncio.create_task(console.ask("DELETE", "/v1/groups/event/e1"))
        await waiting.until(left.nothing_else, 20, "the event has neither members nor teams")
    assert (await deleting).status == 204
    assert (await console.ask("GET", "/v1/groups/event/e1")).status == 404


async def test_a_member_changes_status_and_leaves(console: Console) -> None:
    await console.ask("PUT", "/v1/groups/team/23", json={"company": "3"})
    for user in ("ada", "eu%2Fgrace"):
        await console.user(user)
        await console.ask("PUT", f"/v1/groups/team/23/members/{user}", json={"status": "invited"})
    await console.ask("PUT", "/v1/groups/team/23/members/ada", json={"status": "declined"})
    assert await ids(console, "/v1/groups/team/23/members", "user") == ["ada", "eu/grace"]
    assert await ids(console, "/v1/groups/team/23/members?status=declined", "user") == ["ada"]
    assert (await console.ask("DELETE", "/v1/groups/team/23/members/eu%2Fgrace")).status == 204
    assert (await console.ask("DELETE", "/v1/groups/team/23/members/eu%2Fgrace")).status == 404
    assert await ids(console, "/v1/groups/team/23/members", "user") == ["ada"]


async def test_members_are_read_page_by_page(console: Console) -> None:
    await directory.team_of(console.owner, "23", 120, console.tenant)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await console.ask("GET", f"/v1/groups/team/23/members?limit=50{cursor}")).json
        seen += [member["user"] for member in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == sorted(f"u{number}" for number in range(120))


@pytest.mark.parametrize(
    ("path", "body", "refused"),
    [
        ("team/23", {}, (422, ["value_error"])),
        ("team/23", {"company": "3", "parent": "x"}, (422, ["value_error"])),
        ("team/23", {"company": "3", "nmae": "x"}, (422, ["extra_forbidden"])),
        ("team/23", {"company": "3\u0000"}, (422, ["value_error"])),
        ("club/23", {"company": "3"}, (422, ["enum"])),
        ("team/23/members/ada", {"status": "maybe"}, (422, ["enum"])),
        ("team/no%00body", {"company": "3"}, (422, ["value_error"])),
    ],
    ids=["no company", "parent", "unknown field", "NUL", "unknown kind", "unknown status", "NUL in the id"],
)
async def test_what_is_no_group_or_member_is_refused(
    console: Console, path: str, body: dict[str, Any], refused: tuple[int, list[str]]
) -> None:
    assert codes(await console.ask("PUT", f"/v1/groups/{path}", json=body)) == refused


async def test_a_member_must_be_a_user_of_a_group_that_is_there(console: Console) -> None:
    await console.user("ada")
    nowhere = await console.ask("PUT", "/v1/groups/team/23/members/ada", json={})
    assert (nowhere.status, nowhere.json["detail"]) == (404, "there is no such group")
    await console.ask("PUT", "/v1/groups/team/23", json={"company": "3"})
    nobody = await console.ask("PUT", "/v1/groups/team/23/members/nobody", json={})
    assert (nobody.status, nobody.json["detail"]) == (404, "there is no such user")


async def test_groups_and_members_are_the_tenants_own(console: Console, site: Site) -> None:
    await console.user("ada")
    await console.ask("PUT", "/v1/groups/team/23", json={"company": "3"})
    await console.ask("PUT", "/v1/groups/team/23/members/ada", json={})
    other = await consoles.of_new_tenant(site)
    assert await ids(other, "/v1/groups/team") == []
    assert (await other.ask("GET", "/v1/groups/team/23/members")).status == 404
    assert (await other.ask("DELETE", "/v1/groups/team/23")).status == 404
    assert await ids(console, "/v1/groups/team/23/members", "user") == ["ada"]


@pytest.mark.parametrize(("scopes", "status"), [([Scope.DIRECTORY], 200), ([Scope.PUBLISH, Scope.TRACE], 403)])
async def test_the_directory_needs_its_scope(console: Console, scopes: Sequence[Scope], status: int) -> None:
    caller = await api.key(console.owner, console.tenant, scopes)
    for path in ("/v1/groups/team", "/v1/users"):
        assert (await console.client.ask("GET", path, caller)).status == status


async def test_groups_and_members_are_imported_and_wrong_lines_are_told(console: Console) -> None:
    groups = (
        '{"kind": "event_team", "id": "456", "company": "3", "parent": "e1"}\n'
        '{"kind": "event", "id": "e1", "company": "3", "name": "Fair"}\n'
        '{"kind": "event_team", "id": "457", "company": "3", "parent": "nowhere"}\n'
        '{"kind": "team", "id": "23"}\n'
        '{"kind": "event", "id": "e1", "company": "3", "name": "Fair 2026"}\n'
    )
    answer = await imported(console, "groups", groups)
    assert (answer["imported"], answer["failed"]) == (3, 2)
    assert wrong_lines(answer) == [(3, ["unknown_parent"]), (4, ["value_error"])]
    assert (await console.ask("GET", "/v1/groups/event/e1")).json["name"] == "Fair 2026", "the last line counts"
    await console.user("ada")
    members = "kind,group,user,status\nevent_team,456,ada,\nevent_team,456,bob,invited\nteam,1,bob,accepted\n"
    answer = await imported(console, "members", members, "text/csv")
    assert (answer["imported"], wrong_lines(answer)) == (
        1,
        [(3, ["unknown_user"]), (4, ["unknown_group", "unknown_user"])],
    )
    assert (await console.ask("GET", "/v1/groups/event_team/456/members")).json["items"] == [
        {"user": "ada", "status": "accepted"}
    ]
    assert (await imported(console, "members", members, "text/csv")) == answer, "the same again changes nothing"


async def test_a_file_of_something_else_is_refused(console: Console) -> None:
    assert codes(await console.ask("POST", f"{IMPORT}?of=teams", data=b"{}")) == (422, ["enum"])
    answer = await imported(console, "groups", '{"id": "ada", "email": "ada@example.test"}\n')
    assert wrong_lines(answer) == [(1, ["missing", "extra_forbidden"])]
