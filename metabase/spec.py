"""Definitions of dashboards: YAML and SQL texts in, checked values out. Pure; `definitions.py` reads the files.

A dashboard is `dashboards/<key>.yml`; the SQL of its cards is `cards/<key>/<card>.sql`. The shape of the YAML is
`schemas/dashboard.schema.json`; this module adds what a schema cannot say, and reports all problems at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from metabase import layout, sql_text
from metabase.located import Located, Path, Problem, check_schema, read_yaml
from metabase.theme import Theme

MAX_CARDS = 12
MAX_COMBINATIONS = 64
DEFAULT_BUDGET_MS = 50
DEFAULT_SIZES = {
    "scalar": (6, 3),
    "trend": (6, 4),
    "funnel": (12, 7),
    "table": (12, 8),
    "matrix": (24, 9),
}
CHART_SIZE, HEADING_SIZE, TEXT_SIZE = (12, 6), (24, 1), (24, 2)


class DefinitionError(Exception):
    """The definitions are wrong; `problems` holds every one of them, in order of file and line."""

    def __init__(self, problems: list[Problem]) -> None:
        """Sort the problems and drop repeated ones."""
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Filter:
    """One filter of a dashboard; `values` is its closed list of choices, empty for free input.

    `values_from` is a column, `schema.table.column`: the site offers what is there, listed values first.
    """

    key: str
    name: str
    type: str
    values: tuple[sql_text.Value, ...] = ()
    default: sql_text.Value | None = None
    values_from: str = ""

    @property
    def choices(self) -> tuple[sql_text.Value | None, ...]:
        """Return the values to compute ahead: the list (with none, where that is the default), else the default."""
        if not self.values:
            return (self.default,)
        return (*(() if self.default is not None else (None,)), *self.values)


@dataclass(frozen=True)
class Column:
    """How a column is shown; None means what its name says (see theme.json)."""

    title: str | None = None
    format: str | None = None
    color: str | None = None


@dataclass(frozen=True)
class Card:
    """One question, its SQL and its chart."""

    dashboard: str
    key: str
    title: str
    question: str
    chart: Mapping[str, Any]
    sql: str
    tags: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)
    budget_ms: int = DEFAULT_BUDGET_MS
    empty: str = ""
    file: str = ""
    line: int = 1
    sql_file: str = ""

    @property
    def address(self) -> str:
        """Return '<dashboard>/<card>'."""
        return f"{self.dashboard}/{self.key}"

    @property
    def named_columns(self) -> tuple[str, ...]:
        """Return the columns that the chart names, in order of first mention."""
        names: list[str] = []
        for key in ("x", "series", "y", "columns"):
            value = self.chart.get(key, ())
            names += [value] if isinstance(value, str) else value
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Text:
    """A heading or a paragraph on a dashboard."""

    kind: str
    text: str


Item = Card | Text
Placed = layout.Placed[Item]


@dataclass(frozen=True)
class Tab:
    """A tab's name (None: the dashboard has no tabs) and its placed items."""

    name: str | None
    items: tuple[Placed, ...]


@dataclass(frozen=True)
class Dashboard:
    """One dashboard as defined."""

    key: str
    order: int
    name: str
    description: str
    filters: Mapping[str, Filter]
    tabs: tuple[Tab, ...]

    @property
    def cards(self) -> tuple[Card, ...]:
        """Return its cards in order of appearance."""
        return tuple(item.content for tab in self.tabs for item in tab.items if isinstance(item.content, Card))


def parse_dashboards(
    documents: Mapping[str, str], sql: Mapping[str, str], schema: Mapping[str, Any], theme: Theme
) -> tuple[Dashboard, ...]:
    """Return the dashboards in order; raises DefinitionError with every problem.

    `documents` maps 'dashboards/<key>.yml' to YAML, `sql` maps 'cards/<key>/<card>.sql' to SQL.
    """
    problems: list[Problem] = []
    dashboards: list[Dashboard] = []
    wanted: set[str] = set()
    for file, text in sorted(documents.items()):
        document = read_yaml(file, text)
        check_schema(document, schema)
        if not document.problems:
            reader = _Reader(document, sql, theme)
            dashboards.append(reader.dashboard())
            wanted |= reader.sql_files
        problems += document.problems
    if not documents:
        problems.append(Problem("dashboards", 1, "expected at least one <key>.yml, found none"))
    told = "expected a card of that name in its dashboard's YAML, found none; add it or delete the file"
    read = {dashboard.key for dashboard in dashboards}
    unread = {PurePosixPath(file).stem for file in documents} - read
    problems += [Problem(file, 1, told) for file in set(sql) - wanted if PurePosixPath(file).parts[1] not in unread]
    problems += _clashes(dashboards)
    if problems:
        raise DefinitionError(problems)
    return tuple(sorted(dashboards, key=lambda dashboard: dashboard.order))


