"""The pages for people: caught mail, one mail, caught webhooks."""

import contextlib
import itertools
import json
import pathlib

import jinja2
from aiohttp import web

from deploy.local.mailbox import api
from deploy.local.mailbox.hooks import Hook
from deploy.local.mailbox.mails import Mail, body
from deploy.local.mailbox.shelf import Shelf

FOLDER = pathlib.Path(__file__).with_name("pages")
SHOWN = 100
# No script at all; a mail's own page may style itself and nothing else, in a sandbox.
POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'"
MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Pages:
    """Renders both shelves, newest first."""

    def __init__(self, mails: Shelf[Mail], hooks: Shelf[Hook]) -> None:
        self._mails = mails
        self._hooks = hooks
        self._templates = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), autoescape=True)

    def routes(self) -> list[web.RouteDef]:
        """Every page with what renders it."""
        return [
            web.get("/", self.mails),
            web.get("/mails/{id:[0-9]+}", self.mail),
            web.get("/mails/{id:[0-9]+}/html", self.mail_html),
            web.get("/hooks", self.names),
            web.get("/hooks/{name}", self.hooks),
            web.get("/style.css", self.style),
        ]

    async def mails(self, request: web.Request) -> web.Response:
        """The newest mails, or those to `?to=`."""
        address = request.query.get("to", "").strip()
        found = (mail for mail in reversed(self._mails) if not address or mail.is_to(address))
        shown = [mail.summary() for mail in itertools.islice(found, SHOWN)]
        return self._page("mails.html", mails=shown, to=address, counts=self._mails.counts(), limit=SHOWN)

    async def mail(self, request: web.Request) -> web.Response:
        """One mail: headers, text, HTML."""
        return self._page("mail.html", mail=self._found(request).document())

    async def mail_html(self, request: web.Request) -> web.Response:
        """The HTML part as the recipient's program would show it, without remote content."""
        html = body(self._found(request).parsed, "text/html")
        return web.Response(text=html, content_type="text/html", headers={"Content-Security-Policy": MAIL_POLICY})

    async def names(self, _request: web.Request) -> web.Response:
        """The names webhooks were caught under."""
        return self._page("names.html", names=api.names(self._hooks), counts=self._hooks.counts())

    async def hooks(self, request: web.Request) -> web.Response:
        """The newest webhooks of one name."""
        name = request.match_info["name"]
        found = (hook for hook in reversed(self._hooks) if hook.name == name)
        shown = [_readable(hook) for hook in itertools.islice(found, SHOWN)]
        return self._page("hooks.html", name=name, hooks=shown, counts=self._hooks.counts(), limit=SHOWN)

    async def style(self, _request: web.Request) -> web.Response:
        """The one style sheet."""
        return web.Response(text=(FOLDER / "style.css").read_text(), content_type="text/css")

    def _found(self, request: web.Request) -> Mail:
        mail = self._mails.find(int(request.match_info["id"]))
        if mail is None:
            raise web.HTTPNotFound(text="This mail is not held: it never came, or was cleared or dropped for space.")
        return mail

    def _page(self, template: str, **values: object) -> web.Response:
        text = self._templates.get_template(template).render(values)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})


def _readable(hook: Hook) -> dict[str, object]:
    document = hook.document()
    with contextlib.suppress(ValueError):  # not JSON: shown as it came
        document["body"] = json.dumps(json.loads(document["body"]), indent=2, ensure_ascii=False)
    return document
