"""A local time in a zone means one instant, also where the clocks change."""

from datetime import UTC, datetime

import pytest

from services.ingest import local_times


@pytest.mark.parametrize(
    ("local", "zone", "expected"),
    [
        pytest.param("2026-12-01T09:00:00", "Australia/Sydney", "2026-11-30T22:00:00", id="summer in Sydney"),
        pytest.param("2026-10-04T01:59:59", "Australia/Sydney", "2026-10-03T15:59:59", id="Sydney, before the gap"),
        pytest.param("2026-10-04T02:00:00", "Australia/Sydney", "2026-10-03T16:00:00", id="Sydney, in the gap: 03:00"),
        pytest.param("2026-10-04T02:59:59", "Australia/Sydney", "2026-10-03T16:59:59", id="Sydney, end of the gap"),
        pytest.param("2026-10-04T03:00:00", "Australia/Sydney", "2026-10-03T16:00:00", id="Sydney, after the gap"),
        pytest.param("2026-04-05T02:30:00", "Australia/Sydney", "2026-04-04T15:30:00", id="Sydney, in the overlap"),
        pytest.param("2026-04-05T03:00:00", "Australia/Sydney", "2026-04-04T17:00:00", id="Sydney, after the overlap"),
        pytest.param("2026-03-08T02:30:00", "America/New_York", "2026-03-08T07:30:00", id="New York, gap: 03:30"),
        pytest.param("2026-11-01T01:30:00", "America/New_York", "2026-11-01T05:30:00", id="New York, in the overlap"),
        pytest.param("2026-11-01T02:00:00", "America/New_York", "2026-11-01T07:00:00", id="New York, after it"),
        pytest.param("2026-03-29T01:30:00", "Europe/London", "2026-03-29T01:30:00", id="London, in the gap: 02:30"),
        pytest.param("2026-10-25T01:30:00", "Europe/London", "2026-10-25T00:30:00", id="London, in the overlap"),
        pytest.param("2026-10-25T02:00:00", "Europe/London", "2026-10-25T02:00:00", id="London, after the overlap"),
        pytest.param(
            "2026-10-04T02:15:00", "Australia/Lord_Howe", "2026-10-03T15:45:00", id="gap of 30 minutes: 02:45"
        ),
        pytest.param("2026-04-05T01:45:00", "Australia/Lord_Howe", "2026-04-04T14:45:00", id="overlap of 30 minutes"),
        pytest.param("2026-04-05T02:00:00", "Australia/Lord_Howe", "2026-04-04T15:30:00", id="after 30 minutes twice"),
        pytest.param("2018-07-01T12:00:00", "America/Sao_Paulo", "2018-07-01T15:00:00", id="Sao Paulo, winter"),
        pytest.param("2019-01-01T12:00:00", "America/Sao_Paulo", "2019-01-01T14:00:00", id="its last summer time"),
        pytest.param("2020-01-01T12:00:00", "America/Sao_Paulo", "2020-01-01T15:00:00", id="its rule was abolished"),
        pytest.param("2027-07-01T12:00:00", "Europe/Moscow", "2027-07-01T09:00:00", id="Moscow stays where it went"),
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
