"""Sending notifications."""

import asyncio
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, Unpack

from shared.client.answers import Accepted, Refused
from shared.client.fields import NotificationFields, body_of
from shared.client.transport import Call, Patience, Transport
from shared.contract import requests
from shared.portions import portions

_BATCH_BYTES = requests.MAX_BODY_BYTES * 9 // 10
"""Most bytes of notifications in one request, with room for what stands around them."""


class AsyncTocsin:
    """Sends notifications through ingest's HTTP door: `async with AsyncTocsin(url, key) as tocsin`.

    Every notification goes out under an idempotency key, the caller's or a fresh one, so that trying again after a
    lost answer never makes a second notification.
    """

    def __init__(self, ingest_url: str, api_key: str, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._transport = Transport(ingest_url, api_key, self._patience)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def notify(self, **fields: Unpack[NotificationFields]) -> Accepted:
        """Ask for one notification.

        Raises:
            RefusedError: it is not valid, or this key may not send it.
            UnavailableError: Tocsin did not take it in time; the same call with the same `idempotency_key` is safe.
        """
        return await self.submit(body_of(fields))

    async def submit(self, body: Mapping[str, Any]) -> Accepted:
        """As `notify`, with a body in the shape of the wire that nothing but the door checks."""
        keyed = keyed_body(body)
        call = Call(
            "POST", "/v1/notifications", repeatable=True, body=keyed,
            headers={"Idempotency-Key": str(keyed["idempotency_key"])},
        )  # fmt: skip
        return Accepted.model_validate(await self._transport.answer(call))

    async def notify_many(self, notifications: Iterable[NotificationFields]) -> list[Accepted | Refused]:
        """Ask for many notifications, each on its own; the answers stand in the order of the requests.

        Raises:
            RefusedError: one is not valid by itself (nothing was sent), or this key may not send at all.
            UnavailableError: a batch was not taken; repeat with the same idempotency keys. What a batch could not
                take for a while stands as `Refused` with status 503.
        """
        return await self.submit_many([body_of(fields) for fields in notifications])

    async def submit_many(self, bodies: Iterable[Mapping[str, Any]]) -> list[Accepted | Refused]:
        """As `notify_many`, with bodies in the shape of the wire."""
        keyed = [keyed_body(body) for body in bodies]
        answers: list[Accepted | Refused] = []
        for batch in portions(keyed, _bytes_of, _BATCH_BYTES, requests.MAX_BATCH):
            answers += await self._batch(batch)
        return answers

    async def _batch(self, batch: Sequence[dict[str, Any]]) -> list[Accepted | Refused]:
        """The answers to one batch; those that Tocsin could not take just now are asked for again."""
        answers = await self._asked(batch)
        for attempt in range(1, self._patience.attempts):
            later = [place for place, answer in enumerate(answers) if answer.status == HTTPStatus.SERVICE_UNAVAILABLE]
            if not later:
                break
            await asyncio.sleep(self._patience.wait_seconds(attempt))
            again = await self._asked([batch[place] for place in later])
            for place, answer in zip(later, again, strict=True):
                answers[place] = answer
        return answers

    async def _asked(self, batch: Sequence[dict[str, Any]]) -> list[Accepted | Refused]:
        call = Call("POST", "/v1/notifications/batch", repeatable=True, body={"notifications": list(batch)})
        return [_result(each) for each in (await self._transport.answer(call))["results"]]


def keyed_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body with an idempotency key, its own or a fresh one."""
    return {**body, "idempotency_key": body.get("idempotency_key") or str(uuid.uuid4())}


def _bytes_of(body: Mapping[str, Any]) -> int:
    return len(json.dumps(body))


def _result(result: Mapping[str, Any]) -> Accepted | Refused:
    """One answer of a batch, whose `status` is that of HTTP: an acceptance has an id, a refusal has errors."""
    if "notification_id" not in result:
        return Refused.model_validate(result)
    said = "accepted" if result.get("schedule_id") is None else "scheduled"
    return Accepted.model_validate({**result, "status": said})
