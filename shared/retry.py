"""How long to wait before trying again: exponential backoff with full jitter, as a plain function of values."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first_seconds` and stay at `longest_seconds`."""

    first_seconds: float
    longest_seconds: float

    def delay_seconds(self, attempt: int, chance: float) -> float:
        """The wait after attempt number `attempt` (1 is the first); `chance` in [0, 1) spreads it.

        Half of the wait is fixed, so that a retry never comes at once; the other half is jitter, so that what failed
        together does not return together.
        """
        doublings = min(attempt - 1, 62)
        whole = min(self.longest_seconds, self.first_seconds * float(2**doublings))
        return whole * (0.5 + chance / 2)

    def no_sooner_than(self, attempt: int, chance: float, retry_after_seconds: float | None) -> float:
        """As `delay_seconds`, but honouring what the other side asked for (RFC 9110 Retry-After)."""
        return max(self.delay_seconds(attempt, chance), retry_after_seconds or 0.0)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """What a Retry-After header asks for (RFC 9110 10.2.3: seconds or a date); None where it says nothing."""
    if header is None:
        return None
    if header.isascii() and header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
    except (TypeError, ValueError):
        return None
