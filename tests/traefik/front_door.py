"""The real Traefik with this repository's files on ports of this machine, and backends that keep a record."""

from __future__ import annotations

import http.client
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from embedded.paths import REPOSITORY
from embedded.proxy import free_port, traefik_program, write_configuration
from tests.patience import wait_until

TABLE = yaml.safe_load(Path(__file__).with_name("routes.yml").read_text(encoding="utf-8"))
NAMES = {"uuid": "0a1b2c3d-1111-4222-8333-444455556666", "dashcard": "7", "card": "12"}
SERVICES = ("site", "forecaster", "docs", "metabase")
# Settings of the machine the tests run on are none of these tests'.
FOREIGN = (
    "DOMAIN",
    "ALLOWED_HOSTS",
    "PUBLIC",
    "TRUSTED_PROXIES",
    "AUTH_FORWARD_URL",
    "HTTPS_PORT",
    "VIEWER_USERS_FILE",
)


def filled(path: str) -> str:
    """Return a path of the table with names in it."""
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
UPLOAD = f"/forecaster/_stcore/upload_file/{NAMES['uuid']}/{NAMES['uuid']}"


@dataclass
class Backend:
    """A backend that answers every path but knows which of them it holds, and keeps what it was asked."""

    name: str
    holds: frozenset[str] | None = None
    seen: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def start(self) -> http.server.ThreadingHTTPServer:
        """Answer on a free port until the server is shut down."""
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body are two writes; the second would wait 40 ms

            def answer(self) -> None:
                backend.seen.append(self.path)
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                backend.headers = dict(self.headers.items())
                known = backend.holds is None or self.path.split("?")[0] in backend.holds
                body = backend.body or f"{backend.name} {self.path}".encode()
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "text/html")
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
    """Traefik on a port, the backends behind it, and its log."""

    port: int
    backends: dict[str, Backend]
    log: Path
    plain_port: int = 0

    def fetch(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        source: str = "127.0.0.1",
    ) -> tuple[int, str, dict[str, str]]:
        """Send one request from the address `source`; return status, body and headers by lower-case name."""
        self.forget()
        connection = self.connect(source)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read().decode(), {k.lower(): v for k, v in response.getheaders()}
        finally:
            connection.close()

    def forget(self) -> None:
        """Begin the backends' records anew."""
        for backend in self.backends.values():
            backend.seen.clear()

    def connect(self, source: str = "127.0.0.1") -> http.client.HTTPConnection:
        """Return a connection from the address `source`, by TLS where this front door has it."""
        if not self.plain_port:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(source, 0))
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=60, source_address=(source, 0), context=context
        )

    def reached(self) -> list[str]:
        """Return the backends that the last request reached."""
        return [name for name, backend in self.backends.items() if backend.seen]


@contextmanager
def running_backends() -> Iterator[tuple[dict[str, Backend], dict[str, str]]]:
    """Yield the backends of every route, running, and the variables that name them."""
    held = {name: frozenset(row["path"] for row in ALLOWED if row["service"] == name) for name in ("site", "docs")}
    backends = {name: Backend(name, held.get(name)) for name in SERVICES}
    servers = {name: backend.start() for name, backend in backends.items()}
    urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{server.server_port}" for name, server in servers.items()}
    try:
        yield backends, urls
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()


@contextmanager
def front_door(folder: Path, environment: Mapping[str, str] | None = None, words: str = "") -> Iterator[Proxy]:
    """Run Traefik on one plain port, as the embedded stack does, with `environment` added; `words`: see `started`."""
    port = free_port("127.0.0.1")
    configuration = write_configuration(folder, f"127.0.0.1:{port}")
    with running_backends() as (backends, urls):
        found = Proxy(port, backends, folder / "log")
        command = [traefik_program(), f"--configFile={configuration}"]
        with started(command, {**urls, **(environment or {})}, found, words):
            yield found


