"""A gateway's log alone in an empty warehouse: models, users, teams and costs by name, from the file to the pages.

The totals below are added up by hand from ROWS.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import Stack, make_stack
from tests.pipeline.test_own_data import build_site, export

pytestmark = pytest.mark.timeout(1800)  # a build and a site on a busy machine; a limit for what hangs
SCRIPT = "<script>alert(1)</script>"
SECRET = "sk-" + "0Ab" * 12
HEADER = (
    "request_id,startTime,endTime,prompt_tokens,completion_tokens,spend,status,model,custom_llm_provider,user,team_id,"
    "metadata"
)
CACHED = '"{""additional_usage_values"":{""cache_read_input_tokens"":1500}}"'
ROWS = (
    # time, input, output, spend, status, model, provider, user, team
    ("2026-06-01 08:00:00", 1000, 100, "0.010000", "success", "sonnet", "anthropic", "ada", "Search"),
    ("2026-06-01 09:00:00", 2000, 200, "0.020000", "success", "sonnet", "anthropic", "ada", "Ops"),
    ("2026-06-01 23:59:59", 500, 0, "0", "failure", "sonnet", "anthropic", "bo", "Search"),
    ("2026-06-02 00:00:00", 400, 40, "0.000400", "success", "mini", "openai", "bo", "Search"),
    ("2026-06-02 10:00:00", 800, 80, "0.000800", "success", "mini", "azure", "bo", "Ops"),
    ("2026-06-02 11:00:00", 300, 30, "", "success", SCRIPT, "", "", "Ops"),
    ("2026-06-03 12:00:00", 100, 10, "0.000007", "success", "mini", "openai", SECRET, ""),
    ("2026-06-03 13:00:00", 50, 5, "0.000003", "success", "", "", "ada", ""),
)
HEADLINE = {"requests": 8, "tokens": 5615, "cost_usd": 0.031210, "unpriced_requests": 1, "users": 3, "companies": 2}
BY_MODEL = [
    ("mini", "azure", 1, 880, Decimal("0.000800")),
    ("mini", "openai", 2, 550, Decimal("0.000407")),
    (SCRIPT, "unknown", 1, 330, None),
    ("sonnet", "anthropic", 3, 3800, Decimal("0.030000")),
    ("unknown", "unknown", 1, 55, Decimal("0.000003")),
]
BY_TEAM = [
    ("Ops", 3, 3410, Decimal("0.020800"), 1),
    ("Search", 3, 2040, Decimal("0.010400"), 0),
    ("unknown", 2, 165, Decimal("0.000010"), 0),
]
BY_USER = [("ada", 3, Decimal("0.030003")), ("bo", 3, Decimal("0.001200")), ("secret:", 1, Decimal("0.000007"))]


@pytest.fixture(scope="module")
def named(
    databases: Any, raw_template: dict[str, str], repo_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Return a stack with the log above alone, imported, built, forecast and exported."""
    database = databases.create(raw_template["PGDATABASE"])
    stack = make_stack(tmp_path_factory.mktemp("stack"), database, repo_root)
    path = stack.root / "spend.csv"
    lines = (
        f"chat-{number},{row[0]},,{','.join(map(str, row[1:]))},{CACHED if number == 1 else ''}\n"
        for number, row in enumerate(ROWS)
    )
    path.write_text(f"{HEADER}\n" + "".join(lines))
    for words in (("import", "--from", "litellm", str(path)), ("run",)):
        result = stack.run(*words)
        assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-3000:]
    yield stack
    databases.drop(database)


def test_headline(named: Stack) -> None:
    headline = export(named, "site")["headline"]
    assert {name: headline[name] for name in HEADLINE} == pytest.approx(HEADLINE)


def test_models(named: Stack) -> None:
    found = named.rows(
        "select model_name, provider, sum(requests), sum(total_tokens), sum(cost_usd) from public_marts.usage_daily"
        " group by 1, 2 order by lower(model_name), provider"
    )
    assert sorted(found) == sorted(BY_MODEL)


def test_teams(named: Stack) -> None:
    found = named.rows(
        "select company_name, requests, total_tokens, cost_usd, unpriced_requests"
        " from public_marts.company_usage_monthly order by 1"
    )
    assert found == BY_TEAM


def test_users(named: Stack) -> None:
    found = named.rows("select full_name, requests, cost_usd from public_marts.user_lifetime order by 1")
    assert [(name[: len(wanted[0])], *rest) for (name, *rest), wanted in zip(found, BY_USER, strict=True)] == BY_USER


def test_what_the_log_says_of_costs_is_kept_to_the_last_digit(named: Stack) -> None:
    found = named.rows("select sum(cost_reported_usd) from public_star.fct_api_requests")
    assert found == [(Decimal("0.031210"),)]


def card(stack: Stack, address: str) -> list[list[Any]]:
    """Return the rows of a card as the site shows them first."""
    document = json.loads((stack.root / "data" / "site" / "dashboards" / f"{address}.json").read_text())
    rows: list[list[Any]] = document["variants"][document["default"]]["rows"]
    return rows


def test_rates_are_of_what_the_log_says(named: Stack) -> None:
    # Three days of data, whatever the period asked for.
    assert card(named, "model-performance/throughput-by-hour")[0] == [0, pytest.approx(1 / 3)]
    # No request says whether it was flagged, which is not 0 %.
    assert card(named, "reliability-and-safety/flagged-ratio") == [[None]]
    assert {row[1] for row in card(named, "reliability-and-safety/flagged-by-day")} == {None}
    # One request an hour.
    assert {row[1] for row in card(named, "reliability-and-safety/errors-by-hour")} == {None}
    assert card(named, "executive-summary/spend-against-budget")[0][1] == pytest.approx(0.031210)


def test_cached_tokens_are_input_once(named: Stack) -> None:
    assert named.rows("select sum(cache_read_tokens), sum(input_uncached_tokens) from public_marts.usage_daily") == [
        (1500, 5150 - 1500)
    ]
    for address in ("executive-summary/tokens-by-day", "usage-explorer/tokens"):
        assert card(named, address)[0][1:] == [3500, 300]


def test_pages_name_them(named: Stack) -> None:
    out = build_site(named)
    pages = "\n".join(path.read_text() for path in out.rglob("*.html"))
    data = "\n".join(json.dumps(json.loads(path.read_text())) for path in (out / "dashboards").rglob("*.json"))
    for name in ("sonnet", "mini", "anthropic", "openai", "azure", "Search", "Ops"):
        assert name in pages, name
    for name in ("ada", "bo", "secret:", SCRIPT):
        assert f'"{name}' in data, name
    assert html.escape(SCRIPT) in pages
    assert SCRIPT not in pages
    assert SECRET not in pages + data
