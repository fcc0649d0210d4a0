"""Who gets in: with a name beyond this machine every route needs a login, whatever the path and the method."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.paths import REPOSITORY
from tests.traefik.front_door import (
    ALLOWED,
    FORBIDDEN,
    METHODS,
    UPLOAD,
    Proxy,
    front_door,
    full_front_door,
    running_nginx,
)

DOMAIN = "analytics.example.test"
PASSWORD = "correct horse battery staple"
TO = {"Host": DOMAIN}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


SIGNED_IN = {**TO, **basic("tokenscope", PASSWORD)}


def users_file(folder: Path) -> Path:
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
    ).stdout
    path = folder / "users"
    path.write_text(f"tokenscope:{hashed}")
    return path


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("traefik")
    with front_door(folder, {"DOMAIN": DOMAIN, "VIEWER_USERS_FILE": str(users_file(folder))}) as found:
        yield found


EVERY_REQUEST = [
    *((method, row["path"]) for row in ALLOWED for method in ("GET", "HEAD")),
    *(("GET", path) for path in FORBIDDEN),
    *METHODS,
    *((method, UPLOAD) for method in ("PUT", "DELETE")),
]


@pytest.mark.parametrize(("method", "path"), EVERY_REQUEST)
def test_nobody_gets_past_the_door_without_a_login(closed: Proxy, method: str, path: str) -> None:
    for headers in (TO, {**TO, **basic("tokenscope", "wrong")}, {**TO, "Cookie": "session=x"}):
        status, _, answer = closed.fetch(path, method, headers)
        # What no route has is not found before anybody is asked who they are.
        assert status in ((401,) if (method, path) not in METHODS else (401, 404, 405))
        assert closed.reached() == []
    assert status != 401 or answer["www-authenticate"] == 'Basic realm="Tokenscope"'


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row["path"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_login_opens_every_route(closed: Proxy, row: dict[str, Any], method: str) -> None:
    assert closed.fetch(row["path"], method, SIGNED_IN)[0] == 200
    assert closed.reached() == [row["service"]]


@pytest.mark.parametrize("path", FORBIDDEN)
def test_login_opens_nothing_else(closed: Proxy, path: str) -> None:
    assert closed.fetch(path, headers=SIGNED_IN)[0] in (404, 405)
    assert set(closed.reached()) <= {"site", "docs"}


def test_upload_and_websocket_obey_the_login(closed: Proxy) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    for method, path, headers in [("PUT", UPLOAD, {}), ("GET", "/forecaster/_stcore/stream", upgrade)]:
        assert closed.fetch(path, method, {**TO, **headers}, b"x" if method == "PUT" else None)[0] == 401
        assert closed.reached() == []
        assert closed.fetch(path, method, {**SIGNED_IN, **headers}, b"x" if method == "PUT" else None)[0] == 200
        assert closed.reached() == ["forecaster"]


@pytest.mark.parametrize("path", ["/", "/docs/", "/forecaster", f"/metabase/public/dashboard/{'{uuid}'}"])
def test_no_backend_sees_the_password(closed: Proxy, path: str) -> None:
    path = next(row["path"] for row in ALLOWED if row["path"].startswith(path.split("{")[0]))
    closed.fetch(path, headers={**SIGNED_IN, "Cookie": "a=b"})
    (name,) = closed.reached()
    assert not {"authorization", "cookie"} & {header.lower() for header in closed.backends[name].headers}


def test_names_of_this_machine_need_the_login_as_well(closed: Proxy) -> None:
    assert closed.fetch("/", headers={"Host": "localhost"})[0] == 401


@pytest.mark.parametrize("content", [None, "", "\n", "# nobody\n"])
def test_without_users_nobody_gets_in(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "users"
    if content is not None:
        path.write_text(content)
    with front_door(tmp_path, {"DOMAIN": DOMAIN, "VIEWER_USERS_FILE": str(path)}, words="ERR") as found:
        for headers in (TO, SIGNED_IN, {**TO, **basic("", "")}, {**TO, **basic("# nobody", "")}):
            assert found.fetch("/", headers=headers)[0] in (401, 404)
            assert found.reached() == []


def test_without_a_users_setting_nobody_gets_in(tmp_path: Path) -> None:
    with front_door(tmp_path, {"DOMAIN": DOMAIN}, words="VIEWER_USERS_FILE is not set") as found:
        assert found.fetch("/", headers=SIGNED_IN)[0] == 404
        assert found.reached() == []


@pytest.mark.parametrize(
    "settings",
    [{}, {"DOMAIN": "localhost"}, {"DOMAIN": "LOCALHOST"}, {"DOMAIN": DOMAIN, "PUBLIC": "1"}],
    ids=["no domain", "localhost", "LOCALHOST", "public"],
)
def test_localhost_and_public_are_open(tmp_path: Path, settings: dict[str, str]) -> None:
    with front_door(tmp_path, settings) as found:
        headers = {"Host": settings.get("DOMAIN", "localhost")}
        for row in ALLOWED:
            assert found.fetch(row["path"], headers=headers)[0] == 200


@pytest.mark.parametrize(
    "settings",
    [{"DOMAIN": DOMAIN, "PUBLIC": value} for value in ("", "0", "yes", "true")] + [{"ALLOWED_HOSTS": DOMAIN}],
    ids=["empty", "0", "yes", "true", "another name"],
)
def test_nothing_but_public_1_opens_a_name_beyond_this_machine(tmp_path: Path, settings: dict[str, str]) -> None:
    with front_door(tmp_path, {**settings, "VIEWER_USERS_FILE": str(users_file(tmp_path))}) as found:
        assert found.fetch("/", headers=TO)[0] == 401
        assert found.fetch("/", headers=SIGNED_IN)[0] == 200


def test_guesses_are_limited_before_the_password_is_checked(tmp_path: Path) -> None:
    settings = {"DOMAIN": DOMAIN, "VIEWER_USERS_FILE": str(users_file(tmp_path))}
    with full_front_door(
        tmp_path, settings, {"average: 500, burst: 2000": "average: 1, period: 1h, burst: 30"}
    ) as found:
        guesses = [found.fetch("/", headers={**TO, **basic("tokenscope", str(number))})[0] for number in range(40)]
        assert guesses[0] == 401 and guesses[-1] == 429
        assert found.fetch("/", headers=SIGNED_IN)[0] == 429


def test_every_router_that_a_visitor_reaches_is_behind_the_door() -> None:
    settings = yaml.safe_load((REPOSITORY / "traefik" / "traefik.yml").read_text())
    points = settings["entryPoints"]
    assert points["websecure"]["http"]["middlewares"] == ["door@file"] and points["websecure"]["asDefault"] is True
    # A router with entry points of its own would come past the door.
    routes = (REPOSITORY / "traefik" / "dynamic.yml").read_text()
    assert re.findall(r"entryPoints:.*", routes) == ["entryPoints: [web]"]
    assert points["web"].keys() == {"address"} and points["ping"]["address"].startswith("127.0.0.1:")


def test_page_of_a_refused_visitor_asks_for_the_password(tmp_path: Path) -> None:
    # In the full stack an error page replaces Traefik's answer, header included.
    settings = {"DOMAIN": DOMAIN, "VIEWER_USERS_FILE": str(users_file(tmp_path))}
    pages = {"/usr/share/nginx/error-pages": str(REPOSITORY / "frontend" / "error-pages")}
    with (
        running_nginx(tmp_path, "error-pages.conf", pages) as address,
        front_door(tmp_path, {**settings, "ERROR_PAGES_URL": address}) as found,
    ):
        status, body, headers = found.fetch("/", headers=TO)
        assert (status, headers["www-authenticate"]) == (401, 'Basic realm="Tokenscope", charset="UTF-8"')
        assert "asks who you are" in body and headers["content-type"].startswith("text/html")
        assert "retry-after" not in headers
        status, body, headers = found.fetch("/", headers={**SIGNED_IN, "Host": "other.example.test"})
        assert (status, "ALLOWED_HOSTS" in body) == (421, True) and "www-authenticate" not in headers
