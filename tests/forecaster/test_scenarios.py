from __future__ import annotations

import numpy as np
import pytest

from forecaster.forecast import forecast
from forecaster.scenarios import ModelTraffic, Move, Scenario, compare_cost, compare_tokens
from forecaster.series import SeriesError

HORIZON = 72


@pytest.fixture(scope="module")
def traffic(make_series):
    def of(model, seed, price_in, price_out):
        sides = [
            forecast(make_series(200, seed + i, model, name), HORIZON, origins=7)
            for i, name in enumerate(("input_tokens", "output_tokens"))
        ]
        return ModelTraffic(model, sides[0], sides[1], price_in, price_out)

    return [of("large", 0, 10.0, 30.0), of("small", 2, 1.0, 2.0)]


def test_compare_cost_without_a_change_is_the_base_case(traffic):
    comparison = compare_cost(traffic, Scenario("nothing"), HORIZON)
    assert comparison.changed.hourly.stacked() == pytest.approx(comparison.base.hourly.stacked())
    assert comparison.base.daily and comparison.changed.daily
    assert comparison.changed.daily.paths == pytest.approx(comparison.base.daily.paths)
    by_hand = (
        sum(
            one.input_tokens.hourly.forecast * one.input_usd_per_mtok
            + one.output_tokens.hourly.forecast * one.output_usd_per_mtok
            for one in traffic
        )
        / 1e6
    )
    assert comparison.base.hourly.forecast == pytest.approx(by_hand)


def test_compare_cost_applies_a_price_change_to_one_model(traffic):
    comparison = compare_cost(traffic, Scenario("cheaper", price_ratios={"large": 0.5}), HORIZON)
    large = traffic[0]
    saved = (large.input_tokens.hourly.forecast * 10 + large.output_tokens.hourly.forecast * 30) / 2e6
    assert comparison.base.hourly.forecast - comparison.changed.hourly.forecast == pytest.approx(saved)


def test_compare_cost_moves_a_share_to_the_other_models_price(traffic):
    comparison = compare_cost(traffic, Scenario("move", moves=(Move("large", "small", 0.25),)), HORIZON)
    large = traffic[0]
    saved = (large.input_tokens.hourly.forecast * 9 + large.output_tokens.hourly.forecast * 28) * 0.25 / 1e6
    assert comparison.base.hourly.forecast - comparison.changed.hourly.forecast == pytest.approx(saved)


def test_compare_tokens_moves_load_from_one_limit_to_the_other(traffic):
    scenario = Scenario("move", moves=(Move("large", "small", 0.5),))
    large, small = (compare_tokens(traffic, scenario, model, HORIZON) for model in ("large", "small"))
    assert large.changed.hourly.forecast == pytest.approx(large.base.hourly.forecast / 2)
    gained = small.changed.hourly.forecast - small.base.hourly.forecast
    assert gained == pytest.approx(large.base.hourly.forecast / 2)


def test_growth_compounds_from_now_and_a_step_is_at_once(traffic):
    comparison = compare_cost(traffic, Scenario("more", traffic_ratio=1.2, monthly_growth_ratio=0.5), HORIZON)
    ratio = comparison.changed.hourly.forecast / comparison.base.hourly.forecast
    assert ratio[0] == pytest.approx(1.2, rel=0.001)
    assert (np.diff(ratio) > 0).all()
    assert ratio[-1] == pytest.approx(1.2 * 1.5 ** (47.5 / 730.5))


def test_a_scenario_that_cannot_be_is_refused_with_all_its_faults(traffic):
    wrong = Scenario(
        "odd",
        traffic_ratio=-1,
        price_ratios={"large": -2.0},
        moves=(Move("large", "tiny", 0.7), Move("large", "small", 0.6)),
    )
    with pytest.raises(SeriesError) as error:
        compare_cost(traffic, wrong, HORIZON)
    for fault in ("unknown model 'tiny'", "130% of large moved", "price ratio -2 of large", "traffic x -1"):
        assert fault in str(error.value)
