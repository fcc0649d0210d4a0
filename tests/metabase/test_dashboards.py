"""The six dashboards of the repository: well-formed, answered by the marts, equal to the fact and in both paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from metabase import lint
from metabase.definitions import FOLDER, read_dashboards
from metabase.reader import card_sql, default_values, fetch, reading, with_present_values
from metabase.spec import MAX_CARDS, Card, Dashboard
from tests.metabase.double.warehouse import PostgresWarehouse
from tests.metabase.harness import THEME, Lab
from tests.metabase.paths import compare_both_paths

KEYS = [
    "executive-summary",
    "model-performance",
    "customer-analytics",
    "reliability-and-safety",
    "usage-explorer",
    "data-quality",
]
STORED_FORECAST = """
    with run as (
        insert into forecast.runs (as_of, started_at, horizon_hours, series_count, fingerprint)
        values ('2026-01-01 00:00+00', now(), 960, 1, %(usd)s::text) returning run_id
    ),

    series as (
        insert into forecast.series (
            run_id, segment_kind, segment, metric, state, notes, is_fallback, history_starts_at, marks
        )
        select run_id, 'all', 'all', 'cost_usd', 'calibrated', '{}', false, now(), '[]' from run returning run_id
    )

    insert into forecast.points
    select
        run_id, 'all', 'all', 'cost_usd', case when day < 7 then 'total_24h' else 'daily_total' end,
        '2026-01-01 00:00+00'::timestamptz + day * interval '24 hours', 24,
        %(usd)s, %(usd)s, %(usd)s, %(usd)s, %(usd)s, null, null, 0
    from series cross join generate_series(0, 39) as day"""
LAST_DAY = "(select max(requested_at at time zone 'UTC')::date from public_star.fct_api_requests)"
PERIOD = f"(requested_at at time zone 'UTC')::date > {LAST_DAY} - %(days)s"
MONTH = (
    f"date_trunc('month', requested_at at time zone 'UTC') = date_trunc('month', {LAST_DAY} + 1 - interval '1 month')"
)
FACT = "from public_star.fct_api_requests"
TOTALS = {
    "executive-summary/spend-by-day": ("cost_usd", f"select sum(cost_usd) {FACT} where {PERIOD}"),
    "executive-summary/requests-by-day": ("requests", f"select count(*) {FACT} where {PERIOD}"),
    "executive-summary/tokens-by-day": ("output_tokens", f"select sum(completion_tokens) {FACT} where {PERIOD}"),
    "executive-summary/spend-by-provider": ("cost_usd", f"select sum(cost_usd) {FACT} where {PERIOD}"),
    "executive-summary/spend-by-model": ("cost_usd", f"select sum(cost_usd) {FACT} where {PERIOD}"),
    "model-performance/models": ("requests", f"select count(*) {FACT} where {PERIOD}"),
    "customer-analytics/activity-trend": ("users", "select count(*) from public_star.dim_users where user_id <> 0"),
    "customer-analytics/churn-risk": ("users", "select count(*) from public_star.dim_users where user_id <> 0"),
    "reliability-and-safety/status-mix": ("requests", f"select count(*) {FACT} where {PERIOD}"),
    "reliability-and-safety/failures-by-model": (
        "server_errors",
        f"select count(*) {FACT} where status_code >= 500 and {PERIOD}",
    ),
    "reliability-and-safety/failures-by-endpoint": (
        "rate_limited",
        f"select count(*) {FACT} where status_code = 429 and {PERIOD}",
    ),
    "usage-explorer/traffic": ("requests", f"select count(*) {FACT} where {PERIOD}"),
    "usage-explorer/tokens": ("input_tokens", f"select sum(prompt_tokens) {FACT} where {PERIOD}"),
    "usage-explorer/endpoints": ("requests", f"select count(*) {FACT} where {PERIOD}"),
    "usage-explorer/endpoints-and-models": ("requests", f"select count(*) {FACT} where {PERIOD}"),
    "usage-explorer/top-models": ("cost_usd", f"select sum(cost_usd) {FACT} where {PERIOD}"),
    "data-quality/unpriced-requests": ("unpriced_requests", f"select count(*) {FACT} where cost_usd is null"),
}
"""Cards whose rows add up to something the fact knows: the column, and the same number from the fact."""
SHARES = {
    "model-performance/error-ratio": f"select avg(is_error::int) {FACT} where {PERIOD}",
    "model-performance/rate-limited-ratio": f"select avg(is_rate_limited::int) {FACT} where {PERIOD}",
    "reliability-and-safety/success-ratio": f"select avg((status_code < 400)::int) {FACT} where {PERIOD}",
    "reliability-and-safety/rate-limited-ratio": f"select avg((status_code = 429)::int) {FACT} where {PERIOD}",
    "reliability-and-safety/server-error-ratio": f"select avg((status_code >= 500)::int) {FACT} where {PERIOD}",
    "reliability-and-safety/flagged-ratio": f"select avg(is_flagged::int) {FACT} where {PERIOD}",
}
QUANTILES = {"model-performance/median-latency": 0.5, "model-performance/p95-latency": 0.95}
TRENDS = {
    "executive-summary/spend": f"select sum(cost_usd) {FACT} where {PERIOD}",
    "executive-summary/requests": f"select count(*) {FACT} where {PERIOD}",
    "executive-summary/tokens": f"select sum(total_tokens) {FACT} where {PERIOD}",
}


@pytest.fixture(scope="module")
def dashboards() -> tuple[Dashboard, ...]:
    return read_dashboards(FOLDER, THEME)


@pytest.fixture
def warehouse(warehouse_database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the variables of a modelled warehouse, and make them the environment's."""
    for name, value in warehouse_database.items():
        monkeypatch.setenv(name, value)
    return warehouse_database


