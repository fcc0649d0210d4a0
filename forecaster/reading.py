"""Read hourly series from CSV text.

A file has a header line, a time column, any number of measures, and perhaps a workload column:

    ds,requests                          workload,ds,requests,input_tokens,output_tokens
    2025-01-06T00:00:00Z,1204            chat,2025-01-06T00:00:00Z,1204,480211,96310

Comma, semicolon or tab between cells. Times as ISO 8601, with a zone (or read as UTC, or in the zone given). An empty
cell is a missing hour; numbers are 0 or more. `tokens` is input_tokens + output_tokens where a file has both.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from forecaster.series import MAX_VALUE, Duplicates, HourlySeries, SeriesError, series_from_stamps

TIME_COLUMNS = ("ds", "timestamp", "time", "hour", "starts_at")
WORKLOAD_COLUMN = "workload"
ONE_WORKLOAD = "all"
MISSING_WORDS = {"", "na", "nan", "null", "none"}
SHOWN_PROBLEMS = 3
MIN_YEAR, MAX_YEAR = 1970, 2200  # outside lie typing errors


@dataclass
class _Column:
    """Values of one measure of one workload and the cells that are no such value, as `text in line n`."""

    values: array[float] = field(default_factory=lambda: array("d"))
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Table:
    """A file as read: per workload its time stamps in file order and its measures. `source` names it in messages."""

    source: str
    metrics: tuple[str, ...]
    stamps: dict[str, list[datetime]]
    columns: dict[tuple[str, str], _Column]

    @property
    def workloads(self) -> tuple[str, ...]:
        """Return the workloads in the order of the file."""
        return tuple(self.stamps)

    def series(
        self, workload: str | None, metric: str | None, timezone: str | None = None, duplicates: Duplicates = "error"
    ) -> HourlySeries:
        """Return one series; None means the only workload or the only measure there is.

        `timezone` is the zone of stamps that carry none (default UTC). Raises SeriesError.
        """
        workload = _chosen("workload", workload, self.workloads, self.source)
        metric = _chosen("metric", metric, self.metrics, self.source)
        parts = ("input_tokens", "output_tokens") if (workload, metric) not in self.columns else (metric,)
        columns = [self.columns[workload, part] for part in parts]
        problems = [problem for column in columns for problem in column.problems]
        if problems:
            raise SeriesError(
                f"{self.source}: expected numbers from 0 to {MAX_VALUE:.0e} in {' and '.join(parts)}, found"
                f" {_listed(problems)}; correct those cells or empty them"
            )
        values = [math.fsum(cells) for cells in zip(*(column.values for column in columns), strict=True)]
        stamps = self.stamps[workload]
        if timezone is not None and any(stamp.tzinfo is None for stamp in stamps):
            stamps = _localised(stamps, timezone, self.source)
        return series_from_stamps(workload, metric, stamps, values, duplicates)


def read_table(lines: Iterable[str], source: str) -> Table:
    """Read CSV lines; raises SeriesError when there is no header with a time column, or a time or a row is broken."""
    rows = _rows(lines, source)
    width, time_at, workload_at, measures = _columns(next(rows, (0, []))[1], source)
    stamps: dict[str, list[datetime]] = {}
    columns: dict[tuple[str, str], _Column] = {}
    times: dict[str, datetime | None] = {}
    broken: list[str] = []
    for line, cells in rows:
        if len(cells) != width:
            broken.append(f"{len(cells)} cells instead of {width} in line {line}")
            continue
        text = cells[time_at].strip()
        if text not in times:
            times[text] = _time(text)
        moment = times[text]
        if moment is None:
            broken.append(f"{text or 'no time'!r} in line {line}")
            continue
        workload = cells[workload_at].strip() if workload_at is not None else ONE_WORKLOAD
        stamps.setdefault(workload, []).append(moment)
        for at, name in measures.items():
            _add_cell(columns.setdefault((workload, name), _Column()), cells[at], line)
    if broken:
        raise SeriesError(
            f"{source}: expected rows with a time such as 2025-01-06T00:00:00Z, found {_listed(broken)};"
            " correct or remove those rows"
        )
    if not stamps:
        raise SeriesError(f"{source}: expected rows under the header, found none; export the data again")
    names = tuple(measures.values())
    if {"input_tokens", "output_tokens"} <= set(names) and "tokens" not in names:
        names += ("tokens",)
    return Table(source, names, stamps, columns)


def _columns(names: list[str], source: str) -> tuple[int, int, int | None, dict[int, str]]:
    """Return the number of columns, where time and workload stand, and the names of the others by position."""
    header = [name.strip().lower() for name in names]
    time_at = next((header.index(name) for name in TIME_COLUMNS if name in header), None)
    if time_at is None:
        raise SeriesError(
            f"{source}: expected a header with a time column ({', '.join(TIME_COLUMNS)}), found"
            f" {', '.join(header) or 'nothing'}; see `python -m forecaster forecast --help` for the shape"
        )
    workload_at = header.index(WORKLOAD_COLUMN) if WORKLOAD_COLUMN in header else None
    measures = {at: name for at, name in enumerate(header) if name and at not in (time_at, workload_at)}
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise SeriesError(f"{source}: expected each column once, found {', '.join(repeated)} repeated; rename one")
    if not measures:
        raise SeriesError(f"{source}: expected at least one column of values, found only {', '.join(header)}; add one")
    return len(header), time_at, workload_at, measures


def _rows(lines: Iterable[str], source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of every row that is not blank; the separator is the header's."""
    iterator = iter(lines)
    header = next(iterator, "").removeprefix("\ufeff")
    separator = max(",;\t", key=header.count)
    reader = csv.reader(_chain(header, iterator), delimiter=separator)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise SeriesError(
            f"{source}: expected CSV text, found {error} in line {reader.line_num}; export the file again"
        ) from None


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if MIN_YEAR <= moment.year <= MAX_YEAR else None


