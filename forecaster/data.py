"""All SQL of the forecaster: hourly histories out of the marts, stored forecasts out of the schema forecast.

Functions take an open connection and know nothing of Streamlit; `cached.py` pools and caches for the app.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from forecaster.metrics import ALL, METRICS, History, Prices, Segment
from forecaster.outlook import SCORE_COLUMNS, Outlook
from forecaster.output import POINT_COLUMNS
from forecaster.series import NoUsage, SeriesError, Values

HISTORY_DAYS = 26 * 7  # what the daily totals of the forecast look at
PRICE_DAYS = 28
MOST_COMPANIES = 50
LEAST_IDLE = timedelta(minutes=3)
MOST_MISSING = 4.0  # requests usually seen in what a log lacks of its last hour: by chance 1 in 50 lack so many
HOUR = timedelta(hours=1)

_INPUT = """
case when num_nonnulls(input_uncached_tokens, cache_read_tokens, cache_write_tokens) > 0 then
    coalesce(input_uncached_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
end
"""
_OUTPUT = """
case when num_nonnulls(output_tokens, reasoning_tokens) > 0 then
    coalesce(output_tokens, 0) + coalesce(reasoning_tokens, 0)
end
"""
# Companies are in no hourly mart: theirs come from the requests themselves.
_NAME_COLUMNS = {
    "all": "'all'",
    "model": "model_name",
    "tier": "billing_tier",
    "source": "source",
    "company": "company_name",
}

KINDS = tuple(_NAME_COLUMNS)


@dataclass(frozen=True)
class Span:
    """The complete hours of data in the warehouse: the first one's start and the last one's end."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Run:
    """A stored run of the forecaster, see forecast.runs."""

    run_id: int
    as_of: datetime
    finished_at: datetime
    series_count: int
    fingerprint: str


def read_span(connection: psycopg.Connection[Any]) -> Span | None:
    """Return the span of the data, None where there is none; a last hour that is cut off does not count."""
    row = connection.execute("select min(hour_at), max(hour_at) from public_marts.usage_hourly").fetchone()
    if row is None or row[0] is None:
        return None
    first, last = row
    newest = connection.execute(
        "select max(requested_at) from public_marts.reported_requests where requested_at >= %s", [last]
    ).fetchone()
    usual = connection.execute(
        "select coalesce(sum(requests), 0)::float8 / 7 from public_marts.usage_hourly where hour_at = any(%s)",
        [[last - timedelta(days=day) for day in range(1, 8)]],
    ).fetchone()
    idle = last + HOUR - newest[0] if newest and newest[0] else HOUR
    missing = (usual[0] if usual else 0.0) * (idle / HOUR)
    is_complete = idle <= LEAST_IDLE or missing <= MOST_MISSING
    return Span(first, last + HOUR if is_complete or first == last else last)


def read_segments(connection: psycopg.Connection[Any], span: Span) -> list[Segment]:
    """Return all traffic, models, tiers, sources (if several) and companies of the last 26 weeks, busiest first."""
    since = span.ends_at - timedelta(days=HISTORY_DAYS)
    found = [ALL]
    for kind in ("model", "tier", "source"):
        rows = connection.execute(
            sql.SQL(
                "select {0} from public_marts.usage_hourly where hour_at >= %s"
                " group by {0} order by sum(requests) desc, {0}"
            ).format(sql.Identifier(_NAME_COLUMNS[kind])),
            [since],
        ).fetchall()
        if kind != "source" or len(rows) > 1:
            found += [Segment(kind, name) for (name,) in rows]
    companies = connection.execute(
        "select company_name from public_marts.user_activity_daily where day_on >= %s"
        " group by company_name order by sum(requests) desc, company_name limit %s",
        [since.date(), MOST_COMPANIES],
    ).fetchall()
    return found + [Segment("company", name) for (name,) in companies]


def read_histories(
    connection: psycopg.Connection[Any], span: Span, segments: Iterable[Segment]
) -> dict[Segment, History]:
    """Return the last 26 weeks of each segment that has traffic in them; hours are 0 after its first one without."""
    since = max(span.starts_at, span.ends_at - timedelta(days=HISTORY_DAYS))
    names: dict[str, list[str]] = defaultdict(list)
    for segment in segments:
        names[segment.kind].append(segment.name)
    histories = {}
    for kind, wanted in names.items():
        rows = connection.execute(
            sql.SQL("""
                select
                    name,
                    hour_at,
                    sum(requests)::float8,
                    sum(input_tokens)::float8,
                    sum(output_tokens)::float8,
                    sum(cost_usd)::float8
                from ({}) as hours
                where name = any(%(names)s)
                group by name, hour_at
            """).format(_hours(kind)),
            {"names": wanted, "since": since, "until": span.ends_at},
        ).fetchall()
        prices = _read_prices(connection, kind, wanted, span)
        by_name: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for name, *row in rows:
            by_name[name].append(tuple(row))
        for name, own in by_name.items():
            segment = Segment(kind, name)
            histories[segment] = _history(segment, own, span, prices.get(name))
    return histories


def read_by(connection: psycopg.Connection[Any], kind: str) -> list[History]:
    """Return the histories of every segment of a kind, busiest first; raises SeriesError where there is no usage."""
    span = read_usage_span(connection)
    segments = [segment for segment in read_segments(connection, span) if segment.kind == kind]
    histories = read_histories(connection, span, segments)
    return [histories[segment] for segment in segments if segment in histories]


def read_usage_span(connection: psycopg.Connection[Any]) -> Span:
    """Return the span of the data; raises SeriesError without the table, NoUsage where it is empty."""
    missing = "forecast: expected hours of usage in public_marts.usage_hourly, found none; run `make pipeline` first"
    try:
        span = read_span(connection)
    except psycopg.errors.UndefinedTable:
        raise SeriesError(missing) from None
    if span is None:
        raise NoUsage(missing)
    return span


def read_billed(connection: psycopg.Connection[Any], segment: Segment, since: datetime, until: datetime) -> float:
    """Return what a segment has cost from `since` to `until`, USD as billed."""
    query = sql.SQL("select coalesce(sum(cost_usd), 0)::float8 from ({}) as hours where name = %(name)s")
    row = connection.execute(
        query.format(_hours(segment.kind)), {"name": segment.name, "since": since, "until": until}
    ).fetchone()
    return float(row[0]) if row else 0.0


def read_parts(
    connection: psycopg.Connection[Any], segment: Segment, by: str, metric: str, since: datetime, until: datetime
) -> dict[str, Values]:
    """Return hourly values of a segment's models or companies (`by`) from `since` to `until`, 0 where they had none."""
    measure = {
        "requests": sql.SQL("count(*)"),
        "cost_usd": sql.SQL("coalesce(sum(cost_usd), 0)"),
        "input_tokens": sql.SQL("coalesce(sum({}), 0)").format(sql.SQL(_INPUT)),
        "output_tokens": sql.SQL("coalesce(sum({}), 0)").format(sql.SQL(_OUTPUT)),
        "tokens": sql.SQL("coalesce(sum(total_tokens), 0)"),
    }[metric]
    rows = connection.execute(
        sql.SQL("""
            select {by}, hour_at, {measure}::float8
            from public_marts.reported_requests
            where requested_at >= %s and requested_at < %s and {segment} = %s
            group by {by}, hour_at
        """).format(by=sql.SQL(_NAME_COLUMNS[by]), segment=sql.SQL(_NAME_COLUMNS[segment.kind]), measure=measure),
        [since, until, segment.name],
    ).fetchall()
    hours = int((until - since) / HOUR)
    parts: dict[str, Values] = {}
    for name, hour_at, value in rows:
        parts.setdefault(name, np.zeros(hours))[int((hour_at - since) / HOUR)] = value
    return parts


def read_latest_run(connection: psycopg.Connection[Any]) -> Run | None:
    """Return the newest stored run, None where there is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        if cursor.execute("select to_regclass('forecast.accuracy') as view").fetchone() == {"view": None}:
            return None
        row = cursor.execute(
            "select run_id, as_of, finished_at, series_count, fingerprint from forecast.runs"
            " order by run_id desc limit 1"
        ).fetchone()
    return Run(**row) if row else None


def read_outlook(connection: psycopg.Connection[Any], run: Run, segment: Segment, metric: str) -> Outlook | None:
    """Return a stored forecast, None where the run has no such series."""
    key = [run.run_id, segment.kind, segment.name, metric]
    where = "where run_id = %s and segment_kind = %s and segment = %s and metric = %s"
    with connection.cursor(row_factory=dict_row) as cursor:
        series = cursor.execute(
            f"select * from forecast.series {where}",  # noqa: S608 (a constant)
            key,
        ).fetchone()
        if series is None:
            return None
        points = cursor.execute(f"select * from forecast.points {where} order by kind, starts_at", key).fetchall()  # noqa: S608
        scores = cursor.execute(
            f"select * from forecast.backtests {where} order by first_lead, last_lead, relative_mae nulls last, mae",  # noqa: S608
            key,
        ).fetchall()
    table = pd.DataFrame(points, columns=[*POINT_COLUMNS])
    table["starts_at"] = pd.to_datetime(table["starts_at"], utc=True)
    paths = series["daily_paths"]
    return Outlook(
        segment=segment,
        metric=METRICS[metric],
        as_of=run.as_of,
        history_starts_at=series["history_starts_at"],
        state=series["state"],
        notes=tuple(series["notes"]),
        is_fallback=series["is_fallback"],
        points=table,
        scores=pd.DataFrame(scores, columns=[*SCORE_COLUMNS]),
        marks=series["marks"],
        paths=None if paths is None else np.array(paths, dtype=np.float64),
    )


def read_accuracy(connection: psycopg.Connection[Any], segment: Segment, metric: str) -> pd.DataFrame:
    """Return forecast.accuracy of a series, newest first: what past runs said about hours that have happened since."""
    cursor = connection.execute(
        "select run_id, as_of, starts_at, lead_hours, forecast, actual, low_80, high_80, low_95, high_95,"
        " is_inside_80, is_inside_95"
        " from forecast.accuracy where segment_kind = %s and segment = %s and metric = %s"
        " order by starts_at desc, run_id desc limit 20000",
        [segment.kind, segment.name, metric],
    )
    columns = [column.name for column in cursor.description or ()]
    table = pd.DataFrame(cursor.fetchall(), columns=columns)
    for column in ("as_of", "starts_at"):
        table[column] = pd.to_datetime(table[column], utc=True)
    return table


def _hours(kind: str) -> sql.Composed:
    """Return a query of name, model, hour and measures between the parameters `since` and `until`."""
    is_company = kind == "company"
    return sql.SQL("""
        select {name} as name, model_name, hour_at, {requests} as requests,
            {input} as input_tokens, {output} as output_tokens, cost_usd
        from {relation}
        where {time} >= %(since)s and {time} < %(until)s
    """).format(
        name=sql.SQL(_NAME_COLUMNS[kind]),
        requests=sql.SQL("1" if is_company else "requests"),
        input=sql.SQL(_INPUT),
        output=sql.SQL(_OUTPUT),
        relation=sql.Identifier("public_marts", "reported_requests" if is_company else "usage_hourly"),
        time=sql.Identifier("requested_at" if is_company else "hour_at"),
    )


def _read_prices(connection: psycopg.Connection[Any], kind: str, names: Sequence[str], span: Span) -> dict[str, Prices]:
    """Return what the tokens of each segment cost in the last 28 days, list prices scaled to what was billed."""
    rows = connection.execute(
        sql.SQL("""
            with usage as (

                select
                    name,
                    model_name,
                    sum(input_tokens)::float8 as input_tokens,
                    sum(output_tokens)::float8 as output_tokens,
                    sum(cost_usd)::float8 as cost_usd
                from ({}) as hours
                where name = any(%(names)s) and cost_usd is not null
                group by name, model_name

            )

            select
                usage.name,
                coalesce(usage.input_tokens, 0),
                coalesce(usage.output_tokens, 0),
                usage.cost_usd,
                coalesce(models.input_usd_per_mtok, 0)::float8,
                coalesce(models.output_usd_per_mtok, 0)::float8
            from usage
            left join public_star.dim_models as models on usage.model_name = models.model_name
        """).format(_hours(kind)),
        {"names": list(names), "since": span.ends_at - timedelta(days=PRICE_DAYS), "until": span.ends_at},
    ).fetchall()
    by_name: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for name, *figures in rows:
        by_name[name].append(tuple(figures))
    return {name: found for name, own in by_name.items() if (found := prices_paid(np.array(own))) is not None}


def prices_paid(usage: Values) -> Prices | None:
    """Return mean prices per token from rows of (input, output tokens, billed USD, list USD per million in, out).

    They reproduce what was billed: failed requests and cached tokens cost less than the list says. Without a list price
    every token costs the same. None without tokens.
    """
    tokens_in, tokens_out, billed, price_in, price_out = usage.T
    listed_in, listed_out = float((tokens_in * price_in).sum()), float((tokens_out * price_out).sum())
    listed = (listed_in + listed_out) / 1e6
    if listed > 0:
        ratio = float(billed.sum()) / listed / 1e6
        return Prices(
            ratio * listed_in / max(float(tokens_in.sum()), 1.0), ratio * listed_out / max(float(tokens_out.sum()), 1.0)
        )
    tokens = float(tokens_in.sum() + tokens_out.sum())
    return Prices(float(billed.sum()) / tokens, float(billed.sum()) / tokens) if tokens else None


def _history(segment: Segment, rows: Sequence[tuple[Any, ...]], span: Span, prices: Prices | None) -> History:
    """Put rows (hour, requests, input, output, cost; any order) on a time axis from the first one to the span's end."""
    first = min(row[0] for row in rows)
    hours = int((span.ends_at - first) / HOUR)
    values = {name: np.zeros(hours) for name in ("requests", "input_tokens", "output_tokens", "cost_usd")}
    for hour_at, *figures in rows:
        at = int((hour_at - first) / HOUR)
        for name, figure in zip(values, figures, strict=True):
            values[name][at] = math.nan if figure is None else figure
    return History(segment, first, values, prices)
