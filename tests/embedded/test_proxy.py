"""The real Traefik in front of a real backend, with the repository's own files."""

from __future__ import annotations

import http.client
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from embedded.proxy import ProxyError, embedded_configuration, free_port, traefik_program, write_configuration
from embedded.serve import routes_and_programs
from tests.patience import wait_until


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the backend's name and the path it saw."""

    def do_GET(self) -> None:
        body = f"{self.server.server_name_for_test} {self.path}".encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def start_backend(name: str) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.server_name_for_test = name  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def get(port: int, path: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode(), {k.lower(): v for k, v in response.getheaders()}
    finally:
        connection.close()


def answers(port: int, path: str, expected: tuple[object, ...]) -> bool:
    """Return whether the proxy's answer begins so; one that does not listen yet gives none."""
    with suppress(OSError):
        return get(port, path)[: len(expected)] == expected
    return False


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    backends = {name: start_backend(name) for name in ("site", "forecaster", "docs")}
    urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{server.server_port}" for name, server in backends.items()}
    port = free_port("127.0.0.1")
    configuration = write_configuration(tmp_path_factory.mktemp("traefik"), f"127.0.0.1:{port}")
    process = subprocess.Popen([traefik_program(), f"--configFile={configuration}"], env={**os.environ, **urls})
    wait_until(lambda: answers(port, "/", (200,)), "Traefik answers", poll_s=0.05)
    yield port
    process.terminate()
    process.wait()
    for server in backends.values():
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "site /"),
        ("/pipeline/", "site /pipeline/"),
        ("/forecaster", "forecaster /forecaster"),
        ("/forecaster/_stcore/health", "forecaster /forecaster/_stcore/health"),
        ("/docs/", "docs /docs/"),
    ],
)
def test_route_reaches_its_backend_with_the_prefix_kept(proxy: int, path: str, body: str) -> None:
    assert get(proxy, path)[:2] == (200, body)


def test_docs_without_a_slash_are_redirected(proxy: int) -> None:
    status, _, headers = get(proxy, "/docs")
    assert (status, headers["location"]) == (301, f"http://127.0.0.1:{proxy}/docs/")


@pytest.mark.parametrize("path", ["/", "/docs/"])
def test_static_routes_take_no_posts(proxy: int, path: str) -> None:
    assert get(proxy, path, "POST")[0] in (404, 405)


@pytest.mark.parametrize("path", ["/metabase/public/dashboard/x", "/dashboard/", "/api/rawdata", "/ping", "/metrics"])
def test_path_without_a_backend_of_its_own_never_reaches_traefik_itself(proxy: int, path: str) -> None:
    status, body, _ = get(proxy, path)
    assert status == 404 or body == f"site {path}"


def test_settings_of_a_server_do_not_close_the_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKENSCOPE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DOMAIN", "analytics.example.test")
    monkeypatch.setenv("HTTPS_PORT", "18443")
    port = free_port("127.0.0.1")
    traefik = routes_and_programs(port)[1][0]
    backend = start_backend("forecaster")
    settings = {**traefik.environment, "FORECASTER_URL": f"http://127.0.0.1:{backend.server_port}"}
    with subprocess.Popen(traefik.command, env=settings) as process:
        try:
            wait_until(lambda: answers(port, "/forecaster", (200, "forecaster /forecaster")), "the request passes")
        finally:
            process.terminate()
            backend.shutdown()
            backend.server_close()


def test_embedded_configuration_has_one_plain_entry_point(repo_root: Path) -> None:
    shared = yaml.safe_load((repo_root / "traefik" / "traefik.yml").read_text())
    configuration = embedded_configuration(shared, "127.0.0.1:8080", Path("/routes.yml"))
    assert list(configuration["entryPoints"]) == ["web"]
    assert configuration["entryPoints"]["web"]["address"] == "127.0.0.1:8080"
    assert "tls" not in configuration["entryPoints"]["web"].get("http", {})
    assert configuration["global"] == {"checkNewVersion": False, "sendAnonymousUsage": False}


def test_free_port_steps_over_one_that_is_taken() -> None:
    first = start_backend("taken")
    try:
        assert free_port("127.0.0.1", first.server_port) > first.server_port
    finally:
        first.shutdown()
        first.server_close()


def test_free_port_says_so_when_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = start_backend("taken")
    monkeypatch.setattr("embedded.proxy.PORTS_TRIED", 1)
    try:
        with pytest.raises(ProxyError, match=f"expected a free one from {taken.server_port}"):
            free_port("127.0.0.1", taken.server_port)
    finally:
        taken.shutdown()
        taken.server_close()
