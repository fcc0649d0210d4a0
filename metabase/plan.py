"""Compare what should be with what is: the list of actions, what is unknown, and what stands in the way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from metabase.desired import Desired, DesiredDashboard, State

Verb = Literal["create", "update", "archive", "publish"]
Kind = Literal["database", "collection", "card", "dashboard"]


@dataclass(frozen=True)
class Found:
    """Something in Metabase that the definitions know: its id and its normalised state."""

    id: int
    state: State
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class Unknown:
    """Something in our collection that the definitions do not know."""

    model: str
    id: int
    name: str


@dataclass(frozen=True)
class Instance:
    """What was read from a Metabase; cards by entity id, dashboards by key. `conflicts` stop everything."""

    database: Found | None = None
    database_works: bool = True
    collection: Found | None = None
    cards: Mapping[str, Found] = field(default_factory=dict)
    dashboards: Mapping[str, Found] = field(default_factory=dict)
    unknown: tuple[Unknown, ...] = ()
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """One difference: where, what is there, what should be."""

    path: str
    found: Any
    wanted: Any

    def __str__(self) -> str:
        """Return the line that `plan` prints."""
        return f"{self.path}: {_short(self.found)} -> {_short(self.wanted)}"


@dataclass(frozen=True)
class Action:
    """One thing to do; `key` is the entity id of a card, the key of a dashboard, or a name."""

    verb: Verb
    kind: Kind | str
    key: str
    name: str
    changes: tuple[Change, ...] = ()
    id: int | None = None

    def __str__(self) -> str:
        """Return the line that `plan` prints."""
        return f"{self.verb} {self.kind} {self.name}"


@dataclass(frozen=True)
class Plan:
    """What apply would do, in order."""

    actions: tuple[Action, ...]
    unknown: tuple[Unknown, ...]

    def of(self, kind: str, *verbs: Verb) -> list[Action]:
        """Return the actions of these verbs on one kind of thing."""
        return [each for each in self.actions if each.kind == kind and each.verb in verbs]


ARCHIVABLE = ("card", "dataset", "metric", "dashboard", "collection")
"""Models of collection items that can be archived by PUT archived=true; others are only reported."""


def make_plan(
    desired: Desired, instance: Instance, database: State, collection: str, *, prune: bool = False, rotate: bool = False
) -> Plan:
    """Return the actions that turn `instance` into `desired`; an empty list when they are equal.

    `rotate` writes the database connection again although it looks right: passwords cannot be compared.
    """
    actions = [*_database(instance, database, rotate), *_collection(instance, collection)]
    for card in desired.cards:
        actions += _thing("card", card.entity_id, card.address, card.state, instance.cards)
    for board in desired.dashboards:
        actions += _dashboard(board, instance.dashboards)
    if prune:
        actions += [
            Action("archive", unknown.model, unknown.name, f"{unknown.name!r} (id {unknown.id})", id=unknown.id)
            for unknown in instance.unknown
            if unknown.model in ARCHIVABLE
        ]
    return Plan(tuple(actions), instance.unknown)


def _database(instance: Instance, wanted: State, rotate: bool) -> Iterator[Action]:
    found = instance.database
    name = str(wanted["name"])
    if found is None:
        yield Action("create", "database", name, name)
        return
    changes = list(differences(found.state, wanted))
    if not instance.database_works:
        changes.append(Change("connection", "refused", "working"))
    if rotate:
        changes.append(Change("password", "unknown", "written again"))
    if changes:
        yield Action("update", "database", name, name, tuple(changes), found.id)


def _collection(instance: Instance, name: str) -> Iterator[Action]:
    found = instance.collection
    if found is None:
        yield Action("create", "collection", name, name)
    elif found.state["archived"]:
        yield Action("update", "collection", name, name, (Change("archived", True, False),), found.id)


def _thing(kind: Kind, key: str, name: str, wanted: State, found: Mapping[str, Found]) -> Iterator[Action]:
    if key not in found:
        yield Action("create", kind, key, name)
        return
    changes = tuple(differences(found[key].state, wanted))
    if changes:
        yield Action("update", kind, key, name, changes, found[key].id)


def _dashboard(board: DesiredDashboard, found: Mapping[str, Found]) -> Iterator[Action]:
    yield from _thing("dashboard", board.key, board.key, board.state, found)
    if board.key not in found or not found[board.key].raw.get("public_uuid"):
        yield Action("publish", "dashboard", board.key, board.key)


def differences(found: Any, wanted: Any, path: str = "") -> Iterator[Change]:
    """Return every difference between two states, at the deepest place that names it."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in _keys(found, wanted):
            yield from differences(found.get(key), wanted.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for index, (left, right) in enumerate(zip(found, wanted, strict=True)):
            yield from differences(left, right, f"{path}[{index}]")
    elif found != wanted:
        yield Change(path, found, wanted)


def _keys(*mappings: Mapping[str, Any]) -> Iterable[str]:
    return dict.fromkeys(key for mapping in mappings for key in mapping)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} items" if len(value) != 1 else "1 item"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 70 else text[:33] + " ... " + text[-33:]


def dashcards_to_send(
    wanted: State, raw: Mapping[str, Any] | None, card_ids: Mapping[str, int]
) -> tuple[list[State], list[State]]:
    """Return `tabs` and `dashcards` for PUT /api/dashboard/:id, which replaces both as a whole.

    Tabs keep their id by name, dashcards by card and ordinal (texts by their text), so that what did not change keeps
    its id and open pages keep working; new ones get negative ids. `card_ids` maps entity ids.
    """
    old_tabs = {tab["name"]: tab["id"] for tab in reversed((raw or {}).get("tabs") or [])}
    tabs = [{"id": old_tabs.get(name, -1 - index), "name": name} for index, name in enumerate(wanted["tabs"])]
    free: dict[tuple[Any, Any], list[int]] = {}
    for old in sorted((raw or {}).get("dashcards") or [], key=lambda each: int(each["id"])):
        text = (old.get("visualization_settings") or {}).get("text") if old.get("card_id") is None else None
        free.setdefault((old.get("card_id"), text), []).append(old["id"])
    sent = []
    for index, state in enumerate(wanted["dashcards"]):
        card_id = None if state["card"] is None else card_ids[state["card"]]
        ids = free.get((card_id, state["settings"].get("text")), [])
        mappings = [
            {"parameter_id": name, "card_id": card_id, "target": target} for name, target in state["mappings"].items()
        ]
        sent.append(
            {
                "id": ids.pop(0) if ids else -1 - index,
                "card_id": card_id,
                "dashboard_tab_id": tabs[state["tab"]]["id"] if tabs else None,
                **{key: state[key] for key in ("row", "col", "size_x", "size_y")},
                "visualization_settings": state["settings"],
                "parameter_mappings": mappings,
                "series": [],
            }
        )
    return tabs, sent
