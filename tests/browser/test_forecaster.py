"""The forecaster in a real browser, behind the front door of `make serve`: real Traefik, Streamlit and PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, WebSocket

from tests.forecaster.small_warehouse import cut

Run = Callable[..., subprocess.CompletedProcess[str]]
PAGES = ("", "/accuracy", "/budget", "/scenarios", "/anomalies", "/your-data")
CHART = ".js-plotly-plot .main-svg"
# Asked for on every page but the first: Streamlit's client looks for its server beside the page, too.
EXPECTED_404 = ("/_stcore/health", "/_stcore/host-config")


@pytest.fixture(scope="module")
def front_door(
    databases: Any, warehouse_template: dict[str, str], run_command: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the address of the app behind the front door, with a stored run in its warehouse."""
    warehouse = databases.create(warehouse_template["PGDATABASE"])
    cut(warehouse)
    run_command("-m", "forecaster", "batch", "--models", 1, "--companies", 1, env=warehouse)
    folder = tmp_path_factory.mktemp("front-door")
    environment = {**warehouse, "TOKENSCOPE_DATA_DIR": str(folder)}
    run_command("-m", "embedded", "serve", "--detach", env=environment)
    yield (folder / "run-serve.ready").read_text().strip() + "/forecaster"
    run_command("-m", "embedded", "stop", env=environment)
    shutil.rmtree(folder, ignore_errors=True)
    databases.drop(warehouse)


class Watched:
    """A page, the hosts it asked, its websockets, and what went wrong."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.hosts: set[str] = set()
        self.sockets: list[WebSocket] = []
        self.failed: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("websocket", lambda socket: self.sockets.append(socket))
        page.on("response", lambda response: self.failed.append(response.url) if response.status >= 400 else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self.note)

    def note(self, message: Any) -> None:
        if message.type == "error" and "404" not in message.text:
            self.errors.append(message.text)

    def settle(self) -> None:
        """Wait until the page has been drawn and nothing is being fitted."""
        self.page.wait_for_selector("h1")
        self.page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stProgress]')")


@pytest.fixture
def watch(chromium: Browser, front_door: str) -> Iterator[Callable[..., Watched]]:
    contexts = []
    pages: list[Watched] = []

    def start(path: str = "", **options: Any) -> Watched:
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(60_000)
        found = Watched(context.new_page())
        contexts.append(context)
        pages.append(found)
        found.page.goto(front_door + path)
        found.settle()
        return found

    yield start
    for context in contexts:
        context.close()
    for found in pages:
        assert found.errors == []
        assert [url for url in found.failed if not url.endswith(EXPECTED_404)] == []
        assert {host for host in found.hosts if host} == {urlsplit(front_door).netloc}


def test_forecast_is_drawn_through_the_websocket_behind_the_proxy(watch: Callable[..., Watched]) -> None:
    found = watch()
    found.page.wait_for_selector(CHART)
    assert found.page.inner_text("h1") == "Requests to come"
    (socket,) = found.sockets
    assert urlsplit(socket.url).path == "/forecaster/_stcore/stream"
    assert not socket.is_closed()
    assert found.failed == []


def test_choice_is_in_the_address_and_comes_back_with_it(watch: Callable[..., Watched]) -> None:
    page = watch("?metric=Cost&tz=Asia%2FTokyo").page
    page.wait_for_function("document.querySelector('h1').innerText === 'Cost to come'")
    page.get_by_text("7 days", exact=True).click()
    page.wait_for_function("location.search.includes('horizon=7+days')")
    page.reload()
    page.wait_for_function("document.querySelector('h1')?.innerText === 'Cost to come'")
    assert "Asia/Tokyo" in page.inner_text("[data-testid=stMain]")
    page.get_by_role("link", name="Anomalies").click()
    page.wait_for_function("document.querySelector('h1')?.innerText === 'Anomalies'")
    page.wait_for_function("location.search.includes('metric=Cost')")


def test_figures_and_picture_can_be_downloaded(watch: Callable[..., Watched]) -> None:
    page = watch().page
    page.wait_for_selector(CHART)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("kind,starts_at,hours,forecast,low_80") and len(lines) > 48
    page.hover(CHART)
    with page.expect_download() as download:
        page.locator(".modebar-btn[data-title^='Download plot']").first.click()
    assert download.value.suggested_filename == "forecast-requests-all.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_figures_of_the_chart_come_when_they_are_asked_for(watch: Callable[..., Watched]) -> None:
    page = watch().page
    page.wait_for_selector(CHART)
    assert page.locator("[data-testid=stDataFrame]").count() == 0
    page.get_by_text("Figures in the chart").click()
    page.wait_for_selector("[data-testid=stDataFrame]")


def test_own_file_is_uploaded_through_the_proxy_and_forecast(watch: Callable[..., Watched]) -> None:
    page = watch("/your-data").page
    rows = [f"2025-01-{6 + hour // 24:02}T{hour % 24:02}:00:00Z,{100 + hour % 24}" for hour in range(240)]
    content = ("ds,requests\n" + "\n".join(rows)).encode()
    page.set_input_files("input[type=file]", {"name": "mine.csv", "mimeType": "text/csv", "buffer": content})
    page.get_by_role("heading", name="Do the ranges hold?").wait_for()
    page.wait_for_selector(CHART)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_pages_fit_the_screen(watch: Callable[..., Watched], screenshots: Path, width: int, mode: str) -> None:
    for path in PAGES:
        page = watch(path, viewport={"width": width, "height": 900}, color_scheme=mode).page
        if path != "/your-data":
            page.wait_for_selector(CHART)
        main = page.locator("[data-testid=stMain]")
        assert main.evaluate("main => main.scrollWidth - main.clientWidth") == 0
        assert main.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
        page.screenshot(path=screenshots / f"forecaster-{path.strip('/') or 'forecast'}-{mode}-{width}.png")