def by_address(dashboards: tuple[Dashboard, ...]) -> dict[str, tuple[Card, dict[str, Any]]]:
    return {card.address: (card, default_values(card, board.filters)) for board in dashboards for card in board.cards}


def test_the_six_dashboards_are_there_in_order(dashboards: tuple[Dashboard, ...]) -> None:
    assert [board.key for board in dashboards] == KEYS
    assert len(dashboards[4].tabs) == 6
    assert all(0 < len(board.cards) <= MAX_CARDS for board in dashboards)


def test_public_cards_show_no_names_of_people(dashboards: tuple[Dashboard, ...]) -> None:
    personal = [
        card.address for board in dashboards for card in board.cards if "full_name" in card.sql or "email" in card.sql
    ]
    assert personal == []


def test_cards_pass_the_linter_on_the_warehouse(warehouse: dict[str, str], dashboards: tuple[Dashboard, ...]) -> None:
    lint.check_database(dashboards)


def test_filters_offer_what_is_there(warehouse: dict[str, str], dashboards: tuple[Dashboard, ...]) -> None:
    def choices(key: str, filter_: str) -> tuple[Any, ...]:
        board = next(board for board in dashboards if board.key == key)
        with reading() as connection:
            return with_present_values(connection, board).filters[filter_].choices

    with psycopg.connect("", autocommit=True) as owner:
        providers = [name for (name,) in owner.execute("select distinct provider from public_star.dim_models")]
        assert set(choices("model-performance", "provider")) == {None, *providers} - {"unknown"}
        assert choices("usage-explorer", "tier") == (None, "free", "starter", "pro", "enterprise")
        owner.execute(
            "delete from public_marts.usage_daily where ctid not in (select ctid from public_marts.usage_daily limit 2)"
        )
        owner.execute(
            "update public_marts.usage_daily set provider = 'acme', billing_tier = 'unknown'"
            " where ctid = (select min(ctid) from public_marts.usage_daily)"
        )
        owner.execute(
            "update public_marts.usage_daily set provider = 'beta', billing_tier = 'pro' where provider <> 'acme'"
        )
        assert set(choices("model-performance", "provider")) == {None, "acme", "beta"}
        assert choices("usage-explorer", "tier") == (None, "pro", "unknown")
        owner.execute("delete from public_marts.usage_daily where provider = 'beta'")
        assert choices("model-performance", "provider") == choices("usage-explorer", "tier") == (None,)


