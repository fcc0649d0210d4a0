"""A real browser against the built site behind the real Traefik.

The site is built from a warehouse of 20,000 requests into a folder of this test run; `frontend/dist` is not touched.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser.visits import METABASE_UUID, Visit, build_site, proxied, serving

Environment = dict[str, str]
# As root Chromium has no sandbox; without the others it talks to its maker's hosts at every start.
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def site_data(
    warehouse_template: Environment,
    dataset_20k: Path,
    private_data_directory: Path,
    run_command: Callable[..., subprocess.CompletedProcess[str]],
) -> Path:
    """Return the folder of exported data, dashboards included."""
    folder = private_data_directory / "site"
    options = ("--out", folder, "--target", private_data_directory / "dbt_target", "--generated", dataset_20k)
    run_command("-m", "frontend.export", *options, env=warehouse_template)
    run_command("-m", "metabase", "export", "--out", folder / "dashboards", env=warehouse_template)
    return folder


@pytest.fixture(scope="session")
def built_site(repo_root: Path, site_data: Path, private_data_directory: Path) -> Path:
    """Return the folder of the site built without Metabase."""
    return build_site(repo_root, site_data, private_data_directory / "dist", private_data_directory / "no-links.json")


@pytest.fixture(scope="session")
def site_address(built_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the site behind Traefik."""
    with serving(built_site) as backend, proxied(tmp_path_factory.mktemp("traefik"), SITE_URL=backend) as address:
        yield address


@pytest.fixture(scope="session")
def live_links(site_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a links.json as the provisioner writes it, for the first dashboard."""
    first = json.loads((site_data / "dashboards" / "dashboards.json").read_text())["dashboards"][0]
    link = {"key": first["key"], "name": first["name"], "uuid": METABASE_UUID, "rows": 20}
    path = tmp_path_factory.mktemp("links") / "links.json"
    link["path"] = f"/metabase/public/dashboard/{METABASE_UUID}"
    path.write_text(json.dumps({"format": 1, "dashboards": [link]}))
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return Debian's Chromium; without one nothing here can be said, so the run ends."""
    program = shutil.which("chromium")
    if program is None:
        pytest.exit("browser tests: expected chromium, found none on PATH; apt-get install chromium", returncode=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(repo_root: Path) -> str:
    """Return axe's script from the site's locked packages, installed first where only those of a build are."""
    subprocess.run([repo_root / "frontend" / "npm.sh", "ls", "axe-core"], check=True, capture_output=True)
    return (repo_root / "frontend" / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def visit(chromium: Browser, site_address: str) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a fresh visit with context options; each must end without a complaint."""
    visits: list[tuple[BrowserContext, Visit]] = []

    def start(base: str = site_address, **options: object) -> Visit:
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        found = Visit(context.new_page(), base)
        found.page.on("console", found.note_console)
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("request", found.note_request)
        visits.append((context, found))
        return found

    yield start
    for context, found in visits:
        context.close()
        assert found.complaints == []
        assert found.hosts <= {urlsplit(found.base).netloc}


@pytest.fixture(scope="session")
def screenshots(repo_root: Path) -> Path:
    """Return the folder where screenshots are kept to be looked at."""
    folder = repo_root / ".data" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
