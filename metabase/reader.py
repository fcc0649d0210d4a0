"""Run cards as portfolio_reader: the role, the limits and the SQL that Metabase uses too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.string import TextLoader

from metabase.client import MetabaseError
from metabase.settings import READER
from metabase.spec import Card, Dashboard, Filter
from metabase.sql_text import Value, Values, combinations, rendered

NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})
TIMES = frozenset({"date", "timestamp", "timestamptz"})
PRESENT_VALUES = 12


@dataclass(frozen=True)
class Result:
    """Columns with the names of their PostgreSQL types, and rows."""

    columns: tuple[tuple[str, str], ...]
    rows: list[tuple[Any, ...]]


@contextmanager
def reading() -> Iterator[psycopg.Connection]:
    """Open one read-only snapshot as portfolio_reader; raises MetabaseError when there is no warehouse."""
    from warehouse.connection import WarehouseUnavailable, connect  # the provisioner's image has no warehouse

    try:
        connection = connect(user=READER)
    except WarehouseUnavailable as error:
        raise MetabaseError(str(error)) from None
    with connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("set timezone to 'UTC'")  # as Metabase's JVM
        yield connection


class QueryFailed(Exception):
    """The database refused a query; `line` is where in its text, from 1."""

    def __init__(self, error: psycopg.Error, sql: str) -> None:
        """Take the server's own words."""
        super().__init__(error.diag.message_primary or " ".join(str(error).split()))
        position = error.diag.statement_position
        self.line = sql.count("\n", 0, int(position) - 1) + 1 if position else 1


def fetch(connection: psycopg.Connection, sql: str) -> Result:
    """Run a card's SQL, without touching what may look like a parameter in it; raises QueryFailed."""
    with connection.cursor() as cursor:
        cursor.adapters.register_loader("jsonb", TextLoader)
        try:
            cursor.execute(sql.encode())
        except psycopg.Error as error:
            raise QueryFailed(error, sql) from None
        described = cursor.description or ()
        columns = tuple((each.name, _type_name(connection, each.type_code)) for each in described)
        return Result(columns, cursor.fetchall())


def _type_name(connection: psycopg.Connection, oid: int) -> str:
    known = connection.adapters.types.get(oid)
    return known.name if known else "text"


def with_present_values(connection: psycopg.Connection, board: Dashboard) -> Dashboard:
    """Return a dashboard whose filters offer the values their columns have; one value is nothing to choose from.

    At most PRESENT_VALUES of them, those of the most requests, in the order of the definition where that lists them.
    """
    filters = dict(board.filters)
    for key, filter_ in board.filters.items():
        if not filter_.values_from:
            continue
        schema, table, column = map(sql.Identifier, filter_.values_from.split("."))
        query = sql.SQL("select {0} from {1} group by {0} order by sum(requests) desc, {0} limit {2}")
        rows = connection.execute(query.format(column, sql.SQL(".").join((schema, table)), PRESENT_VALUES)).fetchall()
        found = [value for (value,) in rows]
        listed = [value for value in filter_.values if value in found]
        values = (*listed, *(value for value in found if value not in listed))
        filters[key] = replace(filter_, values=values if len(values) > 1 else ())
    return replace(board, filters=filters)


def default_values(card: Card, filters: Mapping[str, Filter]) -> dict[str, Value | None]:
    """Return the values that a fresh dashboard gives a card."""
    return {name: filters[name].default for name in card.tags}


def variants(card: Card, filters: Mapping[str, Filter]) -> list[dict[str, Value | None]]:
    """Return every combination of values that the export computes ahead."""
    return combinations({name: filters[name].choices for name in card.tags})


def card_sql(card: Card, values: Values) -> str:
    """Return the SQL of a card for some values."""
    return rendered(card.sql, values)


def plain(value: Any) -> Any:
    """Return a database value as JSON has it: numbers as numbers, dates and times in ISO 8601."""
    if isinstance(value, Decimal | float) and not math.isfinite(value):
        return None  # JSON has no word for it, and a chart draws nothing either way
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
