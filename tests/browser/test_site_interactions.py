"""What a visitor can do on the site: by mouse, by keyboard, by address, and when something is missing."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from embedded.proxy import free_port
from tests.browser.visits import METABASE_UUID, Visit, build_site, proxied, serving

Start = Callable[..., Visit]


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


# Everywhere


def test_theme_follows_the_system_until_it_is_chosen_and_is_remembered(visit: Start) -> None:
    page = visit(color_scheme="light").open("/")
    light = background(page)
    page.get_by_role("button", name="Use the dark theme").click()
    dark = background(page)
    assert dark != light
    page.goto(page.url + "pipeline/", wait_until="networkidle")
    assert background(page) == dark
    page.get_by_role("button", name="Use the light theme").click()
    assert background(page) == light
    page.emulate_media(color_scheme="dark")
    assert background(page) == dark  # the choice was the system's own, so it follows the system again


def test_menu_of_a_phone_opens_and_leads_on(visit: Start) -> None:
    page = visit(viewport={"width": 390, "height": 844}).open("/")
    expect(page.get_by_role("navigation", name="Main, compact")).to_be_hidden()
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("navigation", name="Main, compact").get_by_role("link", name="Quality").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Every rule, and how it went")


def test_keyboard_skips_to_the_content_and_sees_its_focus(visit: Start) -> None:
    page = visit().open("/pipeline/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    assert outline != "none" or page.evaluate("document.activeElement.closest('.node') !== null")


def test_reduced_motion_stops_every_transition(visit: Start) -> None:
    page = visit(reduced_motion="reduce").open("/pipeline/")
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s').length"
    )
    assert moving == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_copy_button_copies_the_commands(visit: Start) -> None:
    seen = visit(permissions=["clipboard-read", "clipboard-write"])
    page = seen.open("/")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").endswith("make demo")


# Pipeline


def test_lineage_lights_up_ancestors_and_descendants_on_hover(visit: Start) -> None:
    page = visit().open("/pipeline/")
    fact = page.locator(".node[data-name=fct_api_requests]")
    fact.scroll_into_view_if_needed()
    fact.hover()
    lit = set(page.eval_on_selector_all(".node.lit", "nodes => nodes.map((node) => node.dataset.name)"))
    assert {"fct_api_requests", "stg_api_requests", "api_requests", "dim_models", "usage_daily"} <= lit
    assert "dim_billing_tiers" not in lit
    assert page.locator(".edge.lit").count() > 5
    detail = page.locator("[data-detail]")
    expect(detail.locator("h3")).to_have_text("fct_api_requests")
    expect(detail).to_contain_text(re.compile(r"\d+ of \d+ tests passed"))
    page.mouse.move(5, 5)
    expect(page.locator(".node.lit")).to_have_count(0)


def test_lineage_is_usable_by_keyboard_and_links_to_the_docs(visit: Start) -> None:
    page = visit().open("/pipeline/")
    node = page.locator(".node[data-name=dim_users]")
    node.focus()
    expect(page.locator("[data-detail] h3")).to_have_text("dim_users")
    assert node.get_attribute("href") == "/docs/#!/model/model.tokenscope.dim_users"
    page.keyboard.press("Escape")
    expect(page.locator(".node.lit")).to_have_count(0)


def test_click_on_a_model_opens_its_documentation(visit: Start) -> None:
    page = visit().open("/pipeline/")
    # The docs are another service behind the proxy; here only where the browser goes is looked at.
    page.route("**/docs/", lambda route: route.fulfill(body="<title>docs</title>", content_type="text/html"))
    page.locator(".node[data-name=dim_users]").click()
    page.wait_for_url("**/docs/#!/model/model.tokenscope.dim_users")


# Quality


def test_tests_are_filtered_and_the_address_keeps_the_choice(visit: Start) -> None:
    seen = visit()
    page = seen.open("/quality/")
    total = page.locator("[data-tests] tbody tr").count()
    page.get_by_label("Kind").select_option("relationships")
    shown = page.locator("[data-tests] tbody tr:visible").count()
    assert 0 < shown < total
    expect(page.locator("[data-test-count]")).to_have_text(f"{shown} of {total} tests")
    page.get_by_label("Search").fill("dim_models")
    assert page.locator("[data-tests] tbody tr:visible").count() < shown
    assert query(page) == {"kind": ["relationships"], "q": ["dim_models"]}
    again = visit().open(f"/quality/?{urlsplit(page.url).query}")
    assert (
        again.locator("[data-tests] tbody tr:visible").count() == page.locator("[data-tests] tbody tr:visible").count()
    )
    page.get_by_label("Search").fill("nothing matches this")
    expect(page.locator("[data-test-none]")).to_be_visible()


# Simulator


def test_presets_change_the_architecture(visit: Start) -> None:
    page = visit().open("/simulator/")
    page.get_by_role("button", name="Startup").click()
    expect(page.locator("[data-diagram]")).to_contain_text("PostgreSQL")
    expect(page.locator("[data-diagram]")).to_contain_text("cron")
    page.get_by_role("button", name="Enterprise").click()
    for part in ("Kafka", "Kubernetes", "ClickHouse"):
        expect(page.locator("[data-diagram]")).to_contain_text(part)
    assert query(page)["e"] == ["2000000000"]


def test_slider_moves_by_keyboard_and_changes_outcome_and_address(visit: Start) -> None:
    page = visit().open("/simulator/")
    page.get_by_role("button", name="Startup").click()
    before = page.locator("[data-outcomes]").inner_text()
    slider = page.get_by_label("Events per day")
    slider.focus()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    assert page.locator("[data-outcomes]").inner_text() != before
    assert int(query(page)["e"][0]) > 1_000_000
    assert slider.get_attribute("aria-valuetext") == page.locator("output[for=input-eventsPerDay]").inner_text()
    expect(page.locator("[data-reasons]")).to_contain_text("Reading a month")


def test_configuration_survives_in_the_address(visit: Start) -> None:
    page = visit().open("/simulator/?e=2000000000&x=100&s=80&f=5&a=0.9995&t=50")
    expect(page.get_by_role("button", name="Enterprise")).to_have_attribute("aria-pressed", "true")
    page = visit().open("/simulator/?e=nonsense&f=-1")
    expect(page.locator("output[for=input-freshnessS]")).to_have_text("1 s")


def test_two_configurations_are_compared_and_shared(visit: Start) -> None:
    seen = visit()
    page = seen.open("/simulator/")
    page.get_by_role("button", name="Startup").click()
    page.get_by_role("button", name="Compare two").click()
    expect(page.get_by_role("button", name="Edit B")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Enterprise").click()
    table = page.locator("[data-comparison] table")
    expect(table).to_contain_text("cron and SQL")
    expect(table).to_contain_text("Kafka and consumers")
    expect(page.locator("[data-diagram] .part.new").first).to_be_visible()
    shared = visit().open(f"/simulator/?{urlsplit(page.url).query}")
    expect(shared.locator("[data-comparison] table")).to_contain_text("Kafka and consumers")
    page.get_by_role("button", name="Compare two").click()
    expect(page.locator("[data-comparison-section]")).to_be_hidden()
    assert "e2" not in query(page)


# Dashboards


def test_filter_redraws_its_cards_and_stands_in_the_address(visit: Start) -> None:
    page = visit().open("/dashboards/model-performance/")
    cards = page.locator("[data-card] [data-body]")
    before = cards.all_inner_texts()
    provider = page.get_by_label("Provider")
    choice = provider.locator("option").nth(1).inner_text().strip()
    provider.select_option(label=choice)
    page.wait_for_function(
        "(text) => document.querySelector('[data-card] [data-body]').innerText !== text", arg=before[0]
    )
    after = cards.all_inner_texts()
    assert sum(a != b for a, b in zip(after, before, strict=True)) > len(before) / 2
    assert query(page)["provider"] == [choice]
    again = visit().open(f"/dashboards/model-performance/?{urlsplit(page.url).query}")
    again.wait_for_function(
        "(text) => document.querySelector('[data-card] [data-body]').innerText === text", arg=after[0]
    )
    provider.select_option(index=0)
    page.wait_for_function(
        "(text) => document.querySelector('[data-card] [data-body]').innerText === text", arg=before[0]
    )


def test_filter_says_when_its_numbers_cannot_be_fetched(visit: Start) -> None:
    seen = visit()
    page = seen.open("/dashboards/model-performance/")
    page.route("**/dashboards/data/**", lambda route: route.abort())
    page.get_by_label("Provider").select_option(index=1)
    expect(page.locator("[data-filter-state]")).to_contain_text("could not be fetched")
    assert len(seen.complaints) == 1 and "ERR_FAILED" in seen.complaints[0]
    seen.complaints.clear()
    page.unroute("**/dashboards/data/**")
    page.get_by_label("Provider").select_option(index=2)
    expect(page.locator("[data-filter-state]")).to_have_text("")


def test_tabs_are_walked_by_keyboard_and_stand_in_the_address(visit: Start) -> None:
    page = visit().open("/dashboards/usage-explorer/")
    tabs = page.get_by_role("tab")
    assert tabs.count() >= 2
    expect(page.get_by_role("tabpanel")).to_have_count(1)
    tabs.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_be_focused()
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    name = tabs.nth(1).inner_text().strip()
    assert query(page)["tab"] == [name]
    again = visit().open(f"/dashboards/usage-explorer/?tab={name.replace(' ', '%20')}")
    expect(again.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def test_chart_tells_its_numbers_under_the_pointer_and_in_a_table(visit: Start) -> None:
    page = visit().open("/dashboards/model-performance/")
    plot = page.locator(".plot[data-count]").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.99, box["y"] + 60)
    tip = page.locator(".tip")
    expect(tip).to_be_visible()
    told = (tip.locator("strong").inner_text(), tip.locator("dd").first.inner_text())
    card = page.locator("[data-card]").filter(has=plot).first
    card.get_by_text("Numbers").click()
    last = card.locator(".chart-data tbody tr").last
    assert told == (last.locator("th").inner_text(), last.locator("td").first.inner_text())


# Metabase, where the provisioner has written links


@pytest.fixture(scope="module")
def live_site(
    repo_root: Path, site_data: Path, live_links: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """Return the address of a site with live links, and the port where its Metabase would answer."""
    folder = build_site(repo_root, site_data, tmp_path_factory.mktemp("live") / "dist", live_links)
    port = free_port("127.0.0.1")
    routes = tmp_path_factory.mktemp("traefik-live")
    with (
        serving(folder) as backend,
        proxied(routes, SITE_URL=backend, METABASE_URL=f"http://127.0.0.1:{port}") as address,
    ):
        yield address, port


class PublicDashboard(http.server.BaseHTTPRequestHandler):
    """What a browser sees of a public dashboard: one page. It stands in for Metabase, which has no package to run."""

    def do_GET(self) -> None:
        found = self.path == f"/public/dashboard/{METABASE_UUID}"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if self.command == "GET" and found:
            self.wfile.write(b"<!doctype html><title>Live</title><p id='live'>Live numbers</p>")

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_drawn_cards_stay_and_say_why_when_metabase_is_down(visit: Start, live_site: tuple[str, int]) -> None:
    seen = visit(live_site[0])
    page = seen.open("/dashboards/executive-summary/")
    expect(page.locator("[data-live-state]")).to_contain_text("drawn when the site was built")
    expect(page.locator("[data-live-state]")).to_contain_text("Metabase answered 502")
    expect(page.locator("[data-card]").first).to_be_visible()
    expect(page.locator("iframe")).to_have_count(0)
    assert len(seen.complaints) == 1 and "502" in seen.complaints[0]
    seen.complaints.clear()


def test_metabase_is_shown_where_it_answers_and_can_be_left(visit: Start, live_site: tuple[str, int]) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", live_site[1]), PublicDashboard)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        page = visit(live_site[0]).open("/dashboards/executive-summary/")
        expect(page.locator("[data-live-state]")).to_have_text("Live from Metabase.")
        expect(page.frame_locator("iframe").locator("#live")).to_have_text("Live numbers")
        expect(page.locator("[data-card]").first).to_be_hidden()
        page.get_by_role("button", name="Show the drawn cards").click()
        expect(page.locator("[data-card]").first).to_be_visible()
        expect(page.locator("iframe")).to_be_hidden()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
