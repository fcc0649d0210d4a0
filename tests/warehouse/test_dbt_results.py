"""`record-dbt`: what a real dbt run left behind is stored once."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from warehouse.__main__ import main

Environment = dict[str, str]


@pytest.fixture
def warehouse(warehouse_database: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    for name, value in warehouse_database.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("", autocommit=True) as connection:
        yield connection


@pytest.fixture
def target(warehouse_template: Environment, private_data_directory: Path, tmp_path: Path) -> Path:
    """Return a copy of the artifacts of the session's dbt build."""
    folder = tmp_path / "target"
    folder.mkdir()
    for name in ("run_results.json", "manifest.json"):
        shutil.copy(private_data_directory / "dbt_target" / name, folder)
    return folder


def changed(target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Rewrite run_results.json as another invocation, changed by `change`."""
    path = target / "run_results.json"
    content = json.loads(path.read_text())
    content["metadata"]["invocation_id"] = "00000000-0000-4000-8000-000000000001"
    change(content)
    path.write_text(json.dumps(content))
    return target


def record(target: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    status = main(["record-dbt", "--target", str(target)])
    return status, capsys.readouterr().err


def test_a_run_is_stored_with_its_nodes_and_tests(
    warehouse: psycopg.Connection, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = record(target, capsys)
    assert status == 0 and "0 of them failed" in said
    results = json.loads((target / "run_results.json").read_text())["results"]
    assert warehouse.execute("select node_count, failed_count from ops.dbt_runs").fetchall() == [(len(results), 0)]
    stored = warehouse.execute("select unique_id, status, failures from ops.dbt_results order by 1").fetchall()
    assert stored == sorted((r["unique_id"], r["status"], r["failures"]) for r in results)
    assert warehouse.execute(
        "select distinct test_kind from ops.dbt_results where model = 'dim_users' and name like 'unique%'"
    ).fetchall() == [("unique",)]
    assert warehouse.execute(
        "select count(*) from ops.dbt_results where resource_type = 'test' and (test_kind is null or model is null)"
    ).fetchone() == (0,)
    assert warehouse.execute(
        "select count(*) from ops.dbt_results where resource_type = 'model' and (name <> model or executed_at is null)"
    ).fetchone() == (0,)


def test_a_run_is_stored_once(warehouse: psycopg.Connection, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(target, capsys)
    counts = "select (select count(*) from ops.dbt_results), (select count(*) from ops.pipeline_events)"
    before = warehouse.execute(counts).fetchone()
    status, said = record(target, capsys)
    assert status == 0 and "is recorded already" in said
    assert warehouse.execute(counts).fetchone() == before


def test_freshness_of_every_stored_table_is_reported(
    warehouse: psycopg.Connection, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(target, capsys)
    rows = warehouse.execute(
        "select table_name, last_updated, expected_freshness_hours from ops.pipeline_events"
        " where event_name = 'data_freshness'"
    ).fetchall()
    tables = {row[0] for row in rows}
    assert {"raw_staging.api_requests", "public_star.fct_api_requests", "public_star.dim_users"} <= tables
    assert not any(name.startswith("public_staging.stg_") for name in tables)
    assert all(last_updated is not None and hours == 24 for _, last_updated, hours in rows)


def test_a_table_that_was_not_built_is_as_fresh_as_it_last_was(
    warehouse: psycopg.Connection, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(target, capsys)

    def fail(content: dict[str, Any]) -> None:
        for result in content["results"]:
            if result["unique_id"] == "model.tokenscope.dim_users":
                result["status"] = "error"

    status, said = record(changed(target, fail), capsys)
    assert status == 0 and "1 of them failed" in said
    assert warehouse.execute(
        "select count(*), count(distinct last_updated) from ops.pipeline_events"
        " where table_name = 'public_star.dim_users'"
    ).fetchone() == (2, 1)
    assert warehouse.execute("select failed_count from ops.dbt_runs order by failed_count").fetchall() == [(0,), (1,)]


def test_artifacts_that_cannot_be_read_are_named(
    warehouse: psycopg.Connection, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = record(target / "absent", capsys)
    assert status == 1 and "run `make dbt-build` first" in said
    changed(target, lambda content: content.pop("args"))
    status, said = record(target, capsys)
    assert status == 1 and "found no 'args'" in said and said.count("\n") == 1
    (target / "manifest.json").write_text("{")
    status, said = record(target, capsys)
    assert status == 1 and "expected JSON" in said
    assert warehouse.execute("select count(*) from ops.dbt_runs").fetchone() == (0,)


DBT = ("-m", "dbt.cli.main", "build", "--project-dir", "dbt_project", "--profiles-dir", "dbt_project")
NOTHING_IS_AN_ERROR = ("--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}')
DBT_ENDS = (
    "select status from ops.pipeline_events where event_name = 'pipeline_run_end' and pipeline_id = 'dbt-build'"
    " order by event_id"
)


def build(run_command: Callable[..., Any], target: Path, selection: str) -> Any:
    """Run a real, recorded dbt build of `selection` whose artifacts are in `target`."""
    options = ("--target-path", target, "--log-path", target, "--select", selection, *NOTHING_IS_AN_ERROR)
    recorded = ("-m", "warehouse", "run", "dbt-build", "--record-dbt", target, "--")
    return run_command(*recorded, sys.executable, *DBT, *options, check=False)


def test_a_build_that_ends_before_it_runs_is_not_recorded_by_the_results_of_another(
    warehouse: psycopg.Connection, target: Path, run_command: Callable[..., Any]
) -> None:
    result = build(run_command, target, "no_such_model")
    assert result.returncode != 0
    assert "results recorded" not in result.stderr
    assert "expected the results of this run, found those of another" in result.stderr
    assert warehouse.execute("select count(*) from ops.dbt_runs").fetchone() == (0,)
    assert warehouse.execute(DBT_ENDS).fetchall() == [("failed",)]


def test_a_build_is_recorded_by_its_own_results_and_named_when_a_later_one_tests_nothing(
    warehouse: psycopg.Connection, target: Path, run_command: Callable[..., Any]
) -> None:
    result = build(run_command, target, "dim_date not_null_dim_date_date_key")
    assert result.returncode == 0 and "results recorded, 0 of them failed" in result.stderr
    recorded = warehouse.execute("select node_count from ops.dbt_runs").fetchall()
    assert len(recorded) == 1
    said = run_command("-m", "warehouse", "summary").stdout
    assert " passed, 0 not passed" in said and "left no test results" not in said
    assert build(run_command, target, "dim_dat").returncode != 0
    assert warehouse.execute("select node_count from ops.dbt_runs").fetchall() == recorded
    assert warehouse.execute(DBT_ENDS).fetchall() == [("done",), ("failed",)]
    said = run_command("-m", "warehouse", "summary").stdout
    assert " passed, 0 not passed" in said and "failed and left no test results" in said


def test_missing_results_do_not_fail_a_command_that_succeeded(
    warehouse: psycopg.Connection, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "dbt-build", "--record-dbt", str(target / "absent"), "--", "true"]) == 0
    assert "found No such file or directory" in capsys.readouterr().err
    assert main(["run", "dbt-build", "--record-dbt", str(target), "--", "true"]) == 0
    assert "found those of another" in capsys.readouterr().err
    assert warehouse.execute(DBT_ENDS).fetchall() == [("done",), ("done",)]


def test_only_absent_tables_call_for_loader_init(
    warehouse: psycopg.Connection,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on")  # refuses writes, as a full disk does
    assert main(["record-dbt", "--target", str(target)]) == 1
    assert "correct that on the server and run it again" in capsys.readouterr().err
    monkeypatch.delenv("PGOPTIONS")
    warehouse.execute("drop table ops.dbt_runs cascade")
    assert main(["record-dbt", "--target", str(target)]) == 1
    assert "run `python -m loader init`" in capsys.readouterr().err
