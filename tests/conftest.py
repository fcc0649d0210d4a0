"""Fixtures shared by all suites: one private embedded server a session, template databases cloned per test.

The tests never touch the server of `.data/`: roles belong to a whole cluster, and a test changes them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from embedded.postgres import EmbeddedPostgres
from tests.patience import HANG_S

REPOSITORY = Path(__file__).resolve().parent.parent
TEST_SETTINGS = {
    "fsync": "off",  # a lost test database is no loss
    "full_page_writes": "off",
    "shared_buffers": "'128MB'",
    "file_copy_method": "clone",
}
Environment = dict[str, str]
StartCommand = Callable[..., subprocess.Popen[str]]
TESTS = REPOSITORY / "tests"
OWN_TARGETS = ("browser", "stack")
SLOW = (
    "extremes",
    "faults",
    "fuzz",
    "makefile",
    "pipeline",
    "places",
    "scripts",
    "dbt_project/test_added_files.py",
    "dbt_project/test_data_tests.py",
    "dbt_project/test_incremental.py",
    "dbt_project/test_marts.py",
    "embedded/test_postgres.py",
    "loader/test_one_language.py",
    "traefik/test_login.py",
    "traefik/test_trusted_proxies.py",
    "warehouse/test_dbt_results.py",
)
"""What `make test-slow` runs and `make test` leaves out; what is named on the command line runs in any case."""
# What the `make` that runs the tests exports, its state and the defaults of settings, is not for the tests' own.
for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ROWS", "SEED", "DAYS", "LANES", "GENERATED", "DBT_TARGET_PATH"):
    os.environ.pop(name, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --slow."""
    parser.addoption("--slow", action="store_true", help="run what takes longer, instead of everything else")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what belongs to another of the Makefile's targets, unless the command line names it."""
    places = {collection_path, *collection_path.parents}
    named = {Path(word.split("::")[0]).resolve() for word in config.args} - {REPOSITORY, TESTS}
    if named & places:
        return None
    if places & {TESTS / name for name in OWN_TARGETS}:
        return True
    is_slow = bool(places & {TESTS / name for name in SLOW})
    is_wanted = collection_path.is_dir() or is_slow == config.getoption("slow")
    return None if is_wanted else True


def without_server_variables(environment: dict[str, str]) -> dict[str, str]:
    """Return `environment` without anything that names a server or a password of the caller."""
    return {k: v for k, v in environment.items() if not k.startswith(("PG", "PORTFOLIO_"))}


@pytest.fixture(scope="session", autouse=True)
def private_data_directory() -> Iterator[Path]:
    """Point the embedded stack at a folder of this test run and drop the caller's server variables."""
    directory = Path(tempfile.mkdtemp(prefix="tokenscope-test-"))
    saved = dict(os.environ)
    os.environ.clear()
    os.environ.update(without_server_variables(saved))
    os.environ["TOKENSCOPE_DATA_DIR"] = str(directory)
    yield directory
    os.environ.clear()
    os.environ.update(saved)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let children be interrupted: a shell that starts the tests in the background makes them ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """Return the repository's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data(repo_root: Path) -> Path:
    """Return the folder of real data beside the clone; skips where it is absent."""
    directory = repo_root.parent / "shared" / "data"
    if not directory.is_dir():
        pytest.skip(f"the real data sets are not part of the repository and {directory} is absent")
    return directory


@pytest.fixture(scope="session")
def server_env(private_data_directory: Path) -> Iterator[Environment]:
    """Return the libpq variables of the session's own PostgreSQL server."""
    server = EmbeddedPostgres(private_data_directory, settings=TEST_SETTINGS)
    yield server.ensure_running()
    server.stop()


