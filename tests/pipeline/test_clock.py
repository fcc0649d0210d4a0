"""When the daily run is due, on the days the clocks change as well."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clock import next_run, time_of_day, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "at", "due"),
    [
        ("2026-11-21T01:00", "03:15", "2026-11-21T02:15"),
        ("2026-11-21T02:15", "03:15", "2026-11-22T02:15"),  # one that is due is not due again
        ("2026-11-21T12:00", "03:15", "2026-11-22T02:15"),
        ("2026-03-28T12:00", "02:30", "2026-03-29T01:30"),  # 02:30 is skipped: due at 03:30 summer time
        ("2026-03-29T01:30", "02:30", "2026-03-30T00:30"),
        ("2026-10-24T12:00", "02:30", "2026-10-25T00:30"),  # 02:30 comes twice: due the first time
        ("2026-10-25T00:30", "02:30", "2026-10-26T01:30"),
        ("2026-10-25T01:00", "02:30", "2026-10-26T01:30"),  # between the two
        ("2026-12-31T23:30", "00:00", "2027-01-01T23:00"),
    ],
)
def test_daily_run_in_berlin_is_due_once_a_day(after: str, at: str, due: str) -> None:
    assert next_run(utc(after), time_of_day(at), BERLIN) == utc(due)


@given(
    after=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    at=st.times().map(lambda value: value.replace(second=0, microsecond=0)),
    zone=st.sampled_from(ZONES),
)
def test_next_run_is_later_by_a_day_at_most_and_clocks_show_its_time(after: datetime, at: time, zone: str) -> None:
    due = next_run(after.replace(tzinfo=UTC), at, ZoneInfo(zone))
    wait = due - after.replace(tzinfo=UTC)
    assert timedelta(0) < wait <= timedelta(hours=49)  # Apia once left a whole day out; others shift by an hour or less
    shown = due.astimezone(ZoneInfo(zone)).time()
    skipped = datetime.combine(due.astimezone(ZoneInfo(zone)).date(), at, tzinfo=ZoneInfo(zone))
    assert shown == at or skipped.astimezone(UTC).astimezone(ZoneInfo(zone)).time() == shown


@pytest.mark.parametrize("text", ["24:00", "3:15", "03:15:00", "noon", ""])
def test_time_of_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time of day"):
        time_of_day(text)


@pytest.mark.parametrize("name", ["Europe/Atlantis", "../etc/passwd", ""])
def test_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected the name of a time zone"):
        zone_of(name)
