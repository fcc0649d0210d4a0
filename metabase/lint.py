"""The linter's half that needs a database: columns, types, rows, plans and budgets of every card."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from tqdm import tqdm

from metabase.desired import column_formats
from metabase.located import Problem
from metabase.reader import NUMBERS, TIMES, QueryFailed, Result, card_sql, default_values, fetch, reading
from metabase.spec import Card, Dashboard, DefinitionError, Filter
from metabase.sql_text import Values
from metabase.theme import Theme, read_theme

MAX_ROWS = 2000
"""Metabase shows at most that many rows of a query it cannot see into (MB_UNAGGREGATED_QUERY_ROW_LIMIT)."""
_SAMPLES = {"number": 1, "text": "x", "date": "2025-01-01"}


def check_database(dashboards: tuple[Dashboard, ...], *, runs: int = 0, budget_factor: float = 1.0) -> dict[str, float]:
    """Run every card as portfolio_reader; raises DefinitionError with every problem.

    `runs` > 0 runs each card that often and compares the 95th percentile with its budget times `budget_factor`. Returns
    these percentiles (ms) by `dashboard/card`.
    """
    theme = read_theme()
    problems: list[Problem] = []
    times: dict[str, float] = {}
    with reading() as connection:
        cards = [(board, card) for board in dashboards for card in board.cards]
        for board, card in tqdm(cards, desc="cards", unit="card", disable=None, delay=2):
            found = list(_card_problems(connection, card, board.filters, theme))
            if not found and runs > 0:
                p95 = p95_ms(connection, card, default_values(card, board.filters), runs)
                times[f"{board.key}/{card.key}"] = p95
                found = list(_budget_problems(card, p95, runs, budget_factor))
            problems += found
    if problems:
        raise DefinitionError(problems)
    return times


def _card_problems(
    connection: psycopg.Connection, card: Card, filters: Mapping[str, Filter], theme: Theme
) -> Iterator[Problem]:
    try:
        shape = _with_every_clause(connection, card, filters)
        names = {name for name, _ in shape.columns}
        missing = [name for name in card.named_columns if name not in names]
        for name in missing:
            text = f"card {card.key!r}: expected its SQL to return {name!r}, found {', '.join(sorted(names))}"
            yield Problem(card.file, card.line, text)
        if missing:
            return
        yield from _type_problems(card, dict(shape.columns), theme)
        sql = card_sql(card, default_values(card, filters))
        yield from _plan_problems(connection, card, sql)
        yield from _row_problems(card, fetch(connection, sql))
    except QueryFailed as error:
        connection.rollback()
        yield Problem(card.sql_file, error.line, f"expected SQL that portfolio_reader can run, found: {error}")


def _with_every_clause(connection: psycopg.Connection, card: Card, filters: Mapping[str, Filter]) -> Result:
    """Parse and plan the SQL with all optional clauses in, without reading a row."""
    values: dict[str, Any] = {}
    for name, type_ in card.tags.items():
        choices = [value for value in filters[name].choices if value is not None]
        values[name] = choices[0] if choices else _SAMPLES[type_]
    sql = card_sql(card, values)
    return fetch(connection, f"select * from ({sql}\n) as card limit 0")  # noqa: S608 (the card's own text)


def _type_problems(card: Card, types: Mapping[str, str], theme: Theme) -> Iterator[Problem]:
    chart = card.chart
    for name, (_, format_name) in column_formats(card, theme).items():
        style = theme.raw["formats"][format_name]["style"]
        allowed = {"text": None, "date": TIMES, "month": TIMES, "datetime": TIMES}.get(style, NUMBERS)
        if allowed is not None and types[name] not in allowed:
            wanted = f"{' or '.join(sorted(allowed))} for format {format_name!r}"
            yield _wrong(card, f"column {name!r}: expected {wanted}, found {types[name]}")
    measures = [] if chart["type"] == "table" else [chart["y"]] if isinstance(chart["y"], str) else chart["y"]
    for name in measures:
        if types[name] not in NUMBERS:
            yield _wrong(card, f"column {name!r}: expected a number to draw, found {types[name]}")
    if chart["type"] == "trend" and types[chart["x"]] not in TIMES:
        yield _wrong(card, f"column {chart['x']!r}: expected a date for a trend, found {types[chart['x']]}")
    if chart["type"] == "matrix" and len(types) != 3:
        yield _wrong(card, f"expected exactly three columns for a matrix, found {', '.join(types)}")


def _row_problems(card: Card, result: Result) -> Iterator[Problem]:
    kind, count = card.chart["type"], len(result.rows)
    if kind == "scalar" and count != 1:
        yield _wrong(card, f"expected one row for a scalar, found {count}")
    if count > MAX_ROWS:
        yield _wrong(card, f"expected at most {MAX_ROWS} rows, which Metabase shows, found {count}")
    if "values" in card.chart:
        index = [name for name, _ in result.columns].index(card.chart["series"])
        extra = sorted({str(row[index]) for row in result.rows} - set(card.chart["values"]))
        if extra:
            yield _wrong(card, f"expected only series out of 'values', found {', '.join(extra)}; add them")


def _wrong(card: Card, text: str) -> Problem:
    return Problem(card.file, card.line, f"card {card.key!r}: {text}")


def _plan_problems(connection: psycopg.Connection, card: Card, sql: str) -> Iterator[Problem]:
    """Refuse plans that read a whole fact table, whatever its size is today.

    With sequential scans switched off, a fact must be read by an index and with a condition on it.
    """
    with connection.transaction(force_rollback=True):
        fetch(connection, "select set_config('enable_seqscan', 'off', true)")
        (row,) = fetch(connection, f"explain (format json, verbose) {sql}").rows
    document = row[0] if isinstance(row[0], list) else json.loads(row[0])
    for relation in sorted(set(_full_scans(document[0]["Plan"]))):
        text = f"expected a mart, or an index with a condition, found a scan of all of {relation}"
        yield Problem(card.sql_file, 1, f"{text}; read a table of public_marts or add a condition on an indexed column")


def _full_scans(node: Mapping[str, Any]) -> Iterator[str]:
    """Return the facts that a plan reads without an index condition, its own or that of the bitmap below it."""
    schema, relation = node.get("Schema", ""), node.get("Relation Name", "")
    is_fact = schema == "raw_staging" or relation.startswith("fct_")
    if is_fact and not any("Index Cond" in each for each in _nodes(node)):
        yield f"{schema}.{relation}"
    for child in node.get("Plans", []):
        yield from _full_scans(child)


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _budget_problems(card: Card, p95: float, runs: int, factor: float) -> Iterator[Problem]:
    budget = card.budget_ms * factor
    if p95 > budget:
        yield Problem(
            card.sql_file, 1, f"expected a p95 of at most {budget:.0f} ms over {runs} runs, found {p95:.0f} ms"
        )


def p95_ms(connection: psycopg.Connection, card: Card, values: Values, runs: int) -> float:
    """Return the 95th percentile (nearest rank) of the time to run a card and fetch its rows, in milliseconds."""
    sql, times = card_sql(card, values), []
    for _ in range(runs):
        started = time.perf_counter()
        fetch(connection, sql)
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)[max(0, -(-95 * runs // 100) - 1)]
