"""The marts: days of any time zone, merged percentiles, rebuilt periods, users that logs do not name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

Environment = dict[str, str]
MARTS = {
    "activation_funnel", "company_usage_monthly", "engagement_daily", "model_performance_daily",
    "model_performance_hourly", "retention_monthly", "sessions", "sessions_daily", "status_daily", "usage_daily",
    "usage_hourly", "user_activity_daily", "user_lifetime", "user_model_monthly", "user_subscriptions_monthly",
}  # fmt: skip


def build_marts(project: Any, *words: str) -> None:
    assert project.problems("run", "-s", "tag:marts", *words) == {}


def rows(connection: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def checksums(connection: psycopg.Connection) -> dict[str, tuple[Any, ...]]:
    return {
        mart: rows(
            connection,
            f"select count(*), sum(hashtextextended(mart::text, 0)::numeric) from public_marts.{mart} as mart",
        )[0]
        for mart in sorted(MARTS)
    }


def test_marts_state_their_grain_and_describe_every_column(project: Any) -> None:
    nodes = {n.name: n for n in project.manifest.nodes.values() if n.resource_type == "model" and "marts" in n.tags}
    assert set(nodes) == MARTS | {"reported_requests"}
    for name, node in nodes.items():
        assert node.description.startswith("One row per "), name
        assert node.config.contract.enforced, name
        assert all(column.description and column.data_type for column in node.columns.values()), name
        assert "core" not in node.tags, name


def test_tests_of_marts_are_never_core(project: Any) -> None:
    marts = {f"model.tokenscope.{mart}" for mart in MARTS}
    tests = [
        n for n in project.manifest.nodes.values() if n.resource_type == "test" and marts & set(n.depends_on.nodes)
    ]
    assert len(tests) > 20
    assert [n.name for n in tests if "core" in n.tags] == []


def test_marts_refuse_a_second_row_of_a_grain(built: psycopg.Connection) -> None:
    unique = rows(
        built,
        "select relname from pg_index inner join pg_class on pg_class.oid = indrelid "
        "where indisunique and relnamespace = 'public_marts'::regnamespace",
    )
    # The rows of sessions are kept apart by assert_sessions_lie_apart.
    assert {name for (name,) in unique} == MARTS - {"sessions"}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_days_of_a_range_sum_to_the_range(
    built: psycopg.Connection, project: Any, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """The template was built in UTC, so this also shows that another zone rebuilds what was built before."""
    monkeypatch.setenv("REPORT_TZ", zone)
    build_marts(project)
    by_day: dict[date, list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    by_hour: dict[datetime, int] = defaultdict(int)
    for requested_at, cost_usd in rows(built, "select requested_at, cost_usd from public_star.fct_api_requests"):
        local = requested_at.astimezone(ZoneInfo(zone))
        by_day[local.date()][0] += 1
        by_day[local.date()][1] += cost_usd or 0
        by_hour[
            (requested_at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond))
        ] += 1
    measured = "sum(requests)::int, sum(cost_usd) from public_marts.{} group by day_on"
    for mart in ("usage_hourly", "usage_daily", "model_performance_hourly", "model_performance_daily"):
        found = {
            day: [requests, cost] for day, requests, cost in rows(built, f"select day_on, {measured.format(mart)}")
        }
        assert found == dict(by_day), mart
    hours = rows(built, "select hour_at, sum(requests)::int from public_marts.usage_hourly group by hour_at")
    assert {hour.astimezone(UTC): requests for hour, requests in hours} == {
        hour.astimezone(UTC): requests for hour, requests in by_hour.items()
    }
    whole = rows(built, "select count(*), sum(cost_usd) from public_star.fct_api_requests")[0]
    assert rows(built, "select sum(requests)::int, sum(cost_usd) from public_marts.company_usage_monthly")[0] == whole


def test_unknown_time_zone_is_named(built: psycopg.Connection, project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORT_TZ", "Mars/Olympus")
    before = checksums(built)
    messages = {result.node.name: str(result.message) for result in project.invoke("run", "-s", "tag:marts").results}
    assert 'time zone "Mars/Olympus" not recognized' in messages["reported_requests"]
    assert checksums(built) == before


def test_mart_is_not_built_from_a_view_in_another_time_zone(
    built: psycopg.Connection, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_TZ", "Asia/Kolkata")
    messages = {result.node.name: str(result.message) for result in project.invoke("run", "-s", "usage_daily").results}
    assert "expected reported_requests in the report time zone 'Asia/Kolkata'" in messages["usage_daily"]


@pytest.mark.parametrize("mart", ["model_performance_hourly", "model_performance_daily"])
def test_merged_percentiles_stay_within_the_documented_bound(built: psycopg.Connection, mart: str) -> None:
    quantiles = [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0]
    exact = built.execute(
        "select percentile_cont(%s::float8[]) within group (order by latency_ms) from public_star.fct_api_requests",
        [quantiles],
    ).fetchone()
    assert exact is not None
    merged = [
        built.execute(
            f"select public_marts.latency_quantile(sum(latency_histogram), %s) from public_marts.{mart}", [quantile]
        ).fetchone()[0]  # type: ignore[index]
        for quantile in quantiles
    ]
    assert merged == [pytest.approx(latency_ms, rel=0.031) for latency_ms in exact[0]]


def test_latency_functions_read_sums_of_histograms(built: psycopg.Connection) -> None:
    ends = "exp(0.03 * 5) - 0.001, exp(0.03 * 5) + 0.001"
    assert rows(built, "select public_marts.latency_quantile(null, 0.5), public_marts.latency_quantile(0, 0.5)") == [
        (None, None)
    ]
    buckets = rows(built, "select bucket, requests from public_marts.latency_buckets(3e50 + 2e50 + 7)")
    assert buckets == [(0, 7), (5, 5)]
    assert rows(built, f"select public_marts.latency_quantile(3e50, 1) between exp(0.12) and {ends.split(',')[1]}") == [
        (True,)
    ]
    with pytest.raises(psycopg.errors.RaiseException, match="expected a quantile from 0 to 1, found 95"):
        built.execute("select public_marts.latency_quantile(1, 95)")


def test_reader_can_call_the_latency_functions(built: psycopg.Connection) -> None:
    built.execute("set role portfolio_reader")
    assert rows(built, "select public_marts.latency_quantile(1, 0.5) > 0") == [(True,)]


def test_marts_are_left_alone_when_the_fact_did_not_change(built: psycopg.Connection, project: Any) -> None:
    files = (
        "select relname, relfilenode, pg_relation_size(oid) from pg_class where relname in ('usage_hourly', 'sessions')"
    )
    before = rows(built, files)
    versions = rows(built, "select max(xmin::text::bigint) from public_marts.sessions")
    build_marts(project)
    assert rows(built, files) == before
    assert rows(built, "select max(xmin::text::bigint) from public_marts.sessions") == versions


CHANGES = [
    # Requests vanish in the middle of a day, with them whole sessions and the ends of others.
    (
        "2025-06-10 09:30",
        "2025-06-10 16:45",
        "delete from public_star.fct_api_requests where {range} and latency_ms > 500",
    ),
    # Requests move by up to two hours, across midnight: sessions merge, split and change their day.
    (
        "2025-09-30 22:00",
        "2025-10-01 03:00",
        "update public_star.fct_api_requests set requested_at = "
        "least(requested_at + latency_ms * interval '3 seconds', timestamptz '2025-10-01 03:00+00') where {range}",
    ),
    # A burst of one user joins what were sessions of their own.
    (
        "2025-12-24 08:00",
        "2025-12-24 20:00",
        "update public_star.fct_api_requests set user_key = "
        "(select user_key from public_star.dim_users where user_id = 1) where {range}",
    ),
]


def test_rebuilt_periods_equal_a_full_refresh(built: psycopg.Connection, project: Any) -> None:
    for changed_from, changed_to, change in CHANGES:
        within = f"requested_at between timestamptz '{changed_from}+00' and timestamptz '{changed_to}+00'"
        assert built.execute(change.format(range=within)).rowcount > 0
        built.execute(
            "insert into ops.fact_changes (changed_from, changed_to) values (%s, %s)",
            [f"{changed_from}+00", f"{changed_to}+00"],
        )
    before = checksums(built)
    build_marts(project)
    rebuilt = checksums(built)
    unchanged = {mart for mart in MARTS if rebuilt[mart] == before[mart]}
    assert unchanged <= {"user_subscriptions_monthly", "retention_monthly", "activation_funnel"}
    build_marts(project, "--full-refresh")
    assert checksums(built) == rebuilt


def test_logs_without_users_leave_the_marts_about_users_alone(
    built: psycopg.Connection,
    project: Any,
    tmp_path: Path,
    server_env: Environment,
    run_command: Callable[..., Any],
) -> None:
    log = tmp_path / "trace.csv"
    log.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,4808,10\n2026-02-01 00:00:00,110,27\n")
    before = checksums(built)
    environment = {**server_env, "PGDATABASE": built.info.dbname}
    run_command("-m", "loader", "import", "--from", "azure-llm", log, env=environment)
    assert project.problems("build", "--exclude-resource-type", "unit_test") == {}
    after = checksums(built)
    about_users = {
        "activation_funnel", "engagement_daily", "retention_monthly", "sessions", "sessions_daily", "user_lifetime",
        "user_subscriptions_monthly",
    }  # fmt: skip
    assert {mart for mart in MARTS if after[mart] == before[mart]} == about_users
    unknown = "select month_on, users, active_users, requests, total_tokens, cost_usd, revenue_usd, unpriced_requests "
    assert rows(
        built, f"{unknown} from public_marts.company_usage_monthly where company_name = 'unknown' order by 1"
    ) == [
        (date(2023, 11, 1), 0, 0, 1, 4818, None, None, 1),
        (date(2026, 2, 1), 0, 0, 1, 137, None, None, 1),
    ]


BROKEN = {
    "assert_daily_sums_equal_fact": "update public_marts.usage_hourly set cost_usd = cost_usd + 0.000001 "
    "where ctid = (select min(ctid) from public_marts.usage_hourly where cost_usd is not null)",
    "assert_monthly_sums_equal_days": "update public_marts.company_usage_monthly set requests = requests + 1 "
    "where ctid = (select min(ctid) from public_marts.company_usage_monthly)",
    "assert_user_sums_agree": "update public_marts.user_lifetime set revenue_usd = revenue_usd + 1 where user_id = 1",
    "assert_sessions_lie_apart": "insert into public_marts.sessions select * from public_marts.sessions limit 1",
    "assert_latency_histograms_hold_every_latency": "update public_marts.model_performance_daily "
    "set latency_histogram = latency_histogram + 1 where day_on = '2025-06-10'",
    "assert_merged_percentiles_stay_within_bound": "update public_marts.model_performance_hourly "
    "set latency_histogram = latency_histogram * 1e20",
    "assert_active_users_nest": "update public_marts.engagement_daily set daily_active_users = weekly_active_users + 1 "
    "where day_on = '2025-06-10'",
    "assert_funnel_steps_never_rise": "update public_marts.activation_funnel set users = signed_up_users + 1 "
    "where step_number = 5",
}  # fmt: skip


def test_singular_tests_of_marts_see_broken_rows(built: psycopg.Connection, project: Any, repo_root: Path) -> None:
    names = {path.stem for path in (repo_root / "dbt_project" / "tests" / "marts").glob("*.sql")}
    assert set(BROKEN) == names
    for statement in BROKEN.values():
        assert built.execute(statement).rowcount > 0
    assert project.problems("test", "-s", *names) == dict.fromkeys(names, "fail")
