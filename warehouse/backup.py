"""Back up and restore the warehouse's database: `python -m warehouse backup | restore FOLDER`.

A backup is a folder as the full stack's: tokenscope.dump, versions.txt, SHA256SUMS, and here tables.txt with what the
dump must hold. It is called done when it has been restored beside the database and compared, and a restore does the
same before it puts anything in the database's place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from warehouse.connection import connect, connection_environment, is_external
from warehouse.contents import Table, as_text, contents, differences, from_text
from warehouse.lock import alone
from warehouse.programs import program

DUMP, TABLES, VERSIONS, SUMS = "tokenscope.dump", "tables.txt", "versions.txt", "SHA256SUMS"
_ADMIN_DATABASE = "postgres"
_LOCK = 7_460_005  # of that database, which no load or build connects to
_SWAP_TRIES = 100
_MARK = "made by a backup or restore of Tokenscope, which drops it"
_NAME_OCTETS = 63  # the server cuts what is longer, and another database would be meant
OLDEST_SERVER = 170_000
"""What pg_restore 18 sends is unknown to older ones (transaction_timeout)."""
_REPOSITORY = Path(__file__).resolve().parent.parent
ROLES = "create role portfolio_owner nologin", "create role portfolio_reader login"


class BackupError(Exception):
    """The backup or restore did not happen; the message says why and what to do."""


def back_up(root: Path, now: datetime) -> tuple[Path, str]:
    """Make a verified backup in a folder of `root` named after `now`; return it and a summary line.

    Raises BackupError; then there is no new folder.
    """
    started = time.monotonic()
    database, where = _chosen()
    staging = _staging(root)
    try:
        with _admin() as admin:
            with connect(autocommit=True) as connection, alone(connection, "backup"):
                expected = _dump(where, staging)
            (staging / TABLES).write_text(as_text(expected), encoding="utf-8")
            with _restored(admin, staging / DUMP, f"{database}_checked") as scratch:
                _compare(expected, scratch, staging)
        name = now.strftime("%Y%m%dT%H%M%SZ")
        (staging / VERSIONS).write_text(f"made_at {name}\nserver {_server_version()}\n", encoding="utf-8")
        (staging / SUMS).write_text("".join(f"{_sha256(staging / n)}  {n}\n" for n in (DUMP, TABLES, VERSIONS)))
        _sync(staging)
        folder = root / name
        staging.rename(folder)
    except OSError as error:
        raise BackupError(
            f"expected to write a backup in {root}, found {error.strerror} for {error.filename}; no backup was made"
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    rows = sum(table.rows for table in expected.values())
    size = (folder / DUMP).stat().st_size
    return folder, (
        f"{where}: {len(expected)} tables, {rows:,} rows, {size / 1e6:,.1f} MB, restored beside it and "
        f"compared, {time.monotonic() - started:.1f} s"
    )


def restore(folder: Path) -> str:
    """Put the database of a backup in the place of the current one; return a summary line.

    Raises BackupError, the current database then being as it was.
    """
    started = time.monotonic()
    check_whole(folder)
    database, where = _chosen()
    with _admin() as admin, connect(autocommit=True) as connection, alone(connection, "restore"):
        _make_roles(admin)
        with _restored(admin, folder / DUMP, f"{database}_restored") as scratch:
            said = "no tables.txt in it to compare with"
            if (folder / TABLES).is_file():
                expected = _listed(folder)
                _compare(expected, scratch, folder)
                said = f"{len(expected)} tables with {sum(t.rows for t in expected.values()):,} rows are as backed up"
            _complete(scratch)
            _swap(admin, database, scratch)
    return f"{where} is that of {folder}: {said}, {time.monotonic() - started:.1f} s"


def _staging(root: Path) -> Path:
    """Return a new folder in `root`, which is the owner's alone where it is made here; remove what killed ones left."""
    try:
        if not root.is_dir():
            root.mkdir(mode=0o700, parents=True)
        for left in root.glob(".new-*"):
            shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=".new-", dir=root))
    except OSError as error:
        raise BackupError(f"expected to write a backup in {root}, found {error.strerror}; no backup was made") from None


