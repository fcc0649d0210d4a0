"""Hold every number of the synthetic traffic and the shapes it is drawn from.

Pure: no file, no clock; randomness comes in as a `numpy.random.Generator`. The numbers are those of profile
`default` in the project's data contract, section 1, unless a comment says that they are ours.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def child_stream(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one child of `seed`; `key` names the child, so no draw depends on who draws first."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


class Distribution(Protocol):
    """What a chart needs of a distribution: its name, its parameters and its curve."""

    family: ClassVar[str]

    def parameters(self) -> dict[str, object]:
        """Return the parameters by name, as JSON values."""

    def density(self, x: ArrayLike) -> Floats:
        """Return the density (or, of a discrete distribution, the probability) at `x`."""

    def cdf(self, x: ArrayLike) -> Floats:
        """Return the share of values that are <= `x`."""

    def quantile(self, p: ArrayLike) -> Floats:
        """Return the value below which the share `p` lies."""


@dataclass(frozen=True)
class LogNormal:
    """exp(mu + sigma * z) with z standard normal; median exp(mu)."""

    mu: float
    sigma: float
    family: ClassVar[str] = "log-normal"

    def parameters(self) -> dict[str, object]:
        """Return mu and sigma, both of the natural logarithm."""
        return {"mu": self.mu, "sigma": self.sigma}

    def density(self, x: ArrayLike) -> Floats:
        """Return the density at `x` > 0."""
        values = np.asarray(x, dtype=np.float64)
        z = (np.log(values) - self.mu) / self.sigma
        return np.asarray(np.exp(-0.5 * z * z) / (values * self.sigma * np.sqrt(2 * np.pi)))

    def cdf(self, x: ArrayLike) -> Floats:
        """Return the share of values that are <= `x`, for `x` > 0."""
        z = (np.log(np.asarray(x, dtype=np.float64)) - self.mu) / self.sigma
        return np.asarray(np.vectorize(NormalDist().cdf, otypes=[np.float64])(z))

    def quantile(self, p: ArrayLike) -> Floats:
        """Return the value below which the share `p`, 0 < p < 1, lies."""
        z = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])(p)
        return np.asarray(np.exp(self.mu + self.sigma * z))

    def sample(self, rng: np.random.Generator, size: int) -> Ints:
        """Draw `size` values, cut to whole numbers so that no math library's last bit shows."""
        return np.exp(self.mu + self.sigma * rng.standard_normal(size)).astype(np.int64)


@dataclass(frozen=True)
class CappedPareto:
    """Pareto (type I) from `scale` upwards; whatever exceeds `cap` becomes `cap`."""

    alpha: float
    scale: int
    cap: int
    family: ClassVar[str] = "Pareto, capped"

    def parameters(self) -> dict[str, object]:
        """Return the tail index alpha, the smallest value (scale) and the largest (cap)."""
        return {"alpha": self.alpha, "scale": self.scale, "cap": self.cap}

    def density(self, x: ArrayLike) -> Floats:
        """Return the density at `x` > 0, 0 outside [scale, cap); the mass that sits on the cap itself is no density."""
        values = np.asarray(x, dtype=np.float64)
        inside = (values >= self.scale) & (values < self.cap)
        return np.where(inside, self.alpha * self.scale**self.alpha / values ** (self.alpha + 1), 0.0)

    def cdf(self, x: ArrayLike) -> Floats:
        """Return the share of values that are <= `x`."""
        values = np.maximum(np.asarray(x, dtype=np.float64), self.scale)
        return np.where(values >= self.cap, 1.0, 1.0 - (self.scale / values) ** self.alpha)

    def quantile(self, p: ArrayLike) -> Floats:
        """Return the value below which the share `p`, 0 <= p < 1, lies."""
        return np.minimum(self.scale * (1.0 - np.asarray(p, dtype=np.float64)) ** (-1.0 / self.alpha), self.cap)

    def sample(self, rng: np.random.Generator, size: int) -> Ints:
        """Draw `size` values by inversion, cut to whole numbers.

        Cutting lifts the Hill estimate of alpha over all values to 1.514; rounding would keep it at 1.5 but make the
        median of a sample flicker between 79 and 80.
        """
        return self.quantile(rng.random(size)).astype(np.int64)


