"""Templates over the console: versions, what they need, previews, and what they are refused for."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.postgres import templates
from tests.support import consoles
from tests.support.consoles import Console, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHIPPED = "Client.Generic.HTMLBody.Mandrill.html"
ORDER = "/v1/templates/order.html"


async def put(console: Console, html: str, path: str = ORDER) -> Any:
    answer = await console.ask("PUT", path, json={"html": html})
    assert answer.status == 200, answer.json
    return answer.json


async def test_a_template_has_versions_and_says_what_it_needs(console: Console) -> None:
    first = await put(console, "<p>{{ order }} {{ userFirstName }}</p>")
    assert (first["version"], first["required"], first["optional"]) == (1, ["order"], ["userFirstName"])
    again = await put(console, "<p>{{ order }} {{ userFirstName }}</p>")
    assert again == first, "the same text is no new version"
    second = await put(console, "<p>{{ order }}: {{ price }}</p>")
    assert (second["version"], second["required"]) == (2, ["order", "price"])
    assert (await console.ask("GET", ORDER)).json == second
    assert (await console.ask("GET", f"{ORDER}?version=1")).json == first
    assert (await console.ask("GET", f"{ORDER}?version=3")).status == 404


async def test_templates_are_listed_with_those_of_the_product_page_by_page(console: Console) -> None:
    for name in ("Aaa", "Zzz"):
        await put(console, "x", f"/v1/templates/{name}")
    page = (await console.ask("GET", "/v1/templates?limit=2")).json
    assert [(one["name"], one["version"]) for one in page["items"]] == [("Aaa", 1), (SHIPPED, 0)]
    rest = (await console.ask("GET", f"/v1/templates?limit=2&cursor={page['next']}")).json
    assert [one["name"] for one in rest["items"]] == ["Zzz"]
    assert rest["next"] is None


async def test_the_shipped_template_can_be_overridden_and_comes_back(console: Console) -> None:
    path = f"/v1/templates/{SHIPPED}"
    shipped = (await console.ask("GET", path)).json
    assert (shipped["version"], shipped["required"]) == (0, ["emailBody"])
    assert (await console.ask("DELETE", path)).status == 404, "it cannot be deleted"
    await put(console, "own {{ emailBody|html }}", path)
    assert (await console.ask("GET", path)).json["version"] == 1
    assert (await console.ask("GET", f"{path}?version=0")).json == shipped
    assert await html(console, SHIPPED, "emailBody") == "own {{ emailBody|html }}"
    await put(console, "own {{ other }}", path)
    assert (await console.ask("DELETE", path)).status == 204
    assert (await console.ask("GET", path)).json == shipped
    assert await html(console, SHIPPED, "emailBody", "other") == shipped["html"], "what is deleted serves no new mail"
    assert await html(console, SHIPPED, "other") == "own {{ other }}", "nor is what was accepted left without"


async def html(console: Console, name: str, *params: str) -> str | None:
    return await templates.html(console.owner, console.tenant, name, params)


async def required(console: Console) -> Sequence[str] | None:
    key = (console.tenant, "order.html")
    return (await templates.required(console.owner, [key])).get(key)


async def test_what_is_deleted_takes_no_new_mail_but_still_serves_what_was_accepted(console: Console) -> None:
    await put(console, "<p>{{ order }}</p>")
    assert (await console.ask("DELETE", ORDER)).status == 204
    assert (await console.ask("DELETE", ORDER)).status == 404
    assert (await console.ask("GET", ORDER)).status == 404
    assert await required(console) is None
    assert await html(console, "order.html", "order") == "<p>{{ order }}</p>"
    assert (await put(console, "<p>{{ order }}</p>"))["version"] == 2


async def test_what_was_accepted_is_sent_with_the_newest_version_its_params_suffice_for(console: Console) -> None:
    for html in ("1 {{ a }}", "2 {{ a }}{{ userFirstName }}", "3 {{ a }}{{ b }}"):
        await put(console, html)
    assert await required(console) == ["a", "b"]
    assert await templates.html(console.owner, console.tenant, "order.html", ["a", "b", "c"]) == "3 {{ a }}{{ b }}"
    assert await templates.html(console.owner, console.tenant, "order.html", ["a"]) == "2 {{ a }}{{ userFirstName }}"
    assert await templates.html(console.owner, console.tenant, "order.html", []) is None


async def test_a_preview_fills_in_what_is_personal_and_names_what_lacks(console: Console) -> None:
    await console.user("grace", first_name="Grace")
    await put(console, "<p>{{ userFirstName }}: {{ order }}</p>")
    body = {"params": {"order": "<7>", "userFirstName": "ignored"}, "recipient": "grace"}
    made = await console.ask("POST", f"{ORDER}/preview", json=body)
    assert made.json == {"version": 1, "html": "<p>Grace: &lt;7&gt;</p>", "text": "Grace: <7>"}
    lacking = await console.ask("POST", f"{ORDER}/preview", json={"params": {}})
    assert lacking.status == 422
    assert [error["pointer"] for error in lacking.json["errors"]] == ["/params/order"]
    draft = await console.ask("POST", "/v1/templates/new/preview", json={"html": "{{ a }}", "params": {"a": "b"}})
    assert draft.json == {"version": None, "html": "b", "text": "b"}
    for wrong in ({"recipient": "nobody"}, {"html": "{% for a in b %}"}, {"params": {"a": 1}}):
        assert (await console.ask("POST", f"{ORDER}/preview", json=wrong)).status == 422
    assert (await console.ask("POST", "/v1/templates/unknown/preview", json={})).status == 404


@pytest.mark.parametrize("html", ["{% for i in range(9) %}x{% endfor %}", "{{ a.b }}", "{{ a", "", "\x00"])
async def test_what_is_no_template_is_refused(console: Console, html: str) -> None:
    answer = await console.ask("PUT", ORDER, json={"html": html})
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/html"]
    assert (await console.ask("GET", ORDER)).status == 404


async def test_a_template_of_another_tenant_is_not_there(console: Console, site: Site) -> None:
    await put(console, "secret")
    other = await consoles.of_new_tenant(site)
    assert (await other.ask("GET", ORDER)).status == 404
    assert (await other.ask("DELETE", ORDER)).status == 404
    assert [one["name"] for one in (await other.ask("GET", "/v1/templates")).json["items"]] == [SHIPPED]
