"""What if: traffic grows, prices change, a share of the traffic moves to another model; always beside the base case.

A scenario only changes what each model's tokens count for, so base and scenario share one backtest and one draw of
paths: their difference is the scenario's doing and not chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from forecaster.forecast import Forecast
from forecaster.joint import TOKENS_PER_PRICE, Part, joint_forecast, scaled
from forecaster.models import DAY
from forecaster.series import SeriesError, Values

MONTH_HOURS = 365.25 / 12 * DAY


@dataclass(frozen=True, eq=False)
class ModelTraffic:
    """One model's forecast tokens and its prices in USD per million tokens."""

    model: str
    input_tokens: Forecast
    output_tokens: Forecast
    input_usd_per_mtok: float
    output_usd_per_mtok: float


@dataclass(frozen=True)
class Move:
    """Send `share_ratio` (0-1) of one model's tokens to another."""

    from_model: str
    to_model: str
    share_ratio: float


@dataclass(frozen=True)
class Scenario:
    """A change to the base case.

    `traffic_ratio` multiplies all traffic at once (1.2 = a fifth more from now on), `monthly_growth_ratio` compounds
    from now (0.1 = 10 % a month), `price_ratios` multiplies a model's prices, `moves` shift traffic between models.
    """

    name: str
    traffic_ratio: float = 1.0
    monthly_growth_ratio: float = 0.0
    price_ratios: Mapping[str, float] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, eq=False)
class Comparison:
    """A scenario beside the base case it is drawn against."""

    scenario: Scenario
    base: Forecast
    changed: Forecast


def compare_cost(traffic: Sequence[ModelTraffic], scenario: Scenario, horizon: int, seed: int = 0) -> Comparison:
    """Forecast the cost of all models, as things are and under a scenario. Raises SeriesError for a bad scenario."""
    _check(traffic, scenario)
    base, changed = (
        joint_forecast("all models", "cost_usd", _cost_parts(traffic, case), horizon, seed)
        for case in (Scenario("base"), scenario)
    )
    return Comparison(scenario, base, scaled(changed, _growth(scenario, horizon)))


def compare_tokens(
    traffic: Sequence[ModelTraffic], scenario: Scenario, model: str, horizon: int, seed: int = 0
) -> Comparison:
    """Forecast one model's tokens (input + output), as things are and under a scenario: what its rate limit must bear.

    Raises SeriesError for a bad scenario or an unknown model.
    """
    _check(traffic, scenario, (model,))
    base, changed = (
        joint_forecast(model, "tokens", _token_parts(traffic, case, model), horizon, seed)
        for case in (Scenario("base"), scenario)
    )
    return Comparison(scenario, base, scaled(changed, _growth(scenario, horizon)))


def _check(traffic: Sequence[ModelTraffic], scenario: Scenario, models: Sequence[str] = ()) -> None:
    """Raise SeriesError with everything that is wrong about a scenario."""
    known = {one.model for one in traffic}
    named = {*models, *scenario.price_ratios}
    named |= {name for move in scenario.moves for name in (move.from_model, move.to_model)}
    wrong = [f"unknown model {name!r}" for name in sorted(named - known)]
    for name in sorted({move.from_model for move in scenario.moves}):
        shares = [move.share_ratio for move in scenario.moves if move.from_model == name]
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            wrong.append(f"{sum(shares):.0%} of {name} moved")
    wrong += [f"price ratio {ratio:g} of {name}" for name, ratio in scenario.price_ratios.items() if not ratio >= 0]
    if not scenario.traffic_ratio >= 0 or not scenario.monthly_growth_ratio > -1:
        wrong.append(f"traffic x {scenario.traffic_ratio:g}, growth {scenario.monthly_growth_ratio:+.0%} a month")
    if wrong:
        raise SeriesError(
            f"scenario {scenario.name}: expected models out of {', '.join(sorted(known))}, shares of 0 to 100 % and"
            f" ratios of at least 0, found {'; '.join(wrong)}; correct them"
        )


def _destinations(traffic: Sequence[ModelTraffic], scenario: Scenario, model: str) -> dict[str, float]:
    """Return where a model's tokens go: the share that each model receives, itself included."""
    shares = dict.fromkeys((one.model for one in traffic), 0.0)
    shares[model] = 1.0
    for move in scenario.moves:
        if move.from_model == model:
            shares[model] -= move.share_ratio
            shares[move.to_model] += move.share_ratio
    return shares


def _cost_parts(traffic: Sequence[ModelTraffic], scenario: Scenario) -> list[Part]:
    """Return every token series with the mean price it is paid at under a scenario."""
    parts = []
    for one in traffic:
        shares = _destinations(traffic, scenario, one.model)
        paid = [(shares[other.model] * scenario.price_ratios.get(other.model, 1.0), other) for other in traffic]
        price_in = sum(share * other.input_usd_per_mtok for share, other in paid)
        price_out = sum(share * other.output_usd_per_mtok for share, other in paid)
        parts.append(Part(one.input_tokens, price_in / TOKENS_PER_PRICE))
        parts.append(Part(one.output_tokens, price_out / TOKENS_PER_PRICE))
    return parts


def _token_parts(traffic: Sequence[ModelTraffic], scenario: Scenario, model: str) -> list[Part]:
    """Return every token series with the share of it that `model` serves under a scenario."""
    return [
        Part(tokens, _destinations(traffic, scenario, one.model)[model])
        for one in traffic
        for tokens in (one.input_tokens, one.output_tokens)
    ]


def _growth(scenario: Scenario, horizon: int) -> Values:
    """Return the factor on traffic in each hour ahead."""
    months = (np.arange(-(-horizon // DAY) * DAY) + 0.5) / MONTH_HOURS
    return np.asarray(scenario.traffic_ratio * (1 + scenario.monthly_growth_ratio) ** months, dtype=np.float64)
