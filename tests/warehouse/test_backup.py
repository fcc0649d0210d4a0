"""Backups of a real database: verified before they are called done, refused before anything is touched."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from warehouse.__main__ import main
from warehouse.backup import _LOCK, _MARK
from warehouse.contents import Table, contents
from warehouse.lock import HOLDER_VARIABLE, alone

Run = Callable[..., subprocess.CompletedProcess[str]]
Command = Callable[..., tuple[int, str]]
Environment = dict[str, str]


def connected(database: Environment, user: str | None = None, name: str | None = None) -> psycopg.Connection:
    return psycopg.connect(
        host=database["PGHOST"],
        port=database["PGPORT"],
        user=user or database["PGUSER"],
        dbname=name or database["PGDATABASE"],
        autocommit=True,
    )


def held(database: Environment) -> dict[str, Table]:
    with connected(database) as connection, connection.transaction():
        return contents(connection)


def beside(database: Environment) -> list[str]:
    """Return the databases that a backup or restore has made beside this one."""
    with connected(database, name="postgres") as connection:
        statement = "select datname from pg_database where datname like %s || '\\_%%'"
        return [name for (name,) in connection.execute(statement, [database["PGDATABASE"]])]


@pytest.fixture(scope="module")
def loaded(databases: Any, loaded_template: Environment) -> Iterator[Environment]:
    """Return the database that this module backs up; whoever changes it restores it."""
    database = databases.create(loaded_template["PGDATABASE"])
    yield database
    assert beside(database) == []
    databases.drop(database)


@pytest.fixture(scope="module")
def made(loaded: Environment, tmp_path_factory: pytest.TempPathFactory, run_command: Run) -> Path:
    """Return a backup that no test changes."""
    root = tmp_path_factory.mktemp("made") / "backups"
    result = run_command("-m", "warehouse", "backup", env=loaded | {"BACKUP_DIR": str(root)})
    assert "restored beside it and compared" in result.stderr
    return Path(result.stdout.strip())


@pytest.fixture
def place(loaded: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Return the database, which this process's environment names, with a folder for its backups."""
    for name, value in (loaded | {"BACKUP_DIR": str(tmp_path / "backups")}).items():
        monkeypatch.setenv(name, value)
    return loaded


