"""The helper of seed 000 for scripts that move here: the same name, the same call, the same object returned."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict, Unpack

from shared.client.transport import Call, Patience, Transport

_PATH = "/api/sn_dex_desktop/notifications"


class DesktopAssistantFields(TypedDict):
    """The parameters of the source; `source` is `mim` or `pe`, `recipient_list` ids separated by commas."""

    notification_message: str
    recipient_list: str
    source: str
    notification_title: NotRequired[str]
    referrer_table: NotRequired[str]
    referrer_id: NotRequired[str]


class DesktopAppNotificationUtils:
    """Sends Desktop Assistant notifications with a key that has the role `sn_dex_desktop.admin` or `admin`.

    For programs that do not await: each call waits for its answer, and tries again under one idempotency key while
    Tocsin is busy or away.
    """

    def __init__(self, ingest_url: str, api_key: str, patience: Patience | None = None) -> None:
        self._ingest_url = ingest_url
        self._api_key = api_key
        self._patience = patience or Patience()

    def sendDANotification(self, parameters: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802 - the source's name
        """Send one notification; `{"responseCode", "message", "metadata": {"notification_id"}}`.

        Any other responseCode than 200 means that nothing was queued, and `message` says why, or that after all
        repeats it is unknown.

        Raises:
            UnavailableError: no answer came; whether it was queued is unknown.
        """
        return asyncio.run(self._sent(parameters))

    def send_da_notification(self, **parameters: Unpack[DesktopAssistantFields]) -> dict[str, Any]:
        """As `sendDANotification`, with the parameters by name."""
        return self.sendDANotification(parameters)

    async def _sent(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        transport = Transport(self._ingest_url, self._api_key, self._patience)
        key = {"Idempotency-Key": str(uuid.uuid4())}
        call = Call("POST", _PATH, repeatable=True, body=dict(parameters), headers=key, own_errors=True)
        try:
            answer: dict[str, Any] = await transport.answer(call)
        finally:
            await transport.close()
        return answer