def _add_cell(column: _Column, text: str, line: int) -> None:
    """Append a cell's number; NaN for an empty one, and a problem for one that is no number of at least 0."""
    text = text.strip()
    value = math.nan
    if text.lower() not in MISSING_WORDS:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= MAX_VALUE:
            column.problems.append(f"{text[:30]!r} in line {line}")
            value = math.nan
    column.values.append(value)


def _chosen(kind: str, wanted: str | None, names: tuple[str, ...], source: str) -> str:
    """Return the wanted name, or the only one; raises SeriesError that lists what there is."""
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return str(wanted)
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    found = "none given" if wanted is None else repr(wanted)
    raise SeriesError(f"{source}: expected a {kind} out of {shown}, found {found}; choose one with --{kind}")


def _listed(problems: list[str]) -> str:
    more = f" and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
    return ", ".join(problems[:SHOWN_PROBLEMS]) + more


def _localised(stamps: list[datetime], timezone: str, source: str) -> list[datetime]:
    """Give local clock times their zone: in the repeated autumn hour the first row is summer time, the second not."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SeriesError(
            f"{source}: expected a time zone such as Europe/Berlin, found {timezone!r}; use a tz database name"
        ) from None
    if any(stamp.tzinfo for stamp in stamps):
        return stamps  # some have a zone of their own: series_from_stamps refuses the mixture
    seen: set[datetime] = set()
    placed, impossible = [], []
    for stamp in stamps:
        local = stamp.replace(tzinfo=zone, fold=int(stamp in seen))
        seen.add(stamp)
        if local.fold and local.utcoffset() == local.replace(fold=0).utcoffset():
            local = local.replace(fold=0)
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) != stamp:
            impossible.append(f"{stamp:%Y-%m-%d %H:%M}")
        placed.append(local)
    if impossible:
        raise SeriesError(
            f"{source}: expected local times that exist in {timezone}, found {_listed(impossible)}, skipped when clocks"
            " change; give the zone the file was written in"
        )
    return placed
