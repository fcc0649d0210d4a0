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

from embedded.account import make_private
from embedded.paths import DOCS, REPOSITORY, SITE, data_directory
from embedded.postgres import EmbeddedPostgres
from embedded.process import birth, is_gone_within, is_held, take_lock
from embedded.proxy import FIRST_PORT, free_port, traefik_program, write_configuration
from embedded.static_policy import allowed_hosts
from embedded.supervisor import POLL_S, Program, Supervisor

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
LOCK_WAIT_S = 1.0  # longer than anybody who asks for the lock holds it
BIND_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Route:
    """A public path, what a visitor finds there, and a path that answers 200 only when it works."""

    path: str
    title: str
    probe: str


def pid_file() -> Path:
    """Return the file that names the running front door: process id, port, start of the process."""
    return data_directory() / "run-serve.pid"


def lock_file() -> Path:
    """Return the file that the front door holds a lock on as long as it runs, however it ends."""
    return data_directory() / "run-serve.lock"


def running_server() -> tuple[psutil.Process, int] | None:
    """Return the front door's process and port where one runs for this clone."""
    try:
        pid, port, started = pid_file().read_text().split()
        is_ours = is_held(lock_file()) and birth(int(pid)) == started
        return (psutil.Process(int(pid)), int(port)) if is_ours else None
    except (OSError, ValueError, psutil.Error):
        return None


def stop_server() -> bool:
    """Stop the front door of this clone; return whether one ran. What a killed one left is removed."""
    found = running_server()
    if found is not None:
        process, _ = found
        process.send_signal(signal.SIGINT)
        if not is_gone_within(process, STOP_TIMEOUT_S):
            process.kill()  # its children go with it, see supervisor.py
            is_gone_within(process, STOP_TIMEOUT_S)
    if not is_held(lock_file()):
        pid_file().unlink(missing_ok=True)
        ready_file().unlink(missing_ok=True)
    return found is not None


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
        # Its port is one of this machine's, so that a page elsewhere may reach it past the proxy.
        hosts = [word for host in allowed_hosts(os.environ) for word in ("--server.allowedHosts", host)]
        command = [sys.executable, "-m", "forecaster.serve", *address, *hosts]
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
    make_private(data_directory())
    lock = take_lock(lock_file(), LOCK_WAIT_S)
    if lock is None:
        return report_running()
    try:
        return serve_alone()
    finally:
        os.close(lock)


def report_running() -> int:
    """Say where the front door that holds the lock is; return the exit status, 1 where it does not answer yet."""
    found = running_server()
    if found is None:
        report("serve: expected no other, found one that is starting; wait a moment and run the command again")
        return 1
    report(f"already served at http://localhost:{found[1]}/; `make stop` stops it")
    return 0


def serve_alone() -> int:
    """Run the front door, whose lock is ours; return the exit status."""
    port = free_port(BIND_HOST, FIRST_PORT)
    if port != FIRST_PORT:
        report(f"port {FIRST_PORT} is taken: using {port}")
    routes, programs = routes_and_programs(port)
    if not routes:
        report("serve: expected a site, docs or an app to serve, found none built; run `make demo`")
        return 1
    supervisor = Supervisor(programs, data_directory() / "logs", report)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ready_file().unlink(missing_ok=True)
    pid_file().write_text(f"{os.getpid()} {port} {birth(os.getpid())}\n")
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
    if is_held(lock_file()):
        return report_running()
    make_private(data_directory())
    log = data_directory() / "logs" / "serve.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    ready_file().unlink(missing_ok=True)
    with log.open("ab") as output:  # appending: it is moved on while it grows, see logs.py
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
    sys.stderr.write(log.read_text(errors="replace"))
    if process.poll() is None:
        report("running in the background; `make stop` stops it")
        return 0
    return process.returncode or 1


def report(line: str) -> None:
    """Say one thing to the user, at once."""
    print(line, file=sys.stderr, flush=True)
