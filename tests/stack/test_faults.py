"""Things that break while people look on: containers killed, the database killed mid-write, a full disk, a re-run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.patience import wait_until
from tests.stack.client import Client
from tests.stack.project import LONG_RUNNING, Project
from tests.stack.viewers import Crowd, Visit

RecordFigure = Callable[[str, str, str], None]
CLIENTS = 50
ERROR_PAGES = {502, 503, 504}
COUNTS = """
    select (select count(*) from raw_staging.api_requests), (select count(*) from public_star.fct_api_requests),
    (select count(*) from public_snowflake.fct_api_requests_sf)
"""
# Steps of the pipeline, and where pg_stat_activity shows that one is writing.
MID_WRITE = {
    "load": "from pg_stat_activity where query ilike 'copy %' and usename = 'portfolio_owner'",
    "dbt-build": "from pg_stat_activity where query ilike '%fct_api_requests%' and application_name = 'dbt'",
}
# Asks inside the server, every other millisecond: a load of this size writes for less than a second.
WAIT_FOR = """
    do $$
    begin
        while not exists (select {moment}) loop
            if clock_timestamp() > now() + interval '1 h' then raise 'the moment to kill did not come'; end if;
            perform pg_sleep(0.002);
            perform pg_stat_clear_snapshot();
        end loop;
    end $$
