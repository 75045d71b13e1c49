"""Errors by what the caller must do.

TocsinError
├── TransientError      try again, after `retry_after_seconds` where given: only where a sooner try is known to fail
│   ├── OverloadedError pause: too much is under way here
│   └── UnacknowledgedError  it may have happened all the same
└── PermanentError      record it and stop trying

Each carries a Reason that is log field, metric label and database value at once. Library exceptions are translated
at the adapter. Expected outcomes (a duplicate, a skipped delivery) are values, not exceptions.
"""

from shared.contract.outcomes import Reason


class TocsinError(Exception):
    """The root of what Tocsin raises on purpose."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class TransientError(TocsinError):
    """It may work later: try again."""

    def __init__(self, message: str, reason: Reason, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, reason)
        self.retry_after_seconds = retry_after_seconds


class OverloadedError(TransientError):
    """Too much is under way here: pause before trying again."""


class UnacknowledgedError(TransientError):
    """Whether it happened is unknown: try again only what may happen twice."""


class PermanentError(TocsinError):
    """It will never work: record it and stop."""
