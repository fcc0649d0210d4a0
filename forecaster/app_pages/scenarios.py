"""Scenarios: growth, a price change, traffic moved to another model; always against the base case."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from forecaster import cached
from forecaster.controls import Choice, chosen
from forecaster.daily import path_band
from forecaster.figures import BAND_COLUMNS, comparison_figure
from forecaster.intervals import Band
from forecaster.metrics import ALL, METRICS, History, Metric
from forecaster.mix import ModelShare, cost_ratios
from forecaster.models import DAY
from forecaster.outlook import outlook_of
from forecaster.panels import chart, heading, markdown_safe, progress_bar
from forecaster.scenarios import ModelTraffic, Move, Scenario, compare_tokens
from forecaster.series import SeriesError, Values
from forecaster.wording import amount, span

DAYS = 30
MIX_HOURS = 28 * DAY
PART_ORIGINS = 14
FIT_HOURS = 48


def ask_scenario(models: list[str]) -> Scenario:
    """Draw the inputs of a scenario and return it."""
    first, second, third = st.columns(3)
    now = first.slider("All traffic, at once (%)", -80, 200, 0, 5, key="traffic", bind="query-params")
    growth = first.slider("All traffic, per month (%)", -30, 50, 0, 1, key="growth", bind="query-params")
    priced = second.selectbox("Price change for", models, key="priced", bind="query-params")
    price = second.slider("Its new price (% of today's)", 0, 300, 100, 5, key="price", bind="query-params")
    source = third.selectbox("Move traffic from", models, key="from", bind="query-params")
    target = third.selectbox("to", models, index=min(1, len(models) - 1), key="to", bind="query-params")
    share = third.slider("Share moved (%)", 0, 100, 0, 5, key="share", bind="query-params")
    if share and source == target:
        third.caption("Choose two different models to move traffic between.")
    return Scenario(
        name="yours",
        traffic_ratio=1 + now / 100,
        monthly_growth_ratio=growth / 100,
        price_ratios={priced: price / 100} if price != 100 else {},
        moves=(Move(source, target, share / 100),) if share and source != target else (),
    )


def share_of(own: History) -> ModelShare:
    """Return a model's tokens of the last four weeks with its prices."""
    recent = [float(np.nansum(own.values[measure][-MIX_HOURS:])) for measure in ("input_tokens", "output_tokens")]
    prices = (own.prices.input_usd, own.prices.output_usd) if own.prices else (0.0, 0.0)
    return ModelShare(own.segment.name, recent[0], recent[1], *prices)


def traffic_of(own: History) -> ModelTraffic:
    """Fit a model's tokens; prices do not matter for what a limit must bear."""
    tokens = [cached.fitted(own, measure, FIT_HOURS, PART_ORIGINS) for measure in ("input_tokens", "output_tokens")]
    return ModelTraffic(own.segment.name, tokens[0], tokens[1], 0.0, 0.0)


def show_pair(days: tuple[pd.DataFrame, pd.DataFrame], sums: tuple[Band, Band], metric: Metric, choice: Choice) -> None:
    """Show the sums of base and scenario with their ranges, their difference and both day by day."""
    base, changed = (float(one.forecast[0]) for one in sums)
    places = st.columns(3)
    for place, label, one in zip(places, ("As things are", "Scenario"), sums, strict=False):
        place.metric(f"{label}, {DAYS} days", amount(float(one.forecast[0]), metric))
        place.caption(f"80 % range {markdown_safe(span(float(one.low_80[0]), float(one.high_80[0]), metric))}")
    sign = "−" if changed < base else "+" if changed > base else "±"
    places[2].metric("Difference", f"{sign}{amount(abs(changed - base), metric)}")
    places[2].caption(f"{changed / base - 1:+.1%}" if base else "")
    title = f"{metric.label} ({metric.unit} per 24 hours)"
    figure = comparison_figure(days[0], days[1], title, metric, choice.zone, choice.colors)
    chart(figure, f"scenario-{metric.name}", "The scenario against the base case, with ranges")


def show_cost(mix: list[ModelShare], scenario: Scenario, choice: Choice) -> None:
    """Show the cost of all traffic; raises SeriesError where nothing is priced."""
    until, run = cached.span(), cached.latest_run()
    outlook = cached.stored_outlook(run, ALL, "cost_usd") if run and run.as_of == until.ends_at else None
    if outlook is None:
        with progress_bar("Fitting the cost of all traffic …") as progress:
            outlook = outlook_of(
                ALL, "cost_usd", cached.live_forecast(cached.history(until, ALL), "cost_usd", progress)
            )
    if outlook.paths is None:
        raise SeriesError("Scenarios: expected 5 days of history to draw possible months from, found fewer")
    ratios = cost_ratios(mix, scenario, DAYS)
    base = outlook.days().head(DAYS)
    changed = base.assign(**{name: base[name] * ratios[: len(base)] for name in BAND_COLUMNS})
    paths = outlook.paths[:, :DAYS]
    show_pair((base, changed), (sum_band(paths), sum_band(paths * ratios)), METRICS["cost_usd"], choice)
    st.caption(
        "The base case is the forecast of all traffic; the scenario multiplies it by what it does to today's mix of"
        " models at today's prices, so their difference is the scenario's doing and not chance. A change of price"
        " changes no traffic."
    )


def show_tokens(move: Move, scenario: Scenario, histories: dict[str, History], choice: Choice) -> None:
    """Show what the model that receives traffic must bear."""
    st.header(f"Tokens that {move.to_model} must bear")
    with progress_bar(f"Fitting {move.from_model} and {move.to_model} …"):
        traffic = [traffic_of(histories[name]) for name in (move.from_model, move.to_model)]
        found = compare_tokens(
            traffic,
            Scenario("tokens", scenario.traffic_ratio, scenario.monthly_growth_ratio, {}, (move,)),
            move.to_model,
            DAYS * DAY,
        )
    paths = [one.daily.paths[:, :DAYS] for one in (found.base, found.changed) if one.daily is not None]
    days = [outlook_of(ALL, "tokens", one).days().head(DAYS) for one in (found.base, found.changed)]
    show_pair((days[0], days[1]), (sum_band(paths[0]), sum_band(paths[1])), METRICS["tokens"], choice)


def sum_band(paths: Values) -> Band:
    """Return the ranges of the sum of some days (arrays of one value)."""
    return path_band(paths.sum(axis=1, keepdims=True))


choice = chosen()
until = cached.span()
heading(
    "Scenarios", "What if all traffic grows, prices change, or a share moves to another model?", choice, until.ends_at
)
histories = {own.segment.name: own for own in cached.model_histories(until).values()}
mix = sorted((share_of(own) for own in histories.values()), key=lambda one: -one.input_tokens - one.output_tokens)
scenario = ask_scenario([one.model for one in mix])
st.header("Cost of all traffic")
show_cost(mix, scenario, choice)
if scenario.moves:
    show_tokens(scenario.moves[0], scenario, histories, choice)
