"""A login by another component (AUTH_FORWARD_URL): what it is asked, what its answers do, what is kept from backends.

The component here is a second Traefik with the contract of oauth2-proxy: 2xx lets a request pass, everything else is
the visitor's answer, and what lies below /oauth2/ is its own. oauth2-proxy itself comes from no package registry.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from embedded.proxy import free_port, traefik_program
from tests.traefik.front_door import ALLOWED, FORBIDDEN, METHODS, UPLOAD, Proxy, front_door, wait_for_port

DOMAIN = "analytics.example.test"
TO = {"Host": DOMAIN}
SIGNED_IN = {**TO, "Cookie": "other=1; _oauth2_proxy=signed-in"}
ROUTES = {
    "http": {
        "routers": {
            "signed-in": {"rule": "HeaderRegexp(`Cookie`, `_oauth2_proxy=signed-in`)", "service": "ping@internal"},
            "own": {"rule": "HeaderRegexp(`X-Forwarded-Uri`, `^/oauth2/`)", "service": "ping@internal"},
            "own-pages": {"rule": "Path(`/oauth2/callback`)", "service": "ping@internal", "priority": 1000},
            "ask": {
                "rule": "PathPrefix(`/`)",
                "priority": 1,
                "service": "noop@internal",
                "middlewares": ["to-provider"],
            },
        },
        "middlewares": {
            "to-provider": {
                "redirectRegex": {
                    "regex": "^.*$",
                    "replacement": "https://id.example.test/authorize?client_id=tokenscope",
                }
            }
        },
    }
}


@contextmanager
def component(folder: Path) -> Iterator[str]:
    """Run the component; yield its address."""
    port = free_port("127.0.0.1")
    folder.mkdir()
    (folder / "routes.yml").write_text(yaml.safe_dump(ROUTES))
    settings = {
        "entryPoints": {"web": {"address": f"127.0.0.1:{port}", "forwardedHeaders": {"insecure": True}}},
        "providers": {"file": {"filename": str(folder / "routes.yml"), "watch": False}},
        "ping": {"entryPoint": "web", "manualRouting": True},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }
    (folder / "traefik.yml").write_text(yaml.safe_dump(settings))
    with subprocess.Popen([traefik_program(), f"--configFile={folder / 'traefik.yml'}"]) as process:
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("traefik")
    with (
        component(folder / "component") as address,
        front_door(folder, {"DOMAIN": DOMAIN, "AUTH_FORWARD_URL": address}) as found,
    ):
        yield found


EVERY_REQUEST = [
    *(("GET", row["path"]) for row in ALLOWED),
    *(("GET", path) for path in FORBIDDEN),
    ("PUT", UPLOAD),
    ("DELETE", UPLOAD),
]


@pytest.mark.parametrize(("method", "path"), EVERY_REQUEST)
def test_visitor_who_is_not_signed_in_is_sent_to_the_provider(proxy: Proxy, method: str, path: str) -> None:
    for headers in (TO, {**TO, "Cookie": "_oauth2_proxy=forged"}, {**TO, "X-Forwarded-Uri": "/oauth2/auth"}):
        status, _, answer = proxy.fetch(path, method, headers)
        assert (status, answer["location"]) == (302, "https://id.example.test/authorize?client_id=tokenscope")
        assert proxy.reached() == []


@pytest.mark.parametrize(("method", "path"), METHODS)
def test_methods_without_a_route_stay_without(proxy: Proxy, method: str, path: str) -> None:
    assert proxy.fetch(path, method, SIGNED_IN)[0] in (404, 405)
    assert proxy.reached() == []


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row["path"])
def test_visitor_who_is_signed_in_passes_and_backends_see_no_cookie(proxy: Proxy, row: dict[str, str]) -> None:
    assert proxy.fetch(row["path"], headers={**SIGNED_IN, "Authorization": "Bearer x"})[0] == 200
    assert proxy.reached() == [row["service"]]
    seen = {name.lower() for name in proxy.backends[row["service"]].headers}
    assert not {"cookie", "authorization"} & seen


def test_paths_of_the_component_reach_it_without_a_login(proxy: Proxy) -> None:
    assert proxy.fetch("/oauth2/callback?code=x&state=y", headers=TO)[:2] == (200, "OK")
    assert proxy.reached() == []


def test_component_that_does_not_answer_lets_nobody_in(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port('127.0.0.1')}/"
    with front_door(tmp_path, {"DOMAIN": DOMAIN, "AUTH_FORWARD_URL": address}) as found:
        assert found.fetch("/", headers=SIGNED_IN)[0] >= 500
        assert found.reached() == []
