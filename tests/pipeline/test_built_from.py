"""A build is skipped where models and exports are those of the loads, whatever database has been put in the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline import steps
from tests.pipeline.conftest import Stack

Environment = dict[str, str]


@pytest.fixture
def copied(databases: Any, stack: Stack) -> Iterator[Callable[[], Environment]]:
    """Return a function that copies the database as it is, as a dump that is restored does."""
    copies: list[Environment] = []

    def copy() -> Environment:
        copies.append(databases.create(stack.database["PGDATABASE"]))
        return copies[-1]

    yield copy
    for database in copies:
        databases.drop(database)


def test_restored_database_is_built_unless_its_models_and_the_exports_are_those_of_its_loads(
    stack: Stack, copied: Callable[[], Environment], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = stack.settings()
    for name in steps.DOCS_FILES:
        (settings.docs / name).write_text("")
    monkeypatch.setattr(steps, "model", lambda *_: None)

    def build(database: Environment) -> bool:
        for name, value in {**stack.environment(), **database}.items():
            monkeypatch.setenv(name, value)
        return steps.build(settings)

    assert [build(stack.database), build(stack.database)] == [True, False]
    earlier = copied()
    path = stack.drop("code.csv", range(30))
    assert stack.run("import", "--from", "azure-llm", str(path)).returncode == 0
    between = copied()
    assert [build(stack.database), build(stack.database)] == [True, False]
    after = copied()
    assert build(after) is False
    assert [build(between), build(between)] == [True, False]  # its models lack the load
    assert [build(earlier), build(earlier)] == [True, False]  # the exports hold what it has not