@dataclass(frozen=True)
class Categorical:
    """A few whole-number values, each with its probability; 0 and 1 stand for false and true."""

    values: tuple[int, ...]
    probabilities: tuple[float, ...]
    family: ClassVar[str] = "categorical"

    def parameters(self) -> dict[str, object]:
        """Return each value with its probability."""
        return {str(value): share for value, share in zip(self.values, self.probabilities, strict=True)}

    def density(self, x: ArrayLike) -> Floats:
        """Return the probability of each of `x`."""
        hit = np.asarray(x)[..., np.newaxis] == np.asarray(self.values)
        return np.asarray((hit * np.asarray(self.probabilities)).sum(axis=-1), dtype=np.float64)

    def cdf(self, x: ArrayLike) -> Floats:
        """Return the share of values that are <= `x`."""
        hit = np.asarray(self.values) <= np.asarray(x)[..., np.newaxis]
        return np.asarray((hit * np.asarray(self.probabilities)).sum(axis=-1), dtype=np.float64)

    def quantile(self, p: ArrayLike) -> Floats:
        """Return the smallest value up to which at least the share `p` lies."""
        order = np.argsort(self.values)
        steps = np.cumsum(np.asarray(self.probabilities)[order])
        at = np.minimum(np.searchsorted(steps, p, side="left"), len(order) - 1)
        return np.asarray(self.values, dtype=np.float64)[order][at]

    def sample(self, rng: np.random.Generator, size: int) -> Ints:
        """Draw `size` values."""
        steps = np.cumsum(self.probabilities)[:-1]
        return np.asarray(self.values, dtype=np.int64)[np.searchsorted(steps, rng.random(size), side="right")]


@dataclass(frozen=True)
class DailyCycle:
    """Request rate over a day: 1 + sin(2 pi (hour - phase) / 24), times `night_factor` in [night_from, night_to)."""

    phase: float
    night_from: int
    night_to: int
    night_factor: float
    family: ClassVar[str] = "sine over the day, damped at night"

    def parameters(self) -> dict[str, object]:
        """Return the phase, the damped hours [from, to) and the factor that damps them."""
        return {
            "phase_hours": self.phase,
            "night_hours": [self.night_from, self.night_to],
            "factor": self.night_factor,
            "weekend_factor": WEEKEND_FACTOR,
        }

    def rate(self, hour: ArrayLike) -> Floats:
        """Return the relative rate at `hour`, 0 <= hour < 24; the undamped mean is 1."""
        hours = np.asarray(hour, dtype=np.float64)
        night = (hours >= self.night_from) & (hours < self.night_to)
        return (1.0 + np.sin(2 * np.pi * (hours - self.phase) / 24)) * np.where(night, self.night_factor, 1.0)

    def mass(self, hour: ArrayLike) -> Floats:
        """Return the integral of the rate from 0 to `hour`, 0 <= hour <= 24."""
        hours = np.asarray(hour, dtype=np.float64)
        in_night = self._wave(np.clip(hours, self.night_from, self.night_to)) - self._wave(np.float64(self.night_from))
        return self._wave(hours) - self._wave(np.float64(0)) - (1.0 - self.night_factor) * in_night

    def density(self, x: ArrayLike) -> Floats:
        """Return the share of a day's requests per hour, at hour `x`."""
        return self.rate(x) / self.mass(24)

    def cdf(self, x: ArrayLike) -> Floats:
        """Return the share of a day's requests up to hour `x`."""
        return self.mass(x) / self.mass(24)

    def quantile(self, p: ArrayLike) -> Floats:
        """Return the hour up to which the share `p` lies, to the second (inverted on a table)."""
        hours = np.linspace(0, 24, 86_401)
        return np.interp(np.asarray(p, dtype=np.float64), self.cdf(hours), hours)

    def _wave(self, hours: ArrayLike) -> Floats:
        """Return an antiderivative of the undamped rate."""
        x = np.asarray(hours, dtype=np.float64)
        return x - 24 / (2 * np.pi) * np.cos(2 * np.pi * (x - self.phase) / 24)


LATENCY_MS = LogNormal(mu=6.5, sigma=0.8)
TOKENS = CappedPareto(alpha=1.5, scale=50, cap=100_000)
STATUS_CODE = Categorical(values=(200, 429, 500, 401), probabilities=(0.94, 0.03, 0.02, 0.01))
IS_FLAGGED = Categorical(values=(0, 1), probabilities=(0.992, 0.008))
DAILY_CYCLE = DailyCycle(phase=6.5, night_from=2, night_to=5, night_factor=0.15)
WEEKEND_FACTOR = 0.60

