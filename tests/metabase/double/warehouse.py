"""The database behind the double: a real one through psycopg, or one on paper that only knows who may connect."""

from __future__ import annotations

import datetime
import decimal
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg

Details = dict[str, Any]
Values = dict[str, Any]
_TAG = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_OPTIONAL = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
ROW_LIMIT = 2000


class Warehouse(Protocol):
    """What the double asks of a database."""

    def refusal(self, details: Details) -> str | None:
        """Return why a connection with these details fails; None when it works."""

    def run(self, details: Details, sql: str) -> dict[str, Any]:
        """Return {'rows', 'cols'}; raises QueryFailed."""


class QueryFailed(Exception):
    """The database refused a query."""


@dataclass
class PaperWarehouse:
    """Knows one password, refuses queries that contain a word, and finds no rows otherwise."""

    password: str = "reader-secret"
    broken_word: str = "broken_relation"
    refuses: bool = False
    ran: list[str] = field(default_factory=list)

    def refusal(self, details: Details) -> str | None:
        """Return why a connection fails."""
        if self.refuses or details.get("password") != self.password:
            return "FATAL: password authentication failed"
        return None

    def run(self, details: Details, sql: str) -> dict[str, Any]:
        """Return no rows."""
        self.ran.append(sql)
        if self.broken_word in sql:
            raise QueryFailed(f'ERROR: relation "{self.broken_word}" does not exist')
        return {"rows": [], "cols": []}


class PostgresWarehouse:
    """Runs the SQL on the database that the connection details name."""

    def _connect(self, details: Details) -> psycopg.Connection:
        known = {key: details[key] for key in ("host", "port", "dbname", "user", "password") if details.get(key)}
        return psycopg.connect(**known, connect_timeout=5, autocommit=True, application_name="metabase")

    def refusal(self, details: Details) -> str | None:
        """Return why a connection fails."""
        try:
            self._connect(details).close()
        except psycopg.OperationalError as error:
            return " ".join(str(error).split())
        return None

    def run(self, details: Details, sql: str) -> dict[str, Any]:
        """Return at most 2,000 rows, as Metabase does for queries it cannot see into."""
        try:
            with self._connect(details) as connection:
                cursor = connection.execute(sql.encode())
                cols = [
                    {"name": c.name, "display_name": c.name, "base_type": "type/*"} for c in cursor.description or ()
                ]
                rows = [[_json(value) for value in row] for row in cursor.fetchmany(ROW_LIMIT)]
        except psycopg.Error as error:
            raise QueryFailed(" ".join(str(error).split())) from None
        return {"rows": rows, "cols": cols}


def _json(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return value if isinstance(value, int | float | str | bool | None) else str(value)


def substituted(sql: str, types: dict[str, str], values: Values) -> str:
    """Return SQL with template tags replaced; raises QueryFailed for a tag outside [[ ]] that has no value."""

    def optional(match: re.Match[str]) -> str:
        return match.group(1) if all(values.get(name) is not None for name in _TAG.findall(match.group(1))) else ""

    def literal(match: re.Match[str]) -> str:
        name = match.group(1)
        if values.get(name) is None:
            raise QueryFailed(f"Cannot run the query: missing required parameters: #{{{name!r}}}")
        listed = values[name] if isinstance(values[name], list) else [values[name]]
        return ", ".join(_literal(value, types[name]) for value in listed)

    return _TAG.sub(literal, _OPTIONAL.sub(optional, sql))


def _literal(value: Any, type_: str) -> str:
    if type_ == "number":
        return str(float(value)) if "." in str(value) else str(int(value))
    quoted = str(value).replace("'", "''")
    return f"date '{quoted}'" if type_ == "date" else f"'{quoted}'"
