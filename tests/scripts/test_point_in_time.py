"""The steps of docs/deploy.md, 'Back to a point in time', on a real server: settings and commands are read from there.

Docker's part of them, the volume and the override file, is left out; what runs in the container runs here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from embedded.postgres import EmbeddedPostgres, binary
from tests.patience import HANG_S, wait_until
from tests.scripts.conftest import REPOSITORY

DOCUMENT = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8")
SECTION = DOCUMENT.split("### Back to a point in time", 1)[1].split("\n## ", 1)[0]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder whose path is short enough for a socket, with an archive everybody may write."""
    path = Path(tempfile.mkdtemp(prefix="tokenscope-pitr-"))
    (path / "backups").mkdir()
    (path / "wal-archive").mkdir()
    (path / "wal-archive").chmod(0o777)
    yield path
    for name in ("old", "new"):
        EmbeddedPostgres(path / name).stop()
    shutil.rmtree(path)


def documented(pattern: str, folder: Path) -> list[str]:
    found = re.findall(pattern, SECTION)
    assert found, pattern
    words = ["".join(match) for match in found]
    return [line.replace("/wal-archive", str(folder / "wal-archive")) for line in words]


def connect(environment: dict[str, str]) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=environment["PGHOST"],
        port=int(environment["PGPORT"]),
        user=environment["PGUSER"],
        dbname=environment["PGDATABASE"],
        autocommit=True,
    )


def server(folder: Path, name: str) -> EmbeddedPostgres:
    settings = dict(pair.split("=") for pair in re.findall(r"(?m)^((?:WAL_LEVEL|MAX_WAL_SENDERS)=\S+)$", SECTION))
    assert len(settings) == 2
    return EmbeddedPostgres(folder / name, {key.lower(): value for key, value in settings.items()} | {"fsync": "off"})


def wait_for(connection: psycopg.Connection[tuple[object, ...]], condition: str) -> None:
    wait_until(lambda: connection.execute(condition).fetchone() == (True,), condition)  # type: ignore[call-overload]


def take_base_backup(environment: dict[str, str], file: Path) -> None:
    (words,) = re.findall(r"portfolio_db pg_basebackup (.+) >backups/base\.tar\.gz", SECTION)
    command = [str(binary("pg_basebackup")), *words.split()]
    with file.open("wb") as output:
        subprocess.run(command, env={**os.environ, **environment}, stdout=output, check=True, timeout=HANG_S)


def fill_from_backup(folder: Path, server: EmbeddedPostgres, moment: str) -> None:
    pattern = r"docker compose run .* --entrypoint (sh) portfolio_db( -ceu '(?s:.+?)<backups/base.tar.gz)"
    (command,) = documented(pattern, folder)
    subprocess.run(
        ["bash", "-ceu", command.replace("2026-11-21 10:30:00+00", moment)],
        cwd=folder,
        env={**os.environ, "PGDATA": str(server.cluster)},
        check=True,
        timeout=HANG_S,
    )
    if os.geteuid() == 0:
        for path in [server.cluster, *server.cluster.rglob("*")]:
            shutil.chown(path, "tokenscope", "tokenscope")


def test_documented_steps_bring_back_a_second_in_the_past(folder: Path) -> None:
    old = server(folder, "old")
    with connect(old.ensure_running()) as connection:
        for statement in documented(r"(?m)^alter system set .*;$", folder):
            connection.execute(statement)  # type: ignore[call-overload]
    old.stop()
    environment = old.ensure_running()
    with connect(environment) as connection:
        connection.execute("create table kept as select 1 as value")
        take_base_backup(environment, folder / "backups" / "base.tar.gz")
        connection.execute("insert into kept values (2)")
        (moment,) = connection.execute("select clock_timestamp()::text").fetchone() or ("",)
        connection.execute("truncate kept")
        (segment,) = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
        wait_for(connection, f"select last_archived_wal >= '{segment}' from pg_stat_archiver")
    old.stop()

    new = server(folder, "new")
    fill_from_backup(folder, new, str(moment))
    with connect(new.ensure_running()) as connection:
        wait_for(connection, "select not pg_is_in_recovery()")
        assert connection.execute("select array_agg(value order by value) from kept").fetchone() == ([1, 2],)


def test_compose_file_takes_the_documented_settings() -> None:
    compose = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    assert "-cwal_level=${WAL_LEVEL:-minimal}" in compose and "-cmax_wal_senders=${MAX_WAL_SENDERS:-0}" in compose
    for name in re.findall(r"(?m)^([A-Z_]+)=", SECTION):
        assert f"#{name}=" in (REPOSITORY / ".env.example").read_text(encoding="utf-8")
