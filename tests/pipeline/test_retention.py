"""Requests older than RETENTION_MONTHS leave the warehouse; their daily sums stay, and every rule still holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline import retention, steps
from tests.pipeline.conftest import Stack, make_stack

pytestmark = pytest.mark.timeout(1800)  # builds on a busy machine; a limit for what hangs
NOW = datetime(2026, 1, 10, 3, 15, tzinfo=UTC)  # the generated year is 2025
SUMS = "select count(*), sum({}), sum(cost_usd), sum(total_tokens) from {}"


@pytest.mark.parametrize(
    ("now", "months", "zone", "cutoff"),
    [
        ("2026-01-10T03:15", 3, "UTC", "2025-10-01T00:00+00:00"),
        ("2026-11-30T23:30", 12, "UTC", "2025-11-01T00:00+00:00"),
        ("2026-11-30T23:30", 12, "Europe/Berlin", "2025-12-01T00:00+01:00"),
        ("2026-07-15T00:00", 1, "America/New_York", "2026-06-01T00:00-04:00"),
    ],
)
def test_current_month_and_those_before_it_are_kept(now: str, months: int, zone: str, cutoff: str) -> None:
    found = retention.cutoff_of(datetime.fromisoformat(now).replace(tzinfo=UTC), months, ZoneInfo(zone))
    assert found == datetime.fromisoformat(cutoff)


@pytest.fixture(scope="module")
def aged(
    databases: Any, warehouse_template: dict[str, str], repo_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Return a stack with a year of requests."""
    database = databases.create(warehouse_template["PGDATABASE"])
    yield make_stack(tmp_path_factory.mktemp("stack"), database, repo_root)
    databases.drop(database)


def drop(stack: Stack, monkeypatch: pytest.MonkeyPatch, **settings: str) -> str:
    for name, value in stack.environment(**settings).items():
        monkeypatch.setenv(name, value)
    return retention.drop_old_months(stack.settings(**settings), NOW)


def test_nothing_is_dropped_unless_asked_for(aged: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "everything is kept" in drop(aged, monkeypatch)


def test_old_requests_leave_and_every_rule_holds(aged: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    day_sums = SUMS.format("requests", "public_marts.usage_daily")
    before = aged.rows(day_sums)
    old = aged.rows(day_sums + " where day_on < '2025-10-01'")
    said = drop(aged, monkeypatch, RETENTION_MONTHS="3")
    assert "before 2025-10-01 00:00 UTC" in said and "18 monthly partitions dropped" in said
    for table in ("raw_staging.api_requests", "public_star.fct_api_requests", "public_snowflake.fct_api_requests_sf"):
        ((first, rows),) = aged.rows(f"select min(requested_at), count(*) from {table}")
        assert first >= datetime(2025, 10, 1, tzinfo=UTC) and rows > 0, table
    settings = aged.settings(RETENTION_MONTHS="3")
    build = steps.dbt(settings, settings.data / "dbt_target", "build", "--exclude-resource-type", "unit_test")
    steps.run_program("dbt-build", build)  # the models and all of their tests
    archived = aged.rows(SUMS.format("requests", "public_marts.usage_daily_archive"))
    assert archived == old
    kept = aged.rows(day_sums)
    assert [kept[0][i] + archived[0][i] for i in (1, 2, 3)] == list(before[0][1:])  # type: ignore[operator]
    partitions = "select count(*) from pg_class where relname ~ '^fct_api_requests(_sf)?_2025_..$' and relkind = 'r'"
    assert aged.rows(partitions) == [(6,)]


def test_second_drop_finds_nothing_and_full_refresh_keeps_what_was_archived(
    aged: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = SUMS.format("requests", "public_marts.usage_daily_archive")
    before = aged.rows(archive)
    said = drop(aged, monkeypatch, RETENTION_MONTHS="3")
    assert "0 raw requests deleted, 0 monthly partitions dropped, 0 rows of usage_daily archived" in said
    settings = aged.settings()
    build = steps.dbt(settings, settings.data / "dbt_target", "build", "--exclude-resource-type", "unit_test")
    steps.run_program("dbt-build", [*build, "--full-refresh"])
    assert aged.rows(archive) == before


def test_months_of_a_zone_lose_no_hour(aged: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Tokyo November begins nine hours before it does in UTC: those hours stay, the ones before them go."""
    begin, month = "2025-10-31 15:00Z", "2025-11-01 00:00Z"
    facts = ("public_star.fct_api_requests", "public_snowflake.fct_api_requests_sf")
    kept = [
        f"select count(*) from {fact} where requested_at >= '{begin}' and requested_at < '{month}'" for fact in facts
    ]
    before = [aged.rows(query) for query in kept]
    drop(aged, monkeypatch, RETENTION_MONTHS="2", REPORT_TZ="Asia/Tokyo")
    assert [aged.rows(query) for query in kept] == before
    assert before[0] == before[1] != [(0,)]
    for fact in (*facts, "raw_staging.api_requests"):
        assert aged.rows(f"select count(*) from {fact} where requested_at < '{begin}'") == [(0,)]
