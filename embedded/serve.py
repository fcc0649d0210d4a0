"""The front door without Docker: Traefik and what stands behind it as supervised children of one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil

from embedded.paths import DOCS, REPOSITORY, SITE, data_directory
from embedded.postgres import EmbeddedPostgres
from embedded.proxy import FIRST_PORT, free_port, traefik_program, write_configuration
from embedded.supervisor import POLL_S, Program, Supervisor

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
BIND_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Route:
    """A public path, what a visitor finds there, and a path that answers 200 only when it works."""

    path: str
    title: str
    probe: str


def pid_file() -> Path:
    """Return the file that names the running front door: its process id, then its port."""
    return data_directory() / "run-serve.pid"


def running_server() -> tuple[psutil.Process, int] | None:
    """Return the front door's process and port where one runs for this clone."""
    try:
        pid, port = map(int, pid_file().read_text().split())
        process = psutil.Process(pid)
        is_ours = process.status() != psutil.STATUS_ZOMBIE and "embedded" in " ".join(process.cmdline())
        return (process, port) if is_ours else None
    except (OSError, ValueError, psutil.Error):
        return None


def stop_server() -> bool:
    """Stop the front door of this clone; return whether one ran."""
    found = running_server()
    if found is None:
        return False
    process, _ = found
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except psutil.TimeoutExpired:
        process.kill()  # its children go with it, see supervisor.py
    pid_file().unlink(missing_ok=True)
    return True


def routes_and_programs(port: int) -> tuple[list[Route], list[Program]]:
    """Return what is served at `port`, and the programs behind it. A part that has not been built has no route."""
    routes: list[Route] = []
    programs: list[Program] = []
    backends: dict[str, str] = {}
    common = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    static_port = free_port(BIND_HOST)
    has_site, has_docs = ((folder / "index.html").is_file() for folder in (SITE, DOCS))
    if has_site or has_docs:
        command = [sys.executable, "-m", "embedded.static_files", str(static_port)]
        programs.append(Program("static-files", command, common, REPOSITORY))
    if has_site:
        backends["SITE_URL"] = f"http://{BIND_HOST}:{static_port}"
        routes.append(Route("/", "the site, with its dashboards", "/"))
    if has_docs:
        backends["DOCS_URL"] = f"http://{BIND_HOST}:{static_port}"
        routes.append(Route("/docs/", "models, columns and lineage", "/docs/"))
    app = REPOSITORY / "forecaster" / "streamlit_app.py"
    if app.is_file():
        app_port = free_port(BIND_HOST)
        backends["FORECASTER_URL"] = f"http://{BIND_HOST}:{app_port}"
        address = ["--server.address", BIND_HOST, "--server.port", str(app_port)]
        command = [sys.executable, "-m", "forecaster.serve", *address]
        programs.append(Program("forecaster", command, common, REPOSITORY / "forecaster"))
        routes.append(Route("/forecaster", "the token forecaster", "/forecaster/_stcore/health"))
    configuration = write_configuration(data_directory() / "traefik", f"{BIND_HOST}:{port}")
    command = [traefik_program(), f"--configFile={configuration}"]
    # On this machine's own address alone: the settings of a server in .env ask for no login here.
    own = {"DOMAIN": "localhost", "PUBLIC": "1", "HTTPS_PORT": ""}
    programs.insert(0, Program("traefik", command, {**os.environ, **own, **backends}, REPOSITORY))
    return routes, programs


def answers(url: str) -> bool:
    """Return whether `url` answers 200 within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 (our own address)
            return int(response.status) == 200
    except (urllib.error.URLError, OSError):
        return False


def serve() -> int:
    """Run the front door until Ctrl-C, which stops all, the embedded PostgreSQL included; return the exit status."""
    found = running_server()
    if found is not None:
        report(f"already served at http://localhost:{found[1]}/; `make stop` stops it")
        return 0
    port = free_port(BIND_HOST, FIRST_PORT)
    if port != FIRST_PORT:
        report(f"port {FIRST_PORT} is taken: using {port}")
    routes, programs = routes_and_programs(port)
    if not routes:
        report("serve: expected a site, docs or an app to serve, found none built; run `make demo`")
        return 1
    supervisor = Supervisor(programs, data_directory() / "logs", report)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pid_file().parent.mkdir(parents=True, exist_ok=True)
    pid_file().write_text(f"{os.getpid()} {port}\n")
    try:
        supervisor.start()
        return watch(supervisor, routes, port)
    except KeyboardInterrupt:
        return 0
    finally:
        supervisor.stop()
        EmbeddedPostgres().stop()
        pid_file().unlink(missing_ok=True)
        report("stopped")


def watch(supervisor: Supervisor, routes: list[Route], port: int) -> int:
    """Wait until every route answers, say so, then keep the children running for ever. Returns 1 on a time-out."""
    base = f"http://localhost:{port}"
    waiting = list(routes)
    deadline = time.monotonic() + READY_TIMEOUT_S
    while waiting:
        supervisor.check()
        waiting = [route for route in waiting if not answers(f"http://{BIND_HOST}:{port}{route.probe}")]
        if waiting and time.monotonic() > deadline:
            missing = ", ".join(route.path for route in waiting)
            report(f"serve: no answer from {missing} within {READY_TIMEOUT_S:.0f} s; see {data_directory() / 'logs'}")
            return 1
        time.sleep(POLL_S)
    width = max(len(route.path) for route in routes)
    report("Ready:\n" + "\n".join(f"  {base}{route.path:<{width}}  {route.title}" for route in routes))
    ready_file().write_text(base + "\n")
    try:
        while True:
            supervisor.check()
            time.sleep(POLL_S)
    finally:
        ready_file().unlink(missing_ok=True)


def ready_file() -> Path:
    """Return the file that exists while every route has answered; it holds the base address."""
    return data_directory() / "run-serve.ready"


def serve_detached() -> int:
    """Start the front door in the background, wait until it is ready; return the exit status."""
    found = running_server()
    if found is not None:
        report(f"already served at http://localhost:{found[1]}/; `make stop` stops it")
        return 0
    log = data_directory() / "logs" / "serve.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    ready_file().unlink(missing_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "embedded", "serve"],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while process.poll() is None and not ready_file().exists():
        time.sleep(POLL_S)
    sys.stderr.write(log.read_text())
    if process.poll() is None:
        report("running in the background; `make stop` stops it")
        return 0
    return process.returncode or 1


def report(line: str) -> None:
    """Say one thing to the user, at once."""
    print(line, file=sys.stderr, flush=True)