def test_cards_equal_the_fact(warehouse: dict[str, str], dashboards: tuple[Dashboard, ...]) -> None:
    cards = by_address(dashboards)
    wrong = []
    with reading() as connection, psycopg.connect("") as owner:

        def expected(sql: str, address: str) -> Any:
            (row,) = owner.execute(sql, {"days": cards[address][1].get("days")}).fetchall()
            return row[0]

        def shown(address: str, column: str) -> list[Any]:
            result = fetch(connection, card_sql(*cards[address]))
            index = [name for name, _ in result.columns].index(column)
            return [row[index] for row in result.rows]

        for address, (column, sql) in TOTALS.items():
            total = sum(value for value in shown(address, column) if value is not None)
            if total != expected(sql, address):
                wrong.append(f"{address}: {total} instead of {expected(sql, address)}")
        for address, sql in TRENDS.items():
            last = shown(address, cards[address][0].chart["y"])[-1]
            if last != expected(sql, address):
                wrong.append(f"{address}: {last} instead of {expected(sql, address)}")
        for address, sql in SHARES.items():
            (share,) = shown(address, cards[address][0].chart["y"])
            if abs(share - expected(sql, address)) > Decimal("1e-12"):
                wrong.append(f"{address}: {share} instead of {expected(sql, address)}")
        for address, quantile in QUANTILES.items():
            (value,) = shown(address, cards[address][0].chart["y"])
            sql = f"select percentile_disc({quantile}) within group (order by latency_ms) {FACT} where {PERIOD}"
            if abs(value / expected(sql, address) - 1) > 0.03:
                wrong.append(f"{address}: {value} instead of {expected(sql, address)}")
    assert wrong == []


def test_largest_companies_equal_the_fact(warehouse: dict[str, str], dashboards: tuple[Dashboard, ...]) -> None:
    card, values = by_address(dashboards)["executive-summary/top-companies"]
    sql = f"""
        select users.company_name, count(*), sum(facts.cost_usd)
        from public_star.fct_api_requests as facts
        inner join public_star.dim_users as users on facts.user_key = users.user_key
        where {MONTH} group by 1 order by 3 desc nulls last, 1 limit 10"""
    with reading() as connection, psycopg.connect("") as owner:
        found = [row[:3] for row in fetch(connection, card_sql(card, values)).rows]
        assert found == owner.execute(sql).fetchall()


def test_budget_is_set_against_the_latest_forecast_of_the_month_to_come(
    warehouse: dict[str, str], dashboards: tuple[Dashboard, ...]
) -> None:
    card, values = by_address(dashboards)["executive-summary/spend-against-budget"]
    with reading() as connection, psycopg.connect("", autocommit=True) as owner:
        before = fetch(connection, card_sql(card, values)).rows
        for usd in (1, 2):  # the first run is not the latest
            owner.execute(STORED_FORECAST, {"usd": usd})
        connection.rollback()
        after = fetch(connection, card_sql(card, values)).rows
    assert {row[2] for row in before} == {0}
    assert after[:-1] == before
    assert after[-1][1:] == (0, 2 * 31)  # the data ends with December: all of January, nothing of February


def test_site_and_metabase_show_the_same_numbers(
    warehouse: dict[str, str], labs: Callable[..., Lab], dashboards: tuple[Dashboard, ...], tmp_path: Path
) -> None:
    details = {"host": warehouse["PGHOST"], "port": int(warehouse["PGPORT"]), "dbname": warehouse["PGDATABASE"]}
    lab = labs("v58", warehouse=PostgresWarehouse()).changed(warehouse={**details, "user": "portfolio_reader"})
    compare_both_paths(lab, dashboards, tmp_path / "dashboards", only_ends=True)
    overview = json.loads((tmp_path / "dashboards" / "dashboards.json").read_text("utf-8"))
    titles = {
        item["card"]["title"]
        for board in overview["dashboards"]
        for tab in board["tabs"]
        for item in tab["items"]
        if item["kind"] == "card"
    }
    admin = lab.admin()
    assert titles == {card["name"] for card in admin.get("/api/card", params={"f": "all"}).json()}
