"""The comparison: equal whatever the version says it like, and different where a person changed something."""

from __future__ import annotations

import copy
from typing import Any

from metabase import normalise
from metabase.desired import Desired, desired_state, entity_id, marker, native_query
from metabase.normalise import Places
from metabase.plan import Change, Found, Instance, Unknown, dashcards_to_send, differences, make_plan
from tests.metabase.harness import THEME, board, card, define, demo

PLACES = Places(7, 5)
DATABASE = {"name": "db", "engine": "postgres", "details": {}}


def compiled(**boards: Any) -> Desired:
    return desired_state(define(**boards) if boards else demo(), THEME, "test")


def answered_card(desired: Desired, address: str, *, as_list: bool, flat: bool = False) -> dict[str, Any]:
    wanted = next(each for each in desired.cards if each.address == address)
    query = native_query(wanted.state, wanted.entity_id, 7)
    stage = query["stages"][0]
    if as_list:
        stage["template-tags"] = list(reversed(list(stage["template-tags"].values())))
    if flat:
        native = {"query": stage["native"] + "\n", "template-tags": stage["template-tags"]}
        query = {"type": "native", "database": 7, "native": native}
    return {
        "id": 11,
        "name": wanted.state["name"],
        "description": wanted.state["description"],
        "type": "question",
        "display": wanted.state["display"],
        "dataset_query": query,
        "visualization_settings": {**wanted.state["settings"], "graph.y_axis.min": None},
        "database_id": 7,
        "collection_id": 5,
        "archived": False,
        "result_metadata": [{}],
    }


def test_card_reads_back_equal_in_every_form() -> None:
    desired = compiled()
    wanted = next(each.state for each in desired.cards if each.address == "first/by-day")
    for as_list in (False, True):
        for flat in (False, True):
            raw = answered_card(desired, "first/by-day", as_list=as_list, flat=flat)
            assert normalise.card_state(raw, PLACES) == wanted


def test_card_made_in_the_query_builder_differs_by_its_sql() -> None:
    raw = answered_card(compiled(), "first/total", as_list=False)
    raw["dataset_query"] = {"type": "query", "database": 7, "query": {"source-table": 3}}
    assert normalise.card_state(raw, PLACES)["sql"] is None


def test_empty_instance_gives_everything_in_order() -> None:
    plan = make_plan(compiled(), Instance(), DATABASE, "Ours")
    kinds = [action.kind for action in plan.actions]
    assert kinds[:2] == ["database", "collection"]
    assert kinds.index("dashboard") > max(index for index, kind in enumerate(kinds) if kind == "card")
    assert sum(action.verb == "publish" for action in plan.actions) == 2


def test_equal_instance_gives_no_action() -> None:
    desired = compiled()
    instance = Instance(
        database=Found(7, DATABASE, {}),
        collection=Found(5, {"name": "Ours", "archived": False}, {}),
        cards={each.entity_id: Found(number, each.state, {}) for number, each in enumerate(desired.cards)},
        dashboards={each.key: Found(9, each.state, {"public_uuid": "u"}) for each in desired.dashboards},
        unknown=(Unknown("card", 3, "Theirs"), Unknown("pulse", 4, "Mail")),
    )
    assert make_plan(desired, instance, DATABASE, "Ours").actions == ()
    pruned = make_plan(desired, instance, DATABASE, "Ours", prune=True).actions
    assert [(each.verb, each.kind, each.id) for each in pruned] == [("archive", "card", 3)]
    rotated = make_plan(desired, instance, DATABASE, "Ours", rotate=True).actions
    assert [(each.verb, each.kind) for each in rotated] == [("update", "database")]


def test_differences_name_the_deepest_place() -> None:
    left = {"a": {"b": [1, {"c": 2}]}, "same": 1, "gone": 1}
    right = {"a": {"b": [1, {"c": 3}]}, "same": 1, "new": 2}
    assert list(differences(left, right)) == [
        Change("a.b[1].c", 2, 3),
        Change("gone", 1, None),
        Change("new", None, 2),
    ]
    assert str(Change("cards", [1], [1, 2])) == "cards: 1 item -> 2 items"


def test_entity_ids_are_stable_unique_and_21_characters() -> None:
    assert entity_id("tokenscope", "demo/a") == entity_id("tokenscope", "demo/a")
    found = {entity_id(space, f"demo/{key}") for space in ("x", "y") for key in "abc"}
    assert len(found) == 6
    assert {len(each) for each in found} == {21}
    assert marker("x", "demo") == "managed-key: x/demo"


def test_dashcards_keep_ids_by_card_and_ordinal_and_texts_by_content() -> None:
    desired = compiled(demo=board({"heading": "Top"}, card("a"), card("b")))
    state = desired.dashboards[0].state
    ids = {each.entity_id: number for number, each in enumerate(desired.cards, start=20)}
    raw = {
        "tabs": [],
        "dashcards": [
            {"id": 3, "card_id": 21, "visualization_settings": {}},
            {"id": 1, "card_id": None, "visualization_settings": {"text": "Top"}},
            {"id": 2, "card_id": 99, "visualization_settings": {}},
        ],
    }
    tabs, sent = dashcards_to_send(state, raw, ids)
    assert tabs == []
    assert [(each["id"], each["card_id"]) for each in sent] == [(1, None), (-2, 20), (3, 21)]


def test_tabs_keep_ids_by_name() -> None:
    tabs = [{"name": "One", "cards": [card("a")]}, {"name": "Two", "cards": [card("b")]}]
    desired = compiled(demo=board(tabs=tabs))
    ids = {each.entity_id: number for number, each in enumerate(desired.cards, start=20)}
    found, sent = dashcards_to_send(desired.dashboards[0].state, {"tabs": [{"id": 4, "name": "Two"}]}, ids)
    assert [(tab["id"], tab["name"]) for tab in found] == [(-1, "One"), (4, "Two")]
    assert [each["dashboard_tab_id"] for each in sent] == [-1, 4]


def test_server_only_members_are_no_difference() -> None:
    desired = compiled(demo=board({"heading": "Top"}, card("a")))
    state = desired.dashboards[0].state
    ids = {each.entity_id: number for number, each in enumerate(desired.cards, start=20)}
    _, dashcards = dashcards_to_send(state, None, ids)
    raw: dict[str, Any] = {key: state[key] for key in ("name", "description", "width", "parameters")}
    raw |= {"points_of_interest": state["marker"], "collection_id": 5, "archived": False, "tabs": None}
    raw |= {"dashcards": [{**each, "entity_id": "x", "created_at": "now"} for each in reversed(dashcards)]}
    entity_ids = {number: entity for entity, number in ids.items()}
    assert normalise.dashboard_state(raw, PLACES, entity_ids) == state
    moved = copy.deepcopy(raw)
    moved["dashcards"][0]["col"] = 9
    assert normalise.dashboard_state(moved, PLACES, entity_ids) != state
