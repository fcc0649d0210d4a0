"""Own data in the running stack: a file in the inbox is on the pages after the next run; the daily run, its backup."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.patience import COMMAND_HANG_S, wait_until
from tests.stack.client import Client
from tests.stack.project import Project

every_engine = pytest.mark.every_engine

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
ENDED = "select count(*) from ops.pipeline_events where pipeline_id = '{}' and status is not null"


def trace(minutes: range, day: str) -> str:
    return HEADER + "".join(f"{day} {at // 60:02}:{at % 60:02}:07.5,{100 + at},9\n" for at in minutes)


def put_in(stack: Project, name: str, text: str) -> None:
    """Move a whole file into the inbox, as a user does."""
    ready = stack.folder / name
    ready.write_text(text)
    ready.chmod(0o644)
    ready.rename(stack.folder / "inbox" / "azure-llm" / name)


def dealt_with(stack: Project, name: str) -> Path | None:
    """Return the report of a file that was put in, None while there is none."""
    return next(iter(stack.folder.glob(f"inbox/*/*-{name}.report.txt")), None)


def runs_ended(stack: Project, name: str) -> int:
    return int(stack.sql(ENDED.format(name)))


@pytest.fixture(scope="module")
def loaded(stack: Project) -> str:
    """Put a file into the inbox and wait for the run that it starts; return the report."""
    before = runs_ended(stack, "work")
    put_in(stack, "code.csv", trace(range(0, 1400, 7), "2025-12-20"))
    wait_until(lambda: runs_ended(stack, "work") > before, "no run for the inbox")
    report = dealt_with(stack, "code.csv")
    assert report is not None
    return report.read_text()


@every_engine
def test_folders_are_there_and_empty_files_of_nobody_lie_in_them(stack: Project) -> None:
    for folder in ("inbox/azure-llm", "inbox/litellm", "inbox/burstgpt", "backups/scheduled"):
        assert (stack.folder / folder).is_dir()
    assert (stack.folder / "backups").stat().st_mode & 0o077 == 0


@every_engine
def test_file_in_the_inbox_is_loaded_built_and_reported(stack: Project, loaded: str) -> None:
    assert "result    loaded" in loaded and "rows      read 200, loaded 200, rejected 0" in loaded
    assert stack.sql("select count(*) from public_star.fct_api_requests where source = 'azure-llm'") == "200"
    last = (
        "select status from ops.pipeline_events where pipeline_id = '{}' and status is not null order by event_id desc"
    )
    for step in ("work", "inbox", "dbt-build", "forecast", "export", "site"):
        assert stack.sql(f"{last.format(step)} limit 1") == "done", step
    assert not list((stack.folder / "inbox" / "azure-llm").iterdir())


@every_engine
def test_file_in_the_inbox_is_on_the_dashboards_after_the_run(stack: Project, loaded: str, client: Client) -> None:
    exported = json.loads(stack.compose("exec", "-T", "site-build", "cat", "/data/site/site.json"))
    assert "azure-llm" in {row["source"] for row in exported["headline"]["sources"]}
    page = client.fetch("/pipeline/").body.decode()
    assert "azure-llm" in page
    assert stack.compose("exec", "-T", "frontend", "readlink", "/site/current").strip().rpartition("/")[
        2
    ] in stack.compose("exec", "-T", "site-build", "cat", "/site/.result")


@every_engine
def test_same_file_again_is_a_no_op_that_says_so(stack: Project, loaded: str) -> None:
    put_in(stack, "again.csv", trace(range(0, 1400, 7), "2025-12-20"))
    wait_until(lambda: dealt_with(stack, "again.csv") is not None, "the file stays")
    report = dealt_with(stack, "again.csv")
    assert report is not None and "was loaded before: nothing to do" in report.read_text()
    assert stack.sql("select count(*) from raw_staging.api_requests where source = 'azure-llm'") == "200"


@every_engine
def test_bad_file_is_put_aside_with_its_reason(stack: Project, loaded: str) -> None:
    put_in(stack, "bad.csv", "not,a,trace\n1,2,3\n")
    wait_until(lambda: dealt_with(stack, "bad.csv") is not None, "the file stays")
    report = dealt_with(stack, "bad.csv")
    assert report is not None and report.parent.name == "failed" and "expected the header line" in report.read_text()


def test_killed_scheduler_loses_nothing_and_loads_nothing_twice(stack: Project, loaded: str) -> None:
    put_in(stack, "night.csv", trace(range(1000), "2025-12-21"))
    begun = "select count(*) from raw_staging.load_batches where file_name = 'night.csv'"
    wait_until(lambda: stack.sql(begun) != "0", "the load does not begin")
    stack.compose("kill", "--signal", "KILL", "scheduler")
    stack.compose("start", "scheduler")
    wait_until(lambda: dealt_with(stack, "night.csv") is not None, "the file stays")
    day = "requested_at >= '2025-12-21' and requested_at < '2025-12-22'"
    assert stack.sql(f"select count(*) from raw_staging.api_requests where source = 'azure-llm' and {day}") == "1000"
    stack.wait_healthy("scheduler")


@every_engine
def test_every_import_works_by_hand(stack: Project, loaded: str) -> None:
    (stack.folder / "inbox" / "done" / "by-hand.csv").write_text(trace(range(30), "2025-12-22"))
    words = ["run", "--rm", "--no-deps", "-T", "pipeline", "import", "--from", "azure-llm", "--source", "by-hand"]
    stack.compose(*words, "/inbox/done/by-hand.csv")
    piped = subprocess.run(
        ["docker", "compose", *words, "--add", "-"],
        cwd=stack.folder,
        env=stack.environment,
        input=trace(range(50), "2025-12-23"),
        capture_output=True,
        text=True,
        timeout=COMMAND_HANG_S,
    )
    assert "50 api_requests loaded" in piped.stderr, piped.stderr
    assert stack.sql("select count(*) from raw_staging.api_requests where source = 'by-hand'") == "80"


@every_engine
def test_a_source_is_taken_out_by_hand(stack: Project, loaded: str) -> None:
    stack.compose("run", "--rm", "--no-deps", "-T", "pipeline", "remove", "by-hand")
    assert stack.sql("select count(*) from raw_staging.api_requests where source = 'by-hand'") == "0"


@pytest.fixture(scope="module")
def daily(stack: Project, loaded: str) -> str:
    """Do the daily run now; return what it said."""
    words = ["docker", "compose", "exec", "-T", "scheduler", "python", "-m", "pipeline", "daily"]
    result = stack.run(*words, check=False)
    return result.stdout + result.stderr


def test_daily_run_records_every_step(stack: Project, daily: str) -> None:
    for step in ("inbox", "dbt-build", "forecast", "export", "site", "backup", "freshness"):
        last = f"select status from ops.pipeline_events where pipeline_id = '{step}' and status is not null"
        assert stack.sql(f"{last} order by event_id desc limit 1") == "done", f"{step}: {daily[-3000:]}"


def test_scheduled_backup_is_whole_and_has_the_form_that_restore_takes(stack: Project, daily: str) -> None:
    (folder,) = (path for path in (stack.folder / "backups" / "scheduled").iterdir() if not path.name.startswith("."))
    assert re.fullmatch(r"\d{8}T\d{6}Z", folder.name)
    assert {path.name for path in folder.iterdir()} == {
        "tokenscope.dump",
        "metabase.dump",
        "versions.txt",
        "SHA256SUMS",
    }
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder).returncode == 0
    dumped = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in (stack.folder / "secrets").iterdir():
        assert not [name for name, content in dumped.items() if path.read_bytes().strip() in content], path.name
    listed = stack.run("stack/restore.sh", check=False)
    assert f"FROM=backups/scheduled/{folder.name}" in listed.stderr


def test_services_that_sleep_need_no_restart(stack: Project, daily: str) -> None:
    assert {name: stack.inspect(name)["State"]["OOMKilled"] for name in ("scheduler", "backup", "site-build")} == {
        "scheduler": False,
        "backup": False,
        "site-build": False,
    }
    assert stack.health("scheduler") == stack.health("backup") == stack.health("site-build") == "healthy"


def test_start_without_demo_data_says_that_those_of_an_earlier_start_stay(stack: Project, daily: str) -> None:
    result = stack.run("docker", "compose", "run", "--rm", "-T", "-e", "DATA=none", "pipeline", "run")
    assert "DATA=none asks for no demo data" in result.stderr and "pipeline remove synthetic" in result.stderr
