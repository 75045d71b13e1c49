"""The helper of seed 000 for scripts that move here: the same name, the same call, the same object returned."""

import asyncio
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NotRequired, TypedDict, Unpack

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from shared.client.errors import ClientError
from shared.client.transport import Call, Patience, Transport
from shared.runtime.settings import BaseServiceSettings

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
    Tocsin is busy or away. A running event loop waits with it.

    Args:
        ingest_url: the address of ingest; None takes TOCSIN_INGEST_URL.
        api_key: the key; None takes TOCSIN_API_KEY.
        patience: how long to try.

    Raises:
        ClientError: address or key are neither given nor in the environment.
    """

    def __init__(
        self, ingest_url: str | None = None, api_key: str | None = None, patience: Patience | None = None
    ) -> None:
        self._ingest_url, self._api_key = _told(ingest_url, api_key)
        self._patience = patience or Patience()

    def sendDANotification(self, parameters: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802 - the source's name
        """Send one notification; `{"responseCode", "message", "metadata": {"notification_id"}}`.

        Any other responseCode than 200 means that nothing was queued, and `message` says why, or that after all
        repeats it is unknown.

        Raises:
            UnavailableError: no answer came; whether it was queued is unknown.
            ClientError: what answered is no ingest.
        """
        with ThreadPoolExecutor(max_workers=1) as thread:  # where a loop runs already, there is no second one
            return thread.submit(lambda: asyncio.run(self._sent(parameters))).result()

    def send_da_notification(self, **parameters: Unpack[DesktopAssistantFields]) -> dict[str, Any]:
        """As `sendDANotification`, with the parameters by name."""
        return self.sendDANotification(parameters)

    async def _sent(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        transport = Transport(self._ingest_url, self._api_key, self._patience)
        key = {"Idempotency-Key": str(uuid.uuid4())}
        call = Call("POST", _PATH, repeatable=True, body=dict(parameters), headers=key, own_errors=True)
        try:
            answer = await transport.answer(call)
        finally:
            await transport.close()
        if not isinstance(answer, dict) or "responseCode" not in answer:
            raise ClientError(f"POST {self._ingest_url}{_PATH} answered no responseCode: is this address ingest's?")
        return answer


class _Environment(BaseSettings):
    model_config = BaseServiceSettings.model_config

    ingest_url: str = ""
    api_key: SecretStr = SecretStr("")


def _told(ingest_url: str | None, api_key: str | None) -> tuple[str, str]:
    """Address and key, from the environment where they are not given: the source's helper is made without either."""
    environment = _Environment()
    url, key = ingest_url or environment.ingest_url, api_key or environment.api_key.get_secret_value()
    if not url:
        raise ClientError("no address of ingest; give ingest_url or set TOCSIN_INGEST_URL")
    if not key:
        raise ClientError("no API key; give api_key or set TOCSIN_API_KEY")
    return url, key
