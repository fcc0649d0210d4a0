"""Every page of the site, in both themes and at every width: whole, accessible, light, and silent."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.visits import Visit

WIDTHS = (390, 768, 1440, 2560)
MAX_BYTES = 200_000
DASHBOARDS = (
    "executive-summary",
    "model-performance",
    "customer-analytics",
    "reliability-and-safety",
    "usage-explorer",
    "data-quality",
)
PAGES = (
    "/",
    "/pipeline/",
    "/quality/",
    "/simulator/",
    "/case-studies/scalable-analytics/",
    "/dashboards/",
    *(f"/dashboards/{key}/" for key in DASHBOARDS),
)
Start = Callable[..., Visit]


def name_of(path: str) -> str:
    return path.strip("/").replace("/", "-") or "home"


def overflow(visit: Visit) -> int:
    return int(visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def violations(visit: Visit, axe: str) -> list[str]:
    visit.page.evaluate(axe)
    result = visit.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{v['id']}: {node['target']} {node['failureSummary']}" for v in result["violations"] for node in v["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_page_is_accessible_and_kept_as_a_picture(
    visit: Start, axe: str, screenshots: Path, path: str, theme: str
) -> None:
    for width in (1440, 390):
        seen = visit(viewport={"width": width, "height": 900}, color_scheme=theme)
        page = seen.open(path)
        page.screenshot(path=screenshots / f"{name_of(path)}-{width}-{theme}.png", full_page=True)
        assert violations(seen, axe) == []


@pytest.mark.parametrize("path", PAGES)
def test_page_says_what_it_is(visit: Start, site_address: str, path: str) -> None:
    page = visit().open(path)
    assert "Tokenscope" in page.title()
    assert page.locator("h1").count() == 1
    description = page.locator("meta[name=description]").get_attribute("content") or ""
    assert 50 <= len(description) <= 240
    assert urlsplit(page.locator("link[rel=canonical]").get_attribute("href") or "").path == path
    picture = urlsplit(page.locator("meta[property='og:image']").get_attribute("content") or "").path
    assert page.request.get(site_address + picture).headers["content-type"] == "image/png"


@pytest.mark.parametrize("path", PAGES)
def test_page_never_scrolls_sideways(visit: Start, path: str) -> None:
    seen = visit()
    for width in WIDTHS:
        seen.page.set_viewport_size({"width": width, "height": 900})
        seen.open(path)
        assert overflow(seen) <= 0, f"{path} at {width} px"


@pytest.mark.parametrize("path", PAGES)
def test_first_load_weighs_at_most_200_kb(visit: Start, path: str) -> None:
    seen = visit()
    client = seen.page.context.new_cdp_session(seen.page)
    client.send("Network.enable")
    sizes: list[float] = []
    client.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    seen.open(path)
    assert len(sizes) >= 4
    assert sum(sizes) <= MAX_BYTES, f"{path} loads {sum(sizes):,.0f} bytes"


@pytest.mark.parametrize("path", PAGES)
def test_page_reads_without_scripts(visit: Start, path: str) -> None:
    page = visit(java_script_enabled=False).open(path)
    assert page.locator("h1").is_visible()
    assert page.locator("main").inner_text().count("\n") > 5


@pytest.mark.parametrize("path", PAGES)
def test_links_of_the_page_lead_somewhere(visit: Start, site_address: str, path: str) -> None:
    page = visit().open(path)
    hrefs = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.getAttribute('href'))")
    elsewhere = ("/forecaster/", "/docs/")  # other services behind the same proxy, tested with them
    for href in sorted({href.split("#")[0] for href in hrefs} - {""}):
        if href.startswith(elsewhere):
            continue
        assert page.request.get(site_address + href).status == 200, href
    for anchor in {href for href in hrefs if href.startswith("#")}:
        assert page.locator(f"[id='{anchor[1:]}']").count() == 1, anchor


def test_sitemap_names_every_page(visit: Start, site_address: str) -> None:
    request = visit().open("/").request
    robots = request.get(f"{site_address}/robots.txt").text()
    assert "sitemap-index.xml" in robots
    index = ElementTree.fromstring(request.get(f"{site_address}/sitemap-index.xml").text())
    parts = [urlsplit(node.text or "").path for node in index.iter() if node.tag.endswith("loc")]
    found: set[str] = set()
    for part in parts:
        tree = ElementTree.fromstring(request.get(site_address + part).text())
        found |= {urlsplit(node.text or "").path for node in tree.iter() if node.tag.endswith("loc")}
    assert found == set(PAGES)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_unknown_address_gets_the_designed_404(visit: Start, axe: str, screenshots: Path, theme: str) -> None:
    for width in (1440, 390):
        seen = visit(viewport={"width": width, "height": 900}, color_scheme=theme)
        response = seen.page.goto(f"{seen.base}/no/such/page", wait_until="networkidle")
        assert response is not None and response.status == 404
        assert "Nothing was logged" in seen.page.locator("h1").inner_text()
        seen.page.screenshot(path=screenshots / f"404-{width}-{theme}.png")
        assert overflow(seen) <= 0
        assert violations(seen, axe) == []
        assert len(seen.complaints) == 1 and "404" in seen.complaints[0]  # the browser's own note of the status
        seen.complaints.clear()


@pytest.mark.parametrize("path", ["/favicon.ico", "/favicon.svg", "/year.png"])
def test_icon_is_served(visit: Start, site_address: str, path: str) -> None:
    response = visit().open("/").request.get(site_address + path)
    assert response.status == 200
    assert response.headers["content-type"].startswith("image/")


def test_numbers_on_the_home_page_are_those_of_the_export(visit: Start, site_data: Path) -> None:
    facts = json.loads((site_data / "site.json").read_text())
    text = visit().open("/").locator("main").inner_text()
    assert f"{facts['headline']['requests']:,}" in text
    assert f"{facts['run']['tests_passed']} of {facts['run']['tests_total']}" in text
