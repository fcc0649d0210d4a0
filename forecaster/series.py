"""Hourly series: what a forecast starts from, and the checks that make one out of time-stamped values."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
Duplicates = Literal["error", "sum", "last"]

HOUR_SECONDS = 3600
MAX_HOURS = 50 * 366 * 24  # a wider span is a mistyped year, not a history
MAX_VALUE = 1e18  # beyond what an hour of any service counts, and still far from overflow when summed


class SeriesError(ValueError):
    """A series that cannot be read or forecast; the message is one line meant for the user."""


class NoUsage(SeriesError):
    """There is no usage to forecast yet: no fault of anybody's, and nothing to repair."""


@dataclass(frozen=True, eq=False)
class HourlySeries:
    """One measure of one workload, hour by hour, in UTC and without holes in its time axis.

    `values[i]` is the hour starting at `starts_at + i hours`; a missing hour is NaN, never 0. The first and the last
    hour are observed. `notes` says in plain words what was changed or assumed on the way in.
    """

    workload: str
    metric: str
    starts_at: datetime
    values: Values
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name the series as `workload metric`."""
        return f"{self.workload} {self.metric}"

    @property
    def ends_at(self) -> datetime:
        """Return the end of the last hour, which is when a forecast of this series is made."""
        return self.hour_at(len(self.values))

    def hour_at(self, index: int) -> datetime:
        """Return the start of hour `index` (0 is the first; indexes past the end are future hours)."""
        return self.starts_at + timedelta(hours=index)

    def index_at(self, moment: datetime) -> int:
        """Return the index of the hour that holds `moment` (may lie outside the series)."""
        return int((moment - self.starts_at).total_seconds() // HOUR_SECONDS)

    def since(self, moment: datetime) -> HourlySeries:
        """Return the part from `moment` on ('train from here'); raises SeriesError when nothing is left."""
        first = max(self.index_at(moment), 0)
        return trimmed(replace(self, starts_at=self.hour_at(first), values=self.values[first:]))


def series_from_values(workload: str, metric: str, starts_at: datetime, values: Sequence[float]) -> HourlySeries:
    """Make a series of values that are hourly already, the first one starting at `starts_at` (NaN = missing).

    Raises SeriesError when a value is negative or infinite, or when no hour is observed.
    """
    array = np.asarray(values, dtype=np.float64)
    name = f"{workload} {metric}"
    wrong = np.flatnonzero((array < 0) | (array > MAX_VALUE) | np.isinf(array))
    if wrong.size:
        raise SeriesError(
            f"series {name}: expected values from 0 to {MAX_VALUE:.0e}, found {array[wrong[0]]:g} in hour {wrong[0]}"
            f"{f' and {wrong.size - 1} more' if wrong.size > 1 else ''}; correct or empty them"
        )
    return trimmed(HourlySeries(workload, metric, _utc(starts_at), array))


def series_from_stamps(
    workload: str,
    metric: str,
    stamps: Sequence[datetime],
    values: Sequence[float],
    duplicates: Duplicates = "error",
) -> HourlySeries:
    """Make an hourly series of stamped values in any order.

    Stamps without a zone are read as UTC. Rows that repeat a stamp with the same value count once; different values for
    one stamp are an error unless `duplicates` says to add them or to keep the last. Stamps finer than an hour are
    added up to hours, and an hour short of its steps is missing. Raises SeriesError.
    """
    name = f"{workload} {metric}"
    if not stamps:
        raise SeriesError(f"series {name}: expected at least one row, found none; check the file and the filter")
    notes: list[str] = []
    seconds, unzoned = _utc_seconds(name, stamps)
    if unzoned:
        notes.append("time stamps carry no zone: read as UTC")
    elif len({stamp.utcoffset() for stamp in stamps}) > 1:
        notes.append("time stamps carry several UTC offsets: all converted to UTC")
    if seconds != sorted(seconds):
        notes.append("rows were not in time order: sorted")
    unique = _without_duplicates(name, seconds, values, duplicates, notes)
    start, array = _hourly(name, unique, notes)
    return trimmed(HourlySeries(workload, metric, datetime.fromtimestamp(start, UTC), array, tuple(notes)))


def trimmed(series: HourlySeries) -> HourlySeries:
    """Drop missing hours before the first and after the last observed one; raises SeriesError when none is observed."""
    observed = np.flatnonzero(np.isfinite(series.values))
    if not observed.size:
        raise SeriesError(
            f"series {series.name}: expected at least one observed hour, found {len(series.values)} missing ones;"
            " choose another series or a longer window"
        )
    first, last = int(observed[0]), int(observed[-1]) + 1
    notes = series.notes
    if last < len(series.values):
        notes += (f"hours missing at the end: {len(series.values) - last}; the forecast starts before them",)
    return replace(series, starts_at=series.hour_at(first), values=series.values[first:last].copy(), notes=notes)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _utc_seconds(name: str, stamps: Sequence[datetime]) -> tuple[list[int], bool]:
    """Return whole seconds since 1970 and whether the stamps had no zone; raises when some have one and some not."""
    unzoned = sum(stamp.tzinfo is None for stamp in stamps)
    if 0 < unzoned < len(stamps):
        raise SeriesError(
            f"series {name}: expected all time stamps with a zone or all without, found {unzoned} of {len(stamps)}"
            " without; write every stamp as UTC, such as 2025-01-06T00:00:00Z"
        )
    return [math.floor(_utc(stamp).timestamp()) for stamp in stamps], bool(unzoned)


def _without_duplicates(
    name: str, seconds: list[int], values: Sequence[float], duplicates: Duplicates, notes: list[str]
) -> dict[int, float]:
    """Return one value per stamp, in time order; a missing value never hides an observed one."""
    found: dict[int, list[float]] = defaultdict(list)
    for second, value in zip(seconds, values, strict=True):
        found[second].append(value)
    unique: dict[int, float] = {}
    repeated = conflicting = 0
    for second in sorted(found):
        observed = [value for value in found[second] if not math.isnan(value)]
        repeated += len(found[second]) > 1
        if len(set(observed)) > 1:
            conflicting += 1
            if duplicates == "error":
                continue
        unique[second] = (sum(observed) if duplicates == "sum" else observed[-1]) if observed else math.nan
    if conflicting and duplicates == "error":
        first = datetime.fromtimestamp(next(s for s in sorted(found) if s not in unique), UTC)
        raise SeriesError(
            f"series {name}: expected one value per time stamp, found {conflicting} stamps with different values, the"
            f" first {first:%Y-%m-%dT%H:%M:%SZ}; say --duplicates sum or last, or --timezone for local clock times"
        )
    if repeated:
        kept = {"sum": "added up", "last": "the last one kept", "error": "with equal values, counted once"}[duplicates]
        notes.append(f"time stamps that appear more than once: {repeated}, {kept}")
    return unique


def _hourly(name: str, unique: dict[int, float], notes: list[str]) -> tuple[int, Values]:
    """Return the first hour and the hourly grid; raises when the rows are coarser than an hour or span too much."""
    seconds = np.fromiter(unique, dtype=np.int64)
    values = np.fromiter(unique.values(), dtype=np.float64)
    gaps = np.diff(seconds)
    if len(gaps) > 1 and gaps.min() > HOUR_SECONDS:
        raise SeriesError(
            f"series {name}: expected hourly rows, found none closer than {gaps.min() / HOUR_SECONDS:g} h;"
            " export the data by hour"
        )
    aligned = not (gaps % HOUR_SECONDS).any()
    phase = int(seconds[0]) % HOUR_SECONDS if aligned else 0
    hours = (seconds - phase) // HOUR_SECONDS
    index = hours - hours[0]
    if index[-1] >= MAX_HOURS:
        raise SeriesError(
            f"series {name}: expected a span of at most 50 years, found {index[-1] / 8766:.0f} years;"
            " look for a mistyped year in the first or last row"
        )
    grid = np.full(int(index[-1]) + 1, np.nan)
    if aligned:
        grid[index] = values
        return int(hours[0]) * HOUR_SECONDS + phase, grid
    observed = np.isfinite(values)
    sums = np.bincount(index[observed], weights=values[observed], minlength=len(grid))
    counts = np.bincount(index[observed], minlength=len(grid))
    grid = np.where(counts > 0, sums, np.nan)
    _drop_partial_hours(grid, counts, seconds, notes)
    return int(hours[0]) * HOUR_SECONDS, grid


def _drop_partial_hours(grid: Values, counts: NDArray[np.intp], seconds: NDArray[np.int64], notes: list[str]) -> None:
    """Mark hours that lack some of their steps as missing when the stamps follow a fixed step, such as 5 minutes."""
    step = int(np.gcd.reduce(np.diff(seconds)))
    expected = HOUR_SECONDS // step if HOUR_SECONDS % step == 0 and step >= 60 else 0
    if expected and np.median(counts[counts > 0]) == expected:
        partial = (counts > 0) & (counts < expected)
        grid[partial] = np.nan
        notes.append(f"{step // 60}-minute rows added up to hours, incomplete hours left out: {int(partial.sum())}")
    else:
        notes.append("rows finer than an hour added up to hours; the first and the last hour may be incomplete")
