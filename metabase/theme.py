"""Colours and formats from theme.json, the one file that Metabase, site and forecaster share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

THEME_FILE = Path(__file__).resolve().parent.parent / "theme.json"
_MODE = "light"  # Metabase has one colour per series, and public dashboards are white unless their link says otherwise


@dataclass(frozen=True)
class Theme:
    """The content of theme.json, and what follows from a column's or a series' name."""

    raw: dict[str, Any]

    def format_of(self, column: str) -> str:
        """Return the name of the format that the longest matching suffix of `column` asks for, else 'text'."""
        suffixes = [suffix for suffix in self.raw["format_by_suffix"] if column.endswith(suffix)]
        return str(self.raw["format_by_suffix"][max(suffixes, key=len)]) if suffixes else "text"

    def title_of(self, column: str, format_name: str) -> str:
        """Return words for a column's name: the unit's suffix becomes the unit in brackets, `_count` a plural."""
        suffixes = [s for s in self.raw["format_by_suffix"] if s.startswith("_") and column.endswith(s)]
        suffix = max(suffixes, key=len, default="")
        keeps = suffix in ("_month", "_ratio", "_per_s", "_per_second")  # words that people say
        words = (column if keeps else column.removesuffix(suffix)).replace("_", " ")
        if suffix == "_count" and not words.endswith("s"):
            words += "s"
        unit = None if keeps else self.raw["formats"][format_name].get("unit")
        return words[:1].upper() + words[1:] + (f" ({unit})" if unit else "")

    def color_names(self, series: tuple[str, ...], chosen: dict[str, str]) -> dict[str, str]:
        """Return the colour of each series: the chosen one, the name's own, else the next unused categorical one."""
        fixed = {name: chosen.get(name) or self.raw["series"].get(name) for name in series}
        taken = {color for color in fixed.values() if color}
        free = [color for color in self.raw["categorical"] if color not in taken] or self.raw["categorical"]
        names: dict[str, str] = {}
        for name in series:
            names[name] = fixed[name] or free[sum(1 for known in names if not fixed[known]) % len(free)]
        return names

    def resolve(self, color: str) -> str:
        """Return the colour's own name for a name or a meaning ('bad'); raises KeyError for neither."""
        name = str(self.raw["meaning"].get(color, color))
        if name not in self.raw["colors"]:
            raise KeyError(color)
        return name

    def hex(self, color: str) -> str:
        """Return '#rrggbb' for a colour name or a meaning."""
        return str(self.raw["colors"][self.resolve(color)][_MODE])

    def metabase_format(self, format_name: str) -> dict[str, Any]:
        """Return Metabase's column settings for a format."""
        spec = self.raw["formats"][format_name]
        match spec["style"]:
            case "text":
                return {}
            case "date" | "month":
                return {"date_style": "D MMMM, YYYY", "date_abbreviate": True}
            case "datetime":
                return {"date_style": "D MMMM, YYYY", "date_abbreviate": True, "time_style": "HH:mm"}
        style = {"number": "decimal"}.get(spec["style"], spec["style"])
        optional = {key: spec[key] for key in ("currency", "suffix", "prefix") if key in spec}
        return {"number_style": style, "decimals": spec["decimals"]} | optional


def read_theme(path: Path = THEME_FILE) -> Theme:
    """Read theme.json."""
    return Theme(json.loads(path.read_text(encoding="utf-8")))
