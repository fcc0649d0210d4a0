"""The site's own unit tests, in the Node they are written for."""

from __future__ import annotations

import subprocess
from pathlib import Path


def test_site_sources_pass_their_unit_tests(repo_root: Path) -> None:
    result = subprocess.run([repo_root / "frontend" / "npm.sh", "test"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert "fail 0" in result.stdout
