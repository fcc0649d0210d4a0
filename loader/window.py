"""When the requests of a file may have been made; a row outside has a wrong clock and is rejected. Pure.

A row is judged by its own time and the day of the load alone, never by the rows beside it: the bulk of a file says
nothing about a row, since logs have gaps of years, and files hold a single request.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.rows import Batches

FIRST_LOG_DAY = date(2020, 1, 1)
"""The first public API of a large language model opened in June 2020."""
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """Days (UTC), both included, that requests may fall on, and how a message names them."""

    first_day: date
    last_day: date
    text: str

    @property
    def start(self) -> datetime:
        """Return the first instant inside."""
        return _midnight(self.first_day)

    @property
    def end(self) -> datetime:
        """Return the first instant behind."""
        return _midnight(self.last_day) + _ONE_DAY


def log_window(today: date) -> Window:
    """Return the window of a real log that is loaded on `today`: no later than tomorrow, wherever its clock is."""
    tomorrow = today + _ONE_DAY
    return Window(FIRST_LOG_DAY, tomorrow, f"from {FIRST_LOG_DAY} to {tomorrow}, the day after this load")


def set_window(first_day: date, days: int) -> Window:
    """Return the window of a generated set, whose clock is its own: the days that its manifest names."""
    last_day = first_day + timedelta(days=days - 1)
    return Window(first_day, last_day, f"from {first_day} to {last_day}, the days of this set")


def day_window(day: date) -> Window:
    """Return the window of a tick."""
    return Window(day, day, f"on {day} (UTC)")


def only_inside(batches: Batches, window: Window) -> Batches:
    """Yield `batches`, the rows whose requested_at is outside `window` as rejects."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from loader.columns import TIMESTAMP_TYPE, without_rows

    start, end = (pa.scalar(instant, TIMESTAMP_TYPE) for instant in (window.start, window.end))
    with closing(batches):
        for batch in batches:
            times = batch.rows.column("requested_at")
            outside = pc.or_(pc.less(times, start), pc.greater_equal(times, end))
            faults = {
                i: [f"requested_at: expected a time {window.text}, found {times[i].as_py().isoformat()}"]
                for i in pc.indices_nonzero(outside).to_pylist()
            }
            yield without_rows(batch, faults)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
