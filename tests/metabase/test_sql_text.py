from __future__ import annotations

from datetime import date

import pytest

from metabase.sql_text import Value, combinations, placeholders, rendered


def test_placeholders_tells_required_from_optional_names() -> None:
    found = placeholders("select {{a}} where true [[and x = {{b}}]] [[and y = {{a}}]]")
    assert (found.required, found.optional) == (frozenset("a"), frozenset("b"))


def test_rendered_writes_typed_literals() -> None:
    sql = "{{ n }} {{t}} {{d}} {{f}}"
    values: dict[str, Value | None] = {"n": 7, "t": "it's {{n}}", "d": date(2025, 1, 2), "f": 0.5}
    assert rendered(sql, values) == "7 'it''s {{n}}'::varchar date '2025-01-02' 0.5"


def test_rendered_drops_optional_clauses_without_a_value() -> None:
    sql = "select 1 [[where a = {{a}}]] [[and b = {{b}} and a = {{a}}]]"
    assert rendered(sql, {"a": 1, "b": None}) == "select 1 where a = 1 "
    assert rendered(sql, {}) == "select 1  "


def test_rendered_refuses_a_required_name_without_value() -> None:
    with pytest.raises(KeyError, match="a"):
        rendered("select {{a}}", {"a": None})


def test_combinations_vary_the_last_name_fastest() -> None:
    assert combinations({"a": [1, 2], "b": ["x", None]}) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": None},
        {"a": 2, "b": "x"},
        {"a": 2, "b": None},
    ]
    assert combinations({}) == [{}]
