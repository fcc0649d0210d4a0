"""The real `make` in a clone whose path has a space and a quote; settings reach commands as arguments only."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clones import copy_of

Make = Callable[..., subprocess.CompletedProcess[str]]
# The environment is there and belongs to whoever runs the tests: make must not install into it.
INSTALLED = ("-o", ".venv/.installed-runtime", "-o", ".venv/.installed-dev")
HOSTILE = "x$(touch made-by-a-shell)`touch made-by-a-shell`$(shell touch made-by-make);touch made-by-a-shell'\""
MARK = "touch made-by"
SETTINGS = {
    "generate": ("ROWS", "SEED", "GENERATED"),
    "load": ("GENERATED", "TOKENSCOPE_DATA_DIR"),
    "import": ("FROM", "FILE", "EPOCH"),
    "remove": ("SOURCE",),
    "dbt-build": ("SELECT", "FULL", "DBT_TARGET_PATH"),
    "tick": ("GENERATED", "DAYS", "UNTIL", "TICK_ROWS"),
    "_tick": ("GENERATED", "DAYS", "UNTIL", "TICK_ROWS"),
    "psql": ("ROLE", "SQL"),
    "up": ("DATA",),
    "serve": ("DETACH",),
    "demo": ("DETACH", "ROWS"),
    "bench": ("ROWS",),
    "logs": ("SERVICE",),
    "restore": ("FROM",),
    "test-stack": ("LANES",),
    "fuzz": ("MINUTES",),
    "lighthouse": ("ADDRESS",),
    "dashboards-lint": ("RUNS",),
}
CASES = [(target, name) for target, names in SETTINGS.items() for name in names]


@pytest.fixture(scope="module")
def clone(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a copy of the repository's files at a path with a space and a quote, with this environment as .venv."""
    folder = tmp_path_factory.mktemp("clones") / "Ada's clone"
    yield copy_of(repo_root, folder)
    run_make(folder, "stop")


def run_make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `make WORDS...` with the folder's own data folder unless `environment` names another."""
    kept = {name: value for name, value in os.environ.items() if name != "TOKENSCOPE_DATA_DIR"}
    command = ["make", *INSTALLED, *words]
    return subprocess.run(command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True)


