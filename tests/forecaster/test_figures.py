"""Charts, words and colours: what a reader sees, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from forecaster.budget import run_out, spend_until
from forecaster.figures import BAND_COLUMNS, forecast_figure, spend_figure, tick_format
from forecaster.metrics import METRICS
from forecaster.mix import ModelShare, cost_ratios
from forecaster.palette import faded, palette
from forecaster.scenarios import Move, Scenario
from forecaster.wording import amount, percent, run_out_sentence, short_number

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = pd.date_range(BEGIN, periods=3, freq="h")
POINTS = pd.DataFrame({name: [3.0, 4.0, 5.0] for name in BAND_COLUMNS} | {"starts_at": HOURS})
ACTUAL = pd.DataFrame({"starts_at": HOURS - pd.Timedelta(hours=3), "value": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize("is_dark", [False, True])
def test_forecast_chart_shows_both_ranges_and_titles_with_units(is_dark: bool) -> None:
    colors = palette(is_dark)
    gap = (BEGIN - timedelta(hours=2), BEGIN - timedelta(hours=1))
    figure = forecast_figure(ACTUAL, POINTS, METRICS["requests"], "hour", ZoneInfo("UTC"), colors, [gap])
    names = {trace.name for trace in figure.data}
    assert {"What happened", "Forecast", "80 % range", "95 % range", "Taken as missing"} <= names
    assert figure.layout.yaxis.title.text == "Requests (requests per hour)"
    assert figure.layout.xaxis.title.text == "Time (UTC)"


def test_chart_times_are_the_zones_clock_times() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    figure = forecast_figure(ACTUAL, POINTS, METRICS["requests"], "hour", zone, palette(False))
    forecast = next(trace for trace in figure.data if trace.name == "Forecast")
    assert pd.Timestamp(forecast.x[0]) == pd.Timestamp("2026-01-01 05:30")


def test_budget_line_is_only_drawn_with_a_budget() -> None:
    spent = ACTUAL
    with_line, without = (
        spend_figure(spent, POINTS, budget, ZoneInfo("UTC"), palette(False)) for budget in (9.0, None)
    )
    assert len(with_line.layout.shapes) == 1 and not without.layout.shapes


def test_small_numbers_are_not_written_in_thousandths() -> None:
    assert tick_format([0.05, float("nan")]) == "~g"
    assert tick_format([12_000.0]) == "~s"
    assert tick_format([]) == "~g"


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.5, "0.5"), (1234, "1,234"), (12_345, "12.3K"), (4_560_000, "4.56M"), (7.1e9, "7.1B")],
)
def test_short_numbers_keep_about_three_figures(value: float, words: str) -> None:
    assert short_number(value) == words


def test_dollars_have_cents_only_where_they_matter() -> None:
    cost = METRICS["cost_usd"]
    assert [amount(value, cost) for value in (0, 0.0123, 4.5, 12_345)] == ["$0.00", "$0.0123", "$4.50", "$12.3K"]


def test_probabilities_are_never_certain() -> None:
    assert (percent(0.004), percent(0.996), percent(0.425)) == ("less than 1 %", "more than 99 %", "42 %")


def sentence(paths: list[list[float]], budget: float) -> str:
    array = np.array(paths)
    until = BEGIN + timedelta(days=array.shape[1])
    spend = spend_until(array, BEGIN, 1.0, until, budget)
    return run_out_sentence(run_out(array, BEGIN, budget - 1.0), spend, ZoneInfo("UTC"))


def test_run_out_sentence_names_the_date_and_its_probability() -> None:
    spread = [[daily] * 20 for daily in np.linspace(9, 11, 200)]
    assert (
        sentence(spread, 101.0)
        == "Spent by 11 January with 80 % probability; 8 of 10 possible futures: between 10 January and 11 January."
    )


def test_run_out_sentence_says_when_the_budget_lasts() -> None:
    assert sentence([[1.0] * 10] * 50, 100.0).startswith("The budget lasts until 11 January: no more than 1 of 100")
    assert sentence([[1.0] * 10] * 40 + [[2.0] * 10] * 60, 15.0).endswith("it is used up before with 60 %.")
    assert sentence([[1.0] * 10] * 50, 1.0) == "The budget is used up already."


MIX = [ModelShare("large", 1e6, 1e6, 4e-6, 12e-6), ModelShare("small", 2e6, 2e6, 1e-6, 3e-6)]


def test_scenario_without_a_change_changes_nothing() -> None:
    np.testing.assert_allclose(cost_ratios(MIX, Scenario("none"), 30), 1.0)


def test_moving_all_of_a_model_pays_the_others_prices() -> None:
    ratios = cost_ratios(MIX, Scenario("move", moves=(Move("large", "small", 1.0),)), 2)
    np.testing.assert_allclose(ratios, (4 + 8) / (16 + 8))


def test_price_and_traffic_multiply() -> None:
    ratios = cost_ratios(MIX, Scenario("both", traffic_ratio=2.0, price_ratios={"large": 0.5}), 1)
    np.testing.assert_allclose(ratios, 2 * (8 + 8) / 24)


def test_growth_compounds_by_the_month() -> None:
    ratios = cost_ratios(MIX, Scenario("growth", monthly_growth_ratio=0.1), 61)
    assert ratios[0] < 1.01 and ratios[-1] == pytest.approx(1.21, abs=0.01)
    assert cost_ratios([], Scenario("none"), 1) == pytest.approx([1.0])


def test_areas_are_the_colour_of_their_line() -> None:
    assert faded("#102030", 0.5) == "rgba(16,32,48,0.5)"
    assert palette(True) != palette(False)
