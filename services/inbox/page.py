"""A page for people: a heading, a text and perhaps a button; no script, and nothing from elsewhere."""

import base64
import functools
import hashlib
from http import HTTPStatus
from importlib import resources

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from services.inbox.words import PageText


def page(said: PageText, status: HTTPStatus = HTTPStatus.OK) -> HTMLResponse:
    """The page; its address may hold a token, so it is neither kept nor told to others."""
    html, headers = _template()
    text = html.render(said=said, style=Markup(_style()))  # noqa: S704 - our own file
    return HTMLResponse(text, status, headers)


@functools.cache
def _template() -> tuple[Template, dict[str, str]]:
    loader = FunctionLoader(_source)
    html = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    allowed = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{allowed}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Cache-Control": "no-store",
    }
    return html.get_template("page.html"), headers


@functools.cache
def _style() -> str:
    return _source("page.css")


def _source(name: str) -> str:
    return (resources.files("services.inbox") / "templates" / name).read_text()