@pytest.fixture(scope="session")
def run_command(repo_root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `python WORDS...` in the repository's root with extra environment variables."""

    def run(*words: object, env: Environment | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=repo_root,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
        )
        if check and result.returncode != 0:
            pytest.fail(f"{words} exited with {result.returncode}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}")
        return result

    return run


@pytest.fixture
def start_command(repo_root: Path) -> Iterator[StartCommand]:
    """Return a function that starts `python WORDS...` in the repository's root with pipes; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: object, env: Environment | None = None, **options: Any) -> subprocess.Popen[str]:
        ends: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process: subprocess.Popen[str] = subprocess.Popen(
            [sys.executable, *map(str, words)],
            cwd=repo_root,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            text=True,
            **{**ends, **options},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=HANG_S)


class Databases:
    """Creates and drops databases of the session's server."""

    def __init__(self, server: Environment) -> None:
        self._server = server

    def create(self, template: str | None = None, prefix: str = "test") -> Environment:
        """Create a database, a clone of `template` where given; return its libpq variables."""
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        statement = sql.SQL("create database {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" template {} strategy file_copy").format(sql.Identifier(template))
        with self._admin() as connection:
            connection.execute(statement)
        return {**self._server, "PGDATABASE": name}

    def drop(self, database: Environment) -> None:
        """Drop a database, whoever is still connected."""
        with self._admin() as connection:
            name = sql.Identifier(database["PGDATABASE"])
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))

    def _admin(self) -> psycopg.Connection:
        server = self._server
        return psycopg.connect(
            host=server["PGHOST"], port=server["PGPORT"], user=server["PGUSER"], dbname="postgres", autocommit=True
        )


@pytest.fixture(scope="session")
def databases(server_env: Environment) -> Databases:
    """Return the maker of test databases."""
    return Databases(server_env)


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[Environment]:
    """Return the libpq variables of a database that holds nothing."""
    database = databases.create()
    yield database
    databases.drop(database)


@pytest.fixture(scope="session")
def raw_template(databases: Databases, run_command: Callable[..., object]) -> Environment:
    """Return the template with roles, schemas and empty raw tables."""
    template = databases.create(prefix="template")
    run_command("-m", "loader", "init", env=template)
    return template


@pytest.fixture
def database(databases: Databases, raw_template: Environment) -> Iterator[Environment]:
    """Return a fresh database with roles, schemas and empty raw tables."""
    clone = databases.create(raw_template["PGDATABASE"])
    yield clone
    databases.drop(clone)


@pytest.fixture(scope="session")
def dataset_20k(private_data_directory: Path, run_command: Callable[..., object]) -> Path:
    """Return the folder of a generated set of 20,000 requests, seed 42."""
    directory = private_data_directory / "dataset_20k"
    run_command("generator/generate_data.py", "--rows", 20_000, "--seed", 42, "--users", 400, "--out", directory)
    return directory


@pytest.fixture(scope="session")
def loaded_template(
    databases: Databases, raw_template: Environment, dataset_20k: Path, run_command: Callable[..., object]
) -> Environment:
    """Return the template that holds the set of 20,000 requests in raw_staging."""
    template = databases.create(raw_template["PGDATABASE"], prefix="template")
    run_command("-m", "loader", "load", dataset_20k, env=template)
    return template


@pytest.fixture
def loaded_database(databases: Databases, loaded_template: Environment) -> Iterator[Environment]:
    """Return a fresh database that holds the set of 20,000 requests in raw_staging."""
    clone = databases.create(loaded_template["PGDATABASE"])
    yield clone
    databases.drop(clone)


@pytest.fixture(scope="session")
def warehouse_template(
    databases: Databases, loaded_template: Environment, private_data_directory: Path, run_command: Callable[..., object]
) -> Environment:
    """Return the template after `dbt build`; artefacts are in `<data directory>/dbt_target`."""
    template = databases.create(loaded_template["PGDATABASE"], prefix="template")
    target = private_data_directory / "dbt_target"
    options = ["--project-dir", "dbt_project", "--profiles-dir", "dbt_project", "--target-path", target]
    run_command("-m", "dbt.cli.main", "build", *options, "--log-path", target, env=template)
    return template


@pytest.fixture
def warehouse_database(databases: Databases, warehouse_template: Environment) -> Iterator[Environment]:
    """Return a fresh database with everything dbt builds from the set of 20,000 requests."""
    clone = databases.create(warehouse_template["PGDATABASE"])
    yield clone
    databases.drop(clone)
