"""Read what a Metabase holds, in as few requests as lists allow: two for all cards, one for each dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from metabase.client import Client, MetabaseError, Refused
from metabase.desired import Desired, State, marker
from metabase.normalise import Places, card_state, dashboard_state
from metabase.plan import Found, Instance, Unknown
from metabase.settings import Target

ENGINE = "postgres"
Raw = dict[str, Any]


def read_instance(client: Client, target: Target, desired: Desired) -> Instance:
    """Return what is there; two things that could both be ours are conflicts, not guesses."""
    database = find_database(client, target)
    collection = find_collection(client, target)
    places = Places(database.id if database else None, collection.id if collection else None)
    items = collection_items(client, collection)
    cards = _cards(client, desired, places)
    entity_ids = {found.id: entity_id for entity_id, found in cards.items()}
    dashboards, conflicts = _dashboards(client, target, desired, items, places, entity_ids)
    known = {("card", found.id) for found in cards.values()} | {("dashboard", f.id) for f in dashboards.values()}
    unknown = [
        Unknown(item["model"], item["id"], item["name"]) for item in items if (item["model"], item["id"]) not in known
    ]
    return Instance(
        database=database,
        database_works=database is None or works(client, database.id),
        collection=collection,
        cards=cards,
        dashboards=dashboards,
        unknown=tuple(unknown),
        conflicts=tuple(conflicts),
    )


def database_state(target: Target) -> State:
    """Return the state that the database connection should have; passwords are not part of it."""
    return {"name": target.database, "engine": ENGINE, "details": dict(target.warehouse)}


def find_database(client: Client, target: Target) -> Found | None:
    """Return the connection by name and engine."""
    listed = client.get("/api/database")
    databases = listed["data"] if isinstance(listed, dict) else listed
    named = [raw for raw in databases if raw["name"] == target.database and raw["engine"] == ENGINE]
    raw = _only(named, f"database connection {target.database!r}")
    if raw is None:
        return None
    raw = client.get(f"/api/database/{raw['id']}")
    details = {key: value for key, value in (raw.get("details") or {}).items() if key in target.warehouse}
    return Found(raw["id"], {"name": raw["name"], "engine": raw["engine"], "details": details}, raw)


def works(client: Client, database_id: int) -> bool:
    """Return whether Metabase can connect to the database now."""
    try:
        return bool((client.get(f"/api/database/{database_id}/healthcheck") or {}).get("status") == "ok")
    except Refused:
        return False


def find_collection(client: Client, target: Target) -> Found | None:
    """Return our collection: by name, at the top level, an archived one only where there is no other."""
    for archived in (False, True):
        listed = client.get("/api/collection", **({"archived": "true"} if archived else {}))
        named = [raw for raw in listed if raw["name"] == target.collection and _top_level(raw, archived)]
        raw = _only(named, f"collection {target.collection!r}")
        if raw is not None:
            return Found(raw["id"], {"name": raw["name"], "archived": archived}, raw)
    return None


def _top_level(raw: Raw, archived: bool) -> bool:
    ours = isinstance(raw["id"], int) and raw.get("personal_owner_id") is None and raw.get("type") != "trash"
    return ours and bool(raw.get("archived")) == archived and (archived or raw.get("location") in (None, "/"))


def _only(named: list[Raw], what: str) -> Raw | None:
    if len(named) > 1:
        ids = ", ".join(str(raw["id"]) for raw in named)
        raise MetabaseError(f"expected one {what}, found {len(named)} (ids {ids}); rename or archive all but one")
    return named[0] if named else None


def collection_items(client: Client, collection: Found | None) -> list[Raw]:
    """Return everything directly in our collection, page by page."""
    items: list[Raw] = []
    while collection is not None:
        answer = client.get(f"/api/collection/{collection.id}/items", limit=500, offset=len(items))
        items += answer["data"]
        if not answer["data"] or len(items) >= answer["total"]:
            break
    return items


def find_card(client: Client, entity_id: str) -> Raw | None:
    """Return a card by entity id, wherever it is, archived or not."""
    try:
        raw: Raw = client.get(f"/api/card/{entity_id}")
    except Refused as error:
        if error.status == 404:
            return None
        raise
    return raw


def _cards(client: Client, desired: Desired, places: Places) -> dict[str, Found]:
    wanted = {card.entity_id for card in desired.cards}
    found: dict[str, Found] = {}
    for filter_ in ("all", "archived"):
        for raw in client.get("/api/card", f=filter_):
            entity_id = raw.get("entity_id")
            if entity_id in wanted:
                full = raw if "dataset_query" in raw else client.get(f"/api/card/{raw['id']}")
                found[entity_id] = Found(full["id"], card_state(full, places), full)
    return found


def _dashboards(
    client: Client, target: Target, desired: Desired, items: list[Raw], places: Places, entity_ids: Mapping[int, str]
) -> tuple[dict[str, Found], list[str]]:
    """Return our dashboards by key: by the marker, wherever they are, else an empty unmarked one of that name.

    The second is what a lost answer to POST /api/dashboard leaves behind. One of that name that holds something belongs
    to somebody: a conflict.
    """
    inside = [client.get(f"/api/dashboard/{item['id']}") for item in items if item["model"] == "dashboard"]
    markers = {marker(target.namespace, board.key): board for board in desired.dashboards}
    marked = [raw for raw in inside if raw.get("points_of_interest") in markers]
    missing = markers.keys() - {raw["points_of_interest"] for raw in marked}
    if missing:
        marked += _elsewhere(client, missing, {raw["id"] for raw in inside})
    found: dict[str, Found] = {}
    conflicts: list[str] = []
    for text, board in markers.items():
        candidates = [raw for raw in marked if raw["points_of_interest"] == text]
        if not candidates:
            named = [raw for raw in inside if raw["name"] == board.state["name"] and not _managed(raw, target)]
            candidates = [raw for raw in named if is_empty(raw)]
            conflicts += [_somebodys(raw) for raw in named if not is_empty(raw)]
        if len(candidates) > 1:
            ids = ", ".join(str(raw["id"]) for raw in candidates)
            conflicts.append(
                f"expected one dashboard {board.key}, found {len(candidates)} (ids {ids}); archive all but one"
            )
        elif candidates:
            raw = candidates[0]
            found[board.key] = Found(raw["id"], dashboard_state(raw, places, entity_ids), raw)
    return found, conflicts


def _managed(raw: Raw, target: Target) -> bool:
    return str(raw.get("points_of_interest") or "").startswith(marker(target.namespace, ""))


def is_empty(raw: Raw) -> bool:
    """Return whether nobody put anything on a dashboard."""
    return not raw.get("dashcards") and not raw.get("tabs") and not raw.get("parameters")


def _somebodys(raw: Raw) -> str:
    told = f"dashboard {raw['name']!r} (id {raw['id']}) is in our collection, has that name and is not managed by us"
    return f"expected no other dashboard of a name we need, found: {told}; rename it or move it to another collection"


def _elsewhere(client: Client, markers: Iterable[str], inside: set[int]) -> list[Raw]:
    """Return marked dashboards that were moved out of our collection or archived."""
    found = []
    wanted = set(markers)
    for filter_ in ("all", "archived"):
        try:
            listed = client.get("/api/dashboard", f=filter_)
        except Refused as error:
            if error.status == 404:  # the list is deprecated: a version may come without it
                continue
            raise
        candidates = [raw for raw in listed if raw["id"] not in inside and raw.get("points_of_interest") in wanted]
        found += [client.get(f"/api/dashboard/{raw['id']}") for raw in candidates]
    return found
