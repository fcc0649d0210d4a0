"""Find the operation of a request and check bodies against contract.yml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

_SEGMENTS = {
    "{id}": r"(?P<id{n}>[1-9][0-9]*)",
    "{any}": r"(?P<any{n}>[1-9][0-9]*|[A-Za-z0-9_-]{{21}})",
    "{uuid}": r"(?P<uuid{n}>[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})",
    "{word}": r"(?P<word{n}>[^/]+)",
}


class Violation(Exception):
    """A request, or an answer of the double itself, does not follow the contract."""


@dataclass(frozen=True)
class Operation:
    """One operation: its id, whether it needs a session, and validators for query, body and answers."""

    id: str
    method: str
    path: str
    pattern: re.Pattern[str]
    public: bool
    query: dict[str, Draft202012Validator]
    body: Draft202012Validator | None
    answers: dict[int, Draft202012Validator]

    def check_request(self, query: dict[str, str], body: Any) -> None:
        """Raise Violation unless query and body are as the contract says."""
        for name, value in query.items():
            if name not in self.query:
                raise Violation(f"{self.method} {self.path}: unknown query parameter {name!r}")
            _check(self.query[name], value, f"{self.method} {self.path}?{name}")
        if self.body is not None:
            _check(self.body, body, f"{self.method} {self.path} body")
        elif body is not None:
            raise Violation(f"{self.method} {self.path}: takes no body, got {body!r}")

    def check_answer(self, status: int, body: Any) -> None:
        """Raise Violation unless the double's own answer is as the contract says."""
        if status in (401, 403, 404) and status not in self.answers:
            return
        if status not in self.answers:
            raise Violation(
                f"{self.method} {self.path}: the double answered {status}, which the contract does not list"
            )
        _check(self.answers[status], body, f"{self.method} {self.path}: the double's answer {status}")


def _check(validator: Draft202012Validator, value: Any, what: str) -> None:
    errors = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in validator.iter_errors(value)
    ]
    if errors:
        raise Violation(f"{what}: {'; '.join(errors[:5])}")


@cache
def operations() -> tuple[Operation, ...]:
    """Return all operations of contract.yml."""
    document = yaml.safe_load((Path(__file__).parent / "contract.yml").read_text(encoding="utf-8"))
    definitions = document["definitions"]

    def validator(schema: Any) -> Draft202012Validator:
        if isinstance(schema, str):
            schema = {"$ref": f"#/definitions/{schema}"}
        return Draft202012Validator({**schema, "definitions": definitions})

    return tuple(
        Operation(
            id=raw["id"],
            method=raw["method"],
            path=raw["path"],
            pattern=_pattern(raw["path"]),
            public=raw.get("public", False),
            query={name: validator(schema) for name, schema in raw.get("query", {}).items()},
            body=validator(raw["body"]) if "body" in raw else None,
            answers={int(status): validator(schema) for status, schema in raw["answers"].items()},
        )
        for raw in document["operations"]
    )


def _pattern(path: str) -> re.Pattern[str]:
    parts = []
    for number, segment in enumerate(path.split("/")):
        parts.append(_SEGMENTS[segment].format(n=number) if segment in _SEGMENTS else re.escape(segment))
    return re.compile("/".join(parts))


def find_operation(method: str, path: str) -> tuple[Operation, list[str]] | None:
    """Return the operation of a request and the variable parts of its path."""
    for operation in operations():
        match = operation.pattern.fullmatch(path)
        if match and operation.method == method:
            return operation, list(match.groups())
    return None
