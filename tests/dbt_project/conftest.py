"""dbt in this process: the project is parsed once, every test invokes it on a database of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of dbt's dependencies, at import
    from dbt.cli.main import dbtRunner

Environment = dict[str, str]
# A parsed project holds the name of its database, so each test's database takes the name of the one before.
DATABASE = "dbt_project_test"


class Project:
    """The parsed dbt project."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder = folder
        self._target = target
        self.manifest = self._invoke(dbtRunner(), "parse").result

    def invoke(self, *words: str) -> Any:
        """Run one dbt command on the database libpq's variables name; return its result, failed tests included."""
        return self._invoke(dbtRunner(manifest=self.manifest), *words).result

    def problems(self, *words: str) -> dict[str, str]:
        """Run one dbt command; return name and status of everything that did not succeed. Something must have run."""
        runs = self.invoke(*words).results
        assert runs, f"dbt {' '.join(words)} selected nothing"
        return {run.node.name: str(run.status) for run in runs if run.status not in ("pass", "success", "no-op")}

    def core_tests(self, model: str | None = None) -> list[Any]:
        """Return the core's data tests, those that read `model` where given."""
        tests = [n for n in self.manifest.nodes.values() if n.resource_type == "test" and "core" in n.tags]
        return [n for n in tests if model is None or f"model.tokenscope.{model}" in n.depends_on.nodes]

    def _invoke(self, runner: dbtRunner, *words: str) -> Any:
        options = [f"--project-dir={self._folder}", f"--profiles-dir={self._folder}"]
        options += [f"--target-path={self._target}", f"--log-path={self._target}", "--log-level-file=none", "--quiet"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = runner.invoke([*words, *options])
        if result.exception is not None:
            raise result.exception
        return result


@pytest.fixture(scope="session")
def project(server_env: Environment, repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the parsed project."""
    with pytest.MonkeyPatch.context() as patch:
        set_variables(patch, server_env)
        return Project(repo_root / "dbt_project", tmp_path_factory.mktemp("dbt"))


@pytest.fixture(autouse=True)
def variables(server_env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point dbt at the tests' database, in the tests of this folder and no longer."""
    set_variables(monkeypatch, server_env)


@pytest.fixture
def clone(
    server_env: Environment, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Environment], psycopg.Connection]]:
    """Return a function that clones a template, points dbt at the clone and connects to it as portfolio_owner."""
    set_variables(monkeypatch, server_env)
    connections: list[psycopg.Connection] = []

    def clone_template(template: Environment) -> psycopg.Connection:
        recreate_database(server_env, template["PGDATABASE"])
        connections.append(connect(server_env, DATABASE))
        connections[-1].execute("set role portfolio_owner")
        return connections[-1]

    yield clone_template
    for connection in connections:
        connection.close()


@pytest.fixture
def built(clone: Callable[[Environment], psycopg.Connection], warehouse_template: Environment) -> psycopg.Connection:
    """Return a connection, as portfolio_owner, to a database of one's own that dbt has built."""
    return clone(warehouse_template)


def set_variables(patch: pytest.MonkeyPatch, server: Environment) -> None:
    for name, value in {**server, "PGDATABASE": DATABASE}.items():
        patch.setenv(name, value)


def recreate_database(server: Environment, template: str) -> None:
    name, source = sql.Identifier(DATABASE), sql.Identifier(template)
    with connect(server, "postgres") as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        connection.execute(sql.SQL("create database {} template {} strategy file_copy").format(name, source))


def connect(server: Environment, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host=server["PGHOST"], port=server["PGPORT"], user=server["PGUSER"], dbname=database, autocommit=True
    )