def _clashes(dashboards: list[Dashboard]) -> Iterator[Problem]:
    for what in ("order", "name"):
        seen: dict[Any, str] = {}
        for dashboard in dashboards:
            value = getattr(dashboard, what)
            if value in seen:
                text = f"{what}: expected one dashboard with {value!r}, found it in {seen[value]} as well"
                yield Problem(f"dashboards/{dashboard.key}.yml", 1, text)
            seen[value] = f"dashboards/{dashboard.key}.yml"


class _Reader:
    """Turns one document of the right shape into a Dashboard; what is wrong goes to the document's problems."""

    def __init__(self, document: Located, sql: Mapping[str, str], theme: Theme) -> None:
        self.document, self.sql, self.theme = document, sql, theme
        self.key = PurePosixPath(document.file).stem
        self.sql_files: set[str] = set()
        self.used: set[str] = set()
        self.seen: set[str] = set()

    def dashboard(self) -> Dashboard:
        """Return the dashboard."""
        data = self.document.data
        if ("cards" in data) == ("tabs" in data):
            self.complain((), "expected either 'cards' or 'tabs', found " + ("both" if "cards" in data else "neither"))
        self.filters = {key: self._filter(key, raw) for key, raw in data.get("filters", {}).items()}
        if "tabs" in data:
            tabs = tuple(
                Tab(raw["name"], self._items(raw["cards"], ("tabs", index, "cards")))
                for index, raw in enumerate(data["tabs"])
            )
        else:
            tabs = (Tab(None, self._items(data.get("cards", []), ("cards",))),)
        dashboard = Dashboard(self.key, data["order"], data["name"], data["description"], self.filters, tabs)
        names = [tab.name for tab in tabs]
        if len(set(names)) < len(names):
            self.complain(("tabs",), f"expected tabs of different names, found {names}")
        if len(dashboard.cards) > MAX_CARDS:
            self.complain((), f"expected at most {MAX_CARDS} cards, found {len(dashboard.cards)}; split the dashboard")
        for key in self.filters.keys() - self.used:
            text = f"filter {key!r}: expected a card with the tag {key!r}, found none; wire it or remove it"
            self.complain(("filters", key), text)
        return dashboard

    def complain(self, path: Path, text: str) -> None:
        """Add a problem at `path`."""
        self.document.complain(path, text)

    def _filter(self, key: str, raw: Mapping[str, Any]) -> Filter:
        values, source = tuple(raw.get("values", ())), raw.get("values_from", "")
        filter_ = Filter(key, raw["name"], raw["type"], values, raw.get("default"), source)
        path: Path = ("filters", key)
        for value in (*filter_.values, *([filter_.default] if filter_.default is not None else [])):
            if not _fits(value, filter_.type):
                self.complain(path, f"filter {key!r}: expected values of type {filter_.type}, found {value!r}")
        if filter_.values and filter_.default is not None and filter_.default not in filter_.values:
            text = f"filter {key!r}: expected a default out of {list(filter_.values)}, found {filter_.default!r}"
            self.complain((*path, "default"), text)
        if filter_.type == "date" and filter_.values:
            self.complain((*path, "values"), f"filter {key!r}: expected no list of values for a date, found one")
        if filter_.type == "date" and isinstance(filter_.default, str) and _fits(filter_.default, "date"):
            return Filter(key, filter_.name, "date", (), date.fromisoformat(filter_.default))
        return filter_

    def _items(self, raw_items: list[Mapping[str, Any]], path: Path) -> tuple[Placed, ...]:
        sized: list[tuple[Item, tuple[int, int]]] = []
        for index, raw in enumerate(raw_items):
            here = (*path, index)
            if "heading" in raw:
                sized.append((Text("heading", raw["heading"]), HEADING_SIZE))
            elif "text" in raw:
                sized.append((Text("text", raw["text"]), _size(raw, TEXT_SIZE)))
            else:
                kind = raw["chart"]["type"]
                sized.append((self._card(raw, here), _size(raw, DEFAULT_SIZES.get(kind, CHART_SIZE))))
        return layout.flow(sized, starts_row=lambda item: isinstance(item, Text))

    def _card(self, raw: Mapping[str, Any], path: Path) -> Card:
        key, file = raw["card"], f"cards/{self.key}/{raw['card']}.sql"
        self.sql_files.add(file)
        if key in self.seen:
            self.complain((*path, "card"), f"expected one card {key!r} on this dashboard, found a second one")
        self.seen.add(key)
        text = self.sql.get(file)
        if text is None:
            self.complain((*path, "card"), f"card {key!r}: expected its SQL in {file}, found no such file; write it")
        card = Card(
            dashboard=self.key,
            key=key,
            title=raw["title"],
            question=raw["question"],
            chart=raw["chart"],
            sql="select 1" if text is None else text.strip(),
            tags=raw.get("tags", {}),
            columns={name: Column(**column) for name, column in raw.get("columns", {}).items()},
            budget_ms=raw.get("budget_ms", DEFAULT_BUDGET_MS),
            empty=raw.get("empty", ""),
            file=self.document.file,
            line=self.document.line(path),
            sql_file=file,
        )
        self._check_columns(card, path)
        if text is not None:
            self._check_sql(card, path)
        return card

    def _check_columns(self, card: Card, path: Path) -> None:
        chart = card.chart
        for name, column in card.columns.items():
            here: Path = (*path, "columns", name)
            known = {*card.named_columns, *chart.get("values", ())}
            if name not in known:
                self.complain(here, f"card {card.key!r}: expected a column that its chart names, found {name!r}")
            if column.format is not None and column.format not in self.theme.raw["formats"]:
                told = ", ".join(self.theme.raw["formats"])
                self.complain(here, f"card {card.key!r}: expected a format out of {told}, found {column.format!r}")
            if column.color is not None:
                self._check_color(card, column.color, here)
        if "series" in chart and chart["type"] != "matrix":
            if len(chart["y"]) != 1:
                text = f"card {card.key!r}: expected one y column beside 'series', found {len(chart['y'])}"
                self.complain((*path, "chart"), text)
            if "values" not in chart:
                text = f"card {card.key!r}: expected 'values' beside 'series' (they fix order and colours), found none"
                self.complain((*path, "chart"), text)
        elif "values" in chart:
            self.complain((*path, "chart"), f"card {card.key!r}: expected 'series' beside 'values', found none")

    def _check_color(self, card: Card, color: str, path: Path) -> None:
        try:
            self.theme.resolve(color)
        except KeyError:
            told = ", ".join([*self.theme.raw["colors"], *self.theme.raw["meaning"]])
            self.complain(path, f"card {card.key!r}: expected a colour out of {told}, found {color!r}")

    def _check_sql(self, card: Card, path: Path) -> None:
        for problem in sql_text.text_problems(card.sql):
            self.document.problems.append(Problem(card.sql_file, 1, problem))
        found = sql_text.placeholders(card.sql)
        tags_path: Path = (*path, "tags")
        for name in sorted(found.names - card.tags.keys()):
            text = f"card {card.key!r}: expected the tag {name!r} that {card.sql_file} uses, found none; add it to tags"
            self.complain(tags_path, text)
        for name, type_ in card.tags.items():
            self.used.add(name)
            here: Path = (*tags_path, name)
            filter_ = self.filters.get(name)
            if name not in found.names:
                self.complain(here, f"card {card.key!r}: expected {{{{{name}}}}} in {card.sql_file}, found none")
            if filter_ is None:
                told = ", ".join(self.filters) or "none"
                self.complain(here, f"card {card.key!r}: expected a filter for tag {name!r}, found only: {told}")
            elif filter_.type != type_:
                text = f"card {card.key!r}: expected tag {name!r} of type {filter_.type} as its filter, found {type_}"
                self.complain(here, text)
            elif name in found.required and filter_.default is None:
                text = f"card {card.key!r}: expected a default for filter {name!r}, which the SQL uses outside [[ ]]"
                self.complain(here, text + ", found none")
        count = math.prod(len(self.filters[name].choices) for name in card.tags if name in self.filters)
        if count > MAX_COMBINATIONS:
            text = (
                f"card {card.key!r}: expected at most {MAX_COMBINATIONS} combinations of filter values, found {count}"
            )
            self.complain(tags_path, text)


def _fits(value: Any, type_: str) -> bool:
    if type_ == "number":
        return isinstance(value, int | float)
    if type_ == "text":
        return isinstance(value, str)
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _size(raw: Mapping[str, Any], default: tuple[int, int]) -> tuple[int, int]:
    if "size" not in raw:
        return default
    width, height = raw["size"].split("x")
    return int(width), int(height)
