"""Questions to a real small warehouse, asked as portfolio_reader."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql

from forecaster.data import (
    HISTORY_DAYS,
    prices_paid,
    read_billed,
    read_by,
    read_histories,
    read_latest_run,
    read_parts,
    read_segments,
    read_span,
)
from forecaster.metrics import ALL, Segment
from forecaster.series import SeriesError
from warehouse.connection import READER, connect

Database = dict[str, str]
HOUR = timedelta(hours=1)


@pytest.fixture
def reader(small_warehouse: Database) -> Iterator[psycopg.Connection[Any]]:
    with connect(user=READER, autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(small_warehouse: Database) -> Iterator[psycopg.Connection[Any]]:
    with connect(autocommit=True) as connection:
        yield connection


def one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_history_of_all_traffic_sums_to_what_the_mart_holds(reader: psycopg.Connection[Any]) -> None:
    span = read_span(reader)
    assert span is not None
    history = read_histories(reader, span, [ALL])[ALL]
    assert len(history.values["requests"]) == (span.ends_at - span.starts_at) / HOUR
    total = f"from public_marts.usage_hourly where hour_at < '{span.ends_at}'"
    assert history.values["requests"].sum() == one(reader, f"select sum(requests) {total}")
    assert history.actual("tokens").sum() == one(reader, f"select sum(total_tokens) {total}")
    assert history.actual("cost_usd").sum() == pytest.approx(float(one(reader, f"select sum(cost_usd) {total}")))


def test_one_request_of_1970_makes_no_history_longer(
    owner: psycopg.Connection[Any], reader: psycopg.Connection[Any]
) -> None:
    columns = [
        name
        for (name,) in owner.execute(
            "select attname from pg_attribute where attrelid = 'public_marts.usage_hourly'::regclass"
            " and attnum > 0 and not attisdropped and attname <> 'hour_at'"
        )
    ]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    owner.execute(
        sql.SQL(
            "insert into public_marts.usage_hourly (hour_at, {0})"
            " select '1970-01-01Z', {0} from public_marts.usage_hourly limit 1"
        ).format(names)
    )
    span = read_span(reader)
    assert span is not None and span.starts_at.year == 1970
    histories = read_histories(reader, span, read_segments(reader, span))
    assert 0 < max(len(history.values["requests"]) for history in histories.values()) <= HISTORY_DAYS * 24


def test_hours_without_requests_are_zero_and_those_without_token_counts_missing(
    reader: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    span = read_span(reader)
    assert span is not None
    begin = read_histories(reader, span, [ALL])[ALL].starts_at
    owner.execute("delete from public_marts.usage_hourly where hour_at = %s", [begin + 30 * HOUR])
    owner.execute(
        "update public_marts.usage_hourly set input_uncached_tokens = null, output_tokens = null,"
        " hour_at = hour_at where hour_at >= %s and hour_at < %s",
        [begin + 40 * HOUR, begin + 60 * HOUR],
    )
    history = read_histories(reader, span, [ALL])[ALL]
    assert history.values["requests"][30] == 0 and history.values["input_tokens"][30] == 0
    busy = history.values["requests"][40:60] > 0
    assert busy.any()
    assert np.isnan(history.values["input_tokens"][40:60][busy]).all()


def test_segments_start_with_all_traffic_and_list_models_by_requests(reader: psycopg.Connection[Any]) -> None:
    span = read_span(reader)
    assert span is not None
    segments = read_segments(reader, span)
    assert segments[0] == ALL
    assert [segment.kind for segment in segments if segment.kind == "source"] == []
    models = [segment for segment in segments if segment.kind == "model"]
    counts = [read_histories(reader, span, [model])[model].values["requests"].sum() for model in models]
    assert counts == sorted(counts, reverse=True)


def test_companies_add_up_to_their_requests(reader: psycopg.Connection[Any]) -> None:
    span = read_span(reader)
    assert span is not None
    company = next(segment for segment in read_segments(reader, span) if segment.kind == "company")
    history = read_histories(reader, span, [company])[company]
    query = "select count(*) from public_marts.reported_requests where company_name = %s and requested_at < %s"
    counted = reader.execute(f"{query} and requested_at >= %s", [company.name, span.ends_at, span.starts_at]).fetchone()
    assert counted == (history.values["requests"].sum(),)


def test_parts_of_a_segment_add_up_to_it(reader: psycopg.Connection[Any]) -> None:
    span = read_span(reader)
    assert span is not None
    since = span.ends_at - 96 * HOUR
    by_model, by_company = (read_parts(reader, ALL, by, "tokens", since, span.ends_at) for by in ("model", "company"))
    assert sum(by_model.values()).sum() == sum(by_company.values()).sum() > 0  # type: ignore[union-attr]
    assert {len(values) for values in by_model.values()} == {96}


def test_a_last_hour_that_is_cut_off_does_not_count(
    reader: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    span = read_span(reader)
    assert span is not None
    last = one(reader, "select max(hour_at) from public_marts.usage_hourly")
    owner.execute(
        "update public_marts.usage_hourly set requests = 100000 where hour_at between %s and %s",
        [last - 7 * 24 * HOUR, last - HOUR],
    )
    cut = read_span(reader)
    newest = one(reader, "select max(requested_at) from public_marts.reported_requests")
    assert newest < last + HOUR - timedelta(minutes=3)
    assert cut is not None and cut.ends_at == last


def test_billed_cost_of_a_model_is_its_sum(reader: psycopg.Connection[Any]) -> None:
    span = read_span(reader)
    assert span is not None
    model = next(segment for segment in read_segments(reader, span) if segment.kind == "model")
    wanted = reader.execute(
        "select sum(cost_usd)::float8 from public_marts.usage_hourly where model_name = %s and hour_at >= %s",
        [model.name, span.ends_at - 48 * HOUR],
    ).fetchone()
    assert wanted is not None
    assert read_billed(reader, model, span.ends_at - 48 * HOUR, span.ends_at + HOUR) == pytest.approx(wanted[0] or 0)


def test_prices_paid_reproduce_what_was_billed() -> None:
    usage = np.array([[2e6, 1e6, 3.0, 1.0, 2.0], [1e6, 1e6, 6.0, 5.0, 10.0]])
    prices = prices_paid(usage)
    assert prices is not None
    assert 3e6 * prices.input_usd + 2e6 * prices.output_usd == pytest.approx(9.0)
    assert prices.output_usd > prices.input_usd


def test_prices_without_a_list_price_are_the_same_for_every_token() -> None:
    prices = prices_paid(np.array([[6e5, 4e5, 2.0, 0.0, 0.0]]))
    assert prices is not None
    assert prices.input_usd == prices.output_usd == pytest.approx(2e-6)
    assert prices_paid(np.zeros((1, 5))) is None


def test_segment_without_traffic_has_no_history(reader: psycopg.Connection[Any]) -> None:
    span = read_span(reader)
    assert span is not None
    assert read_histories(reader, span, [Segment("model", "none of this name")]) == {}


def test_empty_warehouse_says_what_fills_it(reader: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    owner.execute("truncate public_marts.usage_hourly")
    assert read_span(reader) is None
    with pytest.raises(SeriesError, match=r"found none; run `make pipeline`"):
        read_by(reader, "model")


def test_warehouse_without_runs_has_no_latest_run(reader: psycopg.Connection[Any]) -> None:
    assert read_latest_run(reader) is None
