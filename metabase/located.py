"""YAML read together with the line of every value, checked against a JSON schema, all problems at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a definition: `file:line: text`."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        """Return the line to print."""
        return f"{self.file}:{self.line}: {self.text}"


@dataclass
class Located:
    """A YAML document as plain data, and the line on which each value (for mappings: its key) stands."""

    file: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest thing around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def complain(self, path: Path, text: str) -> None:
        """Add a problem at `path`, once (the validator reports two missing keys as two errors with one text)."""
        problem = Problem(self.file, self.line(path), text)
        if problem not in self.problems:
            self.problems.append(problem)


def read_yaml(file: str, text: str) -> Located:
    """Return the document of one file; syntax errors and repeated keys become problems."""
    document = Located(file)
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        document.data = _value(loader, node, (), document) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        found = " ".join(str(part) for part in (error.context, error.problem) if part)
        document.problems.append(Problem(file, line, f"YAML: expected a document that parses, found: {found}"))
    finally:
        loader.dispose()
    return document


def _value(loader: yaml.SafeLoader, node: yaml.Node, path: Path, document: Located) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, child, (*path, index), document) for index, child in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        value = loader.construct_object(node, deep=True)
        return value.isoformat() if isinstance(value, date) else value
    mapping: dict[str, Any] = {}
    for key_node, child in node.value:
        key = str(key_node.value)
        here = (*path, key)
        if key in mapping:
            text = f"repeated key: expected {key!r} once, found it again; keep one of the two"
            document.problems.append(Problem(document.file, key_node.start_mark.line + 1, text))
            continue
        document.lines[here] = key_node.start_mark.line + 1
        mapping[key] = _value(loader, child, here, document)
    return mapping


def check_schema(document: Located, schema: Mapping[str, Any]) -> None:
    """Add to the document every problem that `schema` (JSON schema 2020-12) finds in it."""
    if document.problems and document.data is None:
        return
    for error in Draft202012Validator(schema).iter_errors(document.data):
        path = tuple(error.absolute_path)
        for extra, text in _texts(error):
            document.complain((*path, *extra), f"{_where(path)}: {text}")


def _where(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "document"


def _texts(error: ValidationError) -> Iterator[tuple[Path, str]]:
    value: Any = error.validator_value
    rule: Any = error.schema
    instance: Any = error.instance
    found = _short(instance)
    match error.validator:
        case "additionalProperties" if isinstance(value, bool):
            known = sorted(rule.get("properties", {}))
            for key in (key for key in instance if key not in known):
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else "; remove it"
                yield (key,), f"unknown key: expected one of {', '.join(known)}, found {key!r}{hint}"
        case "required":
            missing = [key for key in value if key not in instance]
            yield (), f"missing keys: expected {', '.join(value)}, found no {', no '.join(missing)}"
        case "enum":
            yield (), f"expected one of {', '.join(map(str, value))}, found {found}"
        case "const":
            yield (), f"expected {value!r}, found {found}"
        case "type":
            yield (), f"expected {value if isinstance(value, str) else ' or '.join(value)}, found {found}"
        case "pattern":
            told = rule.get("description", f"text that matches {value}")
            yield (), f"expected {told}, found {found}"
        case _:
            yield (), f"expected {error.validator} {value}, found {found}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
