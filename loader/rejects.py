"""Which rows were rejected and why: the counts for ever, the rows themselves within limits.

Somebody who imports the wrong file twice must not fill the disk with copies of it, so a load keeps its first rejected
rows only, and the newest loads theirs. Nothing is lost by that: the rows are lines of a file that stays the user's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from loader.ledger import commit_lazily, storable
from loader.rows import Reject
from loader.schema import OWNER

KEPT_ROWS = 1_000
KEPT_CHARACTERS = 4_000_000
"""Of one load: its first rejected rows, as long as their texts fit."""
KEPT_LOADS = 25
KEPT_DAYS = 90
"""Of all loads: the newest that rejected any, while they are younger; a hundred megabytes at the very most."""
_REASON_CHARACTERS = 300
_KINDS = 100
OTHERS = "expected what other columns and lines expect"
"""In place of the reasons beyond the first hundred kinds of a load."""


@dataclass
class _Kind:
    """Rejected rows of which the same was expected: how many, the first of them, and its reason in full."""

    rows: int
    first_line: int
    example: str


class RejectLog:
    """Writes what was rejected over a connection of its own, opened on the first, so that it outlives a failed load."""

    def __init__(self, connection: psycopg.Connection, batch_id: int) -> None:
        """Log for `batch_id`, on the server of `connection`."""
        self._main = connection
        self._own: psycopg.Connection | None = None
        self._batch_id = batch_id
        self._known: set[tuple[str, str]] = set()
        self._characters = 0
        self.kept = 0
        self.example = ""

    def __enter__(self) -> RejectLog:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the log's connection."""
        if self._own is not None:
            self._own.close()

    def write(self, file_name: str, rejects: Iterable[Reject]) -> int:
        """Count rejects of the named file by reason and keep the first of them; return how many there were.

        Texts are shortened where they are very long.
        """
        if self._own is None:
            self._own = _twin(self._main)
        statement = "copy raw_staging.rejected_rows (batch_id, file_name, line_number, row_text, reason) from stdin"
        kinds: dict[str, _Kind] = {}
        with self._own.transaction(), self._own.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for reject in rejects:
                    self._count(file_name, reject, kinds)
                    if self.kept < KEPT_ROWS and self._characters < KEPT_CHARACTERS:
                        text, reason = storable(reject.row_text), storable(reject.reason)
                        copy.write_row((self._batch_id, file_name, reject.line_number, text, reason))
                        self._characters += len(text) + len(reason)
                        self.kept += 1
            cursor.executemany(
                "insert into raw_staging.rejected_reasons as r"
                " (batch_id, file_name, expected, row_count, first_line, example) values (%s, %s, %s, %s, %s, %s)"
                " on conflict (batch_id, file_name, expected) do update"
                " set row_count = r.row_count + excluded.row_count,"
                " first_line = least(r.first_line, excluded.first_line),"
                " example = case when excluded.first_line < r.first_line then excluded.example else r.example end",
                [
                    (self._batch_id, file_name, expected, kind.rows, kind.first_line, kind.example)
                    for expected, kind in kinds.items()
                ],
            )
        return sum(kind.rows for kind in kinds.values())

    def where(self, rejected: int) -> str:
        """Return where the `rejected` rows of this load are found."""
        if rejected <= self.kept:
            return "see raw_staging.rejected_rows"
        return (
            f"the first {self.kept:,} are in raw_staging.rejected_rows, all are counted by reason in "
            "raw_staging.rejected_reasons and stand in the file itself"
        )

    def _count(self, file_name: str, reject: Reject, kinds: dict[str, _Kind]) -> None:
        line, reason = reject.line_number, storable(reject.reason, _REASON_CHARACTERS)
        self.example = self.example or f"the first in line {line}: {storable(reject.reason, 200)}"
        expected = reason.split(", found", 1)[0]
        if (file_name, expected) not in self._known:
            if len(self._known) >= _KINDS:
                expected = OTHERS
            self._known.add((file_name, expected))
        kind = kinds.setdefault(expected, _Kind(0, line, reason))
        kind.rows += 1
        if line < kind.first_line:
            kind.first_line, kind.example = line, reason


def forget_old_rejects(connection: psycopg.Connection) -> None:
    """Remove the rows, not the counts, of loads that are too old or have enough newer ones."""
    with connection.transaction():
        commit_lazily(connection)
        connection.execute(
            "delete from raw_staging.rejected_rows where batch_id in ("
            " select old.batch_id from raw_staging.load_batches as old"
            " where old.started_at < now() - %s * interval '1 day' or old.batch_id <= ("
            "  select b.batch_id from raw_staging.load_batches as b"
            "  where exists (select from raw_staging.rejected_rows as r where r.batch_id = b.batch_id)"
            "  order by b.batch_id desc offset %s limit 1))",
            [KEPT_DAYS, KEPT_LOADS],
        )


def _twin(connection: psycopg.Connection) -> psycopg.Connection:
    """Return a second connection to the same server, as the owner."""
    twin = psycopg.connect(connection.info.dsn, password=connection.info.password or None, autocommit=True)
    twin.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))
    return twin
