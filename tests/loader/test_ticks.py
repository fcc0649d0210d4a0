"""Ticks: each appended once and in order, or refused with the step that is missing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.loader.conftest import wait_while_running
from tests.patience import HANG_S

Environment = dict[str, str]
Line = Callable[..., str]
WriteSet = Callable[..., Path]
WriteTick = Callable[..., Path]

BO_MOVED = '2,"Ng, Bo",bo@example.com,Acme,energy,11-50,FR,pro,2024-05-01\n'
CY_NEW = "3,Cy Ode,cy@example.com,Acme,energy,11-50,DE,free,2025-01-02\n"
CHEAPER = "1,small-1,acme,small,128000,0.1000,0.5000,2024-01-01,false\n"

CONTENT = (
    "select md5(string_agg(r::text, '|' order by request_id)) from raw_staging.api_requests as r"
    " union all select md5(string_agg(u::text, '|' order by user_id)) from raw_staging.users as u"
    " union all select md5(string_agg(m::text, '|' order by model_id)) from raw_staging.models as m"
    " union all select md5(string_agg(d::text, '|' order by date_id)) from raw_staging.dates as d"
    " union all select md5(string_agg(c::text, '|' order by user_id, changed_on)) from raw_staging.user_changes as c"
    " union all select md5(string_agg(c::text, '|' order by model_id, changed_on)) from raw_staging.model_changes as c"
    " union all select string_agg(concat_ws(' ', mode, rows_read, rows_loaded, rows_rejected, first_requested_at,"
    "   last_requested_at, last_day), '|' order by batch_id) from raw_staging.live_batches"
)


@pytest.fixture(scope="module")
def generated(dataset_20k: Path, tmp_path_factory: pytest.TempPathFactory, run_command: Callable[..., object]) -> Path:
    """Return the set of 20,000 requests with three ticks."""
    directory = Path(shutil.copytree(dataset_20k, tmp_path_factory.mktemp("ticks") / "set"))
    run_command("generator/generate_data.py", "--continue", directory, "--days", 3, "--rows", 12_000)
    return directory


def test_load_appends_the_ticks_of_a_set(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    write_tick(directory, "2025-01-02", users=BO_MOVED + CY_NEW)
    write_tick(directory, "2025-01-03", models=CHEAPER)
    said = loader.succeeds("load", directory)
    assert "10 api_requests, 2 users" in said
    assert "appended 2025-01-02 to 2025-01-03: 20 api_requests, 2 users, 1 models, 2 dates loaded, 0 rejected" in said
    assert loader.request_count() == 30
    assert loader.partitions() == ["api_requests_synthetic_1"]
    assert loader.rows(
        "select user_id, company_name, country_code, billing_tier from raw_staging.users order by 1"
    ) == [
        (1, "Acme", "DE", "pro"),
        (2, "Acme", "FR", "pro"),
        (3, "Acme", "DE", "free"),
    ]
    assert loader.rows("select full_date::text from raw_staging.dates order by 1") == [
        ("2025-01-01",),
        ("2025-01-02",),
        ("2025-01-03",),
    ]


def test_every_version_is_recorded_with_the_day_it_holds_from(
    loader: Any, write_set: WriteSet, write_tick: WriteTick
) -> None:
    directory = write_set()
    write_tick(directory, "2025-01-02", users=BO_MOVED + CY_NEW, models=CHEAPER)
    loader.succeeds("load", directory)
    assert loader.rows(
        "select user_id, changed_on::text, billing_tier, signed_up_on::text from raw_staging.user_changes order by 1, 2"
    ) == [
        (1, "2024-03-01", "pro", "2024-03-01"),
        (2, "2024-05-01", "free", "2024-05-01"),
        (2, "2025-01-02", "pro", "2024-05-01"),
        (3, "2025-01-02", "free", "2025-01-02"),
    ]
    assert loader.rows(
        "select model_id, changed_on::text, input_usd_per_mtok::text from raw_staging.model_changes order by 1, 2"
    ) == [(1, "2024-01-01", "0.1500"), (1, "2025-01-02", "0.1000")]


def test_a_row_that_did_not_change_gets_no_version(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    write_tick(directory, "2025-01-02", users=BO_MOVED)
    write_tick(directory, "2025-01-03", users=BO_MOVED)
    loader.succeeds("load", directory)
    assert loader.value("select count(*) from raw_staging.user_changes where user_id = 2") == 2


def test_a_model_without_a_release_date_has_a_first_version(loader: Any, write_set: WriteSet) -> None:
    models = "model_id,model_name,provider,family,context_window,input_usd_per_mtok,output_usd_per_mtok,released_on,"
    loader.succeeds("load", write_set(models=f"{models}is_deprecated\n1,small-1,acme,,,,,,false\n"))
    assert loader.rows("select changed_on::text from raw_staging.model_changes") == [("1970-01-01",)]


def test_batches_record_the_chain_and_the_time_they_cover(
    loader: Any, write_set: WriteSet, write_tick: WriteTick
) -> None:
    directory = write_set()
    write_tick(directory, "2025-01-02")
    loader.succeeds("load", directory)
    assert loader.rows(
        "select mode, file_name, rows_read, rows_loaded, status, last_day::text,"
        " to_char(first_requested_at, 'DD HH24:MI:SS.MS'), to_char(last_requested_at, 'DD HH24:MI:SS.MS')"
        " from raw_staging.live_batches order by batch_id"
    ) == [
        ("replace", "set/manifest.json", 10, 10, "done", "2025-01-01", "01 00:00:24.320", "01 00:00:24.320"),
        (
            "append",
            "ticks/2025-01-02/manifest.json",
            10,
            10,
            "done",
            "2025-01-02",
            "02 12:00:00.000",
            "02 12:00:00.009",
        ),
    ]


def test_a_tick_is_applied_once(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    tick = write_tick(directory, "2025-01-02", users=CY_NEW)
    loader.succeeds("load", directory)
    before = loader.rows(CONTENT)
    assert "ticks up to date, the last is 2025-01-02" in loader.succeeds("load", directory)
    assert "2025-01-02 is up to date, batch 2" in loader.succeeds("append", tick)
    assert loader.rows(CONTENT) == before
    assert loader.value("select count(*) from raw_staging.load_batches") == 2


def test_load_appends_only_what_is_missing(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    write_tick(directory, "2025-01-02")
    loader.succeeds("load", directory)
    write_tick(directory, "2025-01-03")
    assert "appended 2025-01-03: 10 api_requests" in loader.succeeds("load", directory)
    assert loader.request_count() == 30


def test_one_load_equals_appending_one_by_one(
    databases: Any, raw_template: Environment, generated: Path, run_command: Callable[..., Any], tmp_path: Path
) -> None:
    words = ("--rows", 20_000, "--seed", 42, "--users", 400, "--format", "parquet", "--out", tmp_path / "parquet")
    run_command("generator/generate_data.py", *words)
    run_command("generator/generate_data.py", "--continue", tmp_path / "parquet", "--days", 3, "--rows", 12_000)
    base = Path(shutil.copytree(generated, tmp_path / "base", ignore=shutil.ignore_patterns("ticks")))
    ways = {
        "one load": [("load", generated)],
        "one by one": [("load", base), *(("append", tick) for tick in sorted((generated / "ticks").iterdir()))],
        "parquet": [("load", tmp_path / "parquet")],
    }
    contents = []
    for commands in ways.values():
        database = databases.create(raw_template["PGDATABASE"])
        for words in commands:
            run_command("-m", "loader", *words, env=database)
        with psycopg.connect(**_parameters(database)) as connection:
            contents.append(connection.execute(CONTENT.encode()).fetchall())
        databases.drop(database)
    assert contents[0] == contents[1] == contents[2]
    assert contents[0][-1][0].count("append") == 3


def test_a_hole_is_named_and_nothing_changes(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    first = write_tick(directory, "2025-01-02")
    second = write_tick(directory, "2025-01-03")
    third = write_tick(directory, "2025-01-04")
    loader.succeeds("load", Path(shutil.copytree(directory, directory.parent / "base", ignore=_no_ticks)))
    assert "expected the tick 2025-01-02 next, found 2025-01-03" in loader.fails("append", second)
    assert "append the missing 2025-01-02 to 2025-01-03 first" in loader.fails("append", third)
    loader.succeeds("append", first)
    assert "append the missing 2025-01-03 first" in loader.fails("append", third)
    loader.succeeds("append", second)
    loader.succeeds("append", third)
    assert loader.request_count() == 40


def _no_ticks(_: str, names: list[str]) -> set[str]:
    return {"ticks"} & set(names)


@pytest.mark.parametrize("gone", ["2025-01-02", "2025-01-03"])
def test_a_set_with_a_hole_is_refused_before_anything_is_loaded(
    loader: Any, write_set: WriteSet, write_tick: WriteTick, gone: str
) -> None:
    directory = write_set()
    for day in ("2025-01-02", "2025-01-03", "2025-01-04"):
        write_tick(directory, day)
    shutil.rmtree(directory / "ticks" / gone)
    said = loader.fails("load", directory)
    assert "next, found" in said and "missing tick" in said
    assert loader.rows("select status, rows_loaded from raw_staging.load_batches") == [("failed", 0)]


def test_the_clock_does_not_go_backwards(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    write_tick(directory, "2025-01-02")
    write_tick(directory, "2025-01-03")
    other = Path(shutil.copytree(directory, directory.parent / "other", ignore=_no_ticks))
    changed = write_tick(other, "2025-01-02", users=BO_MOVED)
    earlier = write_tick(other, "2024-12-31", sequence=1)
    loader.succeeds("load", directory)
    before = loader.rows(CONTENT)
    for tick in (changed, earlier):
        said = loader.fails("append", tick)
        assert "expected a day after 2025-01-03, the last one loaded, found" in said
        assert "time does not go back" in said
    assert loader.rows(CONTENT) == before


def test_a_tick_of_another_set_is_refused(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    loader.succeeds("load", write_set())
    other = write_set([], name="other")
    assert "found one that continues" in loader.fails("append", write_tick(other, "2025-01-02"))
    assert loader.request_count() == 10


def test_a_set_that_lacks_a_loaded_tick_is_refused_unless_forced(
    loader: Any, write_set: WriteSet, write_tick: WriteTick
) -> None:
    directory = write_set()
    tick = write_tick(directory, "2025-01-02", users=CY_NEW)
    loader.succeeds("load", directory)
    shutil.rmtree(tick)
    assert "expected the tick 2025-01-02 that batch 2 loaded, found none like it" in loader.fails("load", directory)
    assert loader.request_count() == 20
    loader.succeeds("load", "--force", directory)
    assert loader.request_count() == 10
    assert loader.value("select count(*) from raw_staging.user_changes") == 2
    assert loader.value("select count(*) from raw_staging.live_batches") == 1


def test_another_base_replaces_base_and_ticks(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    write_tick(directory, "2025-01-02", users=CY_NEW, models=CHEAPER)
    loader.succeeds("load", directory)
    other = write_set([], name="other", rows={"api_requests": 0})
    write_tick(other, "2025-01-02", users=BO_MOVED)
    loader.succeeds("load", other)
    assert loader.request_count() == 10
    assert loader.rows("select user_id, changed_on::text from raw_staging.user_changes order by 1, 2") == [
        (1, "2024-03-01"),
        (2, "2024-05-01"),
        (2, "2025-01-02"),
    ]
    assert loader.value("select count(*) from raw_staging.model_changes") == 1
    assert loader.value("select array_agg(batch_id order by batch_id) from raw_staging.live_batches") == [3, 4]


def test_append_needs_a_loaded_set(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    tick = write_tick(write_set(), "2025-01-02")
    assert "expected the data set loaded that 2025-01-02 continues, found none" in loader.fails("append", tick)


def test_sets_and_ticks_are_not_confused(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    tick = write_tick(directory, "2025-01-02")
    assert "found the tick 2025-01-02 of one; append it" in loader.fails("load", tick)
    assert "found a whole data set; load it" in loader.fails("append", directory)
    assert "found no folder" in loader.fails("append", directory / "absent")


def test_rows_of_another_day_are_rejected(
    loader: Any, write_set: WriteSet, write_tick: WriteTick, request_line: Line
) -> None:
    directory = write_set()
    loader.succeeds("load", directory)
    lines = [request_line(1000 + i, requested_at=f"2025-01-02T00:00:{i % 60:02}Z") for i in range(298)]
    lines.insert(7, request_line(5000, requested_at="2024-12-29T12:00:00Z"))
    lines.insert(9, request_line(5001, requested_at="2025-01-03T00:00:00Z"))
    assert "298 api_requests" in loader.succeeds("append", write_tick(directory, "2025-01-02", lines))
    rejects = loader.rows("select batch_id, line_number, row_text, reason from raw_staging.rejected_rows order by 2")
    assert [row[:3] for row in rejects] == [(2, 9, lines[7]), (2, 11, lines[9])]
    assert "expected a time on 2025-01-02 (UTC), found 2024-12-29T12:00:00+00:00" in str(rejects[0][3])
    assert loader.rows("select rows_read, rows_loaded, rows_rejected from raw_staging.live_batches order by batch_id")[
        1
    ] == (300, 298, 2)


def test_too_many_late_rows_fail_the_tick(
    loader: Any, write_set: WriteSet, write_tick: WriteTick, request_line: Line
) -> None:
    directory = write_set()
    tick = write_tick(directory, "2025-01-02", [request_line(1000 + i) for i in range(10)])
    loader.succeeds("load", Path(shutil.copytree(directory, directory.parent / "base", ignore=_no_ticks)))
    before = loader.rows(CONTENT)
    said = loader.fails("append", tick)
    assert "expected at most 1.00% of the rows to be rejected, found 10 of 10" in said
    assert loader.rows(CONTENT) == before
    assert loader.rows("select status, rows_rejected from raw_staging.load_batches where batch_id = 2") == [
        ("failed", 10)
    ]


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"users": CY_NEW.replace("2025-01-02", "2024-12-30")}, "expected signed_up_on of a new row to be 2025-01-02"),
        (
            {"users": BO_MOVED.replace("2024-05-01", "2024-05-02")},
            "expected signed_up_on of a known row to stay as it is, found another day for user_id 2",
        ),
        (
            {"users": "4,Di Fu,di@example.com,,,,,pro,2025-03-01\n"},
            "expected the row's last change to be before 2025-01-02, found it on that day or later for user_id 4",
        ),
        ({"models": CHEAPER.replace("2024-01-01", "")}, "expected released_on of a known row to stay as it is"),
        ({"users": CY_NEW.replace("free", "")}, "users.csv: expected all 1 rows to fit, found 1 that do not"),
        ({"dates": ""}, "expected that day alone, found none"),
    ],
    ids=["late sign-up", "other sign-up", "change before the last", "other release", "bad row", "no date"],
)
def test_changes_that_contradict_history_fail_the_tick(
    loader: Any, write_set: WriteSet, write_tick: WriteTick, tables: dict[str, str], reason: str
) -> None:
    directory = write_set()
    with (directory / "users.csv").open("a") as file:
        file.write("4,Di Fu,di@example.com,,,,,free,2025-03-01\n")
    directory = write_set(users=(directory / "users.csv").read_text())
    loader.succeeds("load", directory)
    before = loader.rows(CONTENT)
    assert reason in loader.fails("append", write_tick(directory, "2025-01-02", **tables))
    assert loader.rows(CONTENT) == before


def test_all_contradictions_are_named_at_once(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    loader.succeeds("load", directory)
    users = "".join(f"{i},U {i},u{i}@example.com,,,,,free,2025-01-01\n" for i in range(3, 12))
    said = loader.fails("append", write_tick(directory, "2025-01-02", users=users + BO_MOVED.replace("05-01", "06-01")))
    assert "for user_id 3, 4, 5, 6, 7 and 4 more; expected signed_up_on of a known row" in said


def test_a_request_that_is_loaded_already_fails_the_tick(
    loader: Any, write_set: WriteSet, write_tick: WriteTick, request_line: Line
) -> None:
    directory = write_set()
    loader.succeeds("load", directory)
    tick = write_tick(directory, "2025-01-02", [request_line(3, requested_at="2025-01-02T00:00:00Z")])
    assert "duplicate key value" in loader.fails("append", tick)
    assert loader.request_count() == 10


def test_a_changed_file_of_a_tick_is_noticed(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    tick = write_tick(directory, "2025-01-02")
    path = tick / "api_requests.csv"
    path.write_bytes(path.read_bytes().replace(b",200,", b",500,"))
    assert "expected sha256" in loader.fails("load", directory)
    assert loader.request_count() == 10


def test_a_damaged_manifest_of_a_tick_is_refused(loader: Any, write_set: WriteSet, write_tick: WriteTick) -> None:
    directory = write_set()
    tick = write_tick(directory, "2025-01-02", sequence="second")
    assert "expected a manifest of format 1" in loader.fails("append", tick)
    manifest = json.loads((tick / "manifest.json").read_text())
    del manifest["tables"]["models"]
    (tick / "manifest.json").write_text(json.dumps(manifest | {"sequence": 1}))
    assert "no entry 'models'" in loader.fails("load", directory)


def test_a_tick_still_being_written_is_left_alone(loader: Any, write_set: WriteSet) -> None:
    directory = write_set()
    (directory / "ticks" / ".partial" / "2025-01-02").mkdir(parents=True)
    loader.succeeds("load", directory)


def test_readers_never_wait_for_an_append_and_see_it_at_its_end(
    loader: Any, write_set: WriteSet, write_tick: WriteTick, database: Environment
) -> None:
    directory = write_set()
    loader.succeeds("load", directory)
    tick = write_tick(directory, "2025-01-02", users=CY_NEW)
    with psycopg.connect(**_parameters(database)) as reader:
        reader.execute("set transaction isolation level repeatable read")
        counts = "select (select count(*) from raw_staging.api_requests), (select count(*) from raw_staging.users)"
        assert reader.execute(counts).fetchone() == (10, 2)
        loader.succeeds("append", tick)
        assert reader.execute(counts).fetchone() == (10, 2)
        reader.rollback()
        assert reader.execute(counts).fetchone() == (20, 3)


def test_append_summarises_the_index_on_time(loader: Any, generated: Path) -> None:
    loader.succeeds("load", generated)
    index = "raw_staging.api_requests_synthetic_1_requested_at_idx"
    assert loader.value("select brin_summarize_new_values(%s)", index) == 0
    loader.connection.execute(
        "insert into raw_staging.api_requests_synthetic_1 (request_id, requested_at)"
        " select gen_random_uuid(), '2026-01-05' from generate_series(1, 30000)"
    )
    assert loader.value("select brin_summarize_new_values(%s)", index) > 0


@pytest.mark.parametrize("moment", ["COPY", "commit"])
def test_a_killed_append_leaves_nothing_and_the_next_completes(
    loader: Any,
    dataset_20k: Path,
    tmp_path: Path,
    run_command: Callable[..., object],
    database: Environment,
    repo_root: Path,
    moment: str,
) -> None:
    directory = Path(shutil.copytree(dataset_20k, tmp_path / "set"))
    run_command("generator/generate_data.py", "--continue", directory, "--days", 2, "--rows", 150_000)
    command = [sys.executable, "-m", "loader", "load", str(directory)]
    environment = {**os.environ, **database}
    if moment == "commit":  # hold the very end of the transaction back
        loader.succeeds("load", dataset_20k)
    before = loader.rows(CONTENT)
    blocker = psycopg.connect(**_parameters(database))
    if moment == "commit":
        blocker.execute("lock table raw_staging.dates in share mode")
        caught = "exists (select from pg_locks where not granted and relation = 'raw_staging.dates'::regclass)"
    else:
        caught = "exists (select from pg_stat_progress_copy as p inner join raw_staging.load_batches as b"
        caught += " on b.status = 'running' and b.mode = 'append' where p.datname = current_database())"
    process = subprocess.Popen(command, cwd=repo_root, env=environment, stderr=subprocess.PIPE, text=True)
    wait_while_running(loader.connection, caught, process)
    process.kill()
    process.communicate(timeout=HANG_S)
    blocker.close()
    assert process.returncode == -signal.SIGKILL
    assert loader.value("select count(*) from raw_staging.load_batches where status = 'running'") == 1
    if moment == "commit":
        assert loader.rows(CONTENT) == before
    assert loader.request_count() % 150_000 == 20_000
    loader.succeeds("load", directory)
    assert loader.request_count() == 320_000
    assert loader.value("select count(*) from raw_staging.load_batches where status = 'running'") == 0
    assert loader.value("select array_agg(mode order by batch_id) from raw_staging.live_batches") == [
        "replace",
        "append",
        "append",
    ]


def test_two_appends_at_once_apply_a_tick_once(
    loader: Any, write_set: WriteSet, write_tick: WriteTick, database: Environment, repo_root: Path
) -> None:
    directory = write_set()
    loader.succeeds("load", directory)
    tick = write_tick(directory, "2025-01-02")
    environment = {**os.environ, **database}
    command = [sys.executable, "-m", "loader", "append", str(tick)]
    processes = [
        subprocess.Popen(command, cwd=repo_root, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=HANG_S)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert loader.request_count() == 20


def test_a_database_of_before_ticks_is_migrated_in_place(
    loader: Any, write_set: WriteSet, write_tick: WriteTick
) -> None:
    directory = write_set()
    loader.succeeds("load", directory)
    loader.connection.execute(
        "drop view raw_staging.live_batches; drop table raw_staging.user_changes, raw_staging.model_changes;"
        " drop table ops.pipeline_events, ops.dbt_results, ops.dbt_runs;"
        " drop index raw_staging.api_requests_requested_at;"
        " alter table raw_staging.load_batches drop column mode, drop column data_sha256, drop column last_day,"
        " drop column first_requested_at, drop column last_requested_at;"
        " alter table raw_staging.api_requests drop column cache_read_tokens, drop column cache_write_tokens,"
        " drop column reasoning_tokens;"
        " comment on schema raw_staging is 'an older version'"
    )
    write_tick(directory, "2025-01-02", users=CY_NEW)
    assert "appended 2025-01-02" in loader.succeeds("load", directory)
    assert loader.request_count() == 20
    assert loader.value("select count(*) from raw_staging.user_changes") == 3
    assert loader.value("select count(cache_read_tokens) from raw_staging.api_requests") == 0


@pytest.mark.parametrize(
    "values",
    ["cache_read_tokens = -1", "cache_read_tokens = 200, cache_write_tokens = 1", "reasoning_tokens = 51"],
)
def test_parts_of_tokens_never_exceed_their_total(loader: Any, write_set: WriteSet, values: str) -> None:
    loader.succeeds("load", write_set())
    update = f"update raw_staging.api_requests set prompt_tokens = 200, completion_tokens = 50, {values}"
    with pytest.raises(psycopg.errors.CheckViolation):
        loader.connection.execute(update.encode())


def _parameters(database: Environment) -> dict[str, Any]:
    return {
        "host": database["PGHOST"],
        "port": database["PGPORT"],
        "user": database["PGUSER"],
        "dbname": database["PGDATABASE"],
    }
