"""`make down` leaves no container and no network, and keeps the data; the last test of the run."""

from __future__ import annotations

import pytest

from tests.stack.project import Project

pytestmark = pytest.mark.every_engine


def test_down_keeps_the_data_and_nothing_else(stack: Project) -> None:
    stack.make("down")
    assert (
        stack.engine.docker("ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project=tokenscope") == ""
    )
    assert (
        stack.engine.docker("network", "ls", "--quiet", "--filter", "label=com.docker.compose.project=tokenscope") == ""
    )
    volumes = set(stack.engine.docker("volume", "ls", "--quiet").split())
    assert {
        f"tokenscope_{name}" for name in ("portfolio_db", "pipeline_data", "docs", "site", "metabase_links", "acme")
    } <= volumes
