"""What a scenario does to the cost of all traffic, from the mix of models of the last four weeks.

The forecast of all traffic is surer than a sum of forecasts of its models, most of which are small. So a scenario's
cost is that forecast times a ratio, and the ratio needs nothing but how tokens and prices are distributed now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecaster.models import DAY
from forecaster.scenarios import MONTH_HOURS, Scenario
from forecaster.series import Values


@dataclass(frozen=True)
class ModelShare:
    """A model's tokens over some past weeks and its prices in USD per token."""

    model: str
    input_tokens: float
    output_tokens: float
    input_usd: float
    output_usd: float


def cost_ratios(mix: Sequence[ModelShare], scenario: Scenario, days: int) -> Values:
    """Return what the cost of all traffic is multiplied by on each of the next `days`; 1 where nothing is priced."""
    base = sum(_paid(one, one) for one in mix)
    changed = 0.0
    for one in mix:
        moves = {move.to_model: move.share_ratio for move in scenario.moves if move.from_model == one.model}
        for other in mix:
            share = moves.get(other.model, 0.0) + (1 - sum(moves.values()) if other.model == one.model else 0.0)
            changed += share * _paid(one, other) * scenario.price_ratios.get(other.model, 1.0)
    months = (np.arange(days) + 0.5) * DAY / MONTH_HOURS
    growth = scenario.traffic_ratio * (1 + scenario.monthly_growth_ratio) ** months
    return np.asarray(growth * (changed / base if base > 0 else 1.0), dtype=np.float64)


def _paid(tokens: ModelShare, prices: ModelShare) -> float:
    """Return what one model's tokens cost at another's prices."""
    return tokens.input_tokens * prices.input_usd + tokens.output_tokens * prices.output_usd
