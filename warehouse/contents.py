"""What a database holds, as something to compare: the rows of every table, and a checksum over them."""

from __future__ import annotations

from typing import NamedTuple

import psycopg
from psycopg import sql

_TABLES = (
    "select n.nspname, c.relname from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace"
    " where c.relkind in ('r', 'm') and c.relpersistence <> 't'"
    " and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%' order by 1, 2"
)


class Table(NamedTuple):
    """How many rows a table has, and the sum of their hashes, which does not depend on their order."""

    rows: int
    checksum: int


def contents(connection: psycopg.Connection) -> dict[str, Table]:
    """Return every table of the database by its full name; the caller's transaction decides as of when.

    The settings that say how a value is written as text are set for that transaction.
    """
    connection.execute(
        "set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres';"
        " set local extra_float_digits = 1; set local bytea_output = 'hex'; set local statement_timeout = 0;"
        " set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_bitmapscan = off"
    )
    found = {}
    for schema, name in connection.execute(_TABLES).fetchall():
        row = connection.execute(
            sql.SQL(
                "select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text from only {} as t"
            ).format(sql.Identifier(schema, name))
        ).fetchone()
        assert row is not None  # noqa: S101 (an aggregate has one row; tells mypy)
        found[f"{schema}.{name}"] = Table(row[0], int(row[1]))
    return found


def as_text(tables: dict[str, Table]) -> str:
    """Return the tables as lines of rows, checksum and name."""
    return "".join(f"{table.rows} {table.checksum} {name}\n" for name, table in tables.items())


def from_text(text: str) -> dict[str, Table]:
    """Read what `as_text` wrote; raises ValueError where it is something else."""
    fields = [line.split(" ", 2) for line in text.splitlines()]
    return {name: Table(int(rows), int(checksum)) for rows, checksum, name in fields}


def differences(expected: dict[str, Table], found: dict[str, Table]) -> list[str]:
    """Return one text for each table that is not as expected; one more than expected is one as well."""
    texts = []
    for name in sorted(expected.keys() | found.keys()):
        one, other = expected.get(name), found.get(name)
        if one == other:
            continue
        if one is None or other is None:
            texts.append(f"{name} is {'not expected' if one is None else 'missing'}")
        elif one.rows != other.rows:
            texts.append(f"{name} has {other.rows:,} rows, not {one.rows:,}")
        else:
            texts.append(f"{name} has other values")
    return texts
