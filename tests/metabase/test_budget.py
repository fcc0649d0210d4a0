"""How many requests an apply may cost at full size: six dashboards of twelve cards each."""

from __future__ import annotations

import pytest

from metabase.spec import Dashboard
from tests.metabase.harness import Lab, board, card, define

LINE = {"type": "line", "x": "usage_on", "y": ["cost_usd"]}
SQL = "select date '2025-01-01' as usage_on, 1 as cost_usd where 1 < {{days}} [[and 'a' in ({{tier}})]]"
FILTERS = {
    "days": {"name": "Period", "type": "number", "values": [7, 30], "default": 7},
    "tier": {"name": "Tier", "type": "text", "values": ["a", "b"]},
}


@pytest.fixture(scope="module")
def full_size() -> tuple[Dashboard, ...]:
    cards = [card(f"c{number}", LINE, sql=SQL, tags={"days": "number", "tier": "text"}) for number in range(12)]
    return define(**{f"d{n}": board(*cards, name=f"D{n}", order=n, filters=FILTERS) for n in range(1, 7)})


def test_first_apply_takes_at_most_200_requests(lab: Lab, full_size: tuple[Dashboard, ...]) -> None:
    outcome = lab.apply(full_size)
    assert outcome.requests <= 200
    assert sum(action.kind == "card" for action in outcome.plan.actions) == 72


def test_second_apply_takes_at_most_60_requests_and_no_write(lab: Lab, full_size: tuple[Dashboard, ...]) -> None:
    lab.apply(full_size)
    outcome = lab.apply(full_size)
    assert (outcome.requests <= 60, outcome.writes) == (True, 0)
