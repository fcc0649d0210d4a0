"""The pool of forecast members: nine small, different ways to continue an hourly history.

Each member maps a repaired history (no NaN, oldest hour first, in UTC) and a horizon in hours to that many values. They
are kept apart on purpose: no single one beats "same hour yesterday" on every workload, their weighted hourly median
does. What they share is guarded in one place, `member_forecasts`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from forecaster.series import Values

DAY = 24
WEEK = 7 * DAY
TRAIN_HOURS = 28 * DAY  # no member looks further back; more history was no better and costs seconds
FIT_HOURS = 14 * DAY  # what the fitted members see: 7 to 14 days were as good as more
CAP_DAYS = 14
CAP_RATIO = 3.0  # no forecast exceeds three times the highest hour of the last 14 days
LEVEL_HOURS = 6
MIN_POOL_HOURS = 2 * DAY  # below this only rules of thumb, see `short_forecast`


@dataclass(frozen=True)
class Member:
    """A way to forecast: its key, what a person calls it, the hours of history it needs, and the function.

    Fitted members estimate parameters, which a flat series does not have.
    """

    name: str
    label: str
    min_hours: int
    forecast: Callable[[Values, int], Values]
    is_fitted: bool = False


def seasonal_naive(history: Values, horizon: int, period: int = DAY) -> Values:
    """Repeat the last `period` hours; this with 24 hours is the yardstick of every figure."""
    return np.resize(history[-period:], horizon)


def last_week(history: Values, horizon: int) -> Values:
    """Repeat the same hours of last week."""
    return seasonal_naive(history, horizon, WEEK)


def last_week_at_todays_level(history: Values, horizon: int) -> Values:
    """Repeat last week's hours, scaled by how the last 24 hours compare with the same hours a week earlier."""
    then = history[-DAY - WEEK : -WEEK].sum()
    ratio = history[-DAY:].sum() / then if then > 0 else 1.0
    forecast: Values = last_week(history, horizon) * np.clip(ratio, 0.2, 5.0)
    return forecast


def daily_profile(history: Values, horizon: int) -> Values:
    """Multiply a robust shape of the day by a level that returns from the last hours to the last days.

    Shape: hourly median of the last 7 days, each divided by its mean, shrunk to flat as far as it is noise. Level: mean
    of the last hours (half-life 6 h) giving way, with half-life 24 h, to the median of the last 3 days.
    """
    shape = _day_shape(history)
    recent = history[-3 * DAY :]
    phase = np.arange(-len(recent), 0) % DAY
    weight = 0.5 ** (np.arange(len(recent))[::-1] / LEVEL_HOURS)
    now = (weight * recent).sum() / max((weight * shape[phase]).sum(), 1e-12)
    usual = np.median(_days(history, 3).mean(axis=1))
    stay = 0.5 ** (np.arange(1, horizon + 1) / DAY)
    forecast: Values = np.resize(shape, horizon) * (stay * now + (1 - stay) * usual)
    return forecast


