"""Where the embedded stack keeps its things."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SITE = REPOSITORY / "frontend" / "dist"
DOCS = REPOSITORY / "dbt_project" / "target" / "docs"


def data_directory() -> Path:
    """Return the folder of everything the embedded stack writes: TOKENSCOPE_DATA_DIR, else `.data` of this clone."""
    return Path(os.environ.get("TOKENSCOPE_DATA_DIR") or REPOSITORY / ".data").expanduser().resolve()
