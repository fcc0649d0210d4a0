"""What a card's SQL says without a database: placeholders, optional clauses, statements; and the SQL for given values.

Placeholders are Metabase's: `{{name}}`, and `[[ ... {{name}} ... ]]` for a clause that is dropped while `name` has no
value. Comments and quoted text are looked through neither by Metabase nor here: a `{{name}}` in a comment counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

Value = str | int | float | date
Values = Mapping[str, Value | None]

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_OPTIONAL = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_QUIET = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(\$\w*\$).*?\1", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Placeholders:
    """Names in a card's SQL: `required` ones stand outside every optional clause at least once."""

    required: frozenset[str]
    optional: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All names."""
        return self.required | self.optional


def placeholders(sql: str) -> Placeholders:
    """Return the names of the placeholders in `sql`."""
    required = frozenset(_PLACEHOLDER.findall(_OPTIONAL.sub("", sql)))
    return Placeholders(required, frozenset(_PLACEHOLDER.findall(sql)) - required)


def text_problems(sql: str) -> list[str]:
    """Return what is wrong with `sql` as a card's text: not one statement, brackets that do not close, bad names."""
    problems = []
    bare = _QUIET.sub(" ", sql)
    if not bare.strip():
        problems.append("expected one SQL statement, found none")
    if ";" in bare:
        problems.append("expected one statement without a semicolon, found ';'; remove it")
    if not re.match(r"\s*(select|with)\b", bare, re.IGNORECASE):
        problems.append("expected a statement that starts with select or with, found another one")
    if sql.count("{{") != sql.count("}}") or sql.count("[[") != sql.count("]]"):
        problems.append("expected {{ }} and [[ ]] in pairs, found one that does not close")
    bad = sorted(name for name in placeholders(sql).names if not _NAME.fullmatch(name))
    problems += [f"expected a placeholder like {{{{days}}}}, found {{{{{name}}}}}" for name in bad]
    for clause in _OPTIONAL.findall(sql):
        if not _PLACEHOLDER.search(clause):
            problems.append(f"expected a placeholder inside [[ ]], found none in [[{clause}]]")
    return problems


def rendered(sql: str, values: Values) -> str:
    """Return `sql` with `values` written in as literals, typed as Metabase binds them (text varchar, dates date).

    An optional clause stays when all its placeholders have a value. Raises KeyError for a required one without value.
    """

    def clause(match: re.Match[str]) -> str:
        names = _PLACEHOLDER.findall(match.group(1))
        return match.group(1) if all(values.get(name) is not None for name in names) else ""

    def literal(match: re.Match[str]) -> str:
        value = values.get(match.group(1))
        if value is None:
            raise KeyError(match.group(1))
        return _literal(value)

    return _PLACEHOLDER.sub(literal, _OPTIONAL.sub(clause, sql))


def _literal(value: Value) -> str:
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, int | float):
        return repr(value)
    quoted = value.replace("'", "''")
    return f"'{quoted}'::varchar"


def combinations(choices: Mapping[str, Iterable[Value | None]]) -> list[dict[str, Value | None]]:
    """Return every combination of `choices`, in order, the last name varying fastest."""
    found: list[dict[str, Value | None]] = [{}]
    for name, values in choices.items():
        listed = list(values)
        found = [known | {name: value} for known in found for value in listed]
    return found