def check_whole(folder: Path) -> None:
    """Raise BackupError unless every file that SHA256SUMS lists is as it says, the dump among them."""
    try:
        listed = [line.split("  ", 1) for line in (folder / SUMS).read_text(encoding="utf-8").splitlines()]
        sums = {name: digest for digest, name in listed}
    except (OSError, ValueError):
        raise BackupError(f"expected the folder of a backup, found no {SUMS} that can be read in {folder}") from None
    if DUMP not in sums:
        raise BackupError(f"expected a backup with {DUMP}, found none listed in {folder / SUMS}; take another backup")
    damaged = [name for name, digest in sums.items() if _sha256(folder / name) != digest]
    if damaged:
        raise BackupError(
            f"expected the files that {SUMS} lists, found others in {folder}: {', '.join(damaged)}; take another "
            "backup, nothing was changed"
        )


def backups_in(root: Path) -> list[Path]:
    """Return the folders of backups below `root`, the oldest first."""
    return sorted((path.parent for path in root.glob(f"**/*Z/{SUMS}")), key=lambda path: path.name)


def _dump(where: str, staging: Path) -> dict[str, Table]:
    """Dump the database as of one moment into `staging`; return what it held then."""
    with connect() as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        row = connection.execute("select pg_export_snapshot(), to_regclass('raw_staging.load_batches')").fetchone()
        if row is None or row[1] is None:
            raise BackupError(f"expected a warehouse to back up, found no tables in {where}; run `make demo`, or load")
        _run("pg_dump", "-Fc", f"--snapshot={row[0]}", "-f", str(staging / DUMP))
        try:
            return contents(connection)
        except psycopg.Error as error:
            raise BackupError(
                f"expected every table to be readable, found: {_line(error)}; no backup was made"
            ) from None


@contextmanager
def _restored(admin: psycopg.Connection, dump: Path, name: str) -> Iterator[str]:
    """Restore a dump into the database `name`, gone afterwards unless it has been renamed."""
    identifier = sql.Identifier(name)
    _drop_ours(admin, name)  # of a killed one
    for use in ("checked", "restored", "replaced"):  # whatever was killed, the next one takes its copy away
        with suppress(BackupError):
            _drop_ours(admin, f"{name.rpartition('_')[0]}_{use}")
    try:
        admin.execute(sql.SQL("create database {} template template0").format(identifier))
        admin.execute(sql.SQL("comment on database {} is {}").format(identifier, _MARK))
        _run("pg_restore", "--exit-on-error", "--single-transaction", "-d", name, str(dump))
        yield name
    finally:
        with suppress(psycopg.Error):
            admin.execute(sql.SQL("drop database if exists {} with (force)").format(identifier))


def _drop_ours(admin: psycopg.Connection, name: str) -> None:
    """Drop the database `name` if it is one of ours. Raises BackupError where it is somebody else's."""
    if len(name.encode()) > _NAME_OCTETS:
        raise BackupError(f"expected a name of at most {_NAME_OCTETS} bytes, found {name}; nothing was changed")
    found = admin.execute(
        "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", [name]
    ).fetchone()
    if found is None:
        return
    if found != (_MARK,):
        raise BackupError(
            f"expected the name {name} to be free for a copy, found a database that is not one of ours; rename it or"
            " drop it, then run again; nothing was changed"
        )
    admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _listed(folder: Path) -> dict[str, Table]:
    try:
        return from_text((folder / TABLES).read_text(encoding="utf-8"))
    except ValueError:
        raise BackupError(
            f"expected lines of rows, checksum and table, found others in {folder / TABLES}; take another backup, "
            "nothing was changed"
        ) from None


def _compare(expected: dict[str, Table], database: str, folder: Path) -> None:
    with connect(dbname=database) as connection:
        found = differences(expected, contents(connection))
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise BackupError(
            f"expected the tables that {folder / TABLES} lists, found that {', '.join(found[:3])}{more}; "
            "take another backup, nothing was changed"
        )


def _complete(database: str) -> None:
    """Give a restored database what no dump holds: who may connect, this version's tables, statistics."""
    init = [sys.executable, "-m", "loader", "init"]
    with connect(dbname=database) as connection:
        info = connection.info
        server = {"PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": info.user, "PGDATABASE": database}
    # A service would name its own database, and that comes first.
    variables = {name: value for name, value in os.environ.items() if name != "PGSERVICE"} | server
    result = subprocess.run(init, cwd=_REPOSITORY, env=variables, capture_output=True, text=True)
    if result.returncode != 0:
        raise BackupError(f"expected the tables of this version, found: {result.stderr.strip()}; nothing was changed")
    with connect(dbname=database, autocommit=True) as connection:
        connection.execute("analyze")


