"""COPY into tables: the only module that moves rows in bulk."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import sql
from tqdm import tqdm

if TYPE_CHECKING:
    import pyarrow as pa


def copy_csv_blocks(
    connection: psycopg.Connection, table: sql.Identifier, columns: Sequence[str], blocks: Iterable[bytes]
) -> int:
    """COPY the bytes of a CSV file with a header of `columns` as they are; return the number of rows.

    The server checks header, types and constraints and refuses the whole file for one bad row (psycopg.DataError or
    IntegrityError). The table must have been emptied in this (sub)transaction: rows are written frozen.
    """
    with connection.cursor() as cursor:
        with cursor.copy(_statement(table, columns, ", header match, freeze")) as copy:
            for block in blocks:
                copy.write(block)
        return cursor.rowcount


def copy_record_batches(
    connection: psycopg.Connection, table: sql.Identifier, batches: Iterable[pa.RecordBatch]
) -> int:
    """COPY Arrow record batches of equal columns into a table emptied in this transaction; return how many rows."""
    import pyarrow.csv  # the usual load copies bytes and does not need it

    iterator = iter(batches)
    first = next(iterator, None)
    if first is None:
        return 0
    options = pyarrow.csv.WriteOptions(include_header=False)
    with connection.cursor() as cursor:
        with cursor.copy(_statement(table, first.schema.names, ", freeze")) as copy:
            for batch in itertools.chain([first], iterator):
                buffer = io.BytesIO()
                pyarrow.csv.write_csv(batch, buffer, options)
                copy.write(buffer.getvalue())
        return cursor.rowcount


def progress_bar(name: str, size: int) -> tqdm[Any]:
    """Return a bar over `size` bytes, shown on a terminal only and only after two seconds."""
    is_hidden = not sys.stderr.isatty()
    return tqdm(total=size, desc=name, unit="B", unit_scale=True, delay=2, leave=False, disable=is_hidden)


def _statement(table: sql.Identifier, columns: Sequence[str], options: LiteralString) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("copy {} ({}) from stdin (format csv{})").format(table, names, sql.SQL(options))
