"""Loads of different sources run side by side; only the last step of each waits for what others do to the warehouse."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.patience import HANG_S, wait_until
from warehouse.lock import HOLDER_VARIABLE, alone

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
Environment = dict[str, str]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(database: Environment, start_command: Start) -> Start:
    """Return a function that starts a command of the loader."""
    return partial(start_command, "-m", "loader", env=database)


def trace(path: Path, rows: int, tokens: int = 100) -> Path:
    """Write an Azure trace."""
    lines = (f"2023-11-16 {i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}.5,{tokens + i},9\n" for i in range(rows))
    path.write_text(HEADER + "".join(lines))
    return path


@pytest.fixture
def copying(database: Environment) -> Iterator[Callable[[str], None]]:
    """Return a function that holds back every COPY of a load of a source from now on; they go on at the end."""
    with psycopg.connect(**_parameters(database), autocommit=True) as connection:  # type: ignore[arg-type]
        connection.execute("create schema held; create table held.back (source text)")
        connection.execute(
            "create function held.wait() returns event_trigger language plpgsql as $$ declare r record; begin"
            " for r in select * from pg_event_trigger_ddl_commands() where command_tag = 'CREATE TABLE' loop"
            "  if exists (select from held.back where r.object_identity like '%' || source || '%') then"
            "   execute format('create trigger held before insert on %s for each statement"
            " execute function held.hold()', r.object_identity);"
            "  end if; end loop; end $$;"
            "create function held.hold() returns trigger language plpgsql as"
            " $$ begin perform pg_advisory_xact_lock_shared(99); return null; end $$;"
            "create event trigger held on ddl_command_end execute function held.wait();"
            "grant all on schema held to public; grant all on all tables in schema held to public"
        )
        with psycopg.connect(**_parameters(database), autocommit=True) as gate:  # type: ignore[arg-type]
            gate.execute("select pg_advisory_lock(99)")
            yield lambda source: connection.execute("insert into held.back values (%s)", [source]) and None


HELD = "exists (select from pg_locks where locktype = 'advisory' and objid = 99 and not granted)"


@pytest.mark.parametrize("words", [[], ["--add"]])
def test_a_load_finishes_while_a_load_of_another_source_copies(
    loader: Any, start: Start, copying: Callable[[str], None], tmp_path: Path, words: list[str]
) -> None:
    quick, slow = trace(tmp_path / "quick.csv", 10), trace(tmp_path / "slow.csv", 20)
    for source in ("quick", "slow"):  # each has a partition to replace or add to
        loader.succeeds("import", "--from", "azure-llm", "--source", source, trace(tmp_path / "old.csv", 5, 7))
    copying("staged_api_requests" if words else "api_requests_slow")
    held_back = start("import", "--from", "azure-llm", "--source", "slow", *words, slow)
    wait_until(lambda: loader.value(f"select {HELD}"), "a load is held back", poll_s=0.02)
    loader.succeeds("import", "--from", "azure-llm", "--source", "quick", "--force", "--swap-wait-s", 1, quick)
    assert loader.request_count("quick") == 10
    assert loader.request_count("slow") == 5 and held_back.poll() is None
    said = loader.fails("import", "--from", "azure-llm", "--source", "slow", quick)
    assert "expected no other load of 'slow', found one under way" in said
    loader.succeeds("remove", "quick", "--swap-wait-s", 1)
    loader.value(
        "select pg_terminate_backend(pid) from pg_locks where objid = 99 and granted and locktype = 'advisory'"
    )
    held_back.communicate(timeout=HANG_S)
    assert held_back.returncode == 0
    assert loader.request_count("slow") == (25 if words else 20)
    failed = loader.rows("select source, mode, error from raw_staging.load_batches where status = 'failed'")
    assert failed == [("slow", "replace", said.removeprefix("import: ").strip())]


def test_imports_of_different_sources_all_arrive(loader: Any, start: Start, tmp_path: Path) -> None:
    sources = [f"gateway-{i}" for i in range(4)]
    for rows in (1000, 1100):
        files = [trace(tmp_path / f"{source}.csv", rows + i) for i, source in enumerate(sources)]
        imports = [
            start("import", "--from", "azure-llm", "--source", source, "--force", file)
            for source, file in zip(sources, files, strict=True)
        ]
        for process in imports:
            said = process.communicate(timeout=HANG_S)[1]
            assert process.returncode == 0, said
        assert [loader.request_count(source) for source in sources] == [rows + i for i in range(4)]
    assert len(loader.partitions()) == 4


@pytest.mark.parametrize("command", ["load", "import", "add", "append", "remove"])
def test_the_last_step_of_a_load_waits_for_who_holds_the_lock(
    loader: Any, start: Start, write_set: Any, write_tick: Any, tmp_path: Path, monkeypatch: Any, command: str
) -> None:
    generated, file = write_set(), trace(tmp_path / "trace.csv", 10)
    loader.succeeds("load", generated)
    loader.succeeds("import", "--from", "azure-llm", trace(tmp_path / "old.csv", 5, 7))
    before = loader.rows("select source, count(*) from raw_staging.api_requests group by 1 order by 1")
    words: list[object] = {
        "load": ["load", "--force", generated],
        "import": ["import", "--from", "azure-llm", file],
        "add": ["import", "--from", "azure-llm", "--add", file],
        "append": ["append"],
        "remove": ["remove", "azure-llm"],
    }[command]
    words += [write_tick(generated, "2025-01-02")] if command == "append" else []
    with alone(loader.connection, "dbt-build"):
        monkeypatch.delenv(HOLDER_VARIABLE)
        waiting = start(*words)
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
        source = "azure-llm" if command in ("import", "add", "remove") else "synthetic"
        verb = "remove" if command == "remove" else "load"
        assert said.startswith(f"{verb}/{source}: waiting for dbt-build (process {os.getpid()} on ")
        assert loader.rows("select source, count(*) from raw_staging.api_requests group by 1 order by 1") == before
        # Whoever holds the lock may read and change what it likes: the waiting load has no lock on a table of readers.
        with loader.connection.transaction():
            loader.connection.execute("lock table raw_staging.api_requests, raw_staging.users in access exclusive mode")
    waiting.communicate(timeout=HANG_S)
    assert waiting.returncode == 0
    after = dict(loader.rows("select source, count(*) from raw_staging.api_requests group by 1"))
    changed = {"import": {"azure-llm": 10}, "add": {"azure-llm": 15}, "append": {"synthetic": 20}}
    expected = dict(before) | changed.get(command, {})
    assert after == ({"synthetic": 10} if command == "remove" else expected)


def test_an_interrupted_wait_leaves_the_tables_as_they_were(
    loader: Any, start: Start, tmp_path: Path, monkeypatch: Any
) -> None:
    with alone(loader.connection, "dbt-build"):
        monkeypatch.delenv(HOLDER_VARIABLE)
        waiting = start("import", "--from", "azure-llm", trace(tmp_path / "trace.csv", 10))
        assert waiting.stderr is not None
        assert "waiting for dbt-build" in waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        assert waiting.communicate(timeout=HANG_S)[1] == "import: interrupted; the tables are as they were\n"
        assert waiting.returncode == 130
    assert loader.partitions() == []
    assert loader.rows("select status, error from raw_staging.load_batches") == [("failed", "KeyboardInterrupt")]


def _parameters(environment: Environment) -> dict[str, str]:
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname"}
    return {names[name]: value for name, value in environment.items() if name in names}
