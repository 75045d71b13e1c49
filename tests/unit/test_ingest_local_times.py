"""A local time in a zone means one instant, also where the clocks change."""

from datetime import UTC, datetime

import pytest

from services.ingest import local_times


@pytest.mark.parametrize(
    ("local", "zone", "expected"),
    [
        pytest.param("2026-12-01T09:00:00", "Australia/Sydney", "2026-11-30T22:00:00", id="summer in Sydney"),
        pytest.param("2026-03-29T01:59:59", "Europe/Berlin", "2026-03-29T00:59:59", id="before the gap"),
        pytest.param("2026-03-29T02:30:00", "Europe/Berlin", "2026-03-29T01:30:00", id="in the gap: 03:30"),
        pytest.param("2026-03-29T03:00:00", "Europe/Berlin", "2026-03-29T01:00:00", id="after the gap"),
        pytest.param("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00", id="overlap: the earlier"),
        pytest.param("2026-10-04T02:15:00", "Australia/Lord_Howe", "2026-10-03T15:45:00", id="gap of 30 minutes"),
        pytest.param("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T22:00:00", id="a day that was skipped"),
        pytest.param("2026-06-01T00:00:00", "UTC", "2026-06-01T00:00:00", id="UTC"),
    ],
)
def test_a_skipped_time_moves_forward_by_the_gap_and_a_doubled_one_is_the_earlier(
    local: str, zone: str, expected: str
) -> None:
    instant = local_times.instant(datetime.fromisoformat(local), zone)
    assert instant == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "../etc/passwd", "", "America", "localtime", "europe/berlin", "+02:00"]
)
def test_what_is_no_name_of_the_iana_database_is_refused(zone: str) -> None:
    with pytest.raises(local_times.NoInstantError, match="IANA"):
        local_times.instant(datetime(2026, 6, 1), zone)  # noqa: DTZ001 - a local time is naive


def test_a_time_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(local_times.NoInstantError, match="calendar"):
        local_times.instant(datetime(9999, 12, 31, 23), "America/Los_Angeles")  # noqa: DTZ001 - a local time is naive
