"""A copy of the repository's scripts, and the userlands they are run with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import HANG_S
from tests.scripts.userlands import make_bsd, make_busybox

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDED_DOCKER = Path(__file__).with_name("recorded_docker.py")
MAKERS: dict[str, Callable[[Path], Path]] = {
    "bsd": make_bsd,
    "bsd-without-shasum": lambda folder: make_bsd(folder, hidden=("shasum",)),
    "busybox": make_busybox,
}


@dataclass(frozen=True)
class Workplace:
    """A folder with the scripts in it and the only programs they find."""

    folder: Path
    programs: Path
    docker_calls: Path
    refused_calls: Path

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the folder; return what it printed. PATH holds the userland alone."""
        environment = {
            "PATH": str(self.programs),
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "DOCKER_CALLS": str(self.docker_calls),
            "REFUSED_CALLS": str(self.refused_calls),
            "GIT_CEILING_DIRECTORIES": str(self.folder.parent),
        }
        return subprocess.run(
            [str(self.folder / words[0]) if words[0].endswith(".sh") else words[0], *words[1:]],
            cwd=self.folder,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANG_S,
        )

    def add_program(self, name: str, text: str) -> None:
        """Put a program of the test's own into PATH."""
        (self.programs / name).unlink(missing_ok=True)
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def add_link(self, name: str, target: str | Path) -> None:
        """Put a program of this machine into PATH."""
        (self.programs / name).unlink(missing_ok=True)
        (self.programs / name).symlink_to(Path(target).absolute())


@pytest.fixture(scope="session", params=["bsd", "busybox"])
def userland(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a userland's programs."""
    return MAKERS[request.param](tmp_path_factory.mktemp("userland") / request.param)


@pytest.fixture
def workplace(userland: Path, tmp_path: Path) -> Iterator[Workplace]:
    """Return the scripts in a folder of their own, with the recorded Docker."""
    folder = tmp_path / "tokenscope"
    programs = tmp_path / "programs"
    shutil.copytree(userland, programs, symlinks=True)
    folder.mkdir()
    for name in ("stack", "requirements"):
        shutil.copytree(REPOSITORY / name, folder / name)
    for name in ("Makefile", "docker-compose.yml"):
        shutil.copy2(REPOSITORY / name, folder / name)
    (folder / "frontend").mkdir()
    for script in REPOSITORY.glob("frontend/*.sh"):
        shutil.copy2(script, folder / "frontend" / script.name)
    found = Workplace(folder, programs, tmp_path / "docker.calls", tmp_path / "refused.calls")
    found.add_program("docker", f'#!/bin/sh\nexec {sys.executable} -IS {RECORDED_DOCKER} "$@"\n')
    yield found
    # A script may hide what a program says, so it is looked for here.
    refused = found.refused_calls.read_text() if found.refused_calls.exists() else ""
    assert refused == ""
