"""Write what the site draws: the layout of all dashboards and the rows of every card, read in one snapshot.

`dashboards.json` follows schemas/export.schema.json, `<dashboard>/<card>.json` follows schemas/card-data.schema.json.
Every combination of the filters' listed values is computed, so that a static page can switch between them.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from jsonschema import Draft202012Validator
from tqdm import tqdm

from metabase import layout
from metabase.client import MetabaseError
from metabase.definitions import read_schema
from metabase.desired import axis_title, column_formats, series_colors
from metabase.reader import (
    NUMBERS,
    TIMES,
    QueryFailed,
    card_sql,
    default_values,
    fetch,
    plain,
    reading,
    variants,
    with_present_values,
)
from metabase.spec import Card, Dashboard, Filter, Placed, Text
from metabase.theme import Theme

Json = dict[str, Any]


def write(dashboards: tuple[Dashboard, ...], theme: Theme, out: Path) -> str:
    """Replace the folder `out` by a fresh export; return what was written, in words. Raises MetabaseError."""
    with reading() as connection:
        try:
            dashboards = tuple(with_present_values(connection, board) for board in dashboards)
        except psycopg.Error as error:
            found = QueryFailed(error, "")
            raise MetabaseError(f"filters: expected their values, found: {found}; run `make dbt-build` first") from None
        cards = [(card, board) for board in dashboards for card in board.cards]
        shown = tqdm(cards, desc="cards", unit="card", disable=None, delay=2)
        data = {card.address: card_data(connection, card, board) for card, board in shown}
    files: dict[str, Json] = {"dashboards.json": overview(dashboards, theme)}
    files |= {f"{address}.json": document for address, document in data.items()}
    for name, document in files.items():
        _check(name, document, "export" if name == "dashboards.json" else "card-data")
    _replace_folder(out, files)
    count = sum(len(document["variants"]) for document in data.values())
    return f"{len(dashboards)} dashboards, {len(data)} cards, {count} sets of rows to {out}"


def card_data(connection: psycopg.Connection, card: Card, board: Dashboard) -> Json:
    """Return the rows of one card for every combination of filter values; `default` is the index of the first view."""
    sets: list[Json] = []
    chosen = variants(card, board.filters)
    columns: tuple[tuple[str, str], ...] = ()
    try:
        for values in chosen:
            result = fetch(connection, card_sql(card, values))
            columns = result.columns
            rows = [[plain(value) for value in row] for row in result.rows]
            sets.append({"values": {name: plain(value) for name, value in values.items()}, "rows": rows})
    except QueryFailed as error:
        raise MetabaseError(f"card {card.address}: expected rows, found: {error}; run `make dbt-build` first") from None
    return {
        "dashboard": card.dashboard,
        "card": card.key,
        "columns": [{"name": name, "type": _kind(type_)} for name, type_ in columns],
        "default": chosen.index(default_values(card, board.filters)),
        "variants": sets,
    }


def _kind(type_: str) -> str:
    return "number" if type_ in NUMBERS else "time" if type_ in TIMES else "boolean" if type_ == "bool" else "text"


def overview(dashboards: tuple[Dashboard, ...], theme: Theme) -> Json:
    """Return dashboards.json: everything about the dashboards but their rows."""
    return {
        "format": 1,
        "theme": {key: value for key, value in theme.raw.items() if key != "about"},
        "dashboards": [
            {
                "key": board.key,
                "name": board.name,
                "description": board.description,
                "filters": [_filter(filter_) for filter_ in board.filters.values()],
                "tabs": [
                    {
                        "name": tab.name,
                        "rows": layout.height(tab.items),
                        "items": [_item(placed, theme) for placed in tab.items],
                    }
                    for tab in board.tabs
                ],
            }
            for board in dashboards
        ],
    }


def _filter(filter_: Filter) -> Json:
    """Return a filter; `choices` holds what was computed ahead, null for 'all'; one choice cannot be switched."""
    return {
        "key": filter_.key,
        "name": filter_.name,
        "type": filter_.type,
        "choices": [plain(value) for value in filter_.choices],
        "default": plain(filter_.default),
    }


def _item(placed: Placed, theme: Theme) -> Json:
    place: Json = {"row": placed.row, "col": placed.col, "w": placed.w, "h": placed.h}
    if isinstance(placed.content, Text):
        return place | {"kind": placed.content.kind, "text": placed.content.text}
    return place | {"kind": "card", "card": _card(placed.content, theme)}


def _card(card: Card, theme: Theme) -> Json:
    formats = column_formats(card, theme)
    described: Json = {
        "key": card.key,
        "title": card.title,
        "question": card.question,
        "chart": dict(card.chart),
        "columns": [{"name": name, "title": title, "format": form} for name, (title, form) in formats.items()],
        "filters": list(card.tags),
        "data": f"{card.address}.json",
    }
    if card.empty:
        described["empty"] = card.empty
    colors = series_colors(card, theme)
    if colors:
        named = {name: formats[name][0] if name in formats else name for name in colors}
        described["series"] = [{"name": name, "title": named[name], "color": color} for name, color in colors.items()]
        described["y_title"] = axis_title(card, theme)
    return described


def _check(name: str, document: Json, schema: str) -> None:
    error = next(Draft202012Validator(read_schema(schema)).iter_errors(document), None)
    if error is not None:
        where = "/".join(map(str, error.absolute_path))
        raise MetabaseError(
            f"export: {name} does not fit schemas/{schema}.schema.json at {where}: {error.message[:200]}"
        )


def _replace_folder(out: Path, files: dict[str, Json]) -> None:
    """Write all files to a folder beside `out`, then swap; an interrupted run leaves the old folder."""
    if out.exists() and not (out / "dashboards.json").is_file() and any(out.iterdir()):
        raise MetabaseError(f"export: expected an export or nothing at {out}, found other files; choose another folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        raise _not_written(out, error) from None
    try:
        for name, document in files.items():
            path = fresh / name
            path.parent.mkdir(exist_ok=True)
            text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            path.write_text(text + "\n", encoding="utf-8")
        fresh.chmod(0o755)
        shutil.rmtree(out, ignore_errors=True)
        fresh.replace(out)
    except BaseException as error:
        shutil.rmtree(fresh, ignore_errors=True)
        if isinstance(error, OSError):
            raise _not_written(out, error) from None
        raise


def _not_written(out: Path, error: OSError) -> MetabaseError:
    return MetabaseError(
        f"expected to write to {out}, found: {error.strerror}; make room, or choose a folder with --out"
    )
