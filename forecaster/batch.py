"""Forecast the warehouse: all traffic and its largest parts, every metric, as one run in the schema forecast.

Readers of those tables (dashboards, the site, the app's first paint) never wait for a fit. A run is one transaction;
one that would repeat the last one, same data and same code, is not made. The pipeline's lock is held while a batch
reads and while it writes, so that nobody replaces the models under its queries; nobody waits for its fits.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from tqdm import tqdm

from forecaster.data import Run, Span, read_histories, read_latest_run, read_segments, read_usage_span
from forecaster.forecast import Forecast, forecast
from forecaster.metrics import HORIZON_HOURS, METRICS, History, Segment, forecast_metric
from forecaster.outlook import SCORE_COLUMNS, Outlook, outlook_of
from forecaster.output import POINT_COLUMNS
from forecaster.series import HourlySeries, NoUsage, SeriesError
from warehouse.child import die_with_parent
from warehouse.connection import connect
from warehouse.lock import alone

TOP_MODELS = 4
TOP_COMPANIES = 2
KEPT_RUNS = 100
CODE = Path(__file__).resolve().parent
TABLES_FILE = CODE.parent / "loader" / "sql" / "06_forecasts.sql"
CODE_FILES = (
    "backtest",
    "daily",
    "forecast",
    "gaps",
    "intervals",
    "joint",
    "metrics",
    "models",
    "outlook",
    "output",
    "series",
)
KEYS = ("run_id", "segment_kind", "segment", "metric")
LIBRARIES = ("numpy", "scipy", "statsforecast", "statsmodels")


def run_batch(models: int = TOP_MODELS, companies: int = TOP_COMPANIES, workers: int | None = None) -> str:
    """Forecast what is in the warehouse and store it; return one line that says what was done.

    An empty warehouse has nothing to forecast and is no failure; what was forecast before, from requests that have been
    removed since, is deleted. Raises SeriesError where it was never built,
    WarehouseUnavailable without a server.
    """
    try:
        return _run_batch(models, companies, workers)
    except NoUsage:
        with connect(autocommit=True) as connection, alone(connection, "forecast"), connection.transaction():
            connection.execute("set local role portfolio_owner; delete from forecast.runs")
        return "batch: nothing to forecast yet: the warehouse holds no request"


def _run_batch(models: int, companies: int, workers: int | None) -> str:
    started = time.perf_counter()
    started_at = datetime.now(UTC)
    with connect(autocommit=True) as connection:
        with alone(connection, "forecast"), connection.transaction():
            create_tables(connection)
            span, histories = read_work(connection, models, companies)
            latest = read_latest_run(connection)
        seen = latest.run_id if latest else None
        fingerprint = fingerprint_of(histories)
        if latest and latest.fingerprint == fingerprint:
            return _up_to_date(latest, started)
        outlooks: list[Outlook] = []
        skipped: list[str] = []
        for found, reasons in outlooks_of(list(histories.values()), workers):
            outlooks += found
            skipped += reasons
        with alone(connection, "forecast"), connection.transaction():
            connection.execute("set local role portfolio_owner")
            latest = read_latest_run(connection)
            # Another batch was quicker, with the same data or with newer ones.
            if latest and (
                latest.fingerprint == fingerprint or (latest.run_id != seen and latest.as_of >= span.ends_at)
            ):
                return _up_to_date(latest, started)
            run_id = write_run(connection, span, started_at, fingerprint, outlooks)
            write_actuals(connection, histories)
            remove_old_runs(connection)
    for reason in skipped:
        print(f"batch: skipped: {reason}", file=sys.stderr)
    seconds = time.perf_counter() - started
    points = sum(len(one.points) for one in outlooks)
    return (
        f"batch: run {run_id}: {len(outlooks)} series from {span.ends_at:%Y-%m-%d %H:%M}Z, {points} points,"
        f" {len(skipped)} skipped; {seconds:.1f} s"
    )


def _up_to_date(run: Run, started: float) -> str:
    said = f"run {run.run_id}: {run.series_count} series from {run.as_of:%Y-%m-%d %H:%M}Z"
    return f"batch: {said} is up to date; {time.perf_counter() - started:.1f} s"


def create_tables(connection: psycopg.Connection[Any]) -> None:
    """Create the tables and the view where absent (`loader init` does so, too), and go on as their owner."""
    statements = TABLES_FILE.read_text(encoding="utf-8")
    connection.execute(statements.encode())


def read_work(connection: psycopg.Connection[Any], models: int, companies: int) -> tuple[Span, dict[Segment, History]]:
    """Return the histories of all traffic, the busiest models and companies, and all tiers and sources."""
    span = read_usage_span(connection)
    most = {"model": models, "company": companies}
    chosen: list[Segment] = []
    for segment in read_segments(connection, span):
        if sum(one.kind == segment.kind for one in chosen) < most.get(segment.kind, 20):
            chosen.append(segment)
    return span, read_histories(connection, span, chosen)


def fingerprint_of(histories: Mapping[Segment, History]) -> str:
    """Return a hash of the histories, of the code that forecasts and of the libraries it calls."""
    digest = hashlib.sha256()
    for name in CODE_FILES:
        digest.update((CODE / f"{name}.py").read_bytes())
    digest.update(json.dumps({name: version(name) for name in LIBRARIES}).encode())
    for segment in sorted(histories):
        history = histories[segment]
        digest.update(f"{segment.key} {history.starts_at.timestamp()} {history.prices}".encode())
        for name in sorted(history.values):
            digest.update(np.ascontiguousarray(history.values[name]).tobytes())
    return digest.hexdigest()


def outlooks_of(histories: Sequence[History], workers: int | None) -> Iterator[tuple[list[Outlook], list[str]]]:
    """Forecast segments in processes (`workers` of them, None = one per core); yield results and what was skipped."""
    workers = workers or os.cpu_count() or 1
    progress = tqdm(total=len(histories), unit="segment", disable=None, delay=2)
    if workers == 1 or len(histories) == 1:
        for history in histories:
            yield segment_outlooks(history)
            progress.update()
    else:
        spawn = get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(histories)), spawn, initializer=die_with_parent) as pool:
            for result in pool.map(segment_outlooks, histories):
                yield result
                progress.update()
    progress.close()


def segment_outlooks(history: History) -> tuple[list[Outlook], list[str]]:
    """Forecast every metric of a segment, each measure fitted once; return them, and why others are not there."""
    fitted: dict[str, Forecast] = {}

    def fit(series: HourlySeries) -> Forecast:
        if series.metric not in fitted:
            fitted[series.metric] = forecast(series, HORIZON_HOURS, history.segment.origins)
        return fitted[series.metric]

    found, skipped = [], []
    for metric in METRICS:
        try:
            found.append(outlook_of(history.segment, metric, forecast_metric(history, metric, fit)))
        except SeriesError as error:
            skipped.append(str(error))
    return found, skipped


def write_run(
    connection: psycopg.Connection[Any],
    span: Span,
    started_at: datetime,
    fingerprint: str,
    outlooks: Sequence[Outlook],
) -> int:
    """Write a run with all its tables; return its number."""
    row = connection.execute(
        "insert into forecast.runs (as_of, started_at, horizon_hours, series_count, fingerprint)"
        " values (%s, %s, %s, %s, %s) returning run_id",
        [span.ends_at, started_at, HORIZON_HOURS, len(outlooks), fingerprint],
    ).fetchone()
    run_id = int(row[0]) if row else 0
    series = ("state", "notes", "is_fallback", "history_starts_at", "marks", "daily_paths")
    copy_rows(connection, "series", KEYS + series, [(*_key(run_id, one), *_series_row(one)) for one in outlooks])
    points = [(*_key(run_id, one), *row) for one in outlooks for row in _records(one.points)]
    copy_rows(connection, "points", KEYS + POINT_COLUMNS, points)
    scores = [(*_key(run_id, one), *row) for one in outlooks for row in _records(one.scores)]
    copy_rows(connection, "backtests", KEYS + SCORE_COLUMNS, scores)
    return run_id


def copy_rows(
    connection: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Append rows to a table of the schema forecast."""
    statement = sql.SQL("copy forecast.{} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def write_actuals(connection: psycopg.Connection[Any], histories: Mapping[Segment, History]) -> None:
    """Copy what happened in the hours that earlier runs had forecast, so that forecast.accuracy can compare."""
    row = connection.execute("select min(as_of) from forecast.runs").fetchone()
    if row is None or row[0] is None:
        return
    rows = [
        (segment.kind, segment.name, metric, history.starts_at + timedelta(hours=hour), float(values[hour]))
        for segment, history in histories.items()
        for metric in METRICS
        for values in (history.actual(metric),)
        for hour in range(max(int((row[0] - history.starts_at) / timedelta(hours=1)), 0), len(values))
        if np.isfinite(values[hour])
    ]
    # `happened` lasts as long as the transaction; rows of the same hours from before are corrected, not repeated.
    connection.execute("create temporary table happened (like forecast.actuals) on commit drop")
    with connection.cursor() as cursor, cursor.copy("copy happened from stdin") as copy:
        for one in rows:
            copy.write_row(one)
    connection.execute(
        "insert into forecast.actuals select * from happened"
        " on conflict (segment_kind, segment, metric, starts_at) do update set actual = excluded.actual"
        " where actuals.actual <> excluded.actual"
    )


def remove_old_runs(connection: psycopg.Connection[Any]) -> None:
    """Keep the newest runs only, with everything that hangs on them."""
    connection.execute(
        "delete from forecast.runs where run_id <= (select max(run_id) from forecast.runs) - %s", [KEPT_RUNS]
    )


def _key(run_id: int, outlook: Outlook) -> list[Any]:
    return [run_id, outlook.segment.kind, outlook.segment.name, outlook.metric.name]


def _records(table: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a table, NULL for what is missing."""
    for row in table.itertuples(index=False, name=None):
        yield tuple(None if pd.isna(cell) else cell for cell in row)


def _series_row(outlook: Outlook) -> list[Any]:
    """Return a row of forecast.series; paths are kept for cost only, which is what budgets ask about."""
    is_cost = outlook.metric.name == "cost_usd" and outlook.paths is not None
    paths = np.round(outlook.paths, 6).tolist() if is_cost and outlook.paths is not None else None
    return [
        outlook.state,
        list(outlook.notes),
        outlook.is_fallback,
        outlook.history_starts_at,
        Jsonb(outlook.marks),
        paths,
    ]
