"""How a service is asked: what every group of calls stands on."""

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from shared.client import answers
from shared.client.transport import Call, Patience, Transport

A = TypeVar("A", bound=answers.Answer)


class Calls:
    """One service at `url`, and the key or token that opens it."""

    def __init__(self, url: str, key: str, patience: Patience | None = None) -> None:
        self._transport = Transport(url, key, patience or Patience())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def _listed(self, path: str, model: type[A], query: Mapping[str, str] | None = None) -> AsyncIterator[A]:
        cursor: str | None = None
        while True:
            asked = {**(query or {}), "limit": "100"} | ({"cursor": cursor} if cursor else {})
            page = await self._transport.answer(Call("GET", path, repeatable=True, query=asked))
            for item in page["items"]:
                yield model.model_validate(item)
            cursor = page.get("next")
            if cursor is None:
                return

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        return await self._transport.answer(Call("GET", path, repeatable=True, query=query))

    async def _put(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._transport.answer(Call("PUT", path, repeatable=True, body=body))

    async def _delete(self, path: str) -> None:
        await self._transport.answer(Call("DELETE", path, repeatable=True))

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._transport.answer(Call("POST", path, repeatable=False, body=body))
