"""What `make demo` runs on is said before anything is downloaded; other systems stop there.

The systems are faked: `uname` and what else tells them apart answer as theirs do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import HANG_S
from tests.scripts.conftest import REPOSITORY

SUPPORTED = "Linux on x86_64 or arm64 with glibc 2.28 or later, or macOS 13 or later on Apple silicon"


@dataclass(frozen=True)
class System:
    """A system, by what its own programs print; None where it lacks the program's answer."""

    name: str
    machine: str
    glibc: str | None = None
    macos: str | None = None
    under_rosetta: bool = False


def run_on(system: System, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    answers = {
        "uname": f'case "$1" in -s) echo "{system.name}" ;; -m) echo "{system.machine}" ;; *) exit 1 ;; esac',
        "getconf": f'echo "glibc {system.glibc}"' if system.glibc else "exit 1",
        "sw_vers": f'echo "{system.macos}"' if system.macos else "exit 127",
        "sysctl": f"echo {int(system.under_rosetta)}" if system.macos else "exit 1",
    }
    # Nothing is made or fetched: on a supported system the search for a Python is the next step, and finds none.
    for name in ("python3", "python3.11", "python3.12", "python3.13", "apt-get"):
        answers[name] = f'echo "{name} was called" >>"$HOME/called"; exit 1'
    programs = folder / "programs"
    programs.mkdir()
    for name, answer in answers.items():
        (programs / name).write_text(f"#!/bin/sh\n{answer}\n")
        (programs / name).chmod(0o755)
    shutil.copytree(REPOSITORY / "requirements", folder / "requirements")
    shutil.copy2(REPOSITORY / "Makefile", folder / "Makefile")
    return subprocess.run(
        list(words),
        cwd=folder,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), "PYTHON": "python3"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )


@pytest.mark.parametrize(
    "system",
    [
        System("Linux", "x86_64", glibc="2.28"),
        System("Linux", "aarch64", glibc="2.41"),
        System("Linux", "x86_64", glibc="3.0"),
        System("Darwin", "arm64", macos="13.0"),
        System("Darwin", "arm64", macos="26"),
    ],
    ids=str,
)
def test_supported_system_is_named_in_the_first_line(system: System, tmp_path: Path) -> None:
    result = run_on(system, tmp_path, "make", "demo")
    first = result.stderr.splitlines()[0]
    assert first.startswith(f"Runs on {SUPPORTED}; this is {'macOS' if system.macos else 'Linux'} ")
    assert "setup: expected Python" in result.stderr and (tmp_path / "called").exists()  # it went on


@pytest.mark.parametrize(
    ("system", "found", "next_step"),
    [
        (System("Linux", "x86_64"), "another C library than glibc", "'make up'"),
        (System("Linux", "x86_64", glibc="2.27"), "glibc 2.27", "'make up'"),
        (System("Linux", "armv7l", glibc="2.41"), "Linux on armv7l", "'make up'"),
        (System("Darwin", "x86_64", macos="15.5"), "macOS 15.5 on x86_64 (Intel)", "'make up'"),
        (System("Darwin", "x86_64", macos="15.5", under_rosetta=True), "under Rosetta", "open one without it"),
        (System("Darwin", "arm64", macos="12.7.6"), "macOS 12.7.6", "update macOS"),
        (System("MINGW64_NT-10.0-26100", "x86_64"), "Windows", "WSL 2"),
        (System("FreeBSD", "amd64"), "FreeBSD on amd64", "'make up'"),
    ],
    ids=lambda value: str(value) if isinstance(value, System) else "",
)
def test_other_system_stops_before_anything_is_downloaded(
    system: System, found: str, next_step: str, tmp_path: Path
) -> None:
    result = run_on(system, tmp_path, "make", "demo")
    first = result.stderr.splitlines()[0]
    assert result.returncode != 0
    assert first.startswith(f"setup: expected {SUPPORTED}, found ") and found in first and next_step in first
    assert not (tmp_path / "called").exists() and not (tmp_path / ".venv").exists()


def test_setup_checks_the_system_too(tmp_path: Path) -> None:
    result = run_on(System("Linux", "x86_64"), tmp_path, "make", "setup")
    assert result.returncode != 0 and result.stderr.startswith("setup: expected Linux on x86_64")
    assert not (tmp_path / ".venv").exists()


def test_readme_names_the_same_systems() -> None:
    readme = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    assert SUPPORTED in readme
    assert SUPPORTED in (REPOSITORY / "requirements" / "platform.sh").read_text(encoding="utf-8")
