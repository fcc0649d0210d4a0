"""What Metabase should hold for the definitions, in a normal form that does not depend on ids or on its version.

A card's state: name, description, display, sql, tags {name: {...}}, settings, and whether it is in its place.
A dashboard's state: name, description, width, parameters, tabs (names), dashcards sorted by place.
`normalise.py` brings what Metabase answers into the same form, so that `==` is the comparison.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from metabase import sql_text
from metabase.spec import Card, Column, Dashboard, Filter, Placed, Text
from metabase.theme import Theme

State = dict[str, Any]
DISPLAYS = {"trend": "smartscalar", "matrix": "table"}
_TAG_NAMESPACE = uuid.UUID("6f0b3d0e-3f7c-5b5e-9a53-0f6a4a4f0c11")
_SCALES = {"date": "timeseries", "month": "timeseries", "datetime": "timeseries"}


@dataclass(frozen=True)
class DesiredCard:
    """A card to be: its entity id, its address in the definitions and its state."""

    entity_id: str
    address: str
    state: State


@dataclass(frozen=True)
class DesiredDashboard:
    """A dashboard to be: its key in the definitions and its state; dashcards name cards by entity id."""

    key: str
    state: State


@dataclass(frozen=True)
class Desired:
    """All cards and dashboards of the definitions."""

    cards: tuple[DesiredCard, ...]
    dashboards: tuple[DesiredDashboard, ...]


def desired_state(dashboards: tuple[Dashboard, ...], theme: Theme, namespace: str) -> Desired:
    """Compile the definitions; `namespace` keeps two installations in one Metabase apart."""
    cards = [
        DesiredCard(entity_id(namespace, card.address), card.address, card_state(card, board.filters, theme, namespace))
        for board in dashboards
        for card in board.cards
    ]
    boards = [DesiredDashboard(board.key, dashboard_state(board, namespace)) for board in dashboards]
    return Desired(tuple(cards), tuple(boards))


def entity_id(namespace: str, address: str) -> str:
    """Return the 21 characters that identify a card for ever: from base64url(sha256('<namespace>/card/<address>'))."""
    digest = hashlib.sha256(f"{namespace}/card/{address}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:21]


def marker(namespace: str, key: str) -> str:
    """Return the line by which a dashboard is recognised after it was renamed or moved."""
    return f"managed-key: {namespace}/{key}"


def card_state(card: Card, filters: Mapping[str, Filter], theme: Theme, namespace: str) -> State:
    """Return the state of one card."""
    kind = card.chart["type"]
    return {
        "name": card.title,
        "description": card.question,
        "type": "question",
        "display": DISPLAYS.get(kind, kind),
        "sql": card.sql,
        "tags": _tags(card, filters, namespace),
        "settings": settings(card, theme),
        "database": "ours",
        "collection": "ours",
        "archived": False,
    }


def _tags(card: Card, filters: Mapping[str, Filter], namespace: str) -> State:
    required = sql_text.placeholders(card.sql).required
    tags: State = {}
    for name, type_ in sorted(card.tags.items()):
        tags[name] = {"type": type_, "display-name": filters[name].name}
        if name in required:
            tags[name] |= {"required": True, "default": _plain(filters[name].default)}
    return tags


def tag_id(card_entity_id: str, name: str) -> str:
    """Return the uuid of a template tag, the same at every run."""
    return str(uuid.uuid5(_TAG_NAMESPACE, f"{card_entity_id}/{name}"))


def native_query(state: State, card_entity_id: str, database_id: int) -> State:
    """Return the dataset_query that says a card's SQL and tags; the map form of tags is read by every version."""
    tags = {name: {"id": tag_id(card_entity_id, name), "name": name, **tag} for name, tag in state["tags"].items()}
    stage = {"lib/type": "mbql.stage/native", "native": state["sql"], "template-tags": tags}
    return {"lib/type": "mbql/query", "database": database_id, "stages": [stage]}


def settings(card: Card, theme: Theme) -> State:
    """Return a card's visualization settings."""
    chart, formats = card.chart, column_formats(card, theme)
    titles = {name: title for name, (title, _) in formats.items()}
    match chart["type"]:
        case "scalar":
            own: State = {"scalar.field": chart["y"]}
        case "trend":
            own = {
                "scalar.field": chart["y"],
                "scalar.comparisons": [{"id": "1", "type": "previousValue"}],
                "scalar.switch_positive_negative": chart.get("good") == "down",
            }
        case "funnel":
            own = {"funnel.dimension": chart["x"], "funnel.metric": chart["y"], "funnel.type": "funnel"}
        case "table":
            own = {"table.columns": [{"name": name, "enabled": True} for name in chart["columns"]]}
        case "matrix":
            own = {"table.pivot": True, "table.pivot_column": chart["series"], "table.cell_column": chart["y"]}
        case _:
            own = _graph(card, theme, formats, titles)
    columns = {}
    for name, (title, format_name) in formats.items():
        key = json.dumps(["name", name], separators=(",", ":"))
        columns[key] = {"column_title": title} | theme.metabase_format(format_name)
    return own | {"column_settings": columns}


