"""`/u/{token}` over real HTTP and PostgreSQL: what a recipient, a browser and a mail program meet there."""

import base64
import hashlib
import html
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from shared import words
from shared.contract.outcomes import Channel
from shared.unsubscribe import Subscription
from tests.support import inboxes, rows, unsubscribing
from tests.support.api import Answer
from tests.support.inboxes import Inbox, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_CLICK: dict[str, Any] = {
    "data": "List-Unsubscribe=One-Click",
    "headers": {"Content-Type": "application/x-www-form-urlencoded"},
}
AGAIN: dict[str, Any] = {"data": {"do": "again"}}
END_ALL: dict[str, Any] = {"data": {"do": "end_all"}}
AGAIN_ALL: dict[str, Any] = {"data": {"do": "again_all"}}
NOTHING = "You are unsubscribed from everything"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with inboxes.serving(postgres_server, tmp_path_factory.mktemp("inbox")) as serving:
        yield serving


@pytest_asyncio.fixture(loop_scope="module")
async def inbox(site: Site) -> Inbox:
    made = await inboxes.inbox(site)
    await rows.insert(made.owner, "users", {"tenant": made.tenant, "id": "ada"})
    return made


def path(inbox: Inbox, class_key: str = "enquiries", asset: str | None = None, recipient: str = "ada") -> str:
    about = Subscription(inbox.tenant, recipient, Channel.EMAIL, class_key, asset)
    return unsubscribing.links().to(about).removeprefix(unsubscribing.PUBLIC_URL)


def heading(page: Answer) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page.body.decode())
    return found[1] if found else ""


def buttons(page: Answer) -> list[str]:
    return re.findall(r'<button name="do" value="(\w+)">', page.body.decode())


async def kept(inbox: Inbox) -> list[tuple[Any, ...]]:
    query = "SELECT recipient, channel, class_key, asset, state FROM preferences WHERE tenant = $1 ORDER BY 3, 4"
    return [tuple(row) for row in await inbox.owner.fetch(query, inbox.tenant)]


async def prefer(inbox: Inbox, *, state: str, channel: str = "email", class_key: str = "", asset: str = "") -> None:
    values = {"recipient": "ada", "channel": channel, "class_key": class_key, "asset": asset, "state": state}
    await rows.insert(inbox.owner, "preferences", {"tenant": inbox.tenant, **values, "changed_at": datetime.now(UTC)})


async def test_getting_the_page_changes_nothing(inbox: Inbox) -> None:
    await inbox.owner.execute("UPDATE tenants SET name = 'A & Co' WHERE id = $1", inbox.tenant)
    await rows.insert(
        inbox.owner, "classes", {"tenant": inbox.tenant, "key": "enquiries", "name": "Enquiries <all>", "options": {}}
    )
    page = await inbox.client.ask("GET", path(inbox))
    assert (page.status, heading(page)) == (200, "Unsubscribe?")
    assert "You get messages by email from A &amp; Co about “Enquiries &lt;all&gt;”." in page.body.decode()
    assert await kept(inbox) == []


async def test_the_page_speaks_the_recipients_language_or_the_browsers(inbox: Inbox) -> None:
    german, french = {"Accept-Language": "de-AT,de;q=0.9"}, {"Accept-Language": "fr"}
    assert heading(await inbox.client.ask("GET", path(inbox), german)) == "Abbestellen?"
    assert heading(await inbox.client.ask("GET", "/u/x", french)) == "Ce lien ne mène nulle part"
    await inbox.owner.execute("UPDATE users SET locale = 'es-ES' WHERE tenant = $1", inbox.tenant)
    page = await inbox.client.ask("POST", path(inbox), german)
    assert heading(page) == "Suscripción cancelada"
    assert '<html lang="es" dir="ltr">' in page.body.decode()


async def test_one_click_acts_at_once_without_cookie_or_redirect_and_again_changes_nothing(inbox: Inbox) -> None:
    for _ in range(2):
        page = await inbox.client.ask("POST", path(inbox), **ONE_CLICK)
        assert (page.status, heading(page)) == (200, "You are unsubscribed")
        assert "set-cookie" not in page.headers
        assert await kept(inbox) == [("ada", "email", "enquiries", "", "unsubscribed")]
    assert heading(await inbox.client.ask("GET", path(inbox))) == "You are unsubscribed"


@pytest.mark.parametrize(
    "sent",
    [{}, {"data": {"do": "end"}}, {"data": b"\xff\x00"}, {"json": {}}, {"data": {"do": "again", "more": "x"}}],
    ids=["nothing", "the button", "bytes", "json", "more than the button"],
)
async def test_a_post_unsubscribes_whatever_it_carries(inbox: Inbox, sent: dict[str, Any]) -> None:
    assert (await inbox.client.ask("POST", path(inbox), **sent)).status == 200
    assert await kept(inbox) == [("ada", "email", "enquiries", "", "unsubscribed")]


async def test_a_mail_about_an_asset_ends_what_is_said_about_that_asset(inbox: Inbox) -> None:
    page = await inbox.client.ask("POST", path(inbox, asset="4"), **ONE_CLICK)
    assert "about asset 4" in page.body.decode()
    assert await kept(inbox) == [("ada", "email", "", "4", "unsubscribed")]
    assert heading(await inbox.client.ask("GET", path(inbox))) == "Unsubscribe?"
    assert heading(await inbox.client.ask("GET", path(inbox, asset="5"))) == "Unsubscribe?"


