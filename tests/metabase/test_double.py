"""The double refuses what Metabase refuses and what the contract does not list: one that accepts all proves nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.metabase.double.server import Double
from tests.metabase.harness import WAREHOUSE, Lab, demo, double_target

CARD: dict[str, Any] = {"name": "A", "display": "table", "visualization_settings": {}}


@pytest.fixture(params=["v58", "v64", "v65"])
def double(request: pytest.FixtureRequest) -> Iterator[Double]:
    server = Double(profile=request.param).start()
    yield server
    server.stop()


@pytest.fixture
def http(double: Double) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=double.url, trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def admin(double: Double, http: httpx.Client) -> httpx.Client:
    Lab(double_target(double.url), double).apply(demo())
    body = {"username": "admin@example.com", "password": "correct-horse-1"}
    http.headers["X-Metabase-Session"] = http.post("/api/session", json=body).json()["id"]
    return http


def query(double: Double, sql: str = "select 1", tags: dict[str, Any] | None = None) -> dict[str, Any]:
    database = next(iter(double.state.databases.values()))["id"]
    return {"type": "native", "database": database, "native": {"query": sql, "template-tags": tags or {}}}


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("GET", "/api/nothing", None),
        ("GET", "/api/card?f=mine", None),
        ("GET", "/api/card?unknown=1", None),
        ("DELETE", "/api/card/1", None),
        ("POST", "/api/card", {**CARD, "dataset_query": {}}),
        ("POST", "/api/card", {**CARD, "dataset_query": None}),
        ("POST", "/api/card", {**CARD, "displya": "table"}),
        ("POST", "/api/dashboard", {"name": " "}),
        ("POST", "/api/dashboard", {"name": "X", "dashcards": []}),
        ("POST", "/api/collection", {"name": "X", "color": "red"}),
        ("POST", "/api/database", {"name": "X", "engine": "postgres", "details": {**WAREHOUSE, "port": "5432"}}),
        ("GET", "/api/collection", {"body": "in a GET"}),
    ],
)
def test_request_outside_the_contract_is_a_violation(
    double: Double, admin: httpx.Client, method: str, path: str, body: Any
) -> None:
    response = admin.request(method, path, json=body)
    assert response.status_code in (400, 404)
    assert len(double.violations) == 1


def test_no_session_is_401(double: Double, admin: httpx.Client) -> None:
    del admin.headers["X-Metabase-Session"]
    assert admin.get("/api/card").status_code == 401
    assert admin.post("/api/card", json=CARD).status_code == 401


def test_second_setup_is_403(double: Double, admin: httpx.Client) -> None:
    user = {"email": "x@example.com", "password": "another1"}
    body = {"token": double.config.setup_token, "user": user, "prefs": {"site_name": "X"}}
    assert admin.post("/api/setup", json=body).status_code == 403


def test_tags_read_back_as_the_profile_says(double: Double, admin: httpx.Client) -> None:
    cards = admin.get("/api/card", params={"f": "all"}).json()
    tags = next(each for each in cards if each["name"] == "By-Day")["dataset_query"]["stages"][0]["template-tags"]
    assert isinstance(tags, list) == (double.profile != "v58")


def test_tags_that_are_not_the_sqls_are_refused(double: Double, admin: httpx.Client) -> None:
    body = {**CARD, "dataset_query": query(double, "select {{a}}")}
    assert admin.post("/api/card", json=body).status_code == 400


def test_flat_query_reads_back_in_stages(double: Double, admin: httpx.Client) -> None:
    made = admin.post("/api/card", json={**CARD, "dataset_query": query(double)}).json()
    assert made["dataset_query"]["stages"][0]["native"] == "select 1"


def test_taken_entity_id_is_refused(double: Double, admin: httpx.Client) -> None:
    body = {**CARD, "dataset_query": query(double), "entity_id": "x" * 21}
    assert admin.post("/api/card", json=body).status_code == 200
    assert admin.post("/api/card", json=body).status_code == 400


def test_dashcards_without_tabs_delete_every_tab(double: Double, admin: httpx.Client) -> None:
    row = next(each for each in double.state.dashboards.values() if each["tabs"])
    kept = ("id", "card_id", "row", "col", "size_x", "size_y", "visualization_settings", "parameter_mappings")
    places = [{key: each[key] for key in kept} for each in row["dashcards"]][:1]
    assert admin.put(f"/api/dashboard/{row['id']}", json={"dashcards": places}).json()["tabs"] == []


@pytest.mark.parametrize("change", [{"col": 20}, {"row": 0, "col": 0}, {"card_id": 999_999}])
def test_dashcards_that_cannot_be_are_refused(double: Double, admin: httpx.Client, change: dict[str, int]) -> None:
    row = next(each for each in double.state.dashboards.values() if not each["tabs"])
    kept = ("id", "card_id", "row", "col", "size_x", "size_y", "visualization_settings", "parameter_mappings")
    places = [{key: each[key] for key in kept} for each in row["dashcards"]]
    last = next(each for each in reversed(places) if each["card_id"])
    last |= change
    assert admin.put(f"/api/dashboard/{row['id']}", json={"dashcards": places}).status_code == 400


def test_passwords_are_masked_and_unhealthy_connections_told(double: Double, admin: httpx.Client) -> None:
    listed = admin.get("/api/database").json()["data"][0]
    assert listed["details"]["password"] == "**MetabasePass**"
    double.warehouse.password = "changed"  # type: ignore[attr-defined]
    assert admin.get(f"/api/database/{listed['id']}/healthcheck").json()["status"] == "error"


def test_public_link_is_idempotent_until_it_is_removed(double: Double, admin: httpx.Client) -> None:
    path = f"/api/dashboard/{next(iter(double.state.dashboards))}/public_link"
    first = admin.post(path).json()["uuid"]
    assert admin.post(path).json()["uuid"] == first
    assert admin.delete(path).status_code == 204
    assert admin.delete(path).status_code == 404
    assert admin.post(path).json()["uuid"] != first


def test_dashcards_come_back_in_no_particular_order(double: Double, admin: httpx.Client) -> None:
    row = max(double.state.dashboards.values(), key=lambda each: len(each["dashcards"]))
    seen = {tuple(c["id"] for c in admin.get(f"/api/dashboard/{row['id']}").json()["dashcards"]) for _ in range(12)}
    assert len(seen) > 1


def test_public_page_brings_its_own_policy_and_cookie(double: Double, admin: httpx.Client) -> None:
    uuid = next(iter(double.state.dashboards.values()))["public_uuid"]
    admin.cookies.clear()
    page = admin.get(f"/public/dashboard/{uuid}")
    assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in page.headers
    assert page.headers["Set-Cookie"].startswith("metabase.DEVICE=")
    for path in re.findall(r'(?:src|href)="(app/[^"]+)"', page.text):
        assert admin.get(f"/{path}").status_code == 200
    assert admin.get("/admin").headers["X-Frame-Options"] == "DENY"
    assert admin.get("/app/dist/none.js").status_code == 404


def test_public_rows_take_filter_values(double: Double, admin: httpx.Client) -> None:
    row = next(each for each in double.state.dashboards.values() if each["parameters"])
    place = next(each for each in row["dashcards"] if each["parameter_mappings"])
    path = f"/api/public/dashboard/{row['public_uuid']}/dashcard/{place['id']}/card/{place['card_id']}"
    answer = admin.get(
        path, params={"parameters": '[{"id": "days", "value": ["30"]}, {"id": "tier", "value": ["pro"]}]'}
    )
    assert answer.status_code == 202
    assert double.warehouse.ran[-1].endswith("where 7 <= 30 and 'free' in ('pro')")  # type: ignore[attr-defined]
    values = admin.get(f"/api/public/dashboard/{row['public_uuid']}/params/tier/values").json()
    assert values == {"values": [["free"], ["pro"]], "has_more_values": False}


def test_own_answers_are_checked(double: Double, admin: httpx.Client) -> None:
    next(iter(double.state.cards.values()))["creator_id"] = None
    admin.get("/api/card", params={"f": "all"})
    assert any("the double's answer 200" in each for each in double.violations)


def test_double_runs_on_its_own_and_remembers(tmp_path: Path, repo_root: Path) -> None:
    state = tmp_path / "state.json"
    command = [sys.executable, "-m", "tests.metabase.double", "--port", "0", "--profile", "v64", "--state", str(state)]
    for remembered in (False, True):
        with subprocess.Popen(command, cwd=repo_root, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            url = process.stderr.readline().split()[-1]
            with httpx.Client(base_url=url, trust_env=False, verify=False) as http:
                properties = http.get("/api/session/properties").json()
                assert properties["has-user-setup"] is remembered
                if not remembered:
                    user = {"email": "x@example.com", "password": "another1"}
                    body = {"token": properties["setup-token"], "user": user, "prefs": {"site_name": "X"}}
                    assert http.post("/api/setup", json=body).status_code == 200
            process.terminate()
            assert process.wait(20) == 0
