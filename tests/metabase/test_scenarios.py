"""What the provisioner does to a Metabase: the double in both profiles and, where METABASE_URL names it, a real one."""

from __future__ import annotations

import pytest

from metabase.client import MetabaseError
from metabase.provision import plan_lines
from tests.metabase.harness import Lab, board, card, define, demo, edit


def test_apply_fills_an_empty_metabase(any_lab: Lab) -> None:
    outcome = any_lab.apply(demo())
    assert outcome.applied is not None
    assert sorted(outcome.applied.uuids) == ["first", "second"]
    assert outcome.applied.warnings == []
    kinds = [(action.verb, action.kind) for action in outcome.plan.actions]
    assert kinds.count(("create", "card")) == 5
    assert kinds.count(("publish", "dashboard")) == 2


def test_second_apply_writes_nothing(any_lab: Lab) -> None:
    any_lab.apply(demo())
    outcome = any_lab.apply(demo())
    assert outcome.plan.actions == ()
    assert outcome.writes == 0


def test_plan_changes_nothing(any_lab: Lab) -> None:
    any_lab.apply(demo())
    outcome = any_lab.plan(define(other=board(card("x"), name="Other")))
    assert outcome.plan.actions
    assert outcome.writes == 0


def test_edited_card_shows_in_plan_and_is_repaired(any_lab: Lab) -> None:
    any_lab.apply(demo())
    admin = any_lab.admin()
    found = any_lab.find(admin, "card", "Total")
    edit(admin, f"/api/card/{found['id']}", {"name": "Mine", "display": "table"})
    lines = plan_lines(any_lab.plan(demo()).plan)
    assert lines == [
        "update card first/total",
        "    name: 'Mine' -> 'Total'",
        "    display: 'table' -> 'scalar'",
    ]
    assert any_lab.apply(demo()).writes == 1
    assert any_lab.plan(demo()).plan.actions == ()


def test_edited_dashboard_is_repaired_and_keeps_its_ids(any_lab: Lab) -> None:
    any_lab.apply(demo())
    admin = any_lab.admin()
    found = any_lab.find(admin, "dashboard", "First")
    before = admin.get(f"/api/dashboard/{found['id']}").json()
    kept = ("id", "card_id", "row", "col", "size_x", "size_y", "visualization_settings", "parameter_mappings")
    left = [{key: each[key] for key in kept} for each in before["dashcards"] if each["card_id"]]
    edit(admin, f"/api/dashboard/{found['id']}", {"name": "Renamed", "dashcards": left, "tabs": []})
    outcome = any_lab.apply(demo())
    assert [str(action) for action in outcome.plan.actions] == ["update dashboard first"]
    after = admin.get(f"/api/dashboard/{found['id']}").json()
    assert after["name"] == "First"
    ids = {each["card_id"]: each["id"] for each in before["dashcards"] if each["card_id"]}
    assert {each["card_id"]: each["id"] for each in after["dashcards"] if each["card_id"]} == ids
    assert after["public_uuid"] == before["public_uuid"]


def test_renamed_definition_keeps_the_card(any_lab: Lab) -> None:
    any_lab.apply(define(demo=board(card("a"), name="Demo")))
    admin = any_lab.admin()
    before = any_lab.find(admin, "card", "A")
    any_lab.apply(define(demo=board(card("a", title="Better"), name="Better demo")))
    assert any_lab.find(admin, "card", "Better")["id"] == before["id"]
    assert any_lab.plan(define(demo=board(card("a", title="Better"), name="Better demo"))).plan.actions == ()


def test_card_moved_to_another_dashboard_leaves_the_old_one_unknown(any_lab: Lab) -> None:
    any_lab.apply(define(one=board(card("a"), card("b"), name="One"), two=board(card("c"), name="Two", order=2)))
    after = define(one=board(card("a"), name="One"), two=board(card("c"), card("b"), name="Two", order=2))
    outcome = any_lab.apply(after)
    assert ("create", "two/b") in [(action.verb, action.name) for action in outcome.plan.actions]
    unknown = any_lab.plan(after).plan
    assert [(each.model, each.name) for each in unknown.unknown] == [("card", "B")]
    assert unknown.actions == ()


def test_added_filter_is_wired(any_lab: Lab) -> None:
    sql = "select 1 as n where true [[and 'free' in ({{tier}})]]"
    any_lab.apply(define(demo=board(card("a"))))
    filters = {"tier": {"name": "Tier", "type": "text", "values": ["free", "pro"]}}
    after = define(demo=board(card("a", sql=sql, tags={"tier": "text"}), filters=filters))
    assert len(any_lab.apply(after).plan.actions) == 2
    assert any_lab.plan(after).plan.actions == ()
    admin = any_lab.admin()
    raw = admin.get(f"/api/dashboard/{any_lab.find(admin, 'dashboard', 'Demo')['id']}").json()
    assert [each["id"] for each in raw["parameters"]] == ["tier"]
    assert raw["dashcards"][0]["parameter_mappings"][0]["target"][:2] == ["variable", ["template-tag", "tier"]]


def test_removed_tabs_keep_the_cards(any_lab: Lab) -> None:
    tabs = [{"name": "One", "cards": [card("a")]}, {"name": "Two", "cards": [card("b")]}]
    any_lab.apply(define(demo=board(tabs=tabs)))
    flat = define(demo=board(card("a"), card("b")))
    any_lab.apply(flat)
    admin = any_lab.admin()
    raw = admin.get(f"/api/dashboard/{any_lab.find(admin, 'dashboard', 'Demo')['id']}").json()
    assert raw["tabs"] == []
    assert len(raw["dashcards"]) == 2
    assert any_lab.plan(flat).plan.actions == ()


