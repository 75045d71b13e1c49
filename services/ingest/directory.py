"""Whom the directory knows, asked at the door: the dialects of the seeds promise it, the native API does not."""

import asyncio
from collections.abc import Sequence

from services.ingest.store import Store
from shared.contract.outcomes import Reason
from shared.errors import TransientError


class Directory:
    """The users of a tenant."""

    def __init__(self, store: Store, timeout_seconds: float) -> None:
        self._store = store
        self._timeout_seconds = timeout_seconds

    async def unknown(self, tenant: str, recipients: Sequence[str]) -> list[str]:
        """Those of these recipients that are no users of the tenant, in the order given.

        Raises:
            TransientError: the directory does not answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                known = await self._store.known_users(tenant, recipients)
        except TimeoutError as error:
            detail = "the directory did not answer in time, so nothing was queued"
            raise TransientError(detail, Reason.POSTGRES_UNAVAILABLE) from error
        return [recipient for recipient in recipients if recipient not in known]
