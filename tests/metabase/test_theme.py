"""The shared colours and formats: legible on both surfaces, and names that say their unit."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from tests.metabase.harness import THEME

SURFACES = {"light": "#ffffff", "dark": "#131817"}
# Simulation of dichromacy on linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.0.
VISION = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}


def linear(color: str) -> list[float]:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def luminance(color: str) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(color), strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: list[float]) -> tuple[float, ...]:
    r, g, b = rgb
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    medium = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.793617785 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.428592205 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.808675766 * short,
    )


def difference(one: str, other: str, vision: str) -> float:
    def seen(color: str) -> tuple[float, ...]:
        rgb = linear(color)
        return oklab([max(0.0, sum(m * c for m, c in zip(row, rgb, strict=True))) for row in VISION[vision]])

    return 100 * math.dist(seen(one), seen(other))


@pytest.mark.parametrize("mode", SURFACES)
def test_every_colour_stands_out_from_its_surface(mode: str) -> None:
    weak = {name: each[mode] for name, each in THEME.raw["colors"].items() if contrast(each[mode], SURFACES[mode]) < 3}
    assert weak == {}


@pytest.mark.parametrize("mode", SURFACES)
@pytest.mark.parametrize("vision", VISION)
def test_neighbouring_series_stay_apart(mode: str, vision: str) -> None:
    colors = [THEME.raw["colors"][name][mode] for name in THEME.raw["categorical"]]
    close = [(a, b) for a, b in pairwise(colors) if difference(a, b, vision) < 10]
    assert close == []


def test_every_reference_inside_the_theme_resolves() -> None:
    raw = THEME.raw
    for name in [*raw["categorical"], *raw["meaning"].values(), *raw["series"].values(), *raw["meaning"]]:
        assert THEME.hex(name).startswith("#")
    assert set(raw["format_by_suffix"].values()) <= set(raw["formats"])
    for each in raw["formats"].values():
        assert each["style"] in ("text", "date", "month", "datetime", "number", "currency", "percent")


@pytest.mark.parametrize(
    "column, format_name, title",
    [
        ("cost_usd", "usd", "Cost (USD)"),
        ("latency_p95_ms", "ms", "Latency p95 (ms)"),
        ("request_count", "integer", "Requests"),
        ("active_users_count", "integer", "Active users"),
        ("error_ratio", "ratio", "Error ratio"),
        ("prompt_tokens", "integer", "Prompt tokens"),
        ("usage_on", "date", "Usage"),
        ("model_name", "text", "Model name"),
    ],
)
def test_column_name_gives_format_and_title(column: str, format_name: str, title: str) -> None:
    assert THEME.format_of(column) == format_name
    assert THEME.title_of(column, format_name) == title


def test_color_names_prefer_chosen_then_own_then_unused() -> None:
    found = THEME.color_names(("x", "pro", "y", "z"), {"z": "red"})
    assert found == {"x": "blue", "pro": "green", "y": "amber", "z": "red"}


def test_color_names_of_many_series_repeat_in_order() -> None:
    found = THEME.color_names(tuple("abcdefghij"), {})
    assert found["i"] == found["a"]
    assert len(set(list(found.values())[:8])) == 8


def test_metabase_format_says_unit_and_decimals() -> None:
    assert THEME.metabase_format("usd") == {"number_style": "currency", "decimals": 2, "currency": "USD"}
    assert THEME.metabase_format("ms") == {"number_style": "decimal", "decimals": 0, "suffix": " ms"}
    assert THEME.metabase_format("text") == {}