@pytest.fixture
def backup(place: Environment, made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "backups" / made.name))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return a function that runs the command line in this process: its exit status and what it said."""

    def in_this_process(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        status = main([str(word) for word in words])
        return status, capsys.readouterr().err

    return in_this_process


def sign(backup: Path) -> None:
    """Write SHA256SUMS anew, as somebody would who made a backup of damaged files."""
    names = [line.split("  ")[1] for line in (backup / "SHA256SUMS").read_text().splitlines()]
    sums = [f"{hashlib.sha256((backup / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (backup / "SHA256SUMS").write_text("".join(sums))


def test_a_restore_brings_back_every_row_and_right(place: Environment, backup: Path, run: Command) -> None:
    before = held(place)
    assert before["raw_staging.users"].rows == 400
    with connected(place) as connection, connected(place, "portfolio_reader") as reader:
        connection.execute("delete from raw_staging.users where user_id > 100; drop table ops.dbt_results")
        connection.execute("update raw_staging.models set model_name = model_name || '!'")
        assert held(place) != before
        status, said = run("restore", backup)  # ends who is connected
        assert status == 0, said
        with pytest.raises(psycopg.OperationalError):
            reader.execute("select 1")
    assert f"{len(before)} tables with" in said and "as backed up" in said
    assert held(place) == before
    with connected(place, "portfolio_reader") as reader:
        assert reader.execute("select count(*) from ops.pipeline_events").fetchone() is not None
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("select * from raw_staging.users")
        reader.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("create temporary table t (i integer)")


def test_a_backup_is_for_its_owner_alone_and_has_sums(made: Path) -> None:
    assert made.parent.stat().st_mode & 0o077 == 0 and made.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in made.iterdir()) == [
        *("SHA256SUMS", "tables.txt", "tokenscope.dump", "versions.txt")
    ]
    assert [path.name for path in made.parent.iterdir()] == [made.name]


@pytest.mark.parametrize("name", ["tokenscope.dump", "tables.txt"])
@pytest.mark.parametrize("damage", ["one bit", "cut off", "absent", "cut off, signed"])
def test_a_damaged_backup_is_refused_and_nothing_touched(
    place: Environment, backup: Path, run: Command, name: str, damage: str
) -> None:
    octets = bytearray((backup / name).read_bytes())
    octets[len(octets) // 2] ^= 1
    (backup / name).write_bytes(octets if damage == "one bit" else octets[: len(octets) // 2])
    if damage == "absent":
        (backup / name).unlink()
    if damage.endswith("signed"):
        sign(backup)
    before = held(place)
    with connected(place) as connection:
        status, said = run("restore", backup)
        assert status == 1 and said.count("\n") == 1
        assert said.startswith("restore: expected") and "nothing was changed" in said
        assert connection.execute("select 1").fetchone() == (1,)  # nobody was asked to leave
    assert held(place) == before


def test_rows_that_are_not_what_was_counted_are_refused(backup: Path, run: Command) -> None:
    tables = (backup / "tables.txt").read_text()
    (backup / "tables.txt").write_text(tables.replace("400 ", "401 ", 1))
    sign(backup)
    status, said = run("restore", backup)
    assert status == 1 and "has 400 rows, not 401" in said


def test_a_folder_that_is_no_backup_is_refused_with_those_that_are(backup: Path, run: Command) -> None:
    status, said = run("restore", backup.parent / "other")
    assert status == 2 and f"  FROM={backup}\n" in said


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_the_next_command_takes_away_what_a_killed_one_left(
    place: Environment, backup: Path, run: Command, command: str
) -> None:
    with connected(place, name="postgres") as connection:
        for purpose in ("restored", "replaced", "checked"):
            name = f'"{place["PGDATABASE"]}_{purpose}"'
            connection.execute(f"create database {name}".encode())
            connection.execute(f"comment on database {name} is '{_MARK}'".encode())
        assert run(command, *([backup] if command == "restore" else []))[0] == 0
        copies = "select count(*) from pg_database where starts_with(datname, %s)"
        assert connection.execute(copies, [f"{place['PGDATABASE']}_"]).fetchone() == (0,)


def test_a_pipe_in_the_place_of_a_file_is_a_damaged_backup(backup: Path, run: Command) -> None:
    (backup / "tables.txt").unlink()
    os.mkfifo(backup / "tables.txt")
    status, said = run("restore", backup)
    assert status == 1 and "expected the files that SHA256SUMS lists, found others" in said


def test_a_database_of_somebody_else_is_not_dropped(place: Environment, backup: Path, run: Command) -> None:
    name = f"{place['PGDATABASE']}_restored"
    with connected(place, name="postgres") as connection:
        connection.execute(f'create database "{name}"'.encode())
    status, said = run("restore", backup)
    assert status == 1 and f"expected the name {name} to be free" in said
    with connected(place, name="postgres") as connection:
        connection.execute(f'drop database "{name}"'.encode())  # it is still there


def test_a_backup_waits_for_a_build_and_takes_what_it_left(place: Environment, run: Command) -> None:
    with connected(place) as building, alone(building, "dbt-build"):
        os.environ.pop(HOLDER_VARIABLE)  # the backup is no child of the build
        result: list[tuple[int, str]] = []
        backing_up = threading.Thread(target=lambda: result.append(run("backup")))
        backing_up.start()
        backing_up.join(2)
        assert backing_up.is_alive()
    backing_up.join()
    assert result[0][0] == 0


def test_two_at_once_are_refused(place: Environment, run: Command) -> None:
    with connected(place, name="postgres") as connection:
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        status, said = run("backup")
    assert status == 1 and "expected no other backup or restore" in said


def test_a_database_without_a_warehouse_makes_no_backup(
    place: Environment, empty_database: Environment, run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGDATABASE", empty_database["PGDATABASE"])
    status, said = run("backup")
    assert status == 1 and "expected a warehouse to back up" in said
    assert list((tmp_path / "backups").iterdir()) == []