@pytest.fixture
def make(clone: Path) -> Iterator[Make]:
    """Return a function that runs make in the clone, and fails the test where a shell or make ran a setting."""

    def run(*words: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        result = run_make(clone, *words, **environment)
        assert not check or result.returncode == 0, f"{words}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
        return result

    yield run
    (clone / ".env").unlink(missing_ok=True)
    made = sorted(clone.rglob("made-by-*"))
    for path in made:
        path.unlink()
    assert made == []


@pytest.mark.parametrize(("target", "name"), CASES)
@pytest.mark.parametrize("place", ["command line", "environment", ".env"])
def test_no_recipe_holds_a_settings_text(clone: Path, make: Make, target: str, name: str, place: str) -> None:
    escaped = HOSTILE.replace("$(", "$$(") if place == ".env" else HOSTILE
    if place == ".env":
        (clone / ".env").write_text(f"{name}={escaped}\n")
    given = (f"{name}={HOSTILE}",) if place == "command line" else ()
    variables = {name: HOSTILE} if place == "environment" else {}
    printed = make("-n", target, *given, **variables)
    assert MARK not in printed.stdout and MARK not in printed.stderr


def test_every_setting_of_the_makefile_is_tested(clone: Path) -> None:
    text = (clone / "Makefile").read_text()
    listed = re.search(r"(?ms)^SETTINGS := (.*?[^\\])$", text)
    assert listed is not None
    tested = {name for names in SETTINGS.values() for name in names}
    assert set(listed[1].replace("\\", "").split()) == tested


@pytest.mark.parametrize(
    ("target", "name"), [("psql", "ROLE"), ("import", "FROM"), ("import", "FILE"), ("tick", "UNTIL")]
)
def test_a_hostile_setting_is_refused_as_the_text_it_is(make: Make, target: str, name: str) -> None:
    result = make(target, f"{name}={HOSTILE}", check=False)
    assert result.returncode == 2
    assert make(target, check=False, **{name: HOSTILE}).returncode == 2


@pytest.mark.parametrize("name", ["plain.csv", 'it\'s "5$".csv', "$(touch made-by-a-shell).csv", "$HOME $$ `id`.csv"])
def test_a_file_of_any_name_is_imported(clone: Path, make: Make, name: str) -> None:
    tokens = len(name)  # no two of these files have the same content
    (clone / name).write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,{tokens},44\n")
    given = f"FILE={name.replace('$', '$$')}"
    assert "1 api_requests loaded" in make("import", "FROM=azure-llm", given).stderr
    assert "up to date" in make("import", "FROM=azure-llm", FILE=name).stderr
    (clone / name).unlink()


def test_the_pipelines_commands_run_in_such_a_clone(clone: Path, make: Make) -> None:
    make("generate", "ROWS=2000", "SEED=7")
    assert "2,000 " in make("load").stderr
    assert "results recorded, 0 of them failed" in make("dbt-build", "SELECT=model_prices").stderr
    assert "raw_staging.api_requests" in make("summary").stdout
    assert make(
        "psql", "SQL=select 'a''b$$c', count(*) from raw_staging.api_requests where source = 'synthetic'"
    ).stdout
    assert "PostgreSQL stopped" in make("stop").stderr


def test_two_at_once_wait_for_each_other_and_both_succeed(clone: Path, make: Make, tmp_path: Path) -> None:
    """Builds share a folder of results and the tables of the models; ticks the day to reach as well."""
    data = tmp_path / "data"
    make("generate", "ROWS=2000", TOKENSCOPE_DATA_DIR=str(data))
    make("load", TOKENSCOPE_DATA_DIR=str(data))
    try:
        with ThreadPoolExecutor() as pool:
            both = [
                pool.submit(make, *words, TOKENSCOPE_DATA_DIR=str(data)) for words in (["dbt-build"], ["dbt-build"])
            ]
            builds = sorted((one.result().stderr for one in both), key=lambda said: "waiting for" in said)
            both = [pool.submit(make, "tick", "TICK_ROWS=10", TOKENSCOPE_DATA_DIR=str(data)) for _ in range(2)]
            ticks = sorted((one.result().stderr for one in both), key=lambda said: "waiting for" in said)
        for first, second in (builds, ticks):
            assert "waiting for" not in first
            assert re.search(r"(dbt-build|tick): waiting for \1 \(process [0-9]+ on ", second)
            assert "0 of them failed" in first and "0 of them failed" in second
        days = "SQL=select count(*), max(last_day) from raw_staging.live_batches"
        assert re.search(r"3 \| 2026-01-02", make("psql", days, TOKENSCOPE_DATA_DIR=str(data)).stdout)
    finally:
        make("stop", TOKENSCOPE_DATA_DIR=str(data))


def test_a_data_folder_with_a_space_and_a_quote_is_used(make: Make, tmp_path: Path) -> None:
    data = tmp_path / "Ada's data"
    make("generate", "ROWS=2000", TOKENSCOPE_DATA_DIR=str(data))
    try:
        make("load", f"TOKENSCOPE_DATA_DIR={data}")
        query = "SQL=select count(*) from raw_staging.api_requests"
        assert "2000" in make("psql", query, TOKENSCOPE_DATA_DIR=str(data)).stdout
    finally:
        make("stop", TOKENSCOPE_DATA_DIR=str(data))
    assert (data / "generated" / "manifest.json").is_file()


def test_what_is_written_is_for_the_owner_alone(clone: Path, make: Make, tmp_path: Path) -> None:
    data = tmp_path / "data"
    make("generate", "ROWS=2000", TOKENSCOPE_DATA_DIR=str(data))
    make("stop", TOKENSCOPE_DATA_DIR=str(data))
    private = [clone / name for name in ("dbt_project/target", "dbt_project/logs", "frontend/dist")]
    assert [path for path in private if path.stat().st_mode & 0o077] == []
    assert data.stat().st_mode & 0o067 == 0


def test_a_selection_that_selects_nothing_fails_and_names_what_is_near(make: Make) -> None:
    make("dbt-build", "SELECT=model_prices")  # leaves results that are not the next build's
    result = make("dbt-build", "SELECT=model_price", check=False)
    assert result.returncode == 2
    assert "expected a selection of what the project has, found no model_price, near: model_prices" in result.stderr
    assert "results recorded" not in result.stderr
    assert "dbt ended before it ran anything" in result.stderr
    events = "select status from ops.pipeline_events where status is not null and pipeline_id = 'dbt-build'"
    assert "failed" in make("psql", f"SQL={events} order by event_id desc limit 1").stdout
    assert "left no test results" not in make("summary").stdout  # nothing was ever tested here
