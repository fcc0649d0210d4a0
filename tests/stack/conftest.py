"""The full stack on a real engine: built once, started once by `make up`, taken down after the last test.

STACK_KEEP=1 leaves engine and stack running for a look (`python tests/stack/engine.py stop` ends them), STACK_REUSE=1
goes on with the stack that an earlier run left; its start-up time is not a figure then.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.stack.client import Client
from tests.stack.engine import LANES, Engine, EngineError, chosen_lane
from tests.stack.project import Project
from tests.stack.standins import build_all

ORDER = [
    "test_compose",
    "test_start",
    "test_routes",
    "test_security",
    "test_viewers",
    "test_slow_readers",
    "test_ports",
    "test_domain",
    "test_password",
    "test_dev_profile",
    "test_backup",
    "test_faults",
    "test_real_data",
    "test_upgrade",
    "test_stop",
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what breaks things last; outside the stable lane run only what is marked for every engine."""
    items.sort(key=lambda item: ORDER.index(item.path.stem) if item.path.stem in ORDER else len(ORDER))
    if chosen_lane() is not LANES["stable"]:
        left_out = [item for item in items if item.get_closest_marker("every_engine") is None]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


FIGURES: list[tuple[str, str, str]] = []


@pytest.fixture(scope="session")
def record_figure() -> Callable[[str, str, str], None]:
    """Return a function that keeps a measured figure for the run's closing table: what, measured, required."""
    return lambda what, measured, required: FIGURES.append((what, measured, required))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    if FIGURES:
        terminalreporter.section("figures")
        for what, measured, required in FIGURES:
            terminalreporter.write_line(f"{what}: {measured} (required: {required})")


@dataclass(frozen=True)
class Started:
    """How the first `make up` went, from a fresh clone, images and secrets included."""

    seconds: float
    output: str


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Return a running engine that holds the stand-ins."""
    engine = Engine()
    try:
        try:
            engine.install()
            engine.start()
            build_all(engine)
        except EngineError as error:  # never a skip: what is not proven must not look like it
            wanted = "a Docker engine to prove the stack on (as root, free to mount and to filter packets)"
            pytest.exit(f"test-stack: expected {wanted}, found: {error}", returncode=1)
        yield engine
    finally:
        if not os.environ.get("STACK_KEEP"):
            engine.stop()


@pytest.fixture(scope="session")
def project(engine: Engine) -> Project:
    """Return a fresh copy of the repository, no stack in it yet."""
    project = Project(engine, engine.home / "project")
    if not os.environ.get("STACK_REUSE"):
        project.compose("down", "--volumes", "--remove-orphans", check=False)
    return project


@pytest.fixture(scope="session")
def started(project: Project) -> Started:
    """Start the stack from nothing with `make up`, as a new user does: nothing but base images is there."""
    try:
        if not os.environ.get("STACK_REUSE"):
            shutil.rmtree(project.folder / "secrets", ignore_errors=True)
            project.engine.docker("builder", "prune", "--all", "--force")
        begin = time.monotonic()
        result = project.make("up")
    except AssertionError as error:  # without a stack every test would fail for this one reason
        pytest.exit(f"the stack did not start: {error}\n{project.logs()[-6000:]}", returncode=1)
    return Started(time.monotonic() - begin, result.stdout + result.stderr)


@pytest.fixture(scope="session")
def stack(project: Project, started: Started) -> Project:
    """Return the running stack."""
    return project


@pytest.fixture(scope="session")
def client(stack: Project) -> Client:
    """Return a client of the stack's public address."""
    return Client("https://localhost", stack.folder / "secrets" / "tls_certificate")


@pytest.fixture(scope="session")
def names(stack: Project, client: Client) -> dict[str, str]:
    """Return uuid, dashcard and card of a real public dashboard, for the paths of the route table."""
    links: dict[str, Any] = json.loads(stack.compose("exec", "-T", "frontend", "cat", "/links/links.json"))
    path = links["dashboards"][0]["path"]
    uuid = path.rsplit("/", 1)[1]
    board = json.loads(client.fetch(f"/metabase/api/public/dashboard/{uuid}").body)
    tile = next(tile for tile in board["dashcards"] if tile.get("card_id"))
    return {"uuid": uuid, "dashcard": str(tile["id"]), "card": str(tile["card_id"])}