TIERS = ("free", "starter", "pro", "enterprise")
TIER_WEIGHTS = (1, 3, 8, 20)
TIER_SHARES = (0.55, 0.25, 0.15, 0.05)  # of the users; ours: few pay much, so that 5 % of users make 29 % of requests
REQUEST_TIER = Categorical(  # the tier of a request's user, which follows from the two lines above
    values=(1, 2, 3, 4),
    probabilities=tuple(w * s / 3.5 for w, s in zip(TIER_WEIGHTS, TIER_SHARES, strict=True)),
)


@dataclass(frozen=True)
class ColumnDistribution:
    """How one column of api_requests is drawn, and why that way."""

    column: str
    unit: str
    scale: str  # of a chart's x axis: log, linear or category
    distribution: Distribution
    reason: str


COLUMN_DISTRIBUTIONS = (
    ColumnDistribution(
        "latency_ms",
        "milliseconds",
        "log",
        LATENCY_MS,
        "A response time is the product of many slow-downs (queue, prompt length, answer length, load), and a product "
        "of many independent factors is log-normal: never negative, skewed to the right, the slowest 1 % more than six "
        "times the median. A mean hides that, so dashboards show percentiles.",
    ),
    ColumnDistribution(
        "prompt_tokens",
        "tokens",
        "log",
        TOKENS,
        "Most prompts are one question, a few carry a whole document. A power law with alpha 1.5 has a mean but, "
        "uncapped, no variance: averages settle slowly and a few requests make much of the bill. "
        "The cap is the largest prompt accepted.",
    ),
    ColumnDistribution(
        "completion_tokens",
        "tokens",
        "log",
        TOKENS,
        "Answers are as unequal as prompts and are drawn independently of them. Only a request that succeeded "
        "(status 200) has an answer; every other row holds 0 and is outside this curve.",
    ),
    ColumnDistribution(
        "requested_at",
        "hour of day, UTC",
        "linear",
        DAILY_CYCLE,
        "People work by day: one smooth hump with its peak at 12:30, nearly nothing at night, Saturdays and Sundays at "
        "60 % of a weekday. Drawn by rejection, so that moments stay random inside an hour, as those of independent "
        "users are.",
    ),
    ColumnDistribution(
        "status_code",
        "HTTP status",
        "category",
        STATUS_CODE,
        "A healthy API fails rarely and in few ways: rate limits (429) before server errors (500) before bad keys "
        "(401). Fixed shares make every error ratio on a dashboard checkable.",
    ),
    ColumnDistribution(
        "is_flagged",
        "0 = no, 1 = yes",
        "category",
        IS_FLAGGED,
        "Moderation hits are rare and independent of each other: a Bernoulli trial per request. At 0.8 % the ratio of "
        "a small segment is mostly noise, which is what a quality dashboard has to cope with.",
    ),
    ColumnDistribution(
        "user_id",
        "billing tier of the user: 1 = free, 2 = starter, 3 = pro, 4 = enterprise",
        "category",
        REQUEST_TIER,
        "Paying customers send more: a user's weight is 1, 3, 8 or 20 by tier. With 55, 25, 15 and 5 % of the users in "
        "the tiers, the smallest group sends almost 29 % of the traffic, as a few accounts do everywhere.",
    ),
)


def description(column: ColumnDistribution, points: int = 241) -> dict[str, object]:
    """Return a column's distribution as JSON values.

    Keys: column, unit, scale, family, parameters, reason, quantiles (of the measures: 0.5, 0.9 and 0.99) and the curve:
    x, density and cdf, lists of equal length.
    The bin (a, b] of a histogram is expected to hold cdf(b) - cdf(a); stored numbers are cut, so 79 is [79, 80).
    """
    shape = column.distribution
    quantiles: dict[str, float] = {}
    if isinstance(shape, Categorical):
        x = np.asarray(shape.values, dtype=np.float64)
    elif isinstance(shape, DailyCycle):
        x = np.linspace(0, 24, points)
    else:
        low, high = shape.quantile([1e-5, 1 - 1e-5])
        x = np.geomspace(low, high, points)
        quantiles = {str(share): float(shape.quantile(share)) for share in (0.5, 0.9, 0.99)}
    return {
        "column": column.column,
        "unit": column.unit,
        "scale": column.scale,
        "family": shape.family,
        "parameters": shape.parameters(),
        "reason": column.reason,
        "quantiles": quantiles,
        "x": x.tolist(),
        "density": shape.density(x).tolist(),
        "cdf": shape.cdf(x).tolist(),
    }
