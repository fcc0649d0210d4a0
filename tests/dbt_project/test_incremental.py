"""Builds that do only what changed give the tables that a build of everything gives, whatever came in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

Environment = dict[str, str]
Clone = Callable[[Environment], psycopg.Connection]
SCHEMAS = ("public_star", "public_snowflake", "public_marts", "ops")
BOOKKEEPING = {"fact_changes", "applied_changes", "built_batches", "tested_changes", "pipeline_events"}
"""Tables of `ops` that say when something was done, which differs between two ways of doing it."""


def table_checksums(connection: psycopg.Connection) -> dict[str, tuple[int, str]]:
    """Return rows and an order-free checksum of every table dbt built."""
    names = connection.execute(
        "select nspname, relname from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace "
        "where nspname = any(%s) and relkind in ('r', 'p') and not relispartition order by 1, 2",
        [list(SCHEMAS)],
    ).fetchall()
    checksums = {}
    for schema, table in names:
        if table in BOOKKEEPING or table.startswith("dbt_"):
            continue
        statement = sql.SQL(
            "select count(*), coalesce(sum(hashtextextended(built::text, 0)::numeric), 0)::text from {} as built"
        ).format(sql.Identifier(schema, table))
        row = connection.execute(statement).fetchone()
        assert row is not None
        checksums[f"{schema}.{table}"] = row
    return checksums


def build(project: Any, *words: str) -> None:
    """Build without tests: all models, or a selection where all of them would only cost time."""
    assert project.problems("build", "--exclude-resource-type", "test", "unit_test", *words) == {}


FACTS_AND_A_MART = ("--select", "tag:core", "reported_requests", "usage_hourly")


@pytest.fixture(scope="module")
def ticked_dataset(dataset_20k: Path, tmp_path_factory: pytest.TempPathFactory, run_command: Any) -> Path:
    """Return a copy of the generated set, three days further on."""
    directory = tmp_path_factory.mktemp("ticked") / "dataset"
    shutil.copytree(dataset_20k, directory)
    run_command("generator/generate_data.py", "--continue", directory, "--days", 3)
    return directory


def environment_of(connection: psycopg.Connection, server_env: Environment) -> Environment:
    return {**server_env, "PGDATABASE": connection.info.dbname}


def test_ticks_built_one_by_one_equal_full_refresh(
    built: psycopg.Connection, project: Any, ticked_dataset: Path, server_env: Environment, run_command: Any
) -> None:
    environment = environment_of(built, server_env)
    before = table_checksums(built)
    for day in sorted((ticked_dataset / "ticks").iterdir()):
        run_command("-m", "loader", "append", day, env=environment)
        build(project)
    incremental = table_checksums(built)
    assert incremental["public_star.fct_api_requests"][0] > before["public_star.fct_api_requests"][0]
    build(project, "--full-refresh")
    assert table_checksums(built) == incremental


def test_ticks_built_at_once_equal_ticks_built_one_by_one(
    clone: Clone,
    warehouse_template: Environment,
    project: Any,
    ticked_dataset: Path,
    server_env: Environment,
    run_command: Any,
) -> None:
    results = []
    for one_by_one in (True, False):
        connection = clone(warehouse_template)
        environment = environment_of(connection, server_env)
        for day in sorted((ticked_dataset / "ticks").iterdir()):
            run_command("-m", "loader", "append", day, env=environment)
            if one_by_one:
                build(project)
        build(project)
        results.append(table_checksums(connection))
        del results[-1]["ops.stage_reconciliation"]  # says when each batch was loaded
        connection.close()
    assert results[0] == results[1]


def test_second_build_changes_nothing_and_rewrites_no_partition(built: psycopg.Connection, project: Any) -> None:
    partitions = "select relname, relfilenode from pg_class where relname ~ '^fct_api_requests_2025_..$' order by 1"
    before = built.execute(partitions).fetchall(), table_checksums(built)
    build(project, *FACTS_AND_A_MART)
    assert (built.execute(partitions).fetchall(), table_checksums(built)) == before
    assert len(before[0]) == 12


def test_replaced_source_leaves_no_old_row(
    built: psycopg.Connection, project: Any, server_env: Environment, run_command: Any, tmp_path: Path
) -> None:
    environment = environment_of(built, server_env)
    run_command(
        "generator/generate_data.py", "--rows", 5_000, "--seed", 7, "--users", 100, "--days", 90, "--out", tmp_path
    )
    run_command("-m", "loader", "load", tmp_path, env=environment)
    build(project, *FACTS_AND_A_MART)
    row = built.execute("select count(*), min(requested_at)::date from public_star.fct_api_requests").fetchone()
    assert row is not None and row[0] == 5_000 and str(row[1]) >= "2025-10-01"
    replaced = table_checksums(built)
    build(project, "--full-refresh", *FACTS_AND_A_MART)
    assert table_checksums(built) == replaced


def test_new_price_in_the_list_reprices_from_its_first_day_on(built: psycopg.Connection, project: Any) -> None:
    built.execute(
        "create temporary table cost_before as select request_key, cost_usd from public_star.fct_api_requests"
    )
    built.execute("update raw_staging.model_changes set input_usd_per_mtok = input_usd_per_mtok * 2 where model_id = 4")
    build(project, *FACTS_AND_A_MART)
    changed = built.execute(
        "select distinct models.model_id from public_star.fct_api_requests as requests "
        "inner join public_star.dim_models as models using (model_key) "
        "inner join cost_before as old using (request_key) where old.cost_usd is distinct from requests.cost_usd"
    ).fetchall()
    assert changed == [(4,)]
    repriced = table_checksums(built)
    build(project, "--full-refresh", *FACTS_AND_A_MART)
    assert table_checksums(built) == repriced


def test_price_from_a_later_day_leaves_earlier_costs_alone(built: psycopg.Connection, project: Any) -> None:
    built.execute(
        "create temporary table cost_before as select request_key, cost_usd from public_star.fct_api_requests"
    )
    columns = [
        row[0]
        for row in built.execute(
            "select attname from pg_attribute where attrelid = 'raw_staging.model_changes'::regclass and attnum > 0 "
            "and attname not in ('changed_on', 'output_usd_per_mtok')"
        )
    ]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    built.execute(
        sql.SQL(
            "insert into raw_staging.model_changes ({names}, changed_on, output_usd_per_mtok) "
            "select {names}, '2025-09-01', output_usd_per_mtok / 2 from raw_staging.model_changes where model_id = 4"
        ).format(names=names)
    )
    build(project, *FACTS_AND_A_MART)
    row = built.execute(
        "select count(*), min(requests.requested_at)::date from public_star.fct_api_requests as requests "
        "inner join cost_before as old using (request_key) where old.cost_usd is distinct from requests.cost_usd"
    ).fetchone()
    assert row is not None and row[0] > 0 and str(row[1]) == "2025-09-01"


def test_month_is_dropped_by_dropping_its_partition(built: psycopg.Connection) -> None:
    built.execute("drop table public_star.fct_api_requests_2025_01")
    row = built.execute("select min(requested_at)::date from public_star.fct_api_requests").fetchone()
    assert row is not None and str(row[0]) == "2025-02-01"


def test_interrupted_build_is_completed_by_the_next(built: psycopg.Connection, project: Any) -> None:
    expected = table_checksums(built)
    built.execute("truncate ops.built_batches, ops.applied_changes, ops.fact_changes")
    built.execute("drop table public_snowflake.fct_api_requests_sf, public_marts.usage_hourly cascade")
    build(project, *FACTS_AND_A_MART)
    assert table_checksums(built) == expected


def test_changed_scope_sees_what_a_build_has_not_tested(
    built: psycopg.Connection, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TEST_SCOPE", "changed")
    built.execute("update public_star.fct_api_requests set total_tokens = -1 where requested_at < '2025-02-01'")
    words = ("test", "--select", "accepted_range_fct_api_requests_total_tokens__0")
    built.execute("update ops.tested_changes set change_id = (select max(change_id) from ops.fact_changes)")
    assert project.problems(*words) == {}
    built.execute("insert into ops.fact_changes (changed_from, changed_to) values ('2025-01-15', '2025-01-16')")
    assert project.problems(*words) == {"accepted_range_fct_api_requests_total_tokens__0": "fail"}