def weekly_profile(history: Values, horizon: int) -> Values:
    """Multiply the median shape of the last 3 or 4 weeks by a level that returns from today's to the usual one.

    Only offered from 21 days on, when a weekend can be told from a quiet day; half-life of today's level 48 h.
    """
    count = min(len(history) // WEEK, 4)
    weeks = history[-count * WEEK :].reshape(count, WEEK)
    level = weeks.mean(axis=1)
    shape = np.median(weeks / np.maximum(level, 1e-12)[:, None], axis=0)
    usual, last_day = np.median(level), shape[-DAY:].sum()
    now = history[-DAY:].sum() / last_day if last_day > 0 else usual
    stay = 0.5 ** (np.arange(1, horizon + 1) / (2 * DAY))
    forecast: Values = np.resize(shape, horizon) * (stay * now + (1 - stay) * usual)
    return forecast


def arima_seasonal(history: Values, horizon: int) -> Values:
    """Fit ARIMA(1,0,1)(0,1,1)24: each hour follows the same hour of past days, smoothed, plus a fading deviation."""
    return _arima(history[-FIT_HOURS:], horizon, (1, 0, 1), (0, 1, 1))


def arima_seasonal_log(history: Values, horizon: int) -> Values:
    """Fit the same in logarithms, for series whose swings grow with their level; 5 % of the mean keeps zeros finite."""
    floor = 0.05
    scaled = history[-FIT_HOURS:] / history[-FIT_HOURS:].mean()
    logs = _arima(np.log(scaled + floor), horizon, (1, 0, 1), (0, 1, 1))
    forecast: Values = (np.exp(np.minimum(logs, 5.0)) - floor) * history[-FIT_HOURS:].mean()
    return forecast


def arima_daily(history: Values, horizon: int) -> Values:
    """Fit ARIMA(1,0,1)(1,0,0)24 with a mean: yesterday's shape, drawn back to the usual level."""
    return _arima(history[-FIT_HOURS:], horizon, (1, 0, 1), (1, 0, 0))


def theta(history: Values, horizon: int) -> Values:
    """Fit the dynamic optimised theta model (Fiorucci et al. 2016) on additively deseasonalised hours."""
    from statsforecast.theta import auto_theta, forecast_theta

    scale = history[-FIT_HOURS:].mean()
    scaled = history[-FIT_HOURS:] / scale
    fit = auto_theta(scaled, m=DAY, model="DOTM", decomposition_type="additive")  # type: ignore[no-untyped-call]
    forecast: Values = forecast_theta(fit, horizon)["mean"] * scale  # type: ignore[no-untyped-call]
    return forecast


POOL: tuple[Member, ...] = (
    Member("yesterday", "Same hour yesterday", DAY, seasonal_naive),
    Member("last_week", "Same hour last week", WEEK, last_week),
    Member("last_week_level", "Last week at today's level", WEEK + DAY, last_week_at_todays_level),
    Member("daily_profile", "Daily profile x level", 2 * DAY, daily_profile),
    Member("weekly_profile", "Weekly profile x level", 3 * WEEK, weekly_profile),
    Member("arima_seasonal", "ARIMA(1,0,1)(0,1,1)24", 3 * DAY, arima_seasonal, is_fitted=True),
    Member("arima_seasonal_log", "ARIMA(1,0,1)(0,1,1)24 of logs", 3 * DAY, arima_seasonal_log, is_fitted=True),
    Member("arima_daily", "ARIMA(1,0,1)(1,0,0)24", 3 * DAY, arima_daily, is_fitted=True),
    Member("theta", "Dynamic optimised theta", 3 * DAY, theta, is_fitted=True),
)


def member_forecasts(history: Values, horizon: int) -> dict[str, Values]:
    """Return the forecast of every member that has enough history, by name; at least one is always there.

    `history` is repaired (no NaN); only its last 28 days are used. Every forecast is clipped to 0 from below and to
    three times the highest hour of the last 14 days from above. A member that fails on a series is left out of it.
    """
    history = history[-TRAIN_HOURS:]
    if len(history) < MIN_POOL_HOURS:
        return {"short_history": short_forecast(history, horizon)}
    cap = CAP_RATIO * history[-CAP_DAYS * DAY :].max()
    is_flat = np.ptp(history[-FIT_HOURS:]) == 0
    found = {}
    for member in POOL:
        if len(history) < member.min_hours or (member.is_fitted and is_flat):
            continue
        forecast = _quietly(member, history, horizon)
        if forecast is not None:
            found[member.name] = np.clip(forecast, 0.0, cap)
    return found


def short_forecast(history: Values, horizon: int) -> Values:
    """Forecast with less than 48 hours: the mean of the last 6 h, from 24 h on averaged with the same hour yesterday.

    From 24 h on the level is the mean of the last 24 h.
    """
    if len(history) < DAY:
        return np.full(horizon, history[-LEVEL_HOURS:].mean())
    forecast: Values = (seasonal_naive(history, horizon) + history[-DAY:].mean()) / 2
    return forecast


def weighted_median(forecasts: Values, weights: Values) -> Values:
    """Return the hourly weighted median of `forecasts` (members x hours) under `weights` (members).

    With equal weights this is the median, the mean of the middle two when their number is even.
    """
    order = np.argsort(forecasts, axis=0, kind="stable")
    ordered = np.take_along_axis(forecasts, order, axis=0)
    share = np.cumsum(weights[order], axis=0)
    half = share[-1] / 2
    low = np.argmax(share >= half * (1 - 1e-12), axis=0)
    high = np.argmax(share > half * (1 + 1e-12), axis=0)
    hours = np.arange(forecasts.shape[1])
    middle: Values = (ordered[low, hours] + ordered[high, hours]) / 2
    return middle


def _quietly(member: Member, history: Values, horizon: int) -> Values | None:
    """Run a member; None when it raises or does not answer with finite numbers (a flat or an exploding fit)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            forecast = member.forecast(history, horizon)
        except (ArithmeticError, ValueError, IndexError, np.linalg.LinAlgError):
            return None
    return forecast if len(forecast) == horizon and bool(np.isfinite(forecast).all()) else None


def _days(history: Values, most: int) -> Values:
    """Return the last whole 24-hour blocks, oldest first (blocks x 24)."""
    count = min(most, len(history) // DAY)
    days: Values = history[-count * DAY :].reshape(count, DAY)
    return days


def _day_shape(history: Values) -> Values:
    """Return 24 factors with mean 1, the first for the hour that follows the history."""
    days = _days(history, 7)
    level = days.mean(axis=1)
    if not (level > 0).any():
        return np.ones(DAY)
    shapes = days[level > 0] / level[level > 0, None]
    shape = np.median(shapes, axis=0)
    noise = ((1.4826 * np.median(np.abs(shapes - shape), axis=0)) ** 2).mean() / len(shapes)  # 1.4826: MAD to sigma
    signal = shape.var() / (shape.var() + noise) if shape.var() > 0 else 0.0
    shape = np.maximum(1 + signal * (shape - shape.mean()), 0.0)
    factors: Values = shape / shape.mean()
    return factors


def _arima(series: Values, horizon: int, order: Sequence[int], seasonal: Sequence[int]) -> Values:
    """Fit a small ARIMA by conditional least squares (ten times faster than likelihood) and forecast from its state.

    statsforecast does not run the state filter after a CSS fit, so its forecasts would ignore the last hours; a second
    call with all coefficients fixed does. Coefficients on the edge of stationarity are pulled inside it.
    """
    from statsforecast.arima import arima, predict_arima

    scale = np.abs(series).mean()
    kind = {
        "order": tuple(order),
        "seasonal": {"order": tuple(seasonal), "period": DAY},
        "include_mean": seasonal[1] == 0,
    }
    fit = arima(series / scale, method="CSS", tol=1e-4, **kind)
    inside = {name: 0.98 if name[:2] in {"ar", "ma", "sa"} else np.inf for name in fit["coef"]} | {"sma1": 0.95}
    fixed = np.array([np.clip(value, -inside[name], inside[name]) for name, value in fit["coef"].items()])
    state = arima(series / scale, method="ML", fixed=fixed, **kind)
    forecast: Values = predict_arima(state, horizon, se_fit=False) * scale  # type: ignore[no-untyped-call]
    return forecast
