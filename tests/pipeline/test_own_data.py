"""A stack without demo data, from its first start to the site that shows the operator's own log."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from forecaster import cached
from pipeline import steps
from tests.pipeline.conftest import Stack, make_stack

Environment = dict[str, str]
pytestmark = pytest.mark.timeout(1800)  # a build and a site on a busy machine; a limit for what hangs


def build_site(stack: Stack) -> Path:
    """Build the site from the stack's export with the real Astro, one test at a time; return its folder."""
    out = stack.root / "dist"
    environment = {
        **os.environ,
        "SITE_DATA_DIR": str(stack.root / "data" / "site"),
        "SITE_OUT_DIR": str(out),
        "METABASE_LINKS_FILE": str(stack.root / "no-links.json"),
    }
    command = [str(stack.repository / "frontend" / "npm.sh"), "run", "build"]
    with (Path(tempfile.gettempdir()) / f"tokenscope-site-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Astro works in frontend/.astro, which all workers share
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return out


def export(stack: Stack, name: str) -> Any:
    return json.loads((stack.root / "data" / "site" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def empty(
    databases: Any, raw_template: Environment, repo_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Return a stack after its first start with DATA=none."""
    database = databases.create(raw_template["PGDATABASE"])
    stack = make_stack(tmp_path_factory.mktemp("stack"), database, repo_root)
    result = stack.run("run")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert "generate: skipped: DATA=none asks for no demo data" in result.stderr
    yield stack
    databases.drop(database)


@pytest.fixture(scope="module")
def empty_site(empty: Stack) -> dict[str, str]:
    """Return the pages of the site of the empty warehouse, by path."""
    out = build_site(empty)
    return {str(path.relative_to(out)): path.read_text() for path in out.rglob("*.html")}


def test_empty_warehouse_is_built_tested_and_exported(empty: Stack) -> None:
    assert empty.rows("select count(*) from public_star.fct_api_requests") == [(0,)]
    ends = "select distinct pipeline_id, status from ops.pipeline_events where status is not null order by 1"
    assert empty.rows(ends) == [("dbt-build", "done"), ("export", "done"), ("forecast", "done")]
    assert export(empty, "site")["headline"]["requests"] == 0
    assert export(empty, "traffic") == {"source": None, "start_on": None, "days": [], "cost": []}
    assert export(empty, "distributions") == {"source": None, "columns": []}
    assert export(empty, "calibration")["rows_measured"] == 0


def test_pages_of_an_empty_warehouse_say_so(empty_site: dict[str, str]) -> None:
    assert "No requests yet" in empty_site["index.html"] and "inbox/" in empty_site["index.html"]
    assert 'id="distributions"' not in empty_site["pipeline/index.html"]
    dashboards = [text for path, text in empty_site.items() if path.startswith("dashboards/") and path.count("/") == 2]
    assert len(dashboards) == 6
    assert all("No requests yet" in text for text in dashboards)
    for path, text in empty_site.items():
        words = text.split("<script")[0]
        assert "NaN" not in words and "undefined" not in words and ">null" not in words, path


def test_unchanged_second_start_builds_nothing(empty: Stack) -> None:
    result = empty.run("run")
    assert result.returncode == 0
    assert "dbt-build: skipped" in result.stderr


def test_forecaster_of_an_empty_warehouse_says_what_fills_it(empty: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in empty.database.items():
        monkeypatch.setenv(name, value)
    st.cache_data.clear()
    st.cache_resource.clear()
    page = AppTest.from_file(str(empty.repository / "forecaster" / "streamlit_app.py"), default_timeout=600).run()
    cached.pool().close()
    st.cache_resource.clear()
    assert not page.exception
    assert "Nothing to forecast yet" in " ".join(element.value for element in page.subheader)
    assert "inbox/" in " ".join(element.value for element in page.markdown)


def test_file_in_the_inbox_is_on_the_site_after_the_next_run(empty: Stack, empty_site: dict[str, str]) -> None:
    """The whole way: the file, the run, the service that builds the site, the page."""
    for hour, day in enumerate(("2024-05-10", "2024-05-11", "2024-05-12")):
        empty.drop(f"{day}.csv", range(hour, 1400, 7), day=day)
    result = run_work(empty)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    requests = sum(len(range(hour, 1400, 7)) for hour in range(3))
    headline = export(empty, "site")["headline"]
    assert headline["requests"] == requests
    assert [(row["source"], row["requests"]) for row in headline["sources"]] == [("azure-llm", requests)]
    assert export(empty, "distributions") == {"source": None, "columns": []}
    assert len(export(empty, "traffic")["days"]) == 3
    page = (empty.root / "dist" / "index.html").read_text()
    assert "2024-05-10 to 2024-05-12" in page and "No requests yet" not in page
    assert f">{requests}<" in page
    assert empty.rows("select count(*) from ops.stage_reconciliation where is_reconciled") == [(3,)]


def test_removed_source_leaves_the_site_after_the_next_run(empty: Stack) -> None:
    path = empty.root / "trace.csv"
    empty.drop("trace.csv", range(0, 1400, 7)).rename(path)
    for source in ("azure-llm", "taken-out"):
        assert empty.run("import", "--from", "azure-llm", "--source", source, "--force", str(path)).returncode == 0
    for removed, left in (("taken-out", [("azure-llm", 200)]), ("azure-llm", [])):
        assert "200 api_requests removed" in empty.run("remove", removed).stderr
        result = run_work(empty)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        assert [(row["source"], row["requests"]) for row in export(empty, "site")["headline"]["sources"]] == left
        assert [row["source"] for row in export(empty, "quality")["reconciliation"]] == [name for name, _ in left]
    assert "No requests yet" in (empty.root / "dist" / "index.html").read_text()
    assert empty.rows("select count(*) from forecast.runs") == [(0,)]
    assert export(empty, "forecast") == {"hours": []}


def run_work(stack: Stack) -> subprocess.CompletedProcess[str]:
    """Run the pipeline's `work` beside what stands for the service that builds the site; return how it ended."""
    done = threading.Event()
    service = threading.Thread(target=answer_for_the_site, args=(stack, done))
    service.start()
    try:
        return stack.run("work")
    finally:
        done.set()
        service.join()


def answer_for_the_site(stack: Stack, done: threading.Event) -> None:
    """Do what the service site-build does: build when asked, answer with the word it was asked with."""
    wanted, answered = stack.root / "data" / "jobs" / "site.wanted", stack.root / "site" / ".result"
    before = wanted.read_text()
    beats = 0
    while not done.wait(0.5):
        beats += 1
        (stack.root / "site" / ".alive").write_text(str(beats))
        if wanted.read_text() != before:
            before = wanted.read_text()
            build_site(stack)
            answered.write_text(f"{before.strip()} done release\n")


def test_start_without_data_does_as_the_one_before(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)

    def chosen(data: str) -> str:
        return steps.chosen_data_set(stack.settings(DATA=data))

    assert [chosen(data) for data in ("", "none", "", "demo", "")] == ["demo", "none", "none", "demo", "demo"]
    memory = stack.root / "data" / "data_set.json"
    memory.write_text("half a li")
    assert chosen("") == "demo"
    memory.unlink()
    path = stack.drop("code.csv", range(30))
    assert stack.run("import", "--from", "azure-llm", str(path)).returncode == 0
    assert chosen("") == "none"  # restored on another machine: no demo among somebody's own requests


def test_demo_data_stay_when_they_are_no_longer_asked_for(
    stack: Stack,
    dataset_20k: Path,
    run_command: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_command("-m", "loader", "load", dataset_20k, env=stack.database)
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    steps.fill(stack.settings())
    said = capsys.readouterr().err
    assert (
        "its 20,000 requests of an earlier start stay until `docker compose run --rm pipeline remove synthetic`" in said
    )
    assert stack.rows("select count(*) from raw_staging.api_requests") == [(20_000,)]


def test_import_goes_to_the_loader_from_a_file_or_standard_input(stack: Any) -> None:
    path = stack.drop("code.csv", range(30))
    assert "30 api_requests loaded" in stack.run("import", "--from", "azure-llm", str(path)).stderr
    for words in (("--source", "piped", "-"), ("-", "--source", "piped-first")):
        from_pipe = subprocess.run(
            [sys.executable, "-m", "pipeline", "import", "--from", "azure-llm", *words],
            cwd=stack.repository,
            env=stack.environment(),
            input=path.read_bytes(),
            capture_output=True,
        )
        assert b"30 api_requests loaded" in from_pipe.stderr, from_pipe.stderr
    assert list((stack.root / "data").iterdir()) == []
    assert "piped" in stack.run("status").stdout
    assert stack.run("import", "--from", "excel", str(path)).returncode == 2