async def test_who_unsubscribed_subscribes_again(inbox: Inbox) -> None:
    await inbox.client.ask("POST", path(inbox), **ONE_CLICK)
    for _ in range(2):
        page = await inbox.client.ask("POST", path(inbox), **AGAIN)
        assert (page.status, heading(page)) == (200, "Unsubscribe?")
        assert await kept(inbox) == []


async def test_subscribing_again_to_an_asset_of_an_ended_class_ends_nothing_else(inbox: Inbox) -> None:
    await inbox.client.ask("POST", path(inbox), **ONE_CLICK)
    page = await inbox.client.ask("POST", path(inbox, asset="4"), **AGAIN)
    assert heading(page) == "Unsubscribe?"
    assert await kept(inbox) == [
        ("ada", "email", "", "4", "subscribed"), ("ada", "email", "enquiries", "", "unsubscribed"),
    ]  # fmt: skip
    assert heading(await inbox.client.ask("GET", path(inbox))) == "You are unsubscribed"


async def test_everything_by_mail_is_ended_and_what_spoke_for_some_of_it_forgotten(inbox: Inbox) -> None:
    offered = await inbox.client.ask("GET", path(inbox))
    assert buttons(offered) == ["end", "end_all"]
    assert "Unsubscribe from everything by email" in offered.body.decode()
    for about, state in [({"class_key": "tips"}, "subscribed"), ({"asset": "5"}, "subscribed"),
                         ({"class_key": "news"}, "unsubscribed")]:  # fmt: skip
        await prefer(inbox, state=state, **about)
    await prefer(inbox, channel="push", class_key="tips", state="subscribed")
    for _ in range(2):
        page = await inbox.client.ask("POST", path(inbox), **END_ALL)
        assert (page.status, heading(page), buttons(page)) == (200, NOTHING, ["again_all"])
        assert "You get no more messages by email from" in page.body.decode()
        assert await kept(inbox) == [
            ("ada", "email", "", "", "unsubscribed"), ("ada", "email", "news", "", "unsubscribed"),
            ("ada", "push", "tips", "", "subscribed"),
        ]  # fmt: skip
    for other in (path(inbox, "tips"), path(inbox, asset="5")):
        assert heading(await inbox.client.ask("GET", other)) == NOTHING
        assert heading(await inbox.client.ask("POST", other, **ONE_CLICK)) == NOTHING


async def test_who_ended_everything_gets_it_again_but_what_was_ended_by_itself(inbox: Inbox) -> None:
    ended = await inbox.client.ask("POST", path(inbox, "news"), **ONE_CLICK)
    assert buttons(ended) == ["again", "end_all"]
    await inbox.client.ask("POST", path(inbox), **END_ALL)
    page = await inbox.client.ask("POST", path(inbox), **AGAIN_ALL)
    assert heading(page) == "Unsubscribe?"
    assert await kept(inbox) == [("ada", "email", "news", "", "unsubscribed")]
    assert heading(await inbox.client.ask("GET", path(inbox, "news"))) == "You are unsubscribed"


async def test_one_thing_subscribed_to_again_comes_while_the_rest_stays_ended(inbox: Inbox) -> None:
    await inbox.client.ask("POST", path(inbox), **END_ALL)
    page = await inbox.client.ask("POST", path(inbox, "tips"), **AGAIN)
    assert (heading(page), buttons(page)) == ("Unsubscribe?", ["end", "end_all"])
    assert heading(await inbox.client.ask("GET", path(inbox))) == "You are unsubscribed"
    assert await kept(inbox) == [("ada", "email", "", "", "unsubscribed"), ("ada", "email", "tips", "", "subscribed")]


@pytest.mark.parametrize("language", ["de", "en", "es", "fr"])
async def test_the_end_of_everything_is_said_in_every_language(inbox: Inbox, language: str) -> None:
    await inbox.owner.execute("UPDATE users SET locale = $2 WHERE tenant = $1", inbox.tenant, language)
    said = words.in_language(language)
    by = said.text("channel", "email")
    offered = await inbox.client.ask("GET", path(inbox))
    assert html.escape(said.text("subscription", "end_all", channel=by)) in offered.body.decode()
    page = await inbox.client.ask("POST", path(inbox), **END_ALL)
    assert heading(page) == html.escape(said.text("subscription", "nothing_heading"))
    assert html.escape(said.text("subscription", "again_all", channel=by)) in page.body.decode()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_is_none_of_ours_or_whose_recipient_is_gone_is_a_page_with_404(
    inbox: Inbox, method: str
) -> None:
    for wrong in (path(inbox)[:-1], "/u/x", path(inbox, recipient="nobody")):
        page = await inbox.client.ask(method, wrong)
        assert (page.status, heading(page)) == (404, "This link leads nowhere")
        assert page.headers["content-type"].startswith("text/html")
    assert await kept(inbox) == []


async def test_the_page_is_not_kept_framed_or_scripted_and_styles_itself_only(inbox: Inbox) -> None:
    page = await inbox.client.ask("GET", path(inbox))
    source = page.body.decode()
    style = source.split("<style>")[1].split("</style>")[0]
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["content-security-policy"].split("; ")
    assert policy[:2] == ["default-src 'none'", f"style-src 'sha256-{allowed}'"]
    assert {"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "<script" not in source
    assert "http" not in source
    assert 'name="viewport" content="width=device-width' in source
