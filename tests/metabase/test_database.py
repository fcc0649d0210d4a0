"""Cards on a real PostgreSQL: the linter names what is wrong, the export and Metabase's path give the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from jsonschema import Draft202012Validator

from metabase import export, lint
from metabase.client import MetabaseError
from metabase.definitions import read_schema
from metabase.reader import QueryFailed, fetch, reading
from metabase.spec import Dashboard, DefinitionError
from tests.metabase.double.warehouse import PostgresWarehouse
from tests.metabase.harness import THEME, Lab, board, card, define
from tests.metabase.paths import compare_both_paths

TABLES = """
set role portfolio_owner;
create table public_marts.usage_daily (usage_on date, billing_tier text, request_count bigint, cost_usd numeric(14, 6));
insert into public_marts.usage_daily
select date '2025-01-01' + day, tier, 10 * day + 1, case when day = 3 then null else day * 1.25 end
from generate_series(0, 9) as day, unnest(array['free', 'pro']) as tier;
create table public_star.fct_demo (request_id bigint primary key, requested_at timestamptz, latency_ms int);
insert into public_star.fct_demo select n, now(), n from generate_series(1, 100) as n;
"""
LINE = {"type": "line", "x": "usage_on", "y": ["cost_usd"]}
DAILY = """\
select usage_on, sum(cost_usd) as cost_usd
from public_marts.usage_daily
where usage_on > (select max(usage_on) from public_marts.usage_daily) - {{days}} [[and billing_tier in ({{tier}})]]
group by usage_on
order by usage_on"""
FILTERS = {
    "days": {"name": "Period", "type": "number", "values": [3, 30], "default": 30},
    "tier": {"name": "Tier", "type": "text", "values": ["free", "pro"]},
    "since": {"name": "Since", "type": "date", "default": "2025-01-05"},
}
TAGS = {"days": "number", "tier": "text"}


@pytest.fixture
def marts(database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the variables of a database with a small mart and a small fact, and make them the environment's."""
    for name, value in database.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("") as connection:
        connection.execute(TABLES)
    return database


def good() -> tuple[Dashboard, ...]:
    since = "select count(*) as request_count from public_marts.usage_daily where usage_on >= {{since}}"
    bars = {"type": "bar", "x": "usage_on", "y": ["request_count"], "series": "billing_tier", "values": ["free", "pro"]}
    bars_sql = "select usage_on, billing_tier, request_count from public_marts.usage_daily order by 1, 2"
    table = {"type": "table", "columns": ["billing_tier", "is_paid", "updated_at"]}
    table_sql = """select billing_tier, billing_tier <> 'free' as is_paid, timestamptz '2025-01-01 12:00+02' updated_at
from public_marts.usage_daily group by 1 order by 1 -- the end; of it"""
    return define(
        demo=board(
            card("since", {"type": "scalar", "y": "request_count"}, sql=since, tags={"since": "date"}),
            card("daily", LINE, sql=DAILY, tags=TAGS),
            card("tiers", bars, sql=bars_sql),
            card("list", table, sql=table_sql),
            filters=FILTERS,
        )
    )


