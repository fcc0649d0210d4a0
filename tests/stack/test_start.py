"""`make up` from nothing and again, and the figures the stack has to reach."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable

import pytest

from tests.stack.conftest import Started
from tests.stack.project import LONG_RUNNING, ONE_SHOTS, Project

pytestmark = pytest.mark.every_engine
RecordFigure = Callable[[str, str, str], None]
LIMIT_MIB = 1229  # 1.2 GiB
UNITS = {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}


def test_everything_is_healthy_and_every_one_shot_is_done(stack: Project) -> None:
    assert {name: stack.health(name) for name in LONG_RUNNING} == dict.fromkeys(LONG_RUNNING, "healthy")
    states = {name: stack.inspect(name)["State"] for name in ONE_SHOTS}
    assert {name: (state["Status"], state["ExitCode"]) for name, state in states.items()} == dict.fromkeys(
        ONE_SHOTS, ("exited", 0)
    )


def test_one_shots_needed_one_attempt(stack: Project) -> None:
    assert {name: stack.inspect(name)["RestartCount"] for name in [*ONE_SHOTS, *LONG_RUNNING]} == dict.fromkeys(
        [*ONE_SHOTS, *LONG_RUNNING], 0
    )


def test_up_prints_the_addresses(started: Started) -> None:
    for path in ("/", "/forecaster", "/docs/", "/metabase/public/dashboard/"):
        assert f"  https://localhost{path}" in started.output
    assert re.search(r"Ready: images in \d+ s, start in \d+ s:", started.output)


def test_first_up_needs_nothing_before_it(started: Started, record_figure: RecordFigure) -> None:
    parts = re.search(r"images in \d+ s, start in \d+ s", started.output)
    took = f"{started.seconds:.0f} s ({parts[0] if parts else 'reused'})"
    record_figure("first make up, base images at hand", took, "120 s on 2 idle cores")
    assert ", 0 kept in secrets" in started.output or "STACK_REUSE" in os.environ


def test_warehouse_is_filled(stack: Project) -> None:
    rows = int(stack.sql("select count(*) from public_star.fct_api_requests"))
    assert rows == int(stack.sql("select count(*) from raw_staging.api_requests")) == 500_000


def test_forecasts_are_filled(stack: Project) -> None:
    series, points = stack.sql(
        "select count(distinct (segment_kind, segment, metric)), count(*) from forecast.points"
    ).split("|")
    assert int(series) >= 10 and int(points) >= 1000
    exported = stack.compose("exec", "-T", "site-build", "cat", "/data/site/forecast.json")
    assert len(json.loads(exported)["hours"]) == 72


def test_every_step_left_its_start_and_its_end(stack: Project) -> None:
    query = """
        select event_name, status, string_agg(pipeline_id, ',' order by pipeline_id)
        from ops.pipeline_events where event_name <> 'data_freshness' group by 1, 2 order by 1, 2
    """
    steps = "dbt-build,export,forecast,generate,load"
    assert stack.sql(query).splitlines() == [f"pipeline_run_end|done|{steps}", f"pipeline_run_start||{steps}"]


def test_idle_memory_is_measured(stack: Project, record_figure: RecordFigure) -> None:
    time.sleep(5)
    lines = stack.engine.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").splitlines()
    used = {}
    for line in lines:
        name, amount = line.split(" ", 1)
        number, unit = re.match(r"([\d.]+)([KMG]iB)", amount).groups()  # type: ignore[union-attr]
        used[name] = float(number) * UNITS[unit]
    total = sum(value for name, value in used.items() if "metabase" not in name)
    record_figure("idle memory without Metabase", f"{total:.0f} MiB", f"{LIMIT_MIB} MiB")
    assert any("traefik" in name for name in used), used


def test_second_up_changes_nothing(stack: Project, record_figure: RecordFigure) -> None:
    def state() -> dict[str, object]:
        services = {name: stack.inspect(name) for name in LONG_RUNNING}
        return {
            "containers": {name: (found["Id"], found["State"]["StartedAt"]) for name, found in services.items()},
            "one-shots": {name: stack.inspect(name)["Id"] for name in ONE_SHOTS},
            "images": stack.engine.docker("images", "--no-trunc", "--quiet", "tokenscope/*"),
            "batches": stack.sql("select batch_id, finished_at from raw_staging.load_batches order by 1"),
            "fact": stack.sql(
                "select oid, relfilenode from pg_class where oid = 'public_star.fct_api_requests'::regclass"
            ),
            "site": stack.compose("exec", "-T", "frontend", "readlink", "/site/current"),
            "links": stack.compose("exec", "-T", "frontend", "cat", "/links/links.json"),
            "secrets": {path.name: path.read_bytes() for path in (stack.folder / "secrets").iterdir()},
        }

    before = state()
    begin = time.monotonic()
    result = stack.make("up")
    record_figure("second make up, unchanged", f"{time.monotonic() - begin:.1f} s", "8 s on 2 idle cores")
    assert state() == before
    assert "skipped" in stack.logs("pipeline") and "0 writes" in stack.logs("metabase-provision")
    assert "0 made" in result.stderr


def test_up_without_data_recreates_nothing_after_one_with_it(stack: Project) -> None:
    stack.make("up", DATA="demo")
    before = {name: stack.container(name) for name in [*LONG_RUNNING, *ONE_SHOTS]}
    stack.make("up")
    assert {name: stack.container(name) for name in [*LONG_RUNNING, *ONE_SHOTS]} == before
    assert "DATA=demo" in stack.inspect("pipeline")["Config"]["Env"]
    (stack.folder / ".env").write_text("DATA=none\n")
    try:
        stack.make("up")
    finally:
        (stack.folder / ".env").unlink()
    assert "DATA=none" in stack.inspect("pipeline")["Config"]["Env"]
    stack.make("up", DATA="demo")
    assert "DATA=demo" in stack.inspect("pipeline")["Config"]["Env"]


def test_ps_lists_every_service(stack: Project) -> None:
    listed = stack.make("ps").stdout
    assert [name for name in [*LONG_RUNNING, *ONE_SHOTS] if f"tokenscope-{name}-1" not in listed] == []


def test_status_says_what_is_not_healthy(stack: Project) -> None:
    stack.compose("stop", "error-pages")
    try:
        result = stack.run("stack/status.sh", check=False)
        assert result.returncode == 1 and "error-pages" in result.stdout
    finally:
        stack.compose("start", "error-pages")
        stack.wait_healthy("error-pages")
    assert stack.run("stack/status.sh").returncode == 0


def test_compose_configuration_is_stable(stack: Project) -> None:
    first = stack.compose("--profile", "dev", "config")
    assert first == stack.compose("--profile", "dev", "config")
    assert (stack.folder / "secrets").stat().st_mode & 0o777 == 0o700
