"""`/v1/properties`."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AfterValidator

from services.console import shapes
from services.console.shapes import JsonValue, PathId
from services.console.store import properties as store
from services.console.store.properties import Property
from shared.contract import desktop_switch, mail_settings, referrers
from shared.contract.desktop_switch import SwitchError
from shared.contract.mail_settings import MailSettingError
from shared.contract.referrers import ReferrerPatternError
from shared.contract.requests import RequestModel, example
from shared.postgres.pool import Pool
from shared.runtime import pages
from shared.runtime.authority import AdminKey


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("is null, which says nothing; give a value")
    return value


def _check(name: str, value: Any) -> None:
    """Check the value of a property that means something here; raises the error of its module."""
    if name.startswith(mail_settings.PREFIX):
        mail_settings.checked(name, value)
    elif name == referrers.PROPERTY:
        referrers.checked(value)
    elif name == desktop_switch.PROPERTY:
        desktop_switch.checked(value)


class PropertyFields(RequestModel):
    """The value of a property."""

    model_config = example({"value": True})

    value: Annotated[JsonValue, AfterValidator(_given)]


class Properties:
    """Answers for properties."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> APIRouter:
        """The routes of this resource."""
        router = APIRouter(prefix="/v1/properties", tags=["properties"])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/{name:path}", self.one, methods=["GET"])
        router.add_api_route("/{name:path}", self.put, methods=["PUT"])
        return router

    async def all(self, key: AdminKey, cursor: pages.Cursor = None, limit: pages.Limit = 50) -> pages.Page[Property]:
        """Properties in the order of their names."""
        found = await store.after(self._pool, key.tenant, shapes.last_id(cursor), limit + 1)
        return pages.page(found, limit, lambda one: [one.name])

    async def one(self, key: AdminKey, name: PathId) -> Property:
        """One property."""
        return shapes.found(await store.get(self._pool, key.tenant, name), "property")

    async def put(self, key: AdminKey, name: PathId, fields: PropertyFields) -> Property:
        """Set a property."""
        try:
            _check(name, fields.value)
        except MailSettingError as error:
            raise shapes.unprocessable("/value", "mail_setting", str(error)) from error
        except ReferrerPatternError as error:
            raise shapes.unprocessable("/value", "referrer_url", str(error)) from error
        except SwitchError as error:
            raise shapes.unprocessable("/value", "bool_type", str(error)) from error
        made = Property(name, fields.value)
        await store.put(self._pool, key.tenant, made)
        return made
