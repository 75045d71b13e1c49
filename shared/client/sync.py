"""The same for programs that do not await: each call runs on an event loop of its own thread-bound runner."""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self, Unpack

from shared.client.answers import Accepted, Refused
from shared.client.fields import NotificationFields
from shared.client.notify import AsyncTocsin
from shared.client.transport import Patience


class Tocsin:
    """Sends notifications and waits: `with Tocsin(url, key) as tocsin`. One instance belongs to one thread."""

    def __init__(self, ingest_url: str, api_key: str, patience: Patience | None = None) -> None:
        self._client = AsyncTocsin(ingest_url, api_key, patience)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._client.close())
        self._runner.close()

    def notify(self, **fields: Unpack[NotificationFields]) -> Accepted:
        """As `AsyncTocsin.notify`."""
        return self._runner.run(self._client.notify(**fields))

    def notify_many(self, notifications: Iterable[NotificationFields]) -> list[Accepted | Refused]:
        """As `AsyncTocsin.notify_many`."""
        return self._runner.run(self._client.notify_many(notifications))
