"""Write results as CSV, JSON and text; one flat shape for everything a forecast says."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from forecaster.evaluate import Pooled, SeriesEvaluation
from forecaster.forecast import Forecast
from forecaster.intervals import Band, Coverage
from forecaster.models import DAY

POINT_COLUMNS = (
    "kind",
    "starts_at",
    "hours",
    "forecast",
    "low_80",
    "high_80",
    "low_95",
    "high_95",
    "coverage_80_ratio",
    "coverage_95_ratio",
    "coverage_count",
)
FORECAST_COLUMNS = ("workload", "metric", *POINT_COLUMNS, "state")
POOLED_HEADER = (
    "pooled            horizon  series  MAE/naive   won  worst  cover80 cover95  width80 width95  CRPS/naive"
)
SERIES_HEADER = (
    "series            metric         horizon  MAE/naive  cover80 cover95  width80 width95    CRPS  hours seconds"
)


def forecast_rows(forecast: Forecast) -> list[dict[str, Any]]:
    """Return one row per forecast figure, FORECAST_COLUMNS wide.

    Kinds: `hour`; `total_24h` and `maximum_24h` for each whole 24 hours with their own intervals; `daily_total` for
    24 hours beyond the hourly forecast (coverage there is of 7-day sums). Times are UTC, coverage is empty where no
    past band has been judged yet.
    """
    series = forecast.series
    begin = series.ends_at
    rows = []
    for (first, last), judged in forecast.hourly_coverage.items():
        part = Band(*(array[first - 1 : last] for array in forecast.hourly.parts()))
        rows += _band_rows("hour", begin + timedelta(hours=first - 1), 1, part, judged)
    rows += _band_rows("total_24h", begin, DAY, forecast.totals, forecast.total_coverage)
    rows += _band_rows("maximum_24h", begin, DAY, forecast.maxima, forecast.maximum_coverage)
    if forecast.daily:
        head = len(forecast.totals.forecast)
        rest = Band(*(array[head:] for array in forecast.daily.band.parts()))
        rows += _band_rows("daily_total", begin + timedelta(days=head), DAY, rest, forecast.daily.coverage)
    fixed = {"workload": series.workload, "metric": series.metric, "state": forecast.state}
    return [{column: (fixed | row)[column] for column in FORECAST_COLUMNS} for row in rows]


def forecast_csv(forecasts: Iterable[Forecast]) -> str:
    """Return the rows of forecasts as CSV text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FORECAST_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for forecast in forecasts:
        writer.writerows(forecast_rows(forecast))
    return text.getvalue()


def forecast_json(forecasts: Iterable[Forecast]) -> str:
    """Return forecasts with their notes, gaps, shifts, weights and scores as JSON text, a list of one per series."""
    return json.dumps([_forecast_document(forecast) for forecast in forecasts], indent=2, allow_nan=False) + "\n"


def forecast_summary(forecast: Forecast) -> str:
    """Return one line that says what was forecast from what, and how good that has been."""
    series = forecast.series
    used = next((row for row in forecast.scores if (row.method, row.last_lead) == ("combined", DAY)), None)
    error = "no backtest yet"
    if used and used.relative_mae is not None:
        error = f"24 h error {used.relative_mae:.2f} x same-hour-yesterday over {used.origin_count} origins"
    held = [one for judged in forecast.hourly_coverage.values() for one in judged if one.level_pct == 80 and one.count]
    count = sum(one.count for one in held)
    inside = sum((one.achieved_ratio or 0) * one.count for one in held)
    bands = f"80 % bands held {inside / count:.0%} of {count} hours" if count else "bands not judged yet"
    return f"{series.name}: {len(series.values)} hours to {_stamp(series.ends_at)}, {forecast.state}; {error}; {bands}"


def evaluation_text(evaluations: Sequence[SeriesEvaluation], pooled: Sequence[Pooled], seconds: float) -> str:
    """Return the figures of every series and pooled, as tables for reading.

    A series' seconds are those of all its origins and both horizons.
    """
    lines = [SERIES_HEADER]
    lines += [
        f"{row.workload:17.17} {row.metric:14} {row.horizon:5} h {row.relative_mae:10.3f} {row.coverage_80:8.1%}"
        f" {row.coverage_95:7.1%} {row.width_80:8.2f} {row.width_95:7.2f} {row.crps:7.3f} {row.hour_count:6}"
        f" {evaluation.seconds:7.2f}"
        for evaluation in evaluations
        for row in evaluation.results
    ]
    skipped = [evaluation.skipped for evaluation in evaluations if evaluation.skipped]
    lines += [f"{one.workload:17.17} {one.metric:14} not scored: {one.reason}" for one in skipped]
    lines += ["", POOLED_HEADER]
    lines += [
        f"{group.group:17} {group.horizon:5} h {group.series_count:7} {group.relative_mae:10.3f}"
        f" {group.won_share:5.0%} {group.worst_relative_mae:6.2f} {group.coverage_80:8.1%} {group.coverage_95:7.1%}"
        f" {group.width_80:8.2f} {group.width_95:7.2f} {group.relative_crps:11.3f}"
        for group in pooled
    ]
    lines.append("naive = same hour yesterday; ratios are geometric means; widths and CRPS in units of its MAE")
    lines.append(evaluation_summary(evaluations, seconds))
    return "\n".join(lines) + "\n"


def evaluation_summary(evaluations: Sequence[SeriesEvaluation], seconds: float) -> str:
    """Return one line with counts and seconds."""
    scored = sum(evaluation.skipped is None for evaluation in evaluations)
    busy = sum(evaluation.seconds for evaluation in evaluations)
    return f"{scored} of {len(evaluations)} series scored in {seconds:.1f} s ({busy:.1f} s over all processes)"


def evaluation_json(evaluations: Sequence[SeriesEvaluation], pooled: Sequence[Pooled], seconds: float) -> str:
    """Return the same figures as JSON text."""
    document = {
        "seconds": round(seconds, 2),
        "pooled": [asdict(group) for group in pooled],
        "series": [
            asdict(result) | {"relative_mae": result.relative_mae, "seconds": round(evaluation.seconds, 3)}
            for evaluation in evaluations
            for result in evaluation.results
        ],
        "skipped": [asdict(evaluation.skipped) for evaluation in evaluations if evaluation.skipped],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _band_rows(kind: str, begin: datetime, hours: int, band: Band, judged: Sequence[Coverage]) -> list[dict[str, Any]]:
    achieved = {one.level_pct: one for one in judged}
    rows: list[dict[str, Any]] = []
    for position, figures in enumerate(zip(*band.parts(), strict=True)):
        names = ("forecast", "low_80", "high_80", "low_95", "high_95")
        rows.append(
            {"kind": kind, "starts_at": _stamp(begin + timedelta(hours=hours * position)), "hours": hours}
            | {name: float(f"{figure:.6g}") for name, figure in zip(names, figures, strict=True)}
            | {f"coverage_{level}_ratio": _ratio(one) for level, one in achieved.items()}
            | {"coverage_count": achieved[80].count}
        )
    return rows


def _forecast_document(forecast: Forecast) -> dict[str, Any]:
    series = forecast.series
    return {
        "workload": series.workload,
        "metric": series.metric,
        "history": {"starts_at": _stamp(series.starts_at), "ends_at": _stamp(series.ends_at)},
        "state": forecast.state,
        "notes": list(forecast.notes),
        "is_fallback": forecast.is_fallback,
        "weights": forecast.weights,
        "gaps": [{"starts_at": _stamp(series.hour_at(gap.first)), "hours": gap.hours} for gap in forecast.gaps],
        "silences": [{"starts_at": _stamp(series.hour_at(one.first)), "hours": one.hours} for one in forecast.silences],
        "level_shifts": [
            {"starts_at": _stamp(series.hour_at(shift.first)), "ratio": shift.ratio} for shift in forecast.shifts
        ],
        "scores": [asdict(score) for score in forecast.scores],
        "rows": forecast_rows(forecast),
    }


def _ratio(coverage: Coverage) -> float | None:
    return None if coverage.achieved_ratio is None else round(coverage.achieved_ratio, 3)


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
