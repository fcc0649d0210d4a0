"""Which names Traefik answers to: a page whose own name leads to this machine (DNS rebinding) reads nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.traefik.front_door import ALLOWED, UPLOAD, Proxy, front_door


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with front_door(tmp_path_factory.mktemp("traefik")) as found:
        yield found


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_names_of_this_machine_are_answered_with_and_without_a_port(proxy: Proxy, host: str) -> None:
    for name in (host, f"{host}:{proxy.port}", f"{host}:18080"):
        assert proxy.fetch("/", headers={"Host": name})[0] == 200


@pytest.mark.parametrize("path", sorted({row["path"] for row in ALLOWED}))
def test_other_name_reaches_no_route(proxy: Proxy, path: str) -> None:
    assert proxy.fetch(path, headers={"Host": f"rebind.example.test:{proxy.port}"})[0] == 421
    assert proxy.reached() == []


@pytest.mark.parametrize(
    "host",
    ["", "example.test", "localhost.example.test", "127.0.0.1.example.test", "127.0.0.2", "192.168.1.10", "[::2]"],
)
def test_nothing_but_the_known_names_is_answered(proxy: Proxy, host: str) -> None:
    for path, method in (("/", "GET"), ("/", "POST"), (UPLOAD, "PUT"), ("/nothing", "GET")):
        assert proxy.fetch(path, method, {"Host": host})[0] in (400, 421)
        assert proxy.reached() == []


def test_names_in_the_setting_are_answered(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = {"ALLOWED_HOSTS": "server.lan, 192.168.1.10,[fd00::10],", "PUBLIC": "1", "DOMAIN": "a.example.test"}
    with front_door(tmp_path_factory.mktemp("traefik"), settings) as found:
        for host in ("server.lan", "192.168.1.10:8443", "[fd00::10]:8443", "a.example.test", "localhost"):
            assert found.fetch("/", headers={"Host": host})[0] == 200, host
        assert found.fetch("/", headers={"Host": "b.example.test"})[0] == 421
