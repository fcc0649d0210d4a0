"""The table of routes.yml against the real Traefik, this repository's dynamic.yml and backends that keep a record."""

from __future__ import annotations

import http.client
import http.server
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.proxy import free_port, traefik_program, write_configuration

TABLE = yaml.safe_load(Path(__file__).with_name("routes.yml").read_text(encoding="utf-8"))
NAMES = {"uuid": "0a1b2c3d-1111-4222-8333-444455556666", "dashcard": "7", "card": "12"}
SERVICES = ("site", "forecaster", "docs", "metabase")


def filled(path: str) -> str:
    for name, value in NAMES.items():
        path = path.replace("{" + name + "}", value)
    return path


ALLOWED = [{**row, "path": filled(row["path"])} for row in TABLE["allowed"] + TABLE["allowed_files"]]
FORBIDDEN = [filled(path) for paths in TABLE["forbidden"].values() for path in paths]
METHODS = [
    (method, filled(path))
    for path in TABLE["forbidden_methods"]["paths"]
    for method in TABLE["forbidden_methods"]["methods"]
]


@dataclass
class Backend:
    """A backend that answers every path but knows which of them it holds, and keeps what it was asked."""

    name: str
    holds: frozenset[str] | None
    seen: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def start(self) -> http.server.ThreadingHTTPServer:
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body are two writes; the second would wait 40 ms

            def answer(self) -> None:
                backend.seen.append(self.path)
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                backend.headers = dict(self.headers.items())
                known = backend.holds is None or self.path.split("?")[0] in backend.holds
                body = f"{backend.name} {self.path}".encode()
                self.send_response(200 if known else 404)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Set-Cookie", "metabase.DEVICE=abc; Path=/; Max-Age=630720000")
                self.send_header("Server", "Something/1.0")
                self.send_header("Content-Security-Policy", f"default-src 'none' {backend.name}")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


@dataclass
class Proxy:
    """Traefik on a port, and the backends behind it."""

    port: int
    backends: dict[str, Backend]

    def fetch(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, str, dict[str, str]]:
        for backend in self.backends.values():
            backend.seen.clear()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode(), {k.lower(): v for k, v in response.getheaders()}
        finally:
            connection.close()

    def reached(self) -> list[str]:
        return [name for name, backend in self.backends.items() if backend.seen]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    held = {name: frozenset(row["path"] for row in ALLOWED if row["service"] == name) for name in ("site", "docs")}
    backends = {name: Backend(name, held.get(name)) for name in SERVICES}
    servers = {name: backend.start() for name, backend in backends.items()}
    urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{server.server_port}" for name, server in servers.items()}
    folder = tmp_path_factory.mktemp("traefik")
    port = free_port("127.0.0.1")
    configuration = write_configuration(folder, f"127.0.0.1:{port}")
    with (folder / "log").open("w") as log:
        command = [traefik_program(), f"--configFile={configuration}"]
        process = subprocess.Popen(command, env={**os.environ, **urls}, stdout=log, stderr=log)
    found = Proxy(port, backends)
    deadline = time.monotonic() + 30
    while True:
        try:
            if found.fetch("/")[0] == 200:
                break
        except OSError:
            pass
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
    yield found
    process.terminate()
    process.wait()
    for server in servers.values():
        server.shutdown()
        server.server_close()
    lines = (folder / "log").read_text().splitlines()
    assert [line for line in lines if "ERR" in line and "body over limit" not in line] == []


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row["path"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_allowed_path_reaches_its_backend(proxy: Proxy, row: dict[str, Any], method: str) -> None:
    status, _, _ = proxy.fetch(row["path"], method)
    assert (status, proxy.reached()) == (200, [row["service"]])
    assert proxy.backends[row["service"]].seen == [filled(row.get("arrives", row["path"]))]


@pytest.mark.parametrize("path", FORBIDDEN)
def test_forbidden_path_is_not_found_and_reaches_no_application(proxy: Proxy, path: str) -> None:
    status, _, _ = proxy.fetch(path)
    assert status in (404, 405)
    assert set(proxy.reached()) <= {"site", "docs"}


@pytest.mark.parametrize(("method", "path"), METHODS)
def test_only_get_and_head_pass(proxy: Proxy, method: str, path: str) -> None:
    status, _, _ = proxy.fetch(path, method)
    assert status in (404, 405)
    assert proxy.reached() == []


UPLOAD = f"/forecaster/_stcore/upload_file/{NAMES['uuid']}/{NAMES['uuid']}"


def test_app_takes_files_up_to_its_limit(proxy: Proxy) -> None:
    assert proxy.fetch(UPLOAD, "PUT", body=b"x" * 20_971_520)[0] == 200
    assert proxy.reached() == ["forecaster"]
    assert proxy.fetch(UPLOAD, "PUT", {"Content-Length": "22000000"})[0] == 413
    assert proxy.reached() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "OPTIONS"])
def test_upload_takes_no_other_method(proxy: Proxy, method: str) -> None:
    assert proxy.fetch(UPLOAD, method)[0] in (404, 405)
    assert set(proxy.reached()) <= {"site"}


def test_metabase_keeps_its_policy_and_loses_its_cookie(proxy: Proxy) -> None:
    _, _, headers = proxy.fetch(filled("/metabase/public/dashboard/{uuid}"))
    assert headers["content-security-policy"] == "default-src 'none' metabase"
    assert not {"set-cookie", "x-frame-options", "server"} & headers.keys()


def test_metabase_sees_no_credentials(proxy: Proxy) -> None:
    sent = {"Cookie": "metabase.SESSION=x", "X-Metabase-Session": "x", "X-Api-Key": "x", "Authorization": "Bearer x"}
    proxy.fetch(filled("/metabase/public/dashboard/{uuid}"), headers=sent)
    assert not {name.lower() for name in sent} & {name.lower() for name in proxy.backends["metabase"].headers}


@pytest.mark.parametrize("path", ["/", "/docs/", "/forecaster"])
def test_page_has_one_policy_and_cannot_be_framed_elsewhere(proxy: Proxy, path: str) -> None:
    _, _, headers = proxy.fetch(path)
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ") and "frame-ancestors '" in policy
    assert headers["x-frame-options"] in ("DENY", "SAMEORIGIN")
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_site_policy_allows_no_inline_code(proxy: Proxy) -> None:
    assert "unsafe" not in proxy.fetch("/")[2]["content-security-policy"]


def test_plain_http_promises_no_tls(proxy: Proxy) -> None:
    assert "strict-transport-security" not in proxy.fetch("/")[2]


def test_query_limit_stops_a_flood_of_queries(proxy: Proxy) -> None:
    path = filled("/metabase/api/public/dashboard/{uuid}")
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    statuses = []
    for _ in range(3000):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
        if response.status == 429:
            break
    connection.close()
    assert statuses[-1] == 429 and set(statuses[:240]) == {200}