"""


def kill_and_wait(stack: Project, service: str, moment: Callable[[], object] = lambda: None) -> float:
    """Kill a container's first process when `moment` returns, wait until it is healthy again; return the seconds taken.

    The process is killed from the host: to the engine that is a crash, which `docker kill` is not.
    """
    state = stack.inspect(service)["State"]
    moment()
    begin = time.monotonic()
    os.kill(state["Pid"], signal.SIGKILL)
    wait_until(lambda: stack.inspect(service)["State"]["StartedAt"] != state["StartedAt"], f"{service} starts")
    stack.wait_healthy(service)
    return time.monotonic() - begin


@contextmanager
def crowd(stack: Project, pages: list[str]) -> Iterator[Crowd]:
    """Let 50 clients browse in the background while the block runs."""
    found = Crowd(pages, stack.folder / "secrets" / "tls_certificate", pause_s=(0.1, 0.5), with_files=False)
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(found.browse(CLIENTS, stop.is_set)))
    thread.start()
    time.sleep(2)
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def asked_after(crowd: Crowd, moment: float) -> list[Visit]:
    return [visit for visit in list(crowd.visits) if visit.at - visit.seconds > moment]


def is_designed(visit: Visit) -> bool:
    return visit.status in ERROR_PAGES and f"error {visit.status}" in visit.body and "No data is lost" in visit.body


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_killed_container_comes_back_and_visitors_see_a_page(
    stack: Project, names: dict[str, str], service: str, record_figure: RecordFigure
) -> None:
    card = f"/metabase/api/public/dashboard/{names['uuid']}"
    pages = ["/", "/docs/", "/forecaster/_stcore/health", f"/metabase/public/dashboard/{names['uuid']}"]
    rows = stack.sql(COUNTS)
    with crowd(stack, pages) as seen:
        seconds = kill_and_wait(stack, service)
        recovered = time.monotonic() + 2  # Traefik and the app have noticed
        wait_until(lambda: len(asked_after(seen, recovered)) > CLIENTS, "visits after the recovery")
    record_figure(f"{service} killed: healthy again after", f"{seconds:.1f} s", "60 s on 2 idle cores")
    failed = [visit for visit in seen.visits if visit.status not in (200, 202)]
    if service == "traefik":  # nobody is left to answer: connections break, and work again afterwards
        assert {visit.status for visit in failed} <= {0}
    else:
        assert [visit for visit in failed if not is_designed(visit)] == []
    assert [visit for visit in asked_after(seen, recovered) if visit in failed] == []
    assert stack.sql(COUNTS) == rows
    client = Client("https://localhost", stack.folder / "secrets" / "tls_certificate")
    wait_until(lambda: client.fetch(card).status == 200, "the dashboard answers")


@pytest.mark.parametrize(
    ("service", "path"),
    [("frontend", "/"), ("forecaster", "/forecaster/"), ("metabase", "/metabase/public/dashboard/{uuid}")],
)
def test_stopped_service_shows_a_designed_page(
    stack: Project, client: Client, names: dict[str, str], service: str, path: str
) -> None:
    stack.compose("stop", "--timeout", "5", service)
    try:
        answer = client.fetch(path.replace("{uuid}", names["uuid"]))
    finally:
        stack.compose("start", service)
        stack.wait_healthy(service)
    assert answer.status in ERROR_PAGES
    assert "<h1>" in answer.text and "Back to the start page" in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store" and answer.headers["retry-after"] == "10"
    assert "strict-transport-security" in answer.headers


def test_health_tells_when_the_app_cannot_reach_the_warehouse(stack: Project) -> None:
    stack.compose("stop", "--timeout", "20", "portfolio_db")
    check = ["exec", "-T", "-e", "PYTHONPATH=/app", "forecaster", "python", "/app/forecaster/healthcheck.py"]
    try:
        with pytest.raises(AssertionError, match="connection to the warehouse failed"):
            stack.compose(*check)
    finally:
        stack.compose("start", "portfolio_db")
        stack.wait_healthy("portfolio_db")
    stack.compose(*check)


def rerun_pipeline(stack: Project, rows: int, report_tz: str = "UTC") -> None:
    """Start the pipeline for another number of rows, as after a change in .env, without waiting for it."""
    (stack.folder / ".env").write_text(f"ROWS={rows}\nREPORT_TZ={report_tz}\n")
    stack.compose("up", "--detach", "--no-deps", "--force-recreate", "pipeline")


def wait_for_moment(stack: Project, moment: str, begin: Callable[[], None]) -> None:
    """Call `begin` when the server watches for `moment`, return when it has come: none is missed on a busy machine."""
    watching = "select count(*) > 0 from pg_stat_activity where query like '%the moment to kill%' and state = 'active'"
    with ThreadPoolExecutor(1) as pool:
        came = pool.submit(stack.sql, WAIT_FOR.format(moment=moment))
        wait_until(
            lambda: came.done() or stack.sql(f"{watching} and pid <> pg_backend_pid()") == "t", "the server watches"
        )
        begin()
        came.result()


def wait_for_pipeline(stack: Project) -> None:
    """Wait until the pipeline has ended well, however often the engine had to start it."""

    def is_done() -> bool:
        state = stack.inspect("pipeline")["State"]
        assert not (state["Status"] == "exited" and state["ExitCode"] != 0), stack.logs("pipeline")[-3000:]
        return bool(state["Status"] == "exited")

    wait_until(is_done, "the pipeline ends")


@pytest.fixture(scope="module")
def restored_rows(stack: Project) -> Iterator[None]:
    """Bring the warehouse back to the rows of the start after tests that load others."""
    yield
    (stack.folder / ".env").unlink(missing_ok=True)


def test_database_killed_mid_write_loses_nothing(
    stack: Project, restored_rows: None, record_figure: RecordFigure
) -> None:
    rows = "310000"
    before = stack.sql(COUNTS).split("|")
    begins = {"load": lambda: rerun_pipeline(stack, int(rows), "Asia/Kolkata"), "dbt-build": lambda: None}
    for step, moment in MID_WRITE.items():
        seconds = kill_and_wait(stack, "portfolio_db", partial(wait_for_moment, stack, moment, begins[step]))
        what = f"portfolio_db killed during {step}: healthy again after"
        record_figure(what, f"{seconds:.1f} s", "60 s on 2 idle cores")
        raw, *facts = stack.sql(COUNTS).split("|")
        assert raw in (before[0], rows) and set(facts) <= {*before[1:], rows}
    wait_for_pipeline(stack)
    assert stack.inspect("pipeline")["RestartCount"] >= len(MID_WRITE)
    assert set(stack.sql(COUNTS).split("|")) == {rows}
    assert stack.sql("select count(*) from raw_staging.load_batches where status = 'running'") == "0"
    for step in MID_WRITE:
        ended = f"pipeline_id = '{step}' and event_name = 'pipeline_run_end'"
        ends = stack.sql(f"select status from ops.pipeline_events where {ended} order by event_id desc limit 2")
        assert {"failed", "killed"} & set(ends.split()), (step, ends)
    assert stack.sql("select distinct extract(minute from hour_at) from public_marts.usage_hourly") == "30"


def test_readers_see_the_old_or_the_new_data_and_no_error(
    stack: Project, client: Client, names: dict[str, str], restored_rows: None
) -> None:
    board = json.loads(client.fetch(f"/metabase/api/public/dashboard/{names['uuid']}").body)
    tiles = [tile for tile in board["dashcards"] if tile.get("card_id")][:8]
    paths = [
        f"/metabase/api/public/dashboard/{names['uuid']}/dashcard/{tile['id']}/card/{tile['card_id']}" for tile in tiles
    ]

    def answers() -> dict[str, str]:
        found = {}
        for path in paths:
            answer = client.fetch(path)
            assert answer.status == 202, answer.text
            content = json.loads(answer.body)
            assert content["status"] == "completed", content
            found[path] = json.dumps(content["data"]["rows"])
        return found

    before = answers()
    rerun_pipeline(stack, 400_000)
    seen = []
    while stack.inspect("pipeline")["State"]["Status"] != "exited":
        seen.append(answers())
    wait_for_pipeline(stack)
    after = answers()
    assert seen and before != after
    mixed = [path for found in seen for path in paths if found[path] not in (before[path], after[path])]
    assert mixed == []


def test_up_ends_soon_with_the_last_words_of_a_service_that_fails(stack: Project, restored_rows: None) -> None:
    override = stack.folder / "docker-compose.override.yml"
    override.write_text("services: {forecaster: {entrypoint: [sh, -c, 'echo no warehouse today; exit 3']}}\n")
    try:
        result = stack.make("up", check=False)
        assert result.returncode != 0 and "found forecaster failing" in result.stderr
        assert "the last words of forecaster:\n  no warehouse today" in result.stderr
    finally:
        override.unlink()
    stack.make("up")


def test_up_ends_soon_when_a_setting_is_wrong(stack: Project, restored_rows: None) -> None:
    settings = stack.folder / ".env"
    kept = settings.read_text() if settings.exists() else ""
    try:
        settings.write_text("ROWS=many\n")
        result = stack.make("up", check=False)
    finally:
        settings.write_text(kept)
    assert result.returncode != 0
    assert "ROWS: expected a whole number, found many; change it in .env" in result.stderr
    stack.make("up")


def test_full_disk_fails_the_load_and_keeps_the_data(stack: Project, tmp_path: Path) -> None:
    override = tmp_path / "small-disk.yml"
    override.write_text(
        "services: {portfolio_db: {deploy: {resources: {limits: {memory: 2G}}}}}\n"
        "volumes: {portfolio_db: {driver_opts: {type: tmpfs, device: tmpfs, o: 'size=420m,uid=999,gid=999'}}}\n"
    )
    small = ["-p", "small", "-f", "docker-compose.yml", "-f", str(override)]

    def rows() -> str:
        query = "select count(*) from raw_staging.api_requests"
        words = ["exec", "-T", "portfolio_db", "psql", "-XAtq", "-U", "postgres", "-d", "tokenscope", "-c", query]
        return stack.compose(*small, *words).strip()

    try:
        stack.compose(*small, "up", "--detach", "--wait", "portfolio_db")
        stack.compose(*small, "run", "--rm", "--no-deps", "-T", "roles")
        run = [*small, "run", "--rm", "--no-deps", "-T", "-e"]
        stack.compose(*run, "ROWS=20000", "pipeline", "run")
        with pytest.raises(AssertionError) as failure:
            stack.compose(*run, "ROWS=3000000", "pipeline", "run")
        assert "No space left on device" in str(failure.value)
        assert "Traceback" not in str(failure.value)
        assert rows() == "20000"
        stack.compose(*run, "ROWS=21000", "pipeline", "run")
        assert rows() == "21000"
    finally:
        stack.compose(*small, "down", "--volumes", check=False)
