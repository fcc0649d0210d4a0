"""Draw the warehouse's entities and their references from dbt's manifest, as Mermaid.

    python dbt_project/erd.py dbt_project/target/manifest.json > dbt_project/target/erd.mmd
    python dbt_project/erd.py --layer star --columns dbt_project/target/manifest.json

A reference is drawn where a relationships test guards it, and nowhere else: what the diagram says is tested.
GitHub, GitLab and mermaid.live show the text as a diagram.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAYERS = ("star", "snowflake", "history", "members", "marts")


@dataclass(frozen=True)
class Reference:
    """A column of one model that names a row of another."""

    model: str
    column: str
    to_model: str
    to_column: str


def models_of(manifest: dict[str, Any], layers: list[str]) -> dict[str, dict[str, str]]:
    """Return the columns, name to type, of each model in `layers`, which are folders of models/; ordered by name."""
    found = {
        node["name"]: {name: column.get("data_type") or "unknown" for name, column in node["columns"].items()}
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1] in layers
    }
    return dict(sorted(found.items()))


def references_of(manifest: dict[str, Any]) -> list[Reference]:
    """Return one reference per relationships test of a column, ordered."""
    nodes = manifest["nodes"]
    found = set()
    for node in nodes.values():
        test = node.get("test_metadata") or {}
        if test.get("name") != "relationships" or not node.get("attached_node"):
            continue
        model = nodes[node["attached_node"]]["name"]
        targets = [nodes[key]["name"] for key in node["depends_on"]["nodes"] if key in nodes]
        others = [name for name in targets if name != model] or [model]
        found.add(Reference(model, node["column_name"], others[0], test["kwargs"]["field"]))
    return sorted(found, key=lambda reference: (reference.model, reference.column, reference.to_model))


def mermaid(models: dict[str, dict[str, str]], references: list[Reference], with_columns: bool) -> str:
    """Return a Mermaid entity relationship diagram; without `with_columns` only those that refer or are referred to."""
    drawn = [r for r in references if r.model in models and r.to_model in models]
    keys = {(r.model, r.column) for r in drawn} | {(r.to_model, r.to_column) for r in drawn}
    lines = ["erDiagram"]
    for model, columns in models.items():
        shown = {name: kind for name, kind in columns.items() if with_columns or (model, name) in keys}
        lines.append(f"    {model} {{")
        lines += [f"        {_word(kind)} {name}{_role(model, name, drawn)}" for name, kind in shown.items()]
        lines.append("    }")
    lines += [f"    {r.to_model} ||--o{{ {r.model} : {r.column}" for r in drawn]
    return "\n".join(lines) + "\n"


def _word(kind: str) -> str:
    """Return a type as the one word Mermaid takes: `timestamp with time zone` is timestamptz, precision is dropped."""
    short = kind.removeprefix("pg_catalog.").split("(")[0].strip()
    return {"timestamp with time zone": "timestamptz", "double precision": "float8"}.get(short, short.replace(" ", "_"))


def _role(model: str, column: str, references: list[Reference]) -> str:
    roles = []
    if any((r.to_model, r.to_column) == (model, column) for r in references):
        roles.append("UK")
    if any((r.model, r.column) == (model, column) for r in references):
        roles.append("FK")
    return " " + ", ".join(roles) if roles else ""


def main(arguments: list[str] | None = None) -> int:
    """Read the manifest named on the command line and print the diagram; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="target/manifest.json of any dbt command")
    parser.add_argument("--layer", choices=LAYERS, action="append", help="only this layer; may be repeated")
    parser.add_argument(
        "--columns", action="store_true", help="all columns, not only those that refer or are referred to"
    )
    words = parser.parse_args(arguments)
    try:
        manifest = json.loads(words.manifest.read_text(encoding="utf-8"))
        models = models_of(manifest, words.layer or list(LAYERS))
        references = references_of(manifest)
    except FileNotFoundError:
        print(f"erd: expected dbt's manifest, found no file {words.manifest}; run make dbt-build", file=sys.stderr)
        return 1
    except (ValueError, KeyError, TypeError, AttributeError):
        print(
            f"erd: expected dbt's manifest, found something else in {words.manifest}; run make dbt-build",
            file=sys.stderr,
        )
        return 1
    print(mermaid(models, references, words.columns), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