@contextmanager
def full_front_door(
    folder: Path, environment: Mapping[str, str] | None = None, routes: Mapping[str, str] | None = None
) -> Iterator[Proxy]:
    """Run traefik/start.sh as the container does: its files as they are, but for addresses of this machine.

    `routes` replaces texts of dynamic.yml, for limits that a test can reach on a slow machine.
    """
    copied = folder / "traefik"
    shutil.copytree(REPOSITORY / "traefik", copied)
    plain_port, port, ping_port = (free_port("127.0.0.1") for _ in range(3))
    replace(copied / "dynamic.yml", routes or {})
    addresses = {
        '":80"': f'"127.0.0.1:{plain_port}"',
        '":443"': f'"127.0.0.1:{port}"',
        "127.0.0.1:8082": f"127.0.0.1:{ping_port}",
        "/etc/traefik/dynamic.yml": str(copied / "dynamic.yml"),
        "/acme/acme.json": str(folder / "acme.json"),
    }
    replace(copied / "traefik.yml", addresses)
    programs = f"{Path(traefik_program()).parent}:{os.environ['PATH']}"
    own = {"PATH": programs, "TMPDIR": str(folder), "HTTPS_PORT": str(port), **certificate(folder)}
    with running_backends() as (backends, urls):
        found = Proxy(port, backends, folder / "log", plain_port)
        with started(["sh", str(copied / "start.sh")], {**urls, **own, **(environment or {})}, found):
            yield found


def replace(path: Path, texts: Mapping[str, str]) -> None:
    """Replace texts that occur once in a file."""
    content = path.read_text(encoding="utf-8")
    for old, new in texts.items():
        assert content.count(old) == 1, f"{old} in {path.name}"
        content = content.replace(old, new)
    path.write_text(content, encoding="utf-8")


@contextmanager
def running_nginx(folder: Path, name: str, folders: Mapping[str, str]) -> Iterator[str]:
    """Run nginx with frontend/nginx/`name` on a port of this machine, `folders` replaced; yield its address."""
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        reason = "expected nginx on PATH, found none; apt-get install nginx-light"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    port = free_port("127.0.0.1")
    configuration = folder / name
    shutil.copy(REPOSITORY / "frontend" / "nginx" / name, configuration)
    replace(configuration, {"listen 8080;": f"listen 127.0.0.1:{port};", "/tmp/nginx.pid": f"{folder}/nginx.pid"})
    replace(configuration, folders)
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    # As root its workers would be nobody's, who cannot read a test's folder.
    user = " user root;" if os.geteuid() == 0 else ""
    command = ["nginx", "-c", str(configuration), "-g", f"daemon off;{user}"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for_port(port: int) -> None:
    """Wait until something listens on a port of this machine."""

    def listens() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    wait_until(listens, f"somebody listens on {port}", poll_s=0.05)


def certificate(folder: Path) -> dict[str, str]:
    """Make a certificate of our own; return the variables that name it."""
    files = {"TLS_KEY_FILE": str(folder / "key.pem"), "TLS_CERT_FILE": str(folder / "cert.pem")}
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    out = ["-keyout", files["TLS_KEY_FILE"], "-out", files["TLS_CERT_FILE"], "-subj", "/CN=localhost"]
    subprocess.run([*command, *out], check=True, capture_output=True)
    return files


@contextmanager
def started(command: list[str], environment: Mapping[str, str], proxy: Proxy, words: str = "") -> Iterator[None]:
    """Run Traefik, wait until it answers (or has logged `words`), and stop it at the end."""
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    with proxy.log.open("w") as log:
        process = subprocess.Popen(command, env={**own, **environment}, stdout=log, stderr=log)
    try:

        def is_ready() -> bool:
            assert process.poll() is None, proxy.log.read_text()
            return words in proxy.log.read_text() if words else answers(proxy)

        wait_until(is_ready, f"Traefik is ready, see {proxy.log}", poll_s=0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def answers(proxy: Proxy) -> bool:
    """Return whether Traefik has read its routes: before that it knows no path and says so in words of its own."""
    try:
        status, body, _ = proxy.fetch("/")
        return (status, body) != (404, "404 page not found\n")
    except OSError:
        return False
