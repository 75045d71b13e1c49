"""A local time in a zone to the one instant it means."""

import functools
import zoneinfo
from datetime import UTC, datetime, timedelta

_NO_ZONES = frozenset({"localtime", "Factory"})
"""Names of zone files that name no zone."""


class NoInstantError(ValueError):
    """The local time means no instant: there is no such zone, or the calendar ends before it."""


def instant(local: datetime, zone: str) -> datetime:
    """The instant (UTC) a wall clock in an IANA zone shows `local`, which is naive.

    A time a clock change skips moves forward by what was skipped; one it shows twice is the earlier (seed 001). Both
    are what PEP 495 says of fold=0.

    Raises:
        NoInstantError: no such zone, or no such instant.
    """
    if zone not in zones():
        raise NoInstantError("is not a time zone of the IANA database, such as Europe/Berlin; check its spelling")
    try:
        return local.replace(tzinfo=zoneinfo.ZoneInfo(zone), fold=0).astimezone(UTC)
    except OverflowError as error:
        raise NoInstantError("the calendar does not reach that far") from error


def offset_minutes(zone: str, at: datetime) -> int:
    """How far a zone's clocks are ahead of UTC at a moment (aware), in whole minutes; `zone` is one of `zones`."""
    ahead = at.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset() or timedelta()
    return int(ahead.total_seconds() // 60)


@functools.cache
def zones() -> frozenset[str]:
    """The names of the IANA zones known here; asks the file system once."""
    return frozenset(zoneinfo.available_timezones()) - _NO_ZONES
