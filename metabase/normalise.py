"""Bring what Metabase answers into the normal form of `desired.py`. Pure.

Two versions say the same thing differently: template tags are a map keyed by name before v0.63 and a list since;
queries read back in stages since v0.57 and flat before. Servers add ids, null members and defaults; that is no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metabase.desired import State

_PARAMETER_NOISE = ("sectionId",)  # which group of the UI's menu a filter was made in


@dataclass(frozen=True)
class Places:
    """Which ids are ours: the database and the collection (None: not there yet)."""

    database_id: int | None
    collection_id: int | None


def without_nulls(value: Any) -> Any:
    """Return `value` without members that are null, at any depth: absent and null mean the same."""
    if isinstance(value, Mapping):
        return {key: without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_nulls(member) for member in value]
    return value


def card_state(raw: Mapping[str, Any], places: Places) -> State:
    """Return the state of a card as Metabase answers it."""
    sql, tags = _query(raw.get("dataset_query") or {})
    return {
        "name": raw["name"],
        "description": raw.get("description"),
        "type": raw.get("type") or "question",
        "display": raw["display"],
        "sql": sql,
        "tags": tags,
        "settings": without_nulls(raw.get("visualization_settings") or {}),
        "database": _ours(raw.get("database_id"), places.database_id),
        "collection": _ours(raw.get("collection_id"), places.collection_id),
        "archived": bool(raw.get("archived")),
    }


def _ours(found: Any, wanted: int | None) -> Any:
    return "ours" if found == wanted and wanted is not None else found


def _query(query: Mapping[str, Any]) -> tuple[str | None, State]:
    """Return SQL and tags of a native query in either form; (None, {}) for one made in the query builder."""
    stages = query.get("stages")
    if stages:
        sql, tags = stages[0].get("native"), stages[0].get("template-tags")
    else:
        native = query.get("native") or {}
        sql, tags = native.get("query"), native.get("template-tags")
    if not isinstance(sql, str):
        return None, {}
    listed = tags if isinstance(tags, list) else [{"name": name, **tag} for name, tag in (tags or {}).items()]
    return sql.strip(), {tag["name"]: _tag(tag) for tag in sorted(listed, key=lambda tag: str(tag["name"]))}


def _tag(tag: Mapping[str, Any]) -> State:
    kept = {key: tag.get(key) for key in ("type", "display-name", "default", "dimension", "widget-type")}
    return without_nulls(kept | {"required": True if tag.get("required") else None})  # type: ignore[no-any-return]


def dashboard_state(raw: Mapping[str, Any], places: Places, entity_ids: Mapping[int, str]) -> State:
    """Return the state of a dashboard as GET /api/dashboard/:id answers it; `entity_ids` maps ids of known cards."""
    tabs = sorted(raw.get("tabs") or [], key=lambda tab: tab.get("position") or 0)
    order = {tab["id"]: index for index, tab in enumerate(tabs)}
    dashcards = [_dashcard(dashcard, order, entity_ids) for dashcard in raw.get("dashcards") or []]
    return {
        "name": raw["name"],
        "description": raw.get("description"),
        "width": raw.get("width"),
        "auto_apply_filters": raw.get("auto_apply_filters", True),
        "parameters": [_parameter(parameter) for parameter in raw.get("parameters") or []],
        "tabs": [tab["name"] for tab in tabs],
        "dashcards": sorted(dashcards, key=lambda card: (card["tab"], card["row"], card["col"])),
        "collection": _ours(raw.get("collection_id"), places.collection_id),
        "archived": bool(raw.get("archived")),
        "marker": raw.get("points_of_interest"),
    }


def _dashcard(raw: Mapping[str, Any], tabs: Mapping[int, int], entity_ids: Mapping[int, str]) -> State:
    card_id = raw.get("card_id")
    mappings = {each["parameter_id"]: list(each["target"])[:2] for each in raw.get("parameter_mappings") or []}
    state = {
        "tab": tabs.get(raw.get("dashboard_tab_id") or 0, 0),
        **{key: raw[key] for key in ("row", "col", "size_x", "size_y")},
        "card": None if card_id is None else entity_ids.get(card_id, f"card {card_id}"),
        "settings": without_nulls(raw.get("visualization_settings") or {}),
        "mappings": mappings,
    }
    additions = {key: raw[key] for key in ("series", "inline_parameters") if raw.get(key)}
    return state | additions


def _parameter(raw: Mapping[str, Any]) -> State:
    """Return a parameter without what is empty: a server may add `filteringParameters: []` or `required: false`."""
    kept = {
        key: value for key, value in raw.items() if key not in _PARAMETER_NOISE and value not in (None, [], {}, False)
    }
    return without_nulls(kept)  # type: ignore[no-any-return]
