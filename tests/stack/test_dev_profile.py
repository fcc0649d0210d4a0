"""The profile `dev` beside the running stack: pgAdmin and SonarQube start, with secrets from files, and stay local."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.patience import HANG_S
from tests.stack.project import LONG_RUNNING, Project
from tests.stack.standins import build_dev

DEV = ["pgadmin", "sonarqube", "sonarqube-db"]


@pytest.fixture(scope="module")
def dev(stack: Project) -> Iterator[Project]:
    """Build and start the profile; take it down again, volumes included, and leave the rest as it was."""
    build_dev(stack.engine)
    settings = stack.folder / ".env"
    kept = settings.read_bytes() if settings.exists() else b""
    # Containers here may not raise the machine's limits.
    settings.write_bytes(kept + b"\nSONARQUBE_UNTUNED_HOST=true\n")
    stack.compose("--profile", "dev", "up", "--detach", "--no-deps", *DEV)
    for service in DEV:
        stack.wait_healthy(service)
    yield stack
    settings.write_bytes(kept)
    stack.compose("--profile", "dev", "rm", "--force", "--stop", *DEV)
    stack.engine.docker("volume", "rm", *(f"tokenscope_{name}" for name in ("pgadmin", "sonarqube", "sonarqube_db")))


def secret(dev: Project, name: str) -> str:
    return (dev.folder / "secrets" / name).read_text().strip()


def test_ports_are_on_the_hosts_own_address_only(dev: Project) -> None:
    bound = {name: dev.inspect(name)["NetworkSettings"]["Ports"] or {} for name in DEV}
    addresses = {binding["HostIp"] for ports in bound.values() for found in ports.values() for binding in found or []}
    assert addresses == {"127.0.0.1"} and not any((bound["sonarqube-db"] or {}).values())


def test_pgadmin_lets_its_password_in_and_no_other(dev: Project) -> None:
    for password, place in (("another-secret", "/login"), (secret(dev, "pgadmin_password"), "/browser/")):
        with httpx.Client(
            base_url="http://127.0.0.1:5050", trust_env=False, follow_redirects=True, timeout=HANG_S
        ) as http:
            assert http.get("/misc/ping").text == "PING"
            token = re.search(r'csrfToken": "([^"]+)"', http.get("/login").text)
            assert token is not None
            form = {"email": "admin@tokenscope.example", "password": password, "csrf_token": token.group(1)}
            http.post("/authenticate/login", data=form)
            assert http.get("/browser/").url.path == place


def test_pgadmin_reaches_the_warehouse(dev: Project) -> None:
    code = "import socket; socket.create_connection(('portfolio_db', 5432), timeout=30); print('reached')"
    assert dev.compose("exec", "-T", "pgadmin", "/venv/bin/python3", "-c", code).strip() == "reached"


def test_sonarqube_is_up_on_its_own_database(dev: Project) -> None:
    status = httpx.get("http://127.0.0.1:9000/api/system/status", trust_env=False, timeout=HANG_S).json()
    assert status["status"] == "UP"
    assert dev.inspect("sonarqube")["Config"]["Image"].split(":")[1].startswith(status["version"])
    query = [
        "psql",
        "-XAtq",
        "-U",
        "sonarqube",
        "-c",
        "select count(*) > 50 from pg_tables where schemaname = 'public'",
    ]
    assert dev.compose("exec", "-T", "sonarqube-db", *query).strip() == "t"


def test_no_setting_of_the_profile_holds_a_secret(dev: Project) -> None:
    settings = json.dumps([dev.inspect(name) for name in DEV])
    assert not [name for name in ("pgadmin_password", "sonarqube_db_password") if secret(dev, name) in settings]


def test_the_rest_of_the_stack_goes_on(dev: Project) -> None:
    assert {name: dev.health(name) for name in LONG_RUNNING} == dict.fromkeys(LONG_RUNNING, "healthy")