def problems(*cards: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        lint.check_database(define(demo=board(*cards, **more)), runs=1)
    return [str(problem) for problem in caught.value.problems]


def test_lint_accepts_good_cards(marts: dict[str, str]) -> None:
    lint.check_database(good(), runs=2, budget_factor=1000)


@pytest.mark.parametrize(
    "chart, sql, told",
    [
        ({"type": "scalar", "y": "n"}, "select 1 as m", "expected its SQL to return 'n', found m"),
        ({"type": "scalar", "y": "n"}, "select 1 as n from gone", 'found: relation "gone" does not exist'),
        ({"type": "scalar", "y": "n"}, "select 1 as n from raw_staging.users", "permission denied"),
        ({"type": "scalar", "y": "n"}, "select 'x' as n", "expected a number to draw, found text"),
        ({"type": "scalar", "y": "n"}, "select 1 as n union all select 2", "expected one row for a scalar, found 2"),
        (LINE, "select 'x' as usage_on, 1 as cost_usd", "for format 'date', found text"),
        ({"type": "trend", "x": "n", "y": "n"}, "select 1 as n", "expected a date for a trend, found int4"),
        (
            {"type": "matrix", "x": "a", "series": "b", "y": "n"},
            "select 1 as a, 2 as b, 3 as n, 4 as c",
            "expected exactly three columns for a matrix, found a, b, n, c",
        ),
        (
            {"type": "bar", "x": "day", "y": ["n"], "series": "tier", "values": ["free"]},
            "select 1 as day, billing_tier as tier, 1 as n from public_marts.usage_daily",
            "expected only series out of 'values', found pro; add them",
        ),
        (
            {"type": "table", "columns": ["n"]},
            "select n from generate_series(1, 2001) as n",
            "expected at most 2000 rows, which Metabase shows, found 2001",
        ),
        (
            {"type": "scalar", "y": "n"},
            "select count(*) as n from public_star.fct_demo",
            "expected a mart, or an index with a condition, found a scan of all of public_star.fct_demo",
        ),
    ],
)
def test_lint_names_what_is_wrong(marts: dict[str, str], chart: dict[str, Any], sql: str, told: str) -> None:
    found = problems(card("a", chart, sql=sql))
    assert len(found) == 1
    assert told in found[0]


def test_lint_reports_all_cards_and_the_line_of_an_error(marts: dict[str, str]) -> None:
    found = problems(card("a", sql="select 1 as n\nfrom gone"), card("b", sql="select 1 as m"))
    assert [each.split(": ")[0] for each in found] == ["cards/demo/a.sql:2", "dashboards/demo.yml:8"]


def test_lint_accepts_an_index_with_a_condition(marts: dict[str, str]) -> None:
    sql = "select latency_ms as n from public_star.fct_demo where request_id = 7"
    lint.check_database(define(demo=board(card("a", sql=sql))))


def test_lint_runs_optional_clauses_too(marts: dict[str, str]) -> None:
    filters = {"tier": FILTERS["tier"]}
    found = problems(
        card("a", sql="select 1 as n [[from gone where x = {{tier}}]]", tags={"tier": "text"}), filters=filters
    )
    assert 'relation "gone" does not exist' in found[0]


def test_lint_measures_budgets(marts: dict[str, str]) -> None:
    sql = "select 1 as n from pg_sleep(0.02)"
    found = problems(card("a", sql=sql, budget_ms=5))
    assert "expected a p95 of at most 5 ms over 1 runs, found" in found[0]
    lint.check_database(define(demo=board(card("a", sql=sql, budget_ms=5))), runs=1, budget_factor=1000)


def test_export_writes_what_the_schemas_say(marts: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "dashboards"
    export.write(good(), THEME, out)
    overview = json.loads((out / "dashboards.json").read_text("utf-8"))
    Draft202012Validator(read_schema("export")).validate(overview)
    cards = [item["card"] for item in overview["dashboards"][0]["tabs"][0]["items"]]
    for each in cards:
        Draft202012Validator(read_schema("card-data")).validate(json.loads((out / each["data"]).read_text("utf-8")))
    assert [each["key"] for each in cards] == ["since", "daily", "tiers", "list"]
    assert cards[2]["series"] == [
        {"name": "free", "title": "free", "color": "cyan"},
        {"name": "pro", "title": "pro", "color": "green"},
    ]
    daily = json.loads((out / "demo" / "daily.json").read_text("utf-8"))
    assert [each["values"] for each in daily["variants"]] == [
        {"days": days, "tier": tier} for days in (3, 30) for tier in (None, "free", "pro")
    ]
    assert daily["default"] == 3
    assert daily["variants"][4]["rows"][2:5] == [["2025-01-03", 2.5], ["2025-01-04", None], ["2025-01-05", 5]]
    listed = json.loads((out / "demo" / "list.json").read_text("utf-8"))
    assert listed["columns"] == [
        {"name": "billing_tier", "type": "text"},
        {"name": "is_paid", "type": "boolean"},
        {"name": "updated_at", "type": "time"},
    ]
    assert listed["variants"][0]["rows"][0] == ["free", False, "2025-01-01T10:00:00+00:00"]


def test_export_twice_gives_the_same_bytes_and_replaces_old_files(marts: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "dashboards"
    export.write(good(), THEME, out)
    before = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.json")}
    (out / "demo" / "left.json").write_text("{}")
    export.write(good(), THEME, out)
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*.json")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["dashboards"]


def test_failed_export_leaves_the_old_one(marts: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "dashboards"
    export.write(good(), THEME, out)
    with pytest.raises(MetabaseError, match=r"card demo/a: expected rows, found: relation .gone. does not exist"):
        export.write(define(demo=board(card("a", sql="select 1 as n from gone"))), THEME, out)
    assert (out / "demo" / "daily.json").is_file()


def test_export_refuses_a_folder_of_somebody_else(marts: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear")
    with pytest.raises(MetabaseError, match="expected an export or nothing at"):
        export.write(good(), THEME, tmp_path)
    assert (tmp_path / "diary.txt").is_file()


def test_reader_cannot_write(marts: dict[str, str]) -> None:
    with reading() as connection, pytest.raises(QueryFailed, match="read-only transaction"):
        fetch(connection, "delete from public_marts.usage_daily")


@pytest.mark.parametrize("profile", ["v58", "v64", "v65"])
def test_metabase_and_export_show_the_same_rows(
    marts: dict[str, str], labs: Callable[..., Lab], tmp_path: Path, profile: str
) -> None:
    details = {"host": marts["PGHOST"], "port": int(marts["PGPORT"]), "dbname": marts["PGDATABASE"]}
    lab = labs(profile, warehouse=PostgresWarehouse()).changed(warehouse={**details, "user": "portfolio_reader"})
    compare_both_paths(lab, good(), tmp_path / "dashboards")