def _graph(card: Card, theme: Theme, formats: Mapping[str, tuple[str, str]], titles: Mapping[str, str]) -> State:
    chart = card.chart
    colors = series_colors(card, theme)
    graph: State = {
        "graph.dimensions": [chart["x"], *([chart["series"]] if "series" in chart else [])],
        "graph.metrics": list(chart["y"]),
        "graph.x_axis.scale": _SCALES.get(formats[chart["x"]][1], "ordinal"),
        "graph.x_axis.title_text": titles[chart["x"]],
        "graph.y_axis.title_text": axis_title(card, theme),
        "series_settings": {
            name: {"color": theme.hex(color), **({} if "series" in chart else {"title": titles[name]})}
            for name, color in colors.items()
        },
    }
    if "stack" in chart:
        graph["stackable.stack_type"] = "normalized" if chart["stack"] == "percent" else "stacked"
    if chart.get("scale") == "log":
        graph["graph.y_axis.scale"] = "log"
    if "goal" in chart:
        goal = chart["goal"]
        graph |= {"graph.show_goal": True, "graph.goal_value": goal["value"], "graph.goal_label": goal["label"]}
    return graph


def series_colors(card: Card, theme: Theme) -> dict[str, str]:
    """Return the colour name of every series of a chart, in order of drawing."""
    chart = card.chart
    if chart["type"] not in ("line", "area", "bar", "row"):
        return {}
    names = tuple(chart["values"]) if "series" in chart else tuple(chart["y"])
    chosen = {name: theme.resolve(column.color) for name, column in card.columns.items() if column.color}
    return theme.color_names(names, chosen)


def column_formats(card: Card, theme: Theme) -> dict[str, tuple[str, str]]:
    """Return title and format of every column that a chart names."""
    found = {}
    for name in card.named_columns:
        column = card.columns.get(name, Column())
        format_name = column.format or theme.format_of(name)
        found[name] = (column.title or theme.title_of(name, format_name), format_name)
    return found


def axis_title(card: Card, theme: Theme) -> str:
    """Return the y axis' title: the only column's, else the unit that its columns share, else nothing."""
    if card.chart.get("stack") == "percent":
        return "Share (%)"
    formats = column_formats(card, theme)
    titles = [formats[name][0] for name in card.chart["y"]]
    if len(titles) == 1:
        return titles[0]
    units = {theme.raw["formats"][formats[name][1]].get("unit", "") for name in card.chart["y"]}
    return units.pop() if len(units) == 1 else ""


def dashboard_state(board: Dashboard, namespace: str) -> State:
    """Return the state of one dashboard."""
    dashcards = []
    for index, tab in enumerate(board.tabs):
        dashcards += [dashcard_state(placed, index, board, namespace) for placed in tab.items]
    return {
        "name": board.name,
        "description": board.description,
        "width": "full",
        "auto_apply_filters": True,
        "parameters": [parameter(filter_) for filter_ in board.filters.values()],
        "tabs": [tab.name for tab in board.tabs if tab.name is not None],
        "dashcards": dashcards,
        "collection": "ours",
        "archived": False,
        "marker": marker(namespace, board.key),
    }


def dashcard_state(placed: Placed, tab: int, board: Dashboard, namespace: str) -> State:
    """Return the state of one place on a dashboard."""
    place = {"tab": tab, "row": placed.row, "col": placed.col, "size_x": placed.w, "size_y": placed.h}
    item = placed.content
    if isinstance(item, Text):
        virtual = {"virtual_card": {"display": item.kind}, "text": item.text}
        return place | {"card": None, "settings": virtual, "mappings": {}}
    mappings = {name: ["variable", ["template-tag", name]] for name in item.tags}
    return place | {"card": entity_id(namespace, item.address), "settings": {}, "mappings": mappings}


def parameter(filter_: Filter) -> State:
    """Return a dashboard's parameter for a filter; its id and slug are the filter's key.

    A list of choices is 'category', which fits text and number tags; else date/single, number/= or string/=.
    """
    default = _plain(filter_.default)
    base: State = {"id": filter_.key, "name": filter_.name, "slug": filter_.key}
    if filter_.values:
        source = {"values": [str(value) for value in filter_.values]}
        base |= {"type": "category", "values_query_type": "list", "values_source_type": "static-list"}
        return base | {"values_source_config": source} | ({"default": [str(default)]} if default is not None else {})
    base |= {"type": {"date": "date/single", "number": "number/=", "text": "string/="}[filter_.type]}
    if default is not None:
        base |= {"default": default if filter_.type == "date" else [default]}
    return base


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
