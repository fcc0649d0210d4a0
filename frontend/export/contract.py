"""What the site expects of each exported file: the schemas that its build checks again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"


def misfits(documents: dict[str, Any], schemas: Path = SCHEMAS) -> list[str]:
    """Return every place where a document does not fit `<name>.schema.json`, as `name.json/path: problem`."""
    found = []
    for name, document in sorted(documents.items()):
        schema = json.loads((schemas / f"{name}.schema.json").read_text(encoding="utf-8"))
        for error in Draft202012Validator(schema).iter_errors(document):
            place = "/".join([f"{name}.json", *map(str, error.absolute_path)])
            found.append(f"{place}: {error.message[:200]}")
    return found