def test_updated_dashboard_keeps_its_tabs(any_lab: Lab) -> None:
    tabs = [{"name": "One", "cards": [card("a")]}, {"name": "Two", "cards": [card("b")]}]
    any_lab.apply(define(demo=board(tabs=tabs)))
    admin = any_lab.admin()
    path = f"/api/dashboard/{any_lab.find(admin, 'dashboard', 'Demo')['id']}"
    before = admin.get(path).json()["tabs"]
    any_lab.apply(define(demo=board(tabs=tabs, description="Another")))
    assert [tab["id"] for tab in admin.get(path).json()["tabs"]] == [tab["id"] for tab in before]


@pytest.mark.parametrize("model, name", [("card", "Total"), ("dashboard", "First")])
def test_archived_thing_comes_back(any_lab: Lab, model: str, name: str) -> None:
    any_lab.apply(demo())
    admin = any_lab.admin()
    found = any_lab.find(admin, model, name)
    edit(admin, f"/api/{model}/{found['id']}", {"archived": True})
    any_lab.apply(demo())
    assert any_lab.find(admin, model, name)["id"] == found["id"]
    assert any_lab.plan(demo()).plan.actions == ()


def test_archived_collection_comes_back(any_lab: Lab) -> None:
    any_lab.apply(demo())
    admin = any_lab.admin()
    before = any_lab.find(admin, "card", "Total")
    ours = next(each for each in admin.get("/api/collection").json() if each["name"] == any_lab.target.collection)
    edit(admin, f"/api/collection/{ours['id']}", {"archived": True})
    any_lab.apply(demo())
    assert any_lab.find(admin, "card", "Total")["id"] == before["id"]
    assert any_lab.plan(demo()).plan.actions == ()


def test_dashboard_moved_out_of_the_collection_is_fetched_back(any_lab: Lab) -> None:
    any_lab.apply(demo())
    admin = any_lab.admin()
    found = any_lab.find(admin, "dashboard", "First")
    edit(admin, f"/api/dashboard/{found['id']}", {"collection_id": None})
    any_lab.apply(demo())
    assert any_lab.find(admin, "dashboard", "First")["id"] == found["id"]


def test_unknown_things_are_reported_and_archived_only_on_demand(any_lab: Lab) -> None:
    any_lab.apply(demo())
    admin = any_lab.admin()
    total = admin.get(f"/api/card/{any_lab.find(admin, 'card', 'Total')['id']}").json()
    body = {key: total[key] for key in ("display", "dataset_query", "visualization_settings", "collection_id")}
    admin.post("/api/card", json={"name": "Theirs", **body}).raise_for_status()
    outcome = any_lab.apply(demo())
    assert outcome.writes == 0
    assert [(each.model, each.name) for each in outcome.plan.unknown] == [("card", "Theirs")]
    assert any("unknown card 'Theirs'" in line for line in plan_lines(outcome.plan))
    assert any_lab.apply(demo(), prune=True).writes == 1
    assert any_lab.plan(demo()).plan.unknown == ()


def test_somebodys_dashboard_of_the_same_name_stops_everything(any_lab: Lab) -> None:
    any_lab.apply(define(demo=board(card("a"), name="Mine")))
    admin = any_lab.admin()
    a = any_lab.find(admin, "card", "A")
    collection = admin.get(f"/api/card/{a['id']}").json()["collection_id"]
    theirs = admin.post("/api/dashboard", json={"name": "Wanted", "collection_id": collection}).json()["id"]
    place = {"id": -1, "card_id": a["id"], "row": 0, "col": 0, "size_x": 4, "size_y": 4}
    place |= {"visualization_settings": {}, "parameter_mappings": []}
    edit(admin, f"/api/dashboard/{theirs}", {"dashcards": [place], "tabs": []})
    both = define(demo=board(card("a"), name="Mine"), other=board(card("b"), name="Wanted", order=2))
    with pytest.raises(MetabaseError, match=r"found: dashboard 'Wanted' .* rename it or move it"):
        any_lab.apply(both)
    edit(admin, f"/api/dashboard/{theirs}", {"name": "Theirs"})
    any_lab.apply(both)
    assert any_lab.plan(both).plan.actions == ()


def test_broken_sql_changes_nothing_and_is_found_again(any_lab: Lab) -> None:
    any_lab.apply(define(demo=board(card("a"))))
    broken = define(
        demo=board(
            card("a", sql="select n from broken_relation"),
            card("b", sql="select 2 as broken_relation_2 from broken_relation"),
        )
    )
    for _ in range(2):
        with pytest.raises(MetabaseError, match=r"card demo/a: expected rows.*card demo/b: expected rows") as caught:
            any_lab.apply(broken)
        assert "nothing was changed" in str(caught.value)
    assert any_lab.plan(define(demo=board(card("a")))).plan.actions == ()


def test_public_answers_show_no_sql(any_lab: Lab) -> None:
    outcome = any_lab.apply(demo())
    assert outcome.applied is not None
    admin = any_lab.admin()
    del admin.headers["X-Metabase-Session"]
    answer = admin.get(f"/api/public/dashboard/{outcome.applied.uuids['first']}")
    assert answer.status_code == 200
    assert "select" not in answer.text.lower()
