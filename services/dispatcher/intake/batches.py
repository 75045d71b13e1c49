"""How a batch of accepted notifications is cut into transactions: plain functions of values."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from shared.contract.messages import NotificationAccepted
from shared.portions import portions


class RawRecord(Protocol):
    """A record as the consumer gives it; `topic` is named as on this Kafka, with prefix."""

    topic: str
    partition: int
    offset: int
    key: Any
    value: Any
    headers: Any


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted notification and the record that brought it."""

    message: NotificationAccepted
    raw: RawRecord


Portion = list[Accepted]
"""What one transaction takes in; every notification id in it stands once."""


def collapsed(batch: Iterable[Accepted]) -> list[Portion]:
    """The batch without repeats, in rounds: an id's second body is decided after its first, an identical one never.

    Mostly there is one round. Which of two bodies wins is not decided here but by the identity's stored hash.
    """
    seen: dict[UUID, list[str | None]] = {}
    rounds: list[Portion] = []
    for accepted in batch:
        hashes = seen.setdefault(accepted.message.notification_id, [])
        if accepted.message.payload_hash in hashes:
            continue
        if len(hashes) == len(rounds):
            rounds.append([])
        rounds[len(hashes)].append(accepted)
        hashes.append(accepted.message.payload_hash)
    return rounds


def transactions(batch: Portion, most_recipients: int, fanout_threshold: int) -> Iterator[Portion]:
    """The batch in transactions of at most `most_recipients`, or of one notification that alone has more.

    What fan-out writes later weighs as one row here; an audience may turn out to be as large as fan-out allows.
    """

    def weight(accepted: Accepted) -> int:
        if accepted.message.audience is not None:
            return fanout_threshold
        recipients = len(accepted.message.recipients)
        return 1 if recipients > fanout_threshold else recipients

    return portions(batch, weight, most_recipients)
