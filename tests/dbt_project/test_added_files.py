"""Files added to one source, which may cover the same time: built once each, and reconciled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

Environment = dict[str, str]
HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def trace(folder: Path, name: str, first_minute: int, minutes: int) -> Path:
    path = folder / name
    stamps = (f"2024-05-10 {at // 60:02}:{at % 60:02}:07.5" for at in range(first_minute, first_minute + minutes))
    path.write_text(HEADER + "".join(f"{stamp},{120 + minutes},9\n" for stamp in stamps))
    return path


def test_files_that_overlap_in_time_are_reconciled_whenever_they_are_built(
    built: psycopg.Connection, project: Any, server_env: Environment, run_command: Any, tmp_path: Path
) -> None:
    environment = {**server_env, "PGDATABASE": built.info.dbname}
    selection = ("--select", "fct_api_requests", "stage_reconciliation", "assert_stages_hold_the_same_rows")
    for name, first, minutes in (("a.csv", 0, 90), ("b.csv", 60, 80), ("c.csv", 30, 20), ("d.csv", 600, 5)):
        path = trace(tmp_path, name, first, minutes)
        run_command("-m", "loader", "import", "--from", "azure-llm", "--add", path, env=environment)
        if name != "b.csv":
            assert project.problems("build", "--select", "tag:core") == {}
            assert project.problems("build", *selection) == {}
    query = "select file_name, rows_in_fact, is_reconciled from ops.stage_reconciliation where source = 'azure-llm'"
    expected = {("a.csv", 90, True), ("b.csv", 80, True), ("c.csv", 20, True), ("d.csv", 5, True)}
    assert set(built.execute(query).fetchall()) == expected
    assert project.problems("build", "--full-refresh", *selection) == {}
    assert set(built.execute(query).fetchall()) == expected


def test_row_lost_from_one_of_several_overlapping_files_is_found(
    built: psycopg.Connection, project: Any, server_env: Environment, run_command: Any, tmp_path: Path
) -> None:
    environment = {**server_env, "PGDATABASE": built.info.dbname}
    for name, first in (("a.csv", 0), ("b.csv", 30)):
        path = trace(tmp_path, name, first, 60)
        run_command("-m", "loader", "import", "--from", "azure-llm", "--add", path, env=environment)
    assert project.problems("run", "--select", "tag:core") == {}
    built.execute(
        "delete from public_star.fct_api_requests where source = 'azure-llm' and requested_at < '2024-05-10 00:01Z'"
    )
    found = project.problems(
        "build", "--full-refresh", "--select", "stage_reconciliation", "assert_stages_hold_the_same_rows"
    )
    assert found == {"assert_stages_hold_the_same_rows": "fail"}


def test_removed_source_leaves_the_models_at_the_next_build(
    built: psycopg.Connection, project: Any, server_env: Environment, run_command: Any, tmp_path: Path
) -> None:
    environment = {**server_env, "PGDATABASE": built.info.dbname}
    run_command("-m", "loader", "import", "--from", "azure-llm", trace(tmp_path, "a.csv", 0, 60), env=environment)
    assert project.problems("build") == {}
    run_command("-m", "loader", "remove", "azure-llm", env=environment)
    assert project.problems("build") == {}
    sources = "select distinct source from public_star.fct_api_requests"
    assert built.execute(sources).fetchall() == [("synthetic",)]
    run_command("-m", "loader", "import", "--from", "azure-llm", trace(tmp_path, "a.csv", 0, 60), env=environment)
    run_command("-m", "loader", "remove", "synthetic", env=environment)
    assert project.problems("build") == {}
    assert built.execute(sources).fetchall() == [("azure-llm",)]
