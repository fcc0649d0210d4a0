"""Definitions: what is accepted, and that every mistake is named with file and line, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from metabase.spec import Card, Dashboard, DefinitionError, Text, parse_dashboards
from tests.metabase.harness import SCHEMA, THEME, board, card, define

YAML = """\
version: 1
order: 1
name: Demo
description: A demo
filters:
  days: {name: Period, type: number, values: [7, 30], default: 7}
cards:
  - heading: Top
  - card: spend-by-day
    title: Spend per day
    question: How much do we spend per day?
    chart: {type: line, x: usage_on, y: [cost_usd]}
    tags: {days: number}
"""
SQL = "select usage_on, cost_usd from public_marts.usage_daily where 7 <= {{days}}\n"


def parse(yaml_text: str = YAML, sql: Mapping[str, str] | None = None) -> tuple[Dashboard, ...]:
    files = {"cards/demo/spend-by-day.sql": SQL} if sql is None else sql
    return parse_dashboards({"dashboards/demo.yml": yaml_text}, files, SCHEMA, THEME)


def problems(yaml_text: str = YAML, sql: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        parse(yaml_text, sql)
    return [str(problem) for problem in caught.value.problems]


def test_definition_is_read_with_its_sql_and_defaults() -> None:
    (dashboard,) = parse()
    (read,) = dashboard.cards
    assert (read.address, read.title, read.sql) == ("demo/spend-by-day", "Spend per day", SQL.strip())
    assert read.budget_ms == 50
    (tab,) = dashboard.tabs
    assert [(placed.row, placed.col, placed.w, placed.h) for placed in tab.items] == [(0, 0, 24, 1), (1, 0, 12, 6)]
    assert isinstance(tab.items[0].content, Text) and isinstance(tab.items[1].content, Card)


def test_adding_a_card_takes_five_lines() -> None:
    lines = YAML[YAML.index("  - card:") :].splitlines()
    assert len(lines) == 5


def test_unknown_key_is_named_with_line_and_neighbour() -> None:
    found = problems(YAML.replace("    question:", "    queston:"))
    assert found == [
        "dashboards/demo.yml:9: cards[1]: missing keys: expected card, title, question, chart, found no question",
        "dashboards/demo.yml:11: cards[1]: unknown key: expected one of budget_ms, card, chart, columns, empty, "
        "question, size, tags, title, found 'queston'; did you mean 'question'?",
    ]


def test_all_problems_of_all_files_come_at_once() -> None:
    documents = {
        "dashboards/a.yml": YAML.replace("type: number", "type: numeric").replace("order: 1", "order: 0"),
        "dashboards/b.yml": YAML.replace("type: line", "type: lines"),
        "dashboards/c.yml": "a: [",
    }
    with pytest.raises(DefinitionError) as caught:
        parse_dashboards(documents, {}, SCHEMA, THEME)
    files = [(problem.file, problem.line) for problem in caught.value.problems]
    assert files == [
        ("dashboards/a.yml", 2),
        ("dashboards/a.yml", 6),
        ("dashboards/b.yml", 12),
        ("dashboards/c.yml", 1),
    ]


@pytest.mark.parametrize(
    "old, new, line, told",
    [
        ("version: 1", "version: 2", 1, "version: expected 1, found 2"),
        ("name: Demo", "name: ''", 3, r"name: expected text that matches"),
        ("name: Demo\n", "name: Demo\nname: Again\n", 4, "repeated key: expected 'name' once"),
        ("default: 7", "default: 8", 6, "filter 'days': expected a default out of [7, 30], found 8"),
        ("values: [7, 30]", "values: [7, thirty]", 6, "filter 'days': expected values of type number, found 'thirty'"),
        (
            "    tags: {days: number}\n",
            "",
            9,
            "expected the tag 'days' that cards/demo/spend-by-day.sql uses, found none",
        ),
        ("{days: number}", "{days: number, tier: text}", 13, "expected a filter for tag 'tier', found only: days"),
        ("{days: number}", "{days: text}", 13, "expected tag 'days' of type number as its filter, found text"),
        (
            ", default: 7}",
            "}",
            13,
            "expected a default for filter 'days', which the SQL uses outside [[ ]], found none",
        ),
        ("type: line", "type: pie", 12, "cards[1].chart.type: expected one of scalar, trend, line"),
        ("x: usage_on, ", "", 12, "cards[1].chart: missing keys: expected type, x, y, found no x"),
        ("y: [cost_usd]}", "y: [cost_usd], color: red}", 12, "unknown key: expected one of goal, "),
        ("y: [cost_usd]}", "y: [cost_usd], series: tier}", 12, "expected 'values' beside 'series'"),
        ("y: [cost_usd]}", "y: [cost_usd], values: [a]}", 12, "expected 'series' beside 'values'"),
        (
            "y: [cost_usd]}",
            "y: [a, b], series: tier, values: [c]}",
            12,
            "expected one y column beside 'series', found 2",
        ),
        ("per day?", "per day", 11, "expected The question that the card answers; ends with a question mark, found"),
        ("card: spend-by-day", "card: Spend", 9, "expected Key of the card"),
        ("card: spend-by-day", "card: other", 9, "expected its SQL in cards/demo/other.sql, found no such file"),
        ("    tags:", "    size: 25x6\n    tags:", 13, "expected width x height in grid units"),
        (
            "    tags:",
            "    columns: {cost: {title: X}}\n    tags:",
            13,
            "expected a column that its chart names, found 'cost'",
        ),
        ("    tags:", "    columns: {cost_usd: {format: eur}}\n    tags:", 13, "expected a format out of text, date"),
        ("    tags:", "    columns: {cost_usd: {color: pink}}\n    tags:", 13, "expected a colour out of green, blue"),
        ("    tags:", "    columns: {cost_usd: {}}\n    tags:", 13, "expected minProperties 1, found {}"),
        ("- heading: Top", "- heading: Top\n    size: 3x3", 9, "unknown key: expected one of heading, found 'size'"),
    ],
)
def test_mistake_is_named_with_its_line(old: str, new: str, line: int, told: str) -> None:
    found = problems(YAML.replace(old, new, 1))
    assert any(each.startswith(f"dashboards/demo.yml:{line}: ") and told in each for each in found), found


@pytest.mark.parametrize(
    "sql, told",
    [
        ("", "expected one SQL statement, found none"),
        ("-- nothing but a comment {{days}}", "expected one SQL statement, found none"),
        (SQL + ";", "expected one statement without a semicolon"),
        ("select 1; drop table x -- {{days}}", "expected one statement without a semicolon"),
        ("delete from x where 1 = {{days}}", "expected a statement that starts with select or with"),
        ("select {{days}}, {{ Days }}", "expected a placeholder like {{days}}, found {{Days}}"),
        ("select {{days}} [[ and true ]]", "expected a placeholder inside [[ ]], found none"),
        ("select {{days}} [[ and true", "expected {{ }} and [[ ]] in pairs"),
    ],
)
def test_bad_sql_is_named_by_its_file(sql: str, told: str) -> None:
    found = problems(sql={"cards/demo/spend-by-day.sql": sql})
    assert any(each.startswith("cards/demo/spend-by-day.sql:1: ") and told in each for each in found), found


def test_tag_that_the_sql_does_not_use_is_named() -> None:
    assert any("expected {{days}} in" in each for each in problems(sql={"cards/demo/spend-by-day.sql": "select 1"}))


def test_semicolon_in_text_and_comments_is_no_second_statement() -> None:
    sql = "select ';' as usage_on, $x$;$x$ as cost_usd, {{days}} -- ;\n/* ; */"
    assert parse(sql={"cards/demo/spend-by-day.sql": sql})


def test_unwired_filter_is_named() -> None:
    text = YAML.replace("filters:\n", "filters:\n  tier: {name: Tier, type: text}\n")
    assert problems(text) == [
        "dashboards/demo.yml:6: filter 'tier': expected a card with the tag 'tier', found none; wire it or remove it"
    ]


def test_sql_without_a_card_is_named() -> None:
    files = {"cards/demo/spend-by-day.sql": SQL, "cards/demo/left.sql": "select 1", "cards/gone/x.sql": "select 1"}
    assert [each.split(":")[0] for each in problems(sql=files)] == ["cards/demo/left.sql", "cards/gone/x.sql"]


def test_more_than_twelve_cards_are_refused() -> None:
    with pytest.raises(DefinitionError, match="expected at most 12 cards, found 13"):
        define(demo=board(*[card(f"c{number}") for number in range(13)]))


def test_repeated_card_order_and_name_are_refused() -> None:
    with pytest.raises(DefinitionError) as caught:
        define(a=board(card("x"), card("x")), b=board(card("y")))
    text = str(caught.value)
    assert "expected one card 'x'" in text
    assert "order: expected one dashboard with 1" in text
    assert "name: expected one dashboard with 'Demo'" in text


def test_cards_and_tabs_exclude_each_other() -> None:
    tabs = [{"name": "One", "cards": [card("a")]}, {"name": "One", "cards": [card("b")]}]
    with pytest.raises(DefinitionError, match="expected either 'cards' or 'tabs', found both"):
        define(demo=board(tabs=tabs) | {"cards": [card("c")]})
    with pytest.raises(DefinitionError, match="expected tabs of different names"):
        define(demo=board(tabs=tabs))


def test_too_many_combinations_are_refused() -> None:
    values = list(range(65))
    filters = {"n": {"name": "N", "type": "number", "values": values, "default": 0}}
    with pytest.raises(DefinitionError, match="expected at most 64 combinations of filter values, found 65"):
        define(demo=board(card("a", sql="select {{n}} as n", tags={"n": "number"}), filters=filters))


def test_no_definitions_are_a_problem() -> None:
    with pytest.raises(DefinitionError, match=r"expected at least one <key>\.yml"):
        parse_dashboards({}, {}, SCHEMA, THEME)


def test_dates_are_read_as_dates() -> None:
    filters: dict[str, Any] = {"since": {"name": "Since", "type": "date", "default": "2025-01-01"}}
    (dashboard,) = define(demo=board(card("a", sql="select {{since}} as n", tags={"since": "date"}), filters=filters))
    assert str(dashboard.filters["since"].default) == "2025-01-01"
    filters["since"]["default"] = "January"
    with pytest.raises(DefinitionError, match="expected values of type date, found 'January'"):
        define(demo=board(card("a", sql="select {{since}} as n", tags={"since": "date"}), filters=filters))
