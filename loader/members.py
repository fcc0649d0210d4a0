"""Models, users and teams that a log names: each is a member of its dimension once, and requests carry its number.

A model is one with its provider; a user may make requests for several teams. Requests are copied while the numbers are
given, so these come in blocks from a sequence; the new members are written in the transaction that shows the requests.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from loader.kinds import NAME_CHARACTERS
from loader.schema import OWNER
from warehouse.connection import connect

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "raw_staging"
BLOCK = 256
"""How many numbers one value of the sequence stands for; see loader/sql/07_members.sql."""
_SECRET = re.compile(r"\b(?:sk-|gsk_|xai-|hf_|AIza|AKIA|eyJ)[A-Za-z0-9_-]{16,}")
"""How API keys of providers and gateways begin, and signed tokens: none of them may become a name in the warehouse."""
HIDDEN = "secret:"

Key = tuple[str | None, ...]


@dataclass(frozen=True)
class Kind:
    """A dimension whose members are inferred: its table, their number, and their natural key, whose first is needed."""

    table: str
    number: str
    names: tuple[str, ...]


KINDS = (
    Kind("inferred_models", "model_id", ("model_name", "provider")),
    Kind("inferred_users", "user_id", ("user_name",)),
    Kind("inferred_teams", "team_id", ("team_name",)),
)


@dataclass
class Numbers:
    """The numbers of one kind's members: those known before, those given by this load, and those its rows have."""

    known: dict[Key, int]
    given: dict[Key, int] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)


class Members:
    """The members of one source, whose lock the caller holds."""

    def __init__(self, connection: psycopg.Connection, source: str) -> None:
        """Read the members that earlier loads of `source` met."""
        self._source = source
        self._numbers = {kind: Numbers(_known(connection, kind, source)) for kind in KINDS}
        self._free: Iterator[int] = iter(())

    def numbered(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return `rows` with the number of each member in the place of its name; a NULL name is a NULL number.

        Columns: model_name and provider become model_id, user_name user_id, team_name team_id; any of them may lack.
        """
        import pyarrow as pa

        for kind in KINDS:
            if kind.names[0] not in rows.schema.names:
                continue
            names = (_texts(rows, name) for name in kind.names)
            numbers = [self._number(kind, key) for key in zip(*names, strict=True)]
            kept = [name for name in rows.schema.names if name not in kind.names]
            rows = rows.select(kept).append_column(kind.number, pa.array(numbers, pa.int32()))
        return rows

    def _number(self, kind: Kind, logged: Key) -> int | None:
        numbers = self._numbers[kind]
        number = numbers.known.get(logged)
        if number is None:
            key = tuple(map(member_name, logged))
            if key[0] is None:
                return None
            number = numbers.known.get(key) or numbers.given.get(key)
            if number is None:
                number = numbers.given[key] = self._next()
            numbers.known[logged] = number
        numbers.used.add(number)
        return number

    def _next(self) -> int:
        number = next(self._free, None)
        if number is None:
            # The load's own connection is copying. A sequence gives no number twice, also to loads that fail.
            with connect(autocommit=True) as connection:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))
                row = connection.execute("select nextval('raw_staging.member_id_blocks')").fetchone()
            last = int(row[0]) if row else 0
            self._free = iter(range(last + BLOCK - 1, last - 1, -1))
            number = next(self._free)
        return number

    @property
    def text(self) -> str:
        """Return what the rows name, for a load's summary: `, naming 5 models and 2 teams`; empty where nothing."""
        counts = [(len(numbers.used), kind.table.removeprefix("inferred_")) for kind, numbers in self._numbers.items()]
        named = [f"{count:,} {noun if count != 1 else noun[:-1]}" for count, noun in counts if count]
        hidden = {
            number
            for numbers in self._numbers.values()
            for key, number in numbers.known.items()
            if number in numbers.used and any(name and name.startswith(HIDDEN) for name in map(member_name, key))
        }
        said = f", naming {' and '.join(filter(None, (', '.join(named[:-1]), named[-1])))}" if named else ""
        return f"{said} ({len(hidden):,} look like API keys and are kept as {HIDDEN}...)" if hidden else said

    def write(self, connection: psycopg.Connection, is_replaced: bool) -> None:
        """Write the members this load met first, in the transaction that shows its rows.

        Where the load replaces the source, members that none of its rows has are removed.
        """
        for kind, numbers in self._numbers.items():
            if is_replaced:
                leave = sql.SQL("delete from {} where source = %s and {} <> all(%s)")
                connection.execute(
                    leave.format(sql.Identifier(SCHEMA, kind.table), sql.Identifier(kind.number)),
                    [self._source, list(numbers.used)],
                )
            columns = ("source", kind.number, *kind.names)
            statement = sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier(SCHEMA, kind.table),
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
            )
            with connection.cursor() as cursor:
                cursor.executemany(statement, [(self._source, number, *key) for key, number in numbers.given.items()])


def remove_members(connection: psycopg.Connection, source: str) -> None:
    """Remove the members of a source that is taken out, in the caller's transaction."""
    for kind in KINDS:
        connection.execute(
            sql.SQL("delete from {} where source = %s").format(sql.Identifier(SCHEMA, kind.table)), [source]
        )


def member_name(text: str | None) -> str | None:
    """Return the name a member has in the warehouse: without blanks around it, NULL where nothing is left.

    What looks like an API key is never stored: `secret:` and the start of its SHA-256 stand for it. A text of more than
    NAME_CHARACTERS keeps its start and ends in the start of its SHA-256, so that two of them stay two.
    """
    # What JSON may hold and PostgreSQL may not: NUL, and half of a surrogate pair.
    name = (text or "").replace("\0", "").encode(errors="replace").decode().strip()
    if not name:
        return None
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    if _SECRET.search(name):
        return f"{HIDDEN}{digest}"
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 14]}… {digest}"


def _known(connection: psycopg.Connection, kind: Kind, source: str) -> dict[Key, int]:
    columns = sql.SQL(", ").join(map(sql.Identifier, (kind.number, *kind.names)))
    statement = sql.SQL("select {} from {} where source = %s").format(columns, sql.Identifier(SCHEMA, kind.table))
    return {tuple(names): number for number, *names in connection.execute(statement, [source])}


def _texts(rows: pa.RecordBatch, name: str) -> list[Any]:
    return rows.column(name).to_pylist() if name in rows.schema.names else [None] * rows.num_rows
