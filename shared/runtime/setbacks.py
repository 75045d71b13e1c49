"""Trying again without drowning the log: each setback in a row is waited out for longer, and told once per change."""

import random
from typing import Any

import structlog

from shared.errors import TransientError
from shared.retry import Backoff

_log = structlog.get_logger()


class Setbacks:
    """The setbacks of one piece of work; `event` and `fields` are the log line that tells of them."""

    def __init__(self, backoff: Backoff, event: str, **fields: Any) -> None:
        self._backoff = backoff
        self._event = event
        self._fields = fields
        self._count = 0
        self._told = ""

    def wait_seconds(self, error: TransientError) -> float:
        """Count a setback, log it where it says something new, and answer how long to wait before the next try.

        Never less than the setback asks for.
        """
        self._count += 1
        if str(error) != self._told:
            self._told = str(error)
            _log.warning(self._event, **self._fields, reason=error.reason, error=self._told)
        chance = random.random()  # noqa: S311 - jitter is no secret
        return self._backoff.no_sooner_than(self._count, chance, error.retry_after_seconds)

    def over(self) -> None:
        """The work went well: the next setback is the first again."""
        self._count, self._told = 0, ""
