"""Work that another container does: the word is passed by files, and silence is told from slowness."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded.postgres import binary
from pipeline import jobs
from pipeline.jobs import Job, JobError
from tests.patience import HANG_S

Environment = dict[str, str]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "answers").mkdir()
    return Job("backup", "backup", tmp_path / "asks", tmp_path / "answers")


def test_each_question_has_a_word_of_its_own(job: Job) -> None:
    first, second = jobs.ask(job), jobs.ask(job)
    assert first != second
    assert job.wanted.read_text().strip() == second


def test_answer_to_an_earlier_question_is_none(job: Job) -> None:
    earlier = jobs.ask(job)
    (job.answers / ".result").write_text(f"{earlier} done 20261120T031500Z\n")
    with pytest.raises(JobError, match="expected a sign of life of the service backup"):
        jobs.wait(job, jobs.ask(job), silence_s=0.1)


def test_failure_is_told_with_where_to_look(job: Job) -> None:
    token = jobs.ask(job)
    (job.answers / ".result").write_text(f"{token} failed\n")
    with pytest.raises(JobError, match="see `make logs SERVICE=backup`"):
        jobs.wait(job, token)


def test_slow_service_that_gives_signs_of_life_is_waited_for(job: Job) -> None:
    token = jobs.ask(job)

    def work() -> None:
        for number in range(4):
            (job.answers / ".alive").write_text(f"{number}\n")
            time.sleep(jobs.POLL_S)
        (job.answers / ".result").write_text(f"{token} done as asked\n")

    thread = threading.Thread(target=work)
    thread.start()
    assert jobs.wait(job, token, silence_s=2.5 * jobs.POLL_S) == "as asked"
    thread.join()


@pytest.fixture
def backup_service(
    databases: Any, warehouse_template: Environment, tmp_path: Path, repo_root: Path
) -> Iterator[Callable[..., Job]]:
    """Return a function that starts the real script on the two databases the stack has; they are dropped at the end."""
    server = databases.create(warehouse_template["PGDATABASE"])
    started: list[subprocess.Popen[bytes]] = []
    with owner_of(server, "postgres") as connection:
        connection.execute("create role metabase login")
        connection.execute("create database metabase owner metabase")
        connection.execute("alter role portfolio_owner login")
    with owner_of({**server, "PGUSER": "metabase"}, "metabase") as connection:
        connection.execute("create table report_card as select 7 as id")
    (tmp_path / "password").write_text("not asked for on the socket\n")
    (tmp_path / "backups").mkdir()
    job = Job("backup", "backup", tmp_path / "jobs", tmp_path / "backups")

    def start(**settings: str) -> Job:
        environment = {
            **os.environ,
            **{name: server[name] for name in ("PGHOST", "PGPORT", "PGDATABASE")},
            "PATH": f"{program_folder()}:{os.environ['PATH']}",
            "BACKUP_WANTED_FILE": str(job.wanted),
            "BACKUP_ROOT": str(job.answers),
            "BACKUP_POLL_S": "0.2",
            "TOKENSCOPE_PASSWORD_FILE": str(tmp_path / "password"),
            "METABASE_PASSWORD_FILE": str(tmp_path / "password"),
            **settings,
        }
        started.append(subprocess.Popen(["bash", repo_root / "stack" / "backup-loop.sh"], env=environment))
        return job

    yield start
    for process in started:
        process.terminate()
        process.wait(HANG_S)
    with owner_of(server, "postgres") as connection:
        connection.execute("drop database metabase with (force)")
        connection.execute("drop role metabase")
        connection.execute("alter role portfolio_owner nologin")
    databases.drop(server)


def owner_of(server: Environment, database: str) -> psycopg.Connection:
    """Return a connection as the server's own user to one of its databases."""
    place = {"host": server["PGHOST"], "port": server["PGPORT"], "user": server["PGUSER"]}
    return psycopg.connect(dbname=database, autocommit=True, **place)  # type: ignore[arg-type]


def program_folder() -> Path:
    """Return where the server's own pg_dump and pg_restore are."""
    return binary("pg_dump").parent


def test_dump_holds_both_databases_whole_and_can_be_restored(
    backup_service: Callable[..., Job], databases: Any, warehouse_template: Environment
) -> None:
    job = backup_service()
    name = jobs.wait(job, jobs.ask(job))
    folder = job.answers / name
    assert {path.name for path in folder.iterdir()} == {
        "tokenscope.dump",
        "metabase.dump",
        "versions.txt",
        "SHA256SUMS",
    }
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder)
    assert checked.returncode == 0
    assert (folder.stat().st_mode & 0o777, (folder / "tokenscope.dump").stat().st_mode & 0o777) == (0o777, 0o666)
    target = databases.create(prefix="restored")
    try:
        options = ["--exit-on-error", "--single-transaction", "-d", target["PGDATABASE"], folder / "tokenscope.dump"]
        restored = subprocess.run(
            [program_folder() / "pg_restore", *options], env={**os.environ, **target}, capture_output=True, text=True
        )
        assert restored.returncode == 0, restored.stderr
        assert count_of(target) == count_of(warehouse_template) == 20_000
    finally:
        databases.drop(target)


def test_newest_backups_are_kept_and_a_failed_one_takes_none_away(
    backup_service: Callable[..., Job], warehouse_template: Environment
) -> None:
    job = backup_service(BACKUP_KEEP="2")
    for day in (1, 2, 3):
        (job.answers / f"2026110{day}T031500Z").mkdir()
    name = jobs.wait(job, jobs.ask(job))
    assert kept(job) == ["20261103T031500Z", name]
    with owner_of(warehouse_template, "postgres") as connection:
        connection.execute("alter role metabase nologin")
    with pytest.raises(JobError, match="found that it failed"):
        jobs.wait(job, jobs.ask(job))
    assert kept(job) == ["20261103T031500Z", name]


def kept(job: Job) -> list[str]:
    return sorted(path.name for path in job.answers.iterdir() if path.name.endswith("Z") and path.name[0].isdigit())


def count_of(database: Environment) -> int:
    with owner_of(database, database["PGDATABASE"]) as connection:
        row = connection.execute("select count(*) from public_star.fct_api_requests").fetchone()
    assert row is not None
    return int(row[0])
