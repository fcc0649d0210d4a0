"""links.json: where the public dashboards are, for the site. Written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metabase import layout
from metabase.spec import Dashboard

PUBLIC_PATH = "/metabase/public/dashboard/"


def links(dashboards: tuple[Dashboard, ...], uuids: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of links.json; `rows` is the height of the tallest tab in grid rows, for sizing a frame."""
    return {
        "format": 1,
        "dashboards": [
            {
                "key": board.key,
                "name": board.name,
                "uuid": uuids[board.key],
                "path": PUBLIC_PATH + uuids[board.key],
                "rows": max(layout.height(tab.items) for tab in board.tabs),
            }
            for board in dashboards
            if board.key in uuids
        ],
    }


def write_json(path: Path, content: Any) -> bool:
    """Write `content` to `path` by renaming a finished file; return whether it changed anything."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True
