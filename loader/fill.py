"""Fill one new table from one file: as it is where the server takes it, else row by row judgement by its adapter.

The table is created first, in a transaction of its own: `like` locks the table it copies until the commit, and nobody
could attach a partition to that one while a long file is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import psycopg
from psycopg import sql

from loader.canonical import NotCanonical, canonical_blocks
from loader.copy import copy_csv_blocks, copy_record_batches, progress_bar
from loader.errors import LoadError
from loader.files import InputFile
from loader.kinds import Column
from loader.ledger import Counts, commit_lazily
from loader.members import Members
from loader.rejects import RejectLog
from loader.window import Window, only_inside

if TYPE_CHECKING:
    import pyarrow as pa
    from tqdm import tqdm

    from loader.rows import Batch, Batches, Reject


@dataclass(frozen=True)
class TableInput:
    """One file and the raw table it belongs to; `rows` is what a manifest promises, `key` what must not repeat.

    `columns` are those of a CSV file that the server may read itself, line by line held to their kinds. Where there is
    a `window`, rows whose requested_at is outside are rejected. `members` number the models, users and teams that its
    rows name.
    """

    table: str
    key: str
    file: InputFile
    read: Callable[[BinaryIO], Batches]
    columns: tuple[Column, ...] | None = None
    rows: int | None = None
    window: Window | None = None
    members: Members | None = None


@dataclass(frozen=True)
class Target:
    """A table to create and fill: the statements that create it, its columns in file order, and its primary key.

    `empty` makes it an empty one in the transaction that fills it, by default a truncate; COPY FREEZE asks for either.
    """

    name: sql.Identifier
    create: tuple[sql.Composed, ...]
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]
    empty: tuple[sql.Composed, ...] = ()


def create_empty(connection: psycopg.Connection, target: Target) -> Target:
    """Create `target`, to be filled in a later transaction, and return it."""
    with connection.transaction():
        commit_lazily(connection)
        for statement in target.create:
            connection.execute(statement)
    return target


def fill_table(connection: psycopg.Connection, source: TableInput, target: Target, rejects: RejectLog) -> Counts:
    """Fill `target`, which is there, inside the caller's transaction; return the rows read, loaded and rejected.

    Raises LoadError where the file as a whole is none of this table, or has other than the promised number of rows.
    """
    try:
        counts = fill_as_is(connection, source, target)
        counts = counts or fill_checked(connection, source, target, rejects)
    except LoadError as error:
        raise LoadError(f"{source.file.path}: {error}") from None
    if source.rows is not None and counts.read != source.rows:
        raise LoadError(
            f"{source.file.path}: expected {source.rows:,} rows as the manifest says, found {counts.read:,}; "
            "generate the set again"
        )
    return counts


def fill_whole(connection: psycopg.Connection, source: TableInput, target: Target, rejects: RejectLog) -> int:
    """Fill `target`; return the rows. Raises LoadError for a single reject: requests refer to its rows."""
    counts = fill_table(connection, source, target, rejects)
    if counts.rejected:
        raise LoadError(
            f"{source.file.path}: expected all {counts.read:,} rows to fit, found {counts.rejected:,} that do not, "
            f"{rejects.example}; correct them and run again"
        )
    return counts.loaded


def check_reject_ratio(source: TableInput, counts: Counts, limit: float, rejects: RejectLog) -> None:
    """Raise LoadError where more than the share `limit` of the rows was rejected."""
    if counts.rejected > limit * counts.read:
        raise LoadError(
            f"{source.file.path}: expected at most {limit:.2%} of the rows to be rejected, found "
            f"{counts.rejected:,} of {counts.read:,}, {rejects.example} ({rejects.where(counts.rejected)}); "
            "correct them or raise --max-reject-ratio"
        )


def fill_as_is(connection: psycopg.Connection, source: TableInput, target: Target) -> Counts | None:
    """Fill by copying bytes; return None, with nothing done, where a row is not canonical, outside or refused.

    It takes no row that `fill_checked` would not take, and each with the same values.
    """
    if source.columns is None:
        return None
    try:
        with connection.transaction():
            _empty(connection, target)
            with source.file.stream() as stream, progress_bar(source.file.path.name, source.file.size) as bar:
                blocks = _counted(canonical_blocks(stream, source.columns), bar)
                rows = copy_csv_blocks(connection, target.name, target.columns, blocks)
            if source.window is not None and _has_rows_outside(connection, target, source.window):
                raise NotCanonical
            _add_primary_key(connection, target)
            return Counts(read=rows, loaded=rows)
    except (NotCanonical, psycopg.DataError, psycopg.IntegrityError):
        return None  # the slower way says which rows, and why


def _has_rows_outside(connection: psycopg.Connection, target: Target, window: Window) -> bool:
    statement = "select exists(select from {} where requested_at < {} or requested_at >= {})"
    row = connection.execute(sql.SQL(statement).format(target.name, window.start, window.end)).fetchone()
    return row == (True,)


def _counted(blocks: Iterator[bytes], bar: tqdm[Any]) -> Iterator[bytes]:
    for block in blocks:
        yield block
        bar.update(len(block))


def fill_checked(connection: psycopg.Connection, source: TableInput, target: Target, rejects: RejectLog) -> Counts:
    """Fill with the rows its adapter and the primary key accept, in file order."""
    counts, name = Counts(), source.file.path.name

    def accepted(batches: Batches, stream: BinaryIO) -> Iterator[pa.RecordBatch]:
        with progress_bar(name, source.file.size) as bar:
            for batch in batches:
                if batch.rejects:
                    counts.rejected += rejects.write(name, batch.rejects)
                counts.read += batch.rows_read
                yield source.members.numbered(batch.rows) if source.members else batch.rows
                bar.update(stream.tell() - bar.n)

    with connection.transaction():
        _empty(connection, target)
        with _batches(source) as (batches, stream):
            counts.loaded = copy_record_batches(connection, target.name, accepted(batches, stream))
        try:
            _add_primary_key(connection, target)
        except psycopg.errors.UniqueViolation:
            places = _remove_duplicates(connection, source.key, target)
            with _batches(source) as (batches, _):
                found = rejects.write(name, rejects_at(places, batches, source.key))
            counts.rejected += found
            counts.loaded -= found
            _add_primary_key(connection, target)
    return counts


@contextmanager
def _batches(source: TableInput) -> Iterator[tuple[Batches, BinaryIO]]:
    """Read the file by its adapter, which ends before its stream is closed, whatever happens."""
    with source.file.stream() as stream:
        batches = source.read(stream)
        with closing(only_inside(batches, source.window) if source.window else batches) as judged:
            yield judged, stream


def rejects_at(places: Iterator[int], batches: Iterable[Batch], key: str) -> Iterator[Reject]:
    """Yield the accepted rows at `places`, ascending from 0 over all batches, as rejects that repeat a `key`."""
    from loader.rows import Reject

    place, first = next(places, None), 0
    for batch in batches:
        while place is not None and place < first + len(batch.line_numbers):
            line_number, text = batch.line_numbers[place - first], batch.texts[place - first]
            yield Reject(line_number, text, f"{key}: expected one row for each, found one that an earlier line has")
            place = next(places, None)
        if place is None:
            return
        first += len(batch.line_numbers)


def _empty(connection: psycopg.Connection, target: Target) -> None:
    """Empty the table in this (sub)transaction, which may then write its rows frozen."""
    for statement in target.empty or (sql.SQL("truncate {}").format(target.name),):
        connection.execute(statement)


def _add_primary_key(connection: psycopg.Connection, target: Target) -> None:
    """Build the key in a subtransaction, so that the rows outlive a refusal (UniqueViolation)."""
    key = sql.SQL(", ").join(map(sql.Identifier, target.primary_key))
    with connection.transaction():
        connection.execute(sql.SQL("alter table {} add primary key ({})").format(target.name, key))


def _remove_duplicates(connection: psycopg.Connection, key: str, target: Target) -> Iterator[int]:
    """Delete the rows whose key an earlier row has; yield their places in the table, from 0, ascending.

    A new table that one COPY has filled keeps the order of the file, so that its row ids are places in the file.
    """
    connection.execute(
        sql.SQL(
            "create temp table duplicate_rows on commit drop as select row_id, place from ("
            "select ctid as row_id, row_number() over (order by ctid) - 1 as place,"
            " row_number() over (partition by {} order by ctid) as occurrence from {}"
            ") as numbered where occurrence > 1"
        ).format(sql.Identifier(key), target.name)
    )
    connection.execute(
        sql.SQL("delete from {} as r using duplicate_rows as d where r.ctid = d.row_id").format(target.name)
    )
    with connection.cursor(name="duplicate_places") as cursor:
        cursor.execute("select place from duplicate_rows order by place")
        for (place,) in cursor:
            yield place
    connection.execute("drop table duplicate_rows")
