"""Accepted input never breaks a later stage: sets of extremes go from the file through the models to the site."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.extremes.sets import EXTREMES, write_set
from tests.pipeline.conftest import Stack, make_stack
from tests.pipeline.test_own_data import build_site

pytestmark = pytest.mark.timeout(1800)  # whole builds on a busy machine; a limit for what hangs


@pytest.fixture
def stack(databases: Any, raw_template: dict[str, str], tmp_path: Path, repo_root: Path) -> Iterator[Stack]:
    """Return a stack whose warehouse is empty."""
    database = databases.create(raw_template["PGDATABASE"])
    yield make_stack(tmp_path / "stack", database, repo_root)
    databases.drop(database)


def succeed(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-3000:]


@pytest.mark.parametrize("name", EXTREMES)
def test_a_set_of_extremes_is_loaded_built_tested_forecast_and_exported(
    stack: Stack, tmp_path: Path, repo_root: Path, name: str
) -> None:
    directory = write_set(tmp_path / "set", EXTREMES[name])
    load = [sys.executable, "-m", "loader", "load", str(directory)]
    succeed(subprocess.run(load, cwd=repo_root, env=stack.environment(), capture_output=True, text=True))
    count = len(EXTREMES[name].requests)
    assert stack.rows("select count(*) from raw_staging.api_requests") == [(count,)]
    succeed(stack.run("run"))
    assert stack.rows("select count(*) from public_star.fct_api_requests") == [(count,)]
    assert stack.rows("select sum(requests) from public_marts.usage_daily") == [(count,)]
    exported = json.loads((stack.root / "data" / "site" / "site.json").read_text())
    assert exported["headline"]["requests"] == count
    if name in ("ends of every range", "longest texts", "texts of marks"):
        page = (build_site(stack) / "index.html").read_text()
        assert "<script>alert(1)" not in page
