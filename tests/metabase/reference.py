"""Checks requests against the trimmed reference document of Metabase's API beside the clone (test data, not ours)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.metabase.double.server import Seen

PAGING = {"limit", "offset"}
"""Read for every paged list by the server's middleware; the document does not list them."""
TRIMMED = {("POST", "/api/session/reset_password")}
"""Not in the document, which holds what the provisioner used when it was made; the contract has it from the source."""


@dataclass
class Reference:
    """The document, and validators made so far."""

    document: dict[str, Any]
    registry: Registry[Any]
    validators: dict[str, Draft202012Validator] = field(default_factory=dict)
    patterns: list[tuple[re.Pattern[str], str]] = field(default_factory=list)
    checked: int = 0

    @classmethod
    def read(cls, path: Path) -> Reference:
        """Read the document."""
        document = json.loads(path.read_text(encoding="utf-8"))
        patterns = [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", each)), each) for each in document["paths"]]
        patterns.sort(key=lambda pair: pair[1].count("{"))
        absolute = json.loads(json.dumps(document).replace('"$ref": "#', '"$ref": "urn:api#'))
        registry: Registry[Any] = Registry().with_resource("urn:api", DRAFT202012.create_resource(absolute)).crawl()
        return cls(document, registry, patterns=patterns)

    def observe(self, problems: list[str]) -> Callable[[Seen], None]:
        """Return a function that checks a request and adds what is wrong to `problems`."""
        return lambda seen: problems.extend(f"reference: {problem}" for problem in self.problems(seen))

    def problems(self, seen: Seen) -> list[str]:
        """Return what the document has against a request."""
        if (seen.method, seen.path) in TRIMMED:
            return []
        self.checked += 1
        path = next((path for pattern, path in self.patterns if pattern.fullmatch(seen.path)), None)
        operation = self.document["paths"].get(path, {}).get(seen.method.lower())
        if operation is None:
            return [f"{seen.method} {seen.path} is not in the document"]
        found = [f"{seen.method} {path}: query {name}" for name in self._unknown_query(operation, seen)]
        pointer = f"#/paths/{_escaped(str(path))}/{seen.method.lower()}"
        if seen.body is not None:
            if "requestBody" not in operation:
                return [*found, f"{seen.method} {path} takes no body"]
            schema = f"{pointer}/requestBody/content/application~1json/schema"
            found += self._errors(schema, seen.body, f"{seen.method} {path}")
            known = operation["requestBody"]["content"]["application/json"]["schema"].get("properties")
            extra = operation.get("x-undocumented-fields", {})
            if known is not None and "*" not in extra:
                found += [
                    f"{seen.method} {path}: unknown field {key}" for key in seen.body.keys() - known - extra.keys()
                ]
            for place in operation.get("x-double-strict", {}):
                strict = f"{pointer}/x-double-strict/{_escaped(place)}"
                for value in _values(seen.body, place.strip("/").split("/")):
                    found += self._errors(strict, value, f"{seen.method} {path} {place}")
        return found

    def _unknown_query(self, operation: dict[str, Any], seen: Seen) -> list[str]:
        known = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        return sorted(seen.query.keys() - known - PAGING)

    def _errors(self, pointer: str, value: Any, what: str) -> list[str]:
        if pointer not in self.validators:
            schema = {"$ref": f"urn:api{pointer}"}
            self.validators[pointer] = Draft202012Validator(schema, registry=self.registry)
        return [f"{what}: {error.message[:200]}" for error in self.validators[pointer].iter_errors(value)]


def _escaped(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D").replace("*", "%2A")


def _values(body: Any, parts: list[str]) -> list[Any]:
    """Return the values at a place like parameters/*; none where it is absent."""
    found = [body]
    for part in parts:
        found = [
            child
            for value in found
            for child in (
                value
                if part == "*" and isinstance(value, list)
                else [value[part]]
                if isinstance(value, dict) and value.get(part) is not None
                else []
            )
        ]
    return found
