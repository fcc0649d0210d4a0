"""What can be forecast for a part of the traffic, and how: three measures have series, two follow from them.

Requests, input and output tokens are forecast directly. Tokens and cost are weighted sums of the last two, with ranges
from their joint misses; cost is at the prices paid in the last 28 days, so that an old price is in no forecast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from forecaster.backtest import MAX_ORIGINS
from forecaster.forecast import Forecast
from forecaster.joint import Part, joint_forecast
from forecaster.series import HourlySeries, SeriesError, Values, series_from_values

Fit = Callable[[HourlySeries], Forecast]

HORIZON_DAYS = 92  # longest month and two more: how far every fit looks, so that one fit serves all horizons
HORIZON_HOURS = HORIZON_DAYS * 24
PART_ORIGINS = 21  # of parts of the traffic: half the backtest in half the time


@dataclass(frozen=True)
class Metric:
    """A quantity: its words, its unit on an axis, and the measures it is the sum of (itself where it has a series)."""

    name: str
    label: str
    unit: str
    parts: tuple[str, ...]

    @property
    def is_measured(self) -> bool:
        """Return whether the warehouse has a series of it, which is then forecast directly."""
        return self.parts == (self.name,)


METRICS: Mapping[str, Metric] = {
    one.name: one
    for one in (
        Metric("requests", "Requests", "requests", ("requests",)),
        Metric("tokens", "Tokens", "tokens", ("input_tokens", "output_tokens")),
        Metric("input_tokens", "Input tokens", "tokens", ("input_tokens",)),
        Metric("output_tokens", "Output tokens", "tokens", ("output_tokens",)),
        Metric("cost_usd", "Cost", "USD", ("input_tokens", "output_tokens")),
    )
}
MEASURES = ("requests", "input_tokens", "output_tokens")


@dataclass(frozen=True, order=True)
class Segment:
    """A part of the traffic: `kind` is all, model, tier, company or source."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """Return it as one word for an address: `all`, `model:alder-3`."""
        return self.kind if self.kind == "all" else f"{self.kind}:{self.name}"

    @property
    def label(self) -> str:
        """Name it for a reader."""
        return "All traffic" if self.kind == "all" else f"{self.kind.capitalize()} {self.name}"

    @property
    def origins(self) -> int:
        """Return how many past forecasts its backtest makes."""
        return MAX_ORIGINS if self.kind == "all" else PART_ORIGINS


ALL = Segment("all", "all")


@dataclass(frozen=True)
class Prices:
    """What a token costs in USD: what was paid in the last 28 days, per input and per output token."""

    input_usd: float
    output_usd: float


@dataclass(frozen=True, eq=False)
class History:
    """Hourly measures of a segment, all of one length, the first hour starting at `starts_at` (UTC).

    `values` has requests, input_tokens, output_tokens and cost_usd (as billed); an hour without traffic is 0, one with
    traffic that reports no tokens NaN. `prices` is None where nothing is priced.
    """

    segment: Segment
    starts_at: datetime
    values: Mapping[str, Values]
    prices: Prices | None

    def actual(self, metric: str) -> Values:
        """Return the hours of a metric as they happened, cost as billed."""
        if metric == "tokens":
            return self.values["input_tokens"] + self.values["output_tokens"]
        return self.values[metric]

    def since(self, moment: datetime) -> History:
        """Return the part from `moment` on ('train from here'), at least its last hour."""
        hours = min(max(int((moment - self.starts_at) / timedelta(hours=1)), 0), len(self.values["requests"]) - 1)
        values = {name: own[hours:] for name, own in self.values.items()}
        return replace(self, starts_at=self.starts_at + timedelta(hours=hours), values=values)

    def series(self, measure: str) -> HourlySeries:
        """Return a measure to forecast; raises SeriesError where no hour reports it."""
        values = self.values[measure]
        if not np.isfinite(values).any():
            raise SeriesError(
                f"{METRICS[measure].label} of {self.segment.label}: expected at least one hour that reports them, found"
                f" none in {len(values)} hours; choose another metric"
            )
        return series_from_values(self.segment.key, measure, self.starts_at, values.tolist())

    def weights(self, metric: str) -> tuple[float, float]:
        """Return what an input and an output token count for in tokens or cost; raises SeriesError without prices."""
        if metric == "tokens":
            return 1.0, 1.0
        if self.prices is None:
            raise SeriesError(
                f"Cost of {self.segment.label}: expected requests with a price in the last 28 days, found none;"
                " add the models' prices or choose another metric"
            )
        return self.prices.input_usd, self.prices.output_usd


def forecast_metric(history: History, metric: str, fit: Fit, horizon: int = HORIZON_HOURS) -> Forecast:
    """Forecast a metric of a segment; `fit` forecasts one series for `horizon` hours. Raises SeriesError."""
    known = METRICS[metric]
    if known.is_measured:
        return fit(history.series(metric))
    weights = history.weights(metric)
    parts = [Part(fit(history.series(part)), weight) for part, weight in zip(known.parts, weights, strict=True)]
    return joint_forecast(history.segment.key, metric, parts, horizon)
