"""Random definitions: apply, read back, equal; then other random definitions over them, equal again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metabase.spec import Dashboard
from tests.metabase.harness import Lab, board, card, define

WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), min_size=1)
FILTERS: dict[str, dict[str, Any]] = {
    "days": {"name": "Period", "type": "number", "values": [7, 30], "default": 7},
    "tier": {"name": "Tier", "type": "text", "values": ["free", "it's"]},
    "since": {"name": "Since", "type": "date"},
}
TAG_SQL = {"days": "and 1 < {{days}}", "tier": "[[and 'x' in ({{tier}})]]", "since": "[[and now() > {{since}}]]"}
CHARTS: list[dict[str, Any]] = [
    {"type": "scalar", "y": "n"},
    {"type": "trend", "x": "usage_on", "y": "n", "good": "down"},
    {"type": "line", "x": "usage_on", "y": ["cost_usd", "error_ratio"], "scale": "log"},
    {"type": "area", "x": "usage_on", "y": ["n"], "series": "tier", "values": ["free", "pro"], "stack": "stacked"},
    {"type": "bar", "x": "model", "y": ["n"], "goal": {"value": 3, "label": "Goal"}},
    {"type": "row", "x": "model", "y": ["a_ms", "b_ms"], "stack": "percent"},
    {"type": "funnel", "x": "step", "y": "user_count"},
    {"type": "table", "columns": ["model", "cost_usd"]},
    {"type": "matrix", "x": "user", "series": "model", "y": "request_count"},
]


@st.composite
def cards(draw: st.DrawFn, key: str) -> dict[str, Any]:
    tags = draw(st.sets(st.sampled_from(sorted(FILTERS))))
    sql = "select 1 as n where true " + " ".join(TAG_SQL[name] for name in sorted(tags))
    size = f"{draw(st.integers(1, 24))}x{draw(st.integers(1, 9))}"
    types = {name: FILTERS[name]["type"] for name in sorted(tags)}
    chart = draw(st.sampled_from(CHARTS))
    return card(key, chart, title=draw(WORDS), size=size, tags=types, sql=sql)


@st.composite
def items(draw: st.DrawFn) -> list[dict[str, Any]]:
    keys = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True))
    listed: list[dict[str, Any]] = []
    for key in keys:
        if draw(st.booleans()):
            listed.append({"heading": draw(WORDS)})
        listed.append(draw(cards(key)))
    return listed


@st.composite
def definitions(draw: st.DrawFn) -> tuple[Dashboard, ...]:
    boards = {}
    for order, key in enumerate(draw(st.sets(st.sampled_from(["one", "two", "three"]), min_size=1)), start=1):
        listed = draw(items())
        used = {name for item in listed for name in item.get("tags", {})}
        more: dict[str, Any] = {"name": key, "order": order, "description": draw(WORDS)}
        if used:
            more["filters"] = {name: FILTERS[name] for name in FILTERS if name in used}
        half = len(listed) // 2
        if half and draw(st.booleans()):
            more["tabs"] = [{"name": "1", "cards": listed[:half]}, {"name": "2", "cards": listed[half:]}]
            if not all(any("card" in item for item in tab["cards"]) for tab in more["tabs"]):
                del more["tabs"]
        boards[key] = board(*listed, **more)
    return define(**boards)


@pytest.mark.parametrize("profile", ["v58", "v64", "v65"])
def test_random_definitions_read_back_equal(labs: Callable[..., Lab], profile: str) -> None:
    lab = labs(profile)
    lab.apply(define(start=board(card("a"), name="start")))

    @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(definitions())
    def check(dashboards: tuple[Dashboard, ...]) -> None:
        outcome = lab.apply(dashboards)
        assert outcome.applied is not None
        assert outcome.applied.warnings == []
        assert lab.plan(dashboards).plan.actions == ()

    check()
