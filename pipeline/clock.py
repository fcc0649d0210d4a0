"""When the daily run is due: pure functions of an instant, a time of day and a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def next_run(after: datetime, at: time, zone: ZoneInfo) -> datetime:
    """Return the first instant behind `after` at which clocks in `zone` show `at`, in UTC.

    One run a day, whatever the clocks do: a time that they skip is due as soon as they have (02:30 at 03:30), one that
    they show twice is due the first time.
    """
    day = after.astimezone(zone).date()
    while True:
        due = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
        if due > after:
            return due
        day += timedelta(days=1)


def time_of_day(text: str) -> time:
    """Read HH:MM; raises ValueError where `text` is none."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(f"expected a time of day such as 03:15, found {text!r}")
    return time.fromisoformat(text)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by name; raises ValueError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected the name of a time zone such as Europe/Berlin, found {name!r}") from None
