"""Words and numbers as a reader sees them: amounts with units, moments in a time zone, sentences about a budget."""

from __future__ import annotations

from datetime import datetime, tzinfo

from forecaster.budget import RunOut, Spend
from forecaster.metrics import Metric

_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "K"))


def short_number(value: float) -> str:
    """Write a number with about three figures: 1,234 · 12.3K · 4.56M."""
    for step, letter in _STEPS:
        if abs(value) >= step:
            scaled = value / (1e3 if letter == "K" else step)
            return f"{scaled:.0f}{letter}" if abs(scaled) >= 100 else f"{scaled:.3g}{letter}"
    return f"{value:,.0f}" if abs(value) >= 10 or value == 0 else f"{value:.2g}"


def amount(value: float, metric: Metric) -> str:
    """Write an amount of a metric without its unit, dollars with their sign: 12.3K · $4.56."""
    if metric.unit != "USD":
        return short_number(value)
    return (
        f"${short_number(value)}"
        if abs(value) >= 1e4
        else f"${value:,.2f}"
        if abs(value) >= 0.1 or value == 0
        else f"${value:.4f}"
    )


def span(low: float, high: float, metric: Metric) -> str:
    """Write a range: 1,210 to 1,380."""
    return f"{amount(low, metric)} to {amount(high, metric)}"


def moment(when: datetime, zone: tzinfo) -> str:
    """Write a time in a zone: Wed 31 Dec 2025, 23:00."""
    local = when.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def day(when: datetime, zone: tzinfo) -> str:
    """Write a day in a zone: 21 March."""
    local = when.astimezone(zone)
    return f"{local.day} {local:%B}"


def percent(ratio: float) -> str:
    """Write a probability as whole percent, never claiming certainty it does not have."""
    if 0 < ratio < 0.01:
        return "less than 1 %"
    return "more than 99 %" if 0.99 < ratio < 1 else f"{ratio:.0%}".replace("%", " %")


def run_out_sentence(found: RunOut, spend: Spend, zone: tzinfo) -> str:
    """Say when a budget is used up, with the probability that belongs to it."""
    until = f"the end of {day(spend.until, zone)}" if spend.until.astimezone(zone).hour else day(spend.until, zone)
    if spend.budget is not None and spend.spent >= spend.budget:
        return "The budget is used up already."
    if found.probability_ratio < 0.01:
        return f"The budget lasts until {until}: no more than 1 of 100 possible futures uses it up before."
    if found.by_80_at is None:
        return (
            f"The budget lasts until {until} with {percent(1 - found.probability_ratio)} probability;"
            f" it is used up before with {percent(found.probability_ratio)}."
        )
    late = day(found.late_80_at, zone) if found.late_80_at else f"after {until}"
    early = day(found.early_80_at, zone) if found.early_80_at else until
    between = f"on {early}" if early == late else f"between {early} and {late}"
    return f"Spent by {day(found.by_80_at, zone)} with 80 % probability; 8 of 10 possible futures: {between}."
