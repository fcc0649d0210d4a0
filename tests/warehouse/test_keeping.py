"""ops keeps what ran by age and by number, and what still counts however old it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from warehouse.events import pipeline_run
from warehouse.keeping import KEPT_DAYS, forget_old_dbt_runs, forget_old_events

EVENTS = "select pipeline_id, event_name, table_name from ops.pipeline_events order by event_id"


@pytest.fixture
def warehouse(database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    for name, value in database.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("", autocommit=True) as connection:
        yield connection


def add_run(connection: psycopg.Connection, pipeline_id: str, days: float, is_ended: bool = True) -> None:
    run = uuid.uuid4()
    insert = (
        "insert into ops.pipeline_events (event_name, pipeline_id, run_id, occurred_at, status)"
        " values (%s, %s, %s, now() - %s * interval '1 day', %s)"
    )
    connection.execute(insert, ["pipeline_run_start", pipeline_id, run, days, None])
    if is_ended:
        connection.execute(insert, ["pipeline_run_end", pipeline_id, run, days, "done"])


def add_freshness(connection: psycopg.Connection, table: str, days: float) -> None:
    connection.execute(
        "insert into ops.pipeline_events"
        " (event_name, pipeline_id, run_id, occurred_at, table_name, expected_freshness_hours)"
        " values ('data_freshness', 'dbt-build', %s, now() - %s * interval '1 day', %s, 24)",
        [uuid.uuid4(), days, table],
    )


def test_a_run_removes_events_of_more_than_a_year_ago(warehouse: psycopg.Connection) -> None:
    add_run(warehouse, "old", KEPT_DAYS + 1)
    add_run(warehouse, "young", KEPT_DAYS - 1)
    with pipeline_run(lambda: psycopg.connect(""), "now"):
        pass
    found = [pipeline_id for pipeline_id, *_ in warehouse.execute(EVENTS)]
    assert found == ["young", "young", "now", "now"]


def test_only_the_newest_events_are_kept(warehouse: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.keeping.KEPT_EVENTS", 4)
    for number in range(20):
        add_run(warehouse, f"run {number}", 0)
    forget_old_events(warehouse)
    assert [pipeline_id for pipeline_id, *_ in warehouse.execute(EVENTS)] == ["run 18"] * 2 + ["run 19"] * 2


def test_a_run_without_an_end_and_the_last_look_at_a_table_stay(warehouse: psycopg.Connection) -> None:
    add_run(warehouse, "under way", KEPT_DAYS + 2, is_ended=False)
    for days in (3, 2):
        for table in ("a", "b"):
            add_freshness(warehouse, table, KEPT_DAYS + days)
    add_freshness(warehouse, "b", 1)
    forget_old_events(warehouse)
    assert warehouse.execute(EVENTS).fetchall() == [
        ("under way", "pipeline_run_start", None),
        ("dbt-build", "data_freshness", "a"),
        ("dbt-build", "data_freshness", "b"),
    ]


def test_old_dbt_runs_go_with_their_results(warehouse: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.keeping.KEPT_DBT_RUNS", 3)
    runs = [uuid.uuid4() for _ in range(5)]
    for number, (run, days) in enumerate(zip(runs, [KEPT_DAYS + 1, 4, 3, 2, 1], strict=True)):
        warehouse.execute(
            "insert into ops.dbt_runs values (%s, 'build', '1.11', now() - %s * interval '1 day', now(), 1, 1, 0)",
            [run, days],
        )
        warehouse.execute(
            "insert into ops.dbt_results (invocation_id, unique_id, name, resource_type, status, seconds)"
            " values (%s, 'test.a', 'a', 'test', 'pass', 1)",
            [run],
        )
        if number == 0:
            forget_old_dbt_runs(warehouse)
            assert warehouse.execute("select count(*) from ops.dbt_results").fetchone() == (0,)
    forget_old_dbt_runs(warehouse)
    kept = {run for (run,) in warehouse.execute("select invocation_id from ops.dbt_results")}
    assert kept == set(runs[2:])
