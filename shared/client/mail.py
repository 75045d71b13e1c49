"""A tenant's mail: its templates, its sender, and the addresses that nothing is sent to."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from pydantic import AwareDatetime

from shared.client.answers import Answer
from shared.client.calls import Calls


class Template(Answer):
    """A mail template; version 0 comes with the product, and `html` is empty in lists."""

    name: str
    version: int
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    created_at: AwareDatetime | None = None
    html: str = ""


class Preview(Answer):
    """The body of a mail, as HTML and as text; `version` is None where the text is not stored."""

    version: int | None = None
    html: str
    text: str


class Suppression(Answer):
    """An address that no mail goes to, and why; `address` is None once its recipient was erased."""

    id: str
    address: str | None = None
    reason: str
    detail: str = ""
    delivery_id: UUID | None = None
    at: AwareDatetime


class MailCalls(Calls):
    """The console's calls about mail."""

    async def put_template(self, name: str, html: str) -> Template:
        """Add a version of a template, or make it; the same text again adds none."""
        return Template.model_validate(await self._put(_template_path(name), {"html": html}))

    async def template(self, name: str, version: int | None = None) -> Template:
        """A template in its newest version, or in another."""
        query = {} if version is None else {"version": str(version)}
        return Template.model_validate(await self._get(_template_path(name), query))

    def templates(self) -> AsyncIterator[Template]:
        """Every template in its newest version without its HTML, page by page."""
        return self._listed("/v1/templates", Template)

    async def delete_template(self, name: str) -> None:
        """Keep a template from what is sent from now on."""
        await self._delete(_template_path(name))

    async def preview_template(
        self, name: str, params: Mapping[str, str], recipient: str | None = None, html: str | None = None
    ) -> Preview:
        """What a mail of a template looks like for a recipient; `html` in place of the stored text."""
        body = {"params": dict(params), "recipient": recipient, "html": html}
        given = {field: value for field, value in body.items() if value is not None}
        return Preview.model_validate(await self._post(f"{_template_path(name)}/preview", given))

    async def suppress(self, address: str, detail: str = "by hand") -> Suppression:
        """Send no mail to an address any more."""
        body = {"address": address, "detail": detail}
        return Suppression.model_validate(await self._post("/v1/suppressions", body))

    async def suppression(self, address: str) -> Suppression:
        """Why no mail goes to an address."""
        return Suppression.model_validate(await self._get(_suppression_path(address)))

    def suppressions(self) -> AsyncIterator[Suppression]:
        """Every address that no mail goes to, the longest suppressed first."""
        return self._listed("/v1/suppressions", Suppression)

    async def delete_suppression(self, address: str) -> None:
        """Send mail to an address again."""
        await self._delete(_suppression_path(address))

    async def put_property(self, name: str, value: Any) -> None:
        """Set a property of the tenant, such as `mail.from`, `mail.reply_to` or `mail.bounces_to`."""
        await self._put(_property_path(name), {"value": value})

    async def property_value(self, name: str) -> Any:
        """The value of a property of the tenant."""
        return (await self._get(_property_path(name)))["value"]


def _template_path(name: str) -> str:
    return f"/v1/templates/{quote(name, safe='')}"


def _suppression_path(address: str) -> str:
    return f"/v1/suppressions/{quote(address, safe='')}"


def _property_path(name: str) -> str:
    return f"/v1/properties/{quote(name, safe='')}"
