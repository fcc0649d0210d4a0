"""Copies of the repository at places of a test's choice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def copy_of(repo_root: Path, folder: Path) -> Path:
    """Copy the repository's files, new ones included, to `folder`, this environment as .venv; return the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repo_root, capture_output=True, check=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (repo_root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repo_root / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder
