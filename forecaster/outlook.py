"""A forecast as flat tables: what the warehouse stores, what the app draws and what a download holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from forecaster.forecast import Forecast
from forecaster.metrics import METRICS, Metric, Segment
from forecaster.output import POINT_COLUMNS, forecast_rows
from forecaster.series import Values

STORED_PATHS = 500  # of 2,000: enough for a probability to within 4 points
# What these say depends on how far is looked; every outlook looks as far as it can, its reader chooses.
HORIZON_NOTES = ("hours beyond the second day", "beyond ")
SCORE_COLUMNS = (
    "method",
    "label",
    "first_lead",
    "last_lead",
    "mae",
    "relative_mae",
    "relative_sd",
    "origin_count",
)


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a forecast says, as tables.

    `points` has POINT_COLUMNS: kinds `hour`, `total_24h`, `maximum_24h` and `daily_total` (24 hours beyond the hourly
    forecast), times in UTC. `scores` has SCORE_COLUMNS. `paths` (paths x days from `as_of`) are possible futures of
    24-hour totals, None where the history is too short to draw any. `as_of` is the end of the history.
    """

    segment: Segment
    metric: Metric
    as_of: datetime
    history_starts_at: datetime
    state: str
    notes: tuple[str, ...]
    is_fallback: bool
    points: pd.DataFrame
    scores: pd.DataFrame
    marks: dict[str, list[dict[str, Any]]]
    paths: Values | None

    def of_kind(self, kind: str) -> pd.DataFrame:
        """Return the points of one kind, in time order."""
        chosen: pd.DataFrame = self.points[self.points["kind"] == kind]
        return chosen.sort_values("starts_at").reset_index(drop=True)

    def days(self) -> pd.DataFrame:
        """Return the totals of 24 hours: those of the hourly forecast, then those beyond it."""
        totals, beyond = self.of_kind("total_24h"), self.of_kind("daily_total")
        if beyond.empty or totals.empty:
            return totals if beyond.empty else beyond
        return pd.concat([totals, beyond], ignore_index=True)


def outlook_of(segment: Segment, metric: str, forecast: Forecast) -> Outlook:
    """Flatten a forecast."""
    series = forecast.series
    points = pd.DataFrame(forecast_rows(forecast), columns=[*POINT_COLUMNS])
    points["starts_at"] = pd.to_datetime(points["starts_at"], utc=True)
    paths = None
    if forecast.daily is not None and len(forecast.daily.paths):
        paths = np.asarray(forecast.daily.paths[:STORED_PATHS], dtype=np.float64)
    return Outlook(
        segment=segment,
        metric=METRICS[metric],
        as_of=series.ends_at,
        history_starts_at=series.starts_at,
        state=forecast.state,
        notes=tuple(note for note in forecast.notes if not note.startswith(HORIZON_NOTES)),
        is_fallback=forecast.is_fallback,
        points=points,
        scores=pd.DataFrame([asdict(score) for score in forecast.scores], columns=[*SCORE_COLUMNS]),
        marks=_marks(forecast),
        paths=paths,
    )


def _marks(forecast: Forecast) -> dict[str, list[dict[str, Any]]]:
    """Return what the history holds besides traffic, with ISO times: gaps, silences and level shifts."""
    series = forecast.series
    return {
        "gaps": [{"starts_at": series.hour_at(one.first).isoformat(), "hours": one.hours} for one in forecast.gaps],
        "silences": [
            {"starts_at": series.hour_at(one.first).isoformat(), "hours": one.hours} for one in forecast.silences
        ],
        "shifts": [
            {"starts_at": series.hour_at(one.first).isoformat(), "ratio": round(one.ratio, 4)}
            for one in forecast.shifts
        ],
    }
