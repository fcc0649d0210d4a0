"""Read the definitions from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metabase.located import Problem
from metabase.spec import Dashboard, DefinitionError, parse_dashboards
from metabase.theme import Theme, read_theme

FOLDER = Path(__file__).resolve().parent
SCHEMAS = FOLDER / "schemas"


def read_schema(name: str) -> dict[str, Any]:
    """Return the JSON schema `schemas/<name>.schema.json`."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


def read_dashboards(folder: Path = FOLDER, theme: Theme | None = None) -> tuple[Dashboard, ...]:
    """Return the dashboards of `folder` in order; raises DefinitionError with every problem."""
    documents, sql = _texts(folder, "dashboards/*.yml"), _texts(folder, "cards/*/*.sql")
    return parse_dashboards(documents, sql, read_schema("dashboard"), theme or read_theme())


def _texts(folder: Path, pattern: str) -> dict[str, str]:
    texts, problems = {}, []
    for path in folder.glob(pattern):
        name = path.relative_to(folder).as_posix()
        try:
            texts[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            problems.append(
                Problem(name, 1, f"expected UTF-8 text, found byte {error.start} that is none; re-encode it")
            )
    if problems:
        raise DefinitionError(problems)
    return texts
