"""What the double remembers, in plain dicts, so that it can be kept in a file as Metabase keeps its database."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass
class State:
    """All tables; rows by id as text (JSON has no other keys)."""

    users: list[Row] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    failed_logins: int = 0
    reset_tokens: dict[str, str] = field(default_factory=dict)
    used_tokens: list[str] = field(default_factory=list)
    databases: dict[str, Row] = field(default_factory=dict)
    collections: dict[str, Row] = field(default_factory=dict)
    cards: dict[str, Row] = field(default_factory=dict)
    dashboards: dict[str, Row] = field(default_factory=dict)
    revisions: int = 0
    last_id: int = 0

    def next_id(self) -> int:
        """Return an id that was never used."""
        self.last_id += 1
        return self.last_id

    def save(self, path: Path) -> None:
        """Write everything to a file, whole or not at all."""
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")
        temporary.replace(path)


def load_state(path: Path | None) -> State:
    """Return the state in a file, or an empty one."""
    if path is None or not path.is_file():
        return State()
    return State(**json.loads(path.read_text(encoding="utf-8")))
