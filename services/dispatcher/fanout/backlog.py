"""How much the sinks of a lane have before them: fan-out waits for them instead of burying the topics under work."""

from shared.contract import topics
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel
from shared.kafka.lag import LagReader

_MEASURED_SECONDS = 0.5
"""A measure is good for this long; what is added meanwhile is counted here."""


class Backlog:
    """The deliveries that wait on the topics of a lane."""

    def __init__(self, reader: LagReader, lane: Lane, most_waiting: int) -> None:
        self._reader = reader
        self._lane = lane
        self._most_waiting = most_waiting
        self._waiting = 0
        self._measured_at = float("-inf")

    async def has_room(self, now_seconds: float) -> bool:
        """Whether fewer than `most_waiting` deliveries wait at this monotonic time.

        Raises:
            TransientError: Kafka does not answer.
        """
        if now_seconds - self._measured_at >= _MEASURED_SECONDS:
            waiting = [
                await self._reader.of(f"dispatcher.{channel}.{self._lane}", [topics.deliveries(channel, self._lane)])
                for channel in (Channel.PUSH, Channel.EMAIL)
            ]
            self._waiting, self._measured_at = max(waiting), now_seconds
        return self._waiting < self._most_waiting

    def add(self, deliveries: int) -> None:
        """Count what was handed over since the last measure."""
        self._waiting += deliveries
