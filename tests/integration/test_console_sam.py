"""Credentials of the sendNotification dialect and campaign tags, over real HTTP and PostgreSQL."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from shared import access, sam_access
from tests.support import api, consoles
from tests.support.consoles import Console, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_company_key_is_a_uuid_shown_once_and_revoked_at_once(console: Console) -> None:
    made = await console.ask("POST", "/v1/sam/company-keys", json={"company": "3"})
    assert made.status == 201
    assert str(uuid.UUID(made.json["key"])) == made.json["key"]
    stored = await console.owner.fetchval("SELECT hmac FROM sam_company_keys WHERE id = $1", made.json["id"])
    assert stored == access.key_hmac(made.json["key"], api.SECRET)
    [listed] = (await console.ask("GET", "/v1/sam/company-keys")).json["items"]
    assert (listed["company"], listed["revoked_at"]) == ("3", None)
    assert "key" not in listed
    assert (await console.ask("DELETE", f"/v1/sam/company-keys/{made.json['id']}")).status == 204
    assert (await console.ask("DELETE", f"/v1/sam/company-keys/{made.json['id']}")).status == 404
    [listed] = (await console.ask("GET", "/v1/sam/company-keys")).json["items"]
    assert listed["revoked_at"] is not None


async def test_a_token_speaks_for_a_user_there_is_until_its_end(console: Console) -> None:
    await console.user("ada")
    ends = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    made = await console.ask("POST", "/v1/sam/tokens", json={"user": "ada", "expires_at": ends})
    assert made.status == 201
    assert sam_access.token_id(made.json["authtoken"]) == made.json["id"]
    [listed] = (await console.ask("GET", "/v1/sam/tokens")).json["items"]
    assert (listed["user"], listed["expires_at"] is None) == ("ada", False)
    assert "authtoken" not in listed
    assert (await console.ask("DELETE", f"/v1/sam/tokens/{made.json['id']}")).status == 204
    assert (await console.ask("DELETE", f"/v1/sam/tokens/{made.json['id']}")).status == 404
    unknown = await console.ask("POST", "/v1/sam/tokens", json={"user": "nobody"})
    assert (unknown.status, unknown.json["errors"][0]["pointer"]) == (422, "/user")
    for wrong in ("2020-01-01T00:00:00Z", "2099-01-01", "4070908800", 4_070_908_800):
        refused = await console.ask("POST", "/v1/sam/tokens", json={"user": "ada", "expires_at": wrong})
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/expires_at"), wrong


async def test_a_users_tokens_end_with_the_user_and_nobody_elses_do(site: Site, console: Console) -> None:
    other = await consoles.of_new_tenant(site)
    for each, user in ((console, "ada"), (console, "grace"), (other, "ada")):
        await each.user(user)
        assert (await each.ask("POST", "/v1/sam/tokens", json={"user": user})).status == 201
    assert (await console.ask("DELETE", "/v1/users/ada")).status == 204
    await console.user("ada")
    assert [token["user"] for token in (await console.ask("GET", "/v1/sam/tokens")).json["items"]] == ["grace"]
    assert [token["user"] for token in (await other.ask("GET", "/v1/sam/tokens")).json["items"]] == ["ada"]


async def test_credentials_of_another_tenant_are_not_there(site: Site, console: Console) -> None:
    other = await consoles.of_new_tenant(site)
    made = await console.ask("POST", "/v1/sam/company-keys", json={"company": "3"})
    assert (await other.ask("DELETE", f"/v1/sam/company-keys/{made.json['id']}")).status == 404
    assert (await other.ask("GET", "/v1/sam/company-keys")).json["items"] == []


async def test_a_tag_is_put_read_listed_and_deleted(console: Console) -> None:
    spring = {"id": 12, "name": "Spring", "campaign": "C-7"}
    assert (await console.ask("PUT", "/v1/tags/12", json={"name": "Spring", "campaign": "C-7"})).json == spring
    assert (await console.ask("PUT", "/v1/tags/3", json={"name": "Old"})).status == 200
    assert (await console.ask("GET", "/v1/tags/12")).json == spring
    assert [tag["id"] for tag in (await console.ask("GET", "/v1/tags")).json["items"]] == [3, 12]
    first = (await console.ask("GET", "/v1/tags?limit=1")).json
    assert [tag["id"] for tag in (await console.ask("GET", f"/v1/tags?cursor={first['next']}")).json["items"]] == [12]
    assert (await console.ask("DELETE", "/v1/tags/12")).status == 204
    assert (await console.ask("GET", "/v1/tags/12")).status == 404
    assert (await console.ask("PUT", "/v1/tags/0", json={"name": "No key"})).status == 422
