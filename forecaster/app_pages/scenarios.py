"""Scenarios: growth, a price change, traffic moved to another model; always against the base case."""

from __future__ import annotations

import numpy as np
import streamlit as st

from forecaster import cached
from forecaster.controls import Choice, chosen
from forecaster.daily import path_band
from forecaster.figures import comparison_figure
from forecaster.forecast import Forecast
from forecaster.intervals import Band
from forecaster.metrics import ALL, METRICS, Metric, Prices, merged
from forecaster.models import DAY
from forecaster.outlook import outlook_of
from forecaster.panels import chart, heading, markdown_safe, progress_bar
from forecaster.scenarios import Comparison, ModelTraffic, Move, Scenario, compare_cost, compare_tokens
from forecaster.series import SeriesError
from forecaster.wording import amount, span

MOST_MODELS = 6
OTHERS = "all others"
PART_ORIGINS = 14
HOURS = 48
DAYS = 30
PRICE_HOURS = 28 * DAY
COST_TITLE = "Cost (USD per 24 hours)"


def traffic_of_models(choice: Choice) -> list[ModelTraffic]:
    """Fit the tokens of the models that cost most and of all others together; the fits are kept for everyone."""
    histories = [own for own in cached.model_histories(cached.span()).values() if own.prices is not None]
    if not histories:
        raise SeriesError("scenarios: expected models with prices, found none; add the models' prices")
    histories.sort(key=lambda own: -float(np.nansum(own.values["cost_usd"][-PRICE_HOURS:])))
    own, rest = histories[:MOST_MODELS], histories[MOST_MODELS:]
    shown = [*own, merged(OTHERS, rest, PRICE_HOURS)] if rest else own
    found = []
    with progress_bar("Fitting models …") as progress:
        for at, one in enumerate(shown):
            progress(at / len(shown), f"Fitting {one.segment.name} ({at + 1} of {len(shown)}) …")
            tokens = [cached.fitted(one, measure, HOURS, PART_ORIGINS) for measure in ("input_tokens", "output_tokens")]
            prices = one.prices or Prices(0.0, 0.0)
            found.append(
                ModelTraffic(one.segment.name, tokens[0], tokens[1], prices.input_usd * 1e6, prices.output_usd * 1e6)
            )
    return found


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
    moves = (Move(source, target, share / 100),) if share and source != target else ()
    if share and source == target:
        third.caption("Choose two different models to move traffic between.")
    return Scenario(
        name="yours",
        traffic_ratio=1 + now / 100,
        monthly_growth_ratio=growth / 100,
        price_ratios={priced: price / 100} if price != 100 else {},
        moves=moves,
    )


def show_comparison(found: Comparison, metric: Metric, choice: Choice, title: str, name: str) -> None:
    """Show the next 30 days of base and scenario: sums with their ranges, and the chart."""
    base, changed = (month_sum(one) for one in (found.base, found.changed))
    first, second, third = st.columns(3)
    for place, label, sums in ((first, "As things are", base), (second, "Scenario", changed)):
        place.metric(f"{label}, {DAYS} days", amount(float(sums.forecast[0]), metric))
        place.caption(f"80 % range {markdown_safe(span(float(sums.low_80[0]), float(sums.high_80[0]), metric))}")
    change = float(changed.forecast[0] - base.forecast[0])
    ratio = change / float(base.forecast[0]) if base.forecast[0] else 0.0
    sign = "−" if change < 0 else "+"
    third.metric("Difference", f"{sign}{amount(abs(change), metric)}", f"{ratio:+.1%}", delta_color="off")
    days = [outlook_of(ALL, metric.name, one).days().head(DAYS) for one in (found.base, found.changed)]
    figure = comparison_figure(days[0], days[1], title, metric, choice.zone, choice.colors)
    chart(figure, name, "The scenario against the base case, with ranges")


def month_sum(forecast: Forecast) -> Band:
    """Return the sum of the next 30 days with its ranges (arrays of one value), from the paths of the forecast."""
    if forecast.daily is None:
        raise SeriesError("scenario: expected a forecast of 30 days, found a shorter one; choose a longer history")
    return path_band(forecast.daily.paths[:, :DAYS].sum(axis=1, keepdims=True))


choice = chosen()
until = cached.span()
heading("Scenarios", "What if traffic grows, prices change, or a share moves to another model?", choice, until.ends_at)
inputs = st.container()
slot = st.empty()
run = cached.latest_run()
stored = cached.stored_outlook(run, ALL, "cost_usd") if run else None
if stored is not None:
    with slot.container():
        base = stored.days().head(DAYS)
        figure = comparison_figure(base, base, COST_TITLE, METRICS["cost_usd"], choice.zone, choice.colors)
        st.plotly_chart(figure, key="base-while-fitting")
traffic = traffic_of_models(choice)
with inputs:
    scenario = ask_scenario([one.model for one in traffic])
with slot.container():
    st.header("Cost of all models")
    cost = compare_cost(traffic, scenario, DAYS * DAY)
    show_comparison(cost, METRICS["cost_usd"], choice, COST_TITLE, "scenario-cost")
    if scenario.moves:
        move = scenario.moves[0]
        st.header(f"Tokens that {move.to_model} must bear")
        tokens = compare_tokens(traffic, scenario, move.to_model, DAYS * DAY)
        show_comparison(tokens, METRICS["tokens"], choice, "Tokens per 24 hours", "scenario-tokens")
    st.caption(
        f"Base and scenario share one backtest and one draw of possible futures. Built from the {MOST_MODELS} costliest"
        " models and all others together, at the prices paid in the last 28 days; a change of price changes no traffic."
    )