def _swap(admin: psycopg.Connection, database: str, restored: str) -> None:
    """Rename both databases in one transaction, ending who is connected; the old one is dropped behind it."""
    replaced = f"{database}_replaced"
    _drop_ours(admin, replaced)
    rename, comment = sql.SQL("alter database {} rename to {}"), sql.SQL("comment on database {} is {}")
    for attempt in range(_SWAP_TRIES):
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = any(%s)",
            [[database, restored]],
        )
        try:
            with admin.transaction():
                admin.execute(rename.format(sql.Identifier(database), sql.Identifier(replaced)))
                admin.execute(comment.format(sql.Identifier(replaced), _MARK))
                admin.execute(rename.format(sql.Identifier(restored), sql.Identifier(database)))
                admin.execute(comment.format(sql.Identifier(database), None))
            break
        except psycopg.errors.ObjectInUse:
            if attempt == _SWAP_TRIES - 1:
                raise BackupError(
                    f"expected database {database} to be free for a moment, found it in use again and again; stop what "
                    "uses it (`make stop` stops the front door) and run the restore again; nothing was changed"
                ) from None
            time.sleep(0.05)
    with suppress(psycopg.Error, BackupError):  # it is done; the next restore drops what is left
        _drop_ours(admin, replaced)


@contextmanager
def _admin() -> Iterator[psycopg.Connection]:
    """Return a connection beside the database, holding the lock of backups and restores."""
    with connect(dbname=_ADMIN_DATABASE, autocommit=True) as admin:
        if admin.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
            raise BackupError("expected no other backup or restore, found one under way; wait for its end")
        try:
            yield admin
        except psycopg.Error as error:
            raise BackupError(
                f"expected the server to carry it out, found: {_line(error)}; nothing was changed"
            ) from None


def _make_roles(admin: psycopg.Connection) -> None:
    """Create the roles that a dump names and does not hold; `loader init` gives them their settings."""
    for statement in ROLES:
        with suppress(psycopg.errors.DuplicateObject):
            admin.execute(statement.encode())


def _run(name: str, *options: str) -> None:
    command = [program(name), *options]
    variables = {**os.environ, "LC_ALL": "C"}
    try:
        result = subprocess.run(command, env=variables, capture_output=True, text=True, errors="backslashreplace")
    except FileNotFoundError:
        raise BackupError(f"expected the program {name} of PostgreSQL, found none on PATH; run `make setup`") from None
    if result.returncode != 0:
        said = " | ".join(result.stderr.strip().splitlines()[:3])
        raise BackupError(f"expected {name} to succeed, found: {said}; nothing was changed")


def _chosen() -> tuple[str, str]:
    """Return the database and what to call its place; from here on the environment names its server."""
    is_own = is_external()
    os.environ.update(connection_environment())
    with connect() as connection:
        info = connection.info
        if info.server_version < OLDEST_SERVER:
            raise BackupError(
                f"expected PostgreSQL {OLDEST_SERVER // 10_000} or later, found {info.server_version // 10_000}, "
                "whose own pg_dump and pg_restore are what to use"
            )
        place = f"the server {info.host}" if is_own else "the embedded PostgreSQL"
        return info.dbname, f"database {info.dbname} of {place}"


def _server_version() -> str:
    with connect() as connection:
        row = connection.execute("select version(), current_setting('data_checksums')").fetchone()
        return "{} data_checksums {}".format(*row or ("unknown", "unknown"))


def _sha256(path: Path) -> str:
    try:
        if not path.is_file():  # a pipe would be waited for
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _sync(folder: Path) -> None:
    """Have the files on the disk before their folder gets its name."""
    for path in [*folder.iterdir(), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def default_root() -> Path:
    """Return the folder of backups: BACKUP_DIR, else backups/ of this clone."""
    return Path(os.environ.get("BACKUP_DIR") or _REPOSITORY / "backups")


def run_backup() -> int:
    """Back up and say where; return the exit status."""
    try:
        folder, summary = back_up(default_root(), datetime.now(UTC))
    except BackupError as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    print(f"backup: {summary}", file=sys.stderr)
    print(folder)
    return 0


def run_restore(folder: Path) -> int:
    """Restore and say what; return the exit status."""
    if not (folder / SUMS).is_file():
        print(f"restore: expected the folder of a backup, found {folder}; name one of:", file=sys.stderr)
        for path in backups_in(default_root()):
            print(f"  FROM={path}", file=sys.stderr)
        return 2
    try:
        print(f"restore: {restore(folder)}", file=sys.stderr)
    except BackupError as error:
        print(f"restore: {error}", file=sys.stderr)
        return 1
    return 0
