"""A lost password of Metabase's admin, on the running stack: refused with the next step, set by one command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.project import Project

PLAN = ["docker", "compose", "run", "--rm", "--no-deps", "-T", "metabase-provision", "plan"]


@pytest.fixture
def lost(stack: Project) -> Iterator[str]:
    """Make the secret again, as somebody does who kept the volume but not the secrets; yield what it was."""
    secret = stack.folder / "secrets" / "metabase_admin_password"
    before = secret.read_text()
    secret.unlink()
    stack.make("secrets")
    yield before
    if "0 actions" not in stack.run(*PLAN, check=False).stderr:  # leave the others a stack that works
        secret.write_text(before)


def test_another_password_is_refused_with_the_next_step_then_set(stack: Project, lost: str) -> None:
    refused = stack.run(*PLAN, check=False)
    assert refused.returncode == 1 and "run `make metabase-password`" in refused.stderr
    running = stack.container("metabase")
    result = stack.make("metabase-password")
    assert "admin@tokenscope.local has the password of the secret" in result.stderr
    assert "0 actions, 0 writes" in result.stderr
    secret = (stack.folder / "secrets" / "metabase_admin_password").read_text().strip()
    assert secret != lost.strip() and secret not in result.stdout + result.stderr
    assert stack.container("metabase") == running and stack.health("metabase") == "healthy"


def test_set_again_is_harmless(stack: Project) -> None:
    assert "has the password of the secret" in stack.make("metabase-password").stderr
