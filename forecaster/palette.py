"""Chart colours from theme.json, the file that dashboards, site and forecaster share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

THEME_FILE = Path(__file__).resolve().parent.parent / "theme.json"


@dataclass(frozen=True)
class Palette:
    """Colours of one mode as '#rrggbb', by what they mean."""

    actual: str
    forecast: str
    scenario: str
    budget: str
    good: str
    warn: str
    bad: str


@cache
def palette(is_dark: bool) -> Palette:
    """Return the colours for light or dark surfaces."""
    theme = json.loads(THEME_FILE.read_text(encoding="utf-8"))
    mode = "dark" if is_dark else "light"

    def color(name: str) -> str:
        return str(theme["colors"][theme["meaning"].get(name, name)][mode])

    return Palette(
        actual=color("neutral"),
        forecast=color("forecast"),
        scenario=color("blue"),
        budget=color("budget"),
        good=color("good"),
        warn=color("warn"),
        bad=color("bad"),
    )


def faded(color: str, opacity: float) -> str:
    """Return a colour as rgba(), for areas."""
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
