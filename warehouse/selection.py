"""What somebody who mistyped a dbt selection may have meant."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SHOWN = 3
_CRITERION = re.compile(r"@?(?:\d*\+)?(?:(?P<method>[a-z_.]+):)?(?P<value>[^+]*)(?:\+\d*)?")
_PATTERN = re.compile(r"[*?\[./]")  # of many names, or a path: dbt's to explain
_KINDS = ("nodes", "sources", "exposures", "unit_tests")


def hint(words: Sequence[str], target: Path) -> str | None:
    """Return what the selections of a dbt command name and the project of `target` lacks; None where nothing."""
    selections = [words[number + 1] for number, word in enumerate(words[:-1]) if word in ("--select", "-s")]
    try:
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
        unknown = [near for text in selections for near in unknown_names(text, manifest)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return "; ".join(unknown) or None


def unknown_names(selection: str, manifest: dict[str, Any]) -> list[str]:
    """Return 'found no x, near: a, b' for every name, folder and tag of a selection that the manifest does not have."""
    nodes = [node for kind in _KINDS for node in manifest[kind].values()]
    names = {part for node in nodes for part in (node["name"], *node["fqn"])}
    tags = {tag for node in nodes for tag in node.get("tags", [])}
    known_by_method = {None: names, "fqn": names, "tag": tags}
    unknown = []
    for text in re.split(r"[\s,]+", selection.strip()):
        match = _CRITERION.fullmatch(text)
        if match is None or match["method"] not in known_by_method or _PATTERN.search(match["value"]):
            continue
        known = known_by_method[match["method"]]
        if match["value"] not in known:
            near = difflib.get_close_matches(match["value"], sorted(known), SHOWN, 0.5)
            prefix = "tag:" if known is tags else ""
            unknown.append(
                f"found no {text}" + (f", near: {', '.join(prefix + name for name in near)}" if near else "")
            )
    return unknown
