"""Visits to the built site: build it, serve it behind the real Traefik, note what a page asks for and says."""

from __future__ import annotations

import http.client
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import ConsoleMessage, Page, Request
from starlette.applications import Starlette
from starlette.routing import Mount

from embedded.precompressed import PrecompressedFiles
from embedded.proxy import free_port, traefik_program, write_configuration
from tests.patience import wait_until

HOST = "127.0.0.1"
METABASE_UUID = "0a1b2c3d-1111-4222-8333-444455556666"


@dataclass
class Visit:
    """A page under test, what it asked for, and what it complained about."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, path: str) -> Page:
        """Go to `path` of the site and wait until nothing is loading."""
        self.page.goto(self.base + path, wait_until="networkidle")
        return self.page

    def note_console(self, message: ConsoleMessage) -> None:
        """Keep errors and warnings."""
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} at {message.location}")

    def note_request(self, request: Request) -> None:
        """Keep the host that is asked."""
        if request.url.startswith("http"):
            self.hosts.add(urlsplit(request.url).netloc)


def build_site(repo_root: Path, data: Path, out: Path, links: Path) -> Path:
    """Build the site from `data` into `out`; return `out`."""
    environment = {
        **os.environ,
        "SITE_DATA_DIR": str(data),
        "SITE_OUT_DIR": str(out),
        "METABASE_LINKS_FILE": str(links),
    }
    command = [str(repo_root / "frontend" / "npm.sh"), "run", "build"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return out


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve `folder` as the embedded stack does; yield the address."""
    app = Starlette(routes=[Mount("/", PrecompressedFiles(directory=folder, html=True))])
    port = free_port(HOST)
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://{HOST}:{port}"
    server.should_exit = True
    thread.join()


@contextmanager
def proxied(folder: Path, **backends: str) -> Iterator[str]:
    """Run Traefik with this repository's routes in front of `backends`; yield its address."""
    port = free_port(HOST)
    configuration = write_configuration(folder, f"{HOST}:{port}")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [traefik_program(), f"--configFile={configuration}"], env={**os.environ, **backends}, stdout=log, stderr=log
        )
        address = f"http://{HOST}:{port}"
        try:
            wait_for(address, folder / "log")
            yield address
        finally:
            process.terminate()
            process.wait()


def wait_for(address: str, log: Path) -> None:
    """Wait until `address` takes connections."""

    def answers() -> bool:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    wait_until(answers, f"Traefik answers, see {log}", poll_s=0.05)
