"""The console's calls about what recipients want by push and by mail (X7)."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from shared.client.answers import Answer
from shared.client.calls import Calls
from shared.client.transport import Call

_PATH = "/v1/preferences"


class Preference(Answer):
    """What a recipient said about push or mail, of a class, an asset, both, or (None) any."""

    recipient: str
    channel: Literal["push", "email"]
    class_key: Annotated[str | None, Field(alias="class")] = None
    asset: str | None = None
    state: Literal["subscribed", "unsubscribed"]
    changed_at: AwareDatetime | None = None


class PreferenceCalls(Calls):
    """They need a key with the scope `directory`."""

    def preferences(self, recipient: str | None = None) -> AsyncIterator[Preference]:
        """Every preference, or those of one recipient, page by page."""
        return self._listed(_PATH, Preference, {"recipient": recipient} if recipient else {})

    async def put_preference(self, preference: Preference) -> Preference:
        """Say for a recipient what is wanted; RefusedError 404 where the directory does not know the recipient."""
        body = preference.model_dump(by_alias=True, exclude={"changed_at"})
        return Preference.model_validate(await self._put(_PATH, body))

    async def delete_preference(self, preference: Preference) -> None:
        """Forget what was said about exactly this; RefusedError 404 where nothing was."""
        about = preference.model_dump(by_alias=True, exclude={"changed_at", "state"}, exclude_none=True)
        await self._transport.answer(Call("DELETE", _PATH, repeatable=True, query=about))
