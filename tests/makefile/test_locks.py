"""The locks let nothing run at installation: wheels only, of every package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOCKS = sorted((Path(__file__).resolve().parents[2] / "requirements").glob("*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_takes_wheels_only(lock: Path) -> None:
    options = [line for line in lock.read_text().splitlines() if line.startswith("--")]
    assert options == ["--only-binary :all:"]


def test_pip_refuses_a_source_package_for_a_file_like_the_locks(tmp_path: Path) -> None:
    """An sdist runs its own setup.py at installation; this one would leave a trace."""
    source = tmp_path / "trap-1.0"
    source.mkdir()
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: trap\nVersion: 1.0\n")
    (source / "setup.py").write_text(
        f"open({str(tmp_path / 'sprung')!r}, 'w')\nimport setuptools; setuptools.setup()\n"
    )
    subprocess.run(["tar", "-czf", tmp_path / "trap-1.0.tar.gz", "-C", tmp_path, source.name], check=True)
    (tmp_path / "lock.txt").write_text("--only-binary :all:\ntrap==1.0\n")
    words = ["install", "--dry-run", "--no-index", "--find-links", tmp_path, "-r", tmp_path / "lock.txt"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    result = subprocess.run(
        [sys.executable, "-m", "pip", "--isolated", *words], env=environment, capture_output=True, text=True
    )
    assert result.returncode != 0 and "No matching distribution found for trap==1.0" in result.stderr
    assert not (tmp_path / "sprung").exists()
