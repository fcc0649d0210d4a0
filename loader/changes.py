"""Histories of users and models: every version of a row with the day it holds from, the first version included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from loader.errors import LoadError
from loader.partition import SCHEMA, column_names, staged_name

_SHOWN_IDS = 5
_UNDATED = date(1970, 1, 1)  # from when the first version of a model without a release date holds


@dataclass(frozen=True)
class History:
    """A small table whose rows change, the table of its versions, and the column that dates the first of them."""

    table: str
    key: str
    versions: str
    began_on: str


HISTORIES = (
    History("users", "user_id", "user_changes", "signed_up_on"),
    History("models", "model_id", "model_changes", "released_on"),
)

_FAULTS: tuple[tuple[str, LiteralString], ...] = (
    (
        "expected {began_on} of a new row to be {day}, found another day",
        "select {key} from {staged} left join {table} as t using ({key})"
        " where t.{key} is null and {staged}.{began_on} is distinct from {day}",
    ),
    (
        "expected {began_on} of a known row to stay as it is, found another day",
        "select {key} from {staged} inner join {table} as t using ({key})"
        " where {staged}.{began_on} is distinct from t.{began_on}",
    ),
    (
        "expected the row's last change to be before {day}, found it on that day or later",
        "select distinct {key} from {staged} inner join {versions} as v using ({key}) where v.changed_on >= {day}",
    ),
)
"""What must not be found among staged changes of one day, and the rows that have it."""


def restart_history(connection: psycopg.Connection, history: History) -> None:
    """Replace all versions by one for each row of the staged table, which is about to replace the table itself."""
    _run(connection, history, _UNDATED, "delete from {versions}")
    _run(
        connection,
        history,
        _UNDATED,
        "insert into {versions} ({columns}, changed_on) select {columns}, coalesce({began_on}, {day}) from {staged}",
    )


def apply_changes(connection: psycopg.Connection, history: History, day: date) -> None:
    """Put the staged rows into the table and, as versions of `day`, those that differ into its history.

    Raises LoadError naming the rows that would contradict the history, of all kinds at once.
    """
    problems = []
    for text, statement in _FAULTS:
        ids = [key for (key,) in _run(connection, history, day, statement + " order by 1")]
        if ids:
            shown = ", ".join(map(str, ids[:_SHOWN_IDS])) + (
                f" and {len(ids) - _SHOWN_IDS} more" * (len(ids) > _SHOWN_IDS)
            )
            problems.append(f"{text.format(began_on=history.began_on, day=day)} for {history.key} {shown}")
    if problems:
        raise LoadError(f"{history.table} of {day}: {'; '.join(problems)}; generate the tick again")
    _run(
        connection,
        history,
        day,
        "insert into {versions} ({columns}, changed_on) select {columns}, {day}"
        " from (select {columns} from {staged} except select {columns} from {table}) as changed",
    )
    _run(
        connection,
        history,
        day,
        "insert into {table} ({columns}) select {columns} from {staged}"
        " on conflict ({key}) do update set ({columns}) = row({excluded})",
    )


def _run(connection: psycopg.Connection, history: History, day: date, statement: LiteralString) -> psycopg.Cursor[Any]:
    columns = [sql.Identifier(name) for name in column_names(connection, history.table)]
    query = sql.SQL(statement).format(
        table=sql.Identifier(SCHEMA, history.table),
        staged=staged_name(history.table),
        versions=sql.Identifier(SCHEMA, history.versions),
        key=sql.Identifier(history.key),
        began_on=sql.Identifier(history.began_on),
        columns=sql.SQL(", ").join(columns),
        excluded=sql.SQL(", ").join(sql.SQL("excluded.{}").format(column) for column in columns),
        day=day,
    )
    return connection.execute(query)
