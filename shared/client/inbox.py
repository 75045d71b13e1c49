"""A recipient's own notifications: list them, and complete, dismiss or bring back one of them (C12)."""

from collections.abc import AsyncIterator
from typing import Any, Literal
from uuid import UUID

from shared.client import answers
from shared.client.calls import Calls
from shared.client.transport import Call

Show = Literal["open", "dismissed", "all"]


class Inbox(Calls):
    """The inbox of the recipient that a token names: `async with Inbox(url, token) as inbox`.

    Every method raises RefusedError when the inbox says no (404 what is another's, 409 what is not allowed now) and
    UnavailableError when it did not answer in time.
    """

    def items(self, show: Show = "open") -> AsyncIterator[answers.InboxItem]:
        """Every item, page by page: by importance in the tenant's order, oldest first within each."""
        return self._listed("/v1/inbox", answers.InboxItem, {"show": show})

    async def count(self) -> answers.InboxCount:
        """How many items are open, and how many of them require an action."""
        return answers.InboxCount.model_validate(await self._get("/v1/inbox/count"))

    async def complete(
        self, item: UUID, *, at_once: bool = False
    ) -> answers.InboxItem | answers.ActionUrl | answers.Confirmation:
        """Complete an item for all its recipients when `at_once`; else learn how (C5).

        An ActionUrl is to be followed, and completes the item there; a Confirmation is to be asked before completing
        it `at_once`.
        """
        query = {"complete": "true"} if at_once else {}
        answer = await self._acted(item, "complete", query)
        if "location" in answer:
            return answers.ActionUrl(url=answer["location"])
        if "confirm" in answer:
            return answers.Confirmation.model_validate(answer)
        return answers.InboxItem.model_validate(answer)

    async def dismiss(self, item: UUID) -> answers.InboxItem:
        """Hide an item from this recipient's open ones."""
        return answers.InboxItem.model_validate(await self._acted(item, "dismiss"))

    async def undismiss(self, item: UUID) -> answers.InboxItem:
        """Bring a dismissed item back."""
        return answers.InboxItem.model_validate(await self._acted(item, "undismiss"))

    async def _acted(self, item: UUID, action: str, query: dict[str, str] | None = None) -> Any:
        # Completing twice is told as 409; a repeat of what arrived must not look so, and is left to the caller.
        path, repeatable = f"/v1/inbox/{item}/{action}", action != "complete"
        return await self._transport.answer(Call("POST", path, repeatable=repeatable, query=query))


class InboxTokens(Calls):
    """What a tenant's server asks for its recipients: `async with InboxTokens(url, admin_key) as tokens`."""

    async def token(self, recipient: str, seconds: int = 900) -> answers.InboxToken:
        """A token with which one recipient reads and acts on the own inbox, good for so many seconds."""
        body = {"recipient": recipient, "seconds": seconds}
        answer = await self._transport.answer(Call("POST", "/v1/inbox/tokens", repeatable=True, body=body))
        return answers.InboxToken.model_validate(answer)
