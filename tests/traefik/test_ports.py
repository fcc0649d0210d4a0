"""The full stack's two entry points on ports that are not 80 and 443: plain HTTP goes to the right one."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from tests.traefik.front_door import Proxy, full_front_door


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with full_front_door(tmp_path_factory.mktemp("traefik")) as found:
        yield found


def plain(proxy: Proxy, path: str, method: str = "GET", host: str = "") -> tuple[int, str | None]:
    proxy.forget()
    connection = http.client.HTTPConnection("127.0.0.1", proxy.plain_port, timeout=60)
    try:
        connection.request(method, path, headers={"Host": host or f"localhost:{proxy.plain_port}"})
        response = connection.getresponse()
        return response.status, response.getheader("Location")
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/docs/?a=b", "/forecaster", "/metabase/public/dashboard/x", "/nothing"])
def test_plain_http_is_sent_to_the_port_of_https(proxy: Proxy, path: str) -> None:
    assert plain(proxy, path) == (301, f"https://localhost:{proxy.port}{path}")


def test_plain_http_reaches_no_backend(proxy: Proxy) -> None:
    for method in ("GET", "HEAD", "POST", "PUT"):
        assert plain(proxy, "/forecaster/_stcore/upload_file/x/y", method)[0] in (301, 308)
        assert proxy.reached() == []


def test_docs_without_a_slash_keep_the_port(proxy: Proxy) -> None:
    status, _, headers = proxy.fetch("/docs", headers={"Host": f"localhost:{proxy.port}"})
    assert (status, headers["location"]) == (301, f"https://localhost:{proxy.port}/docs/")


def test_app_is_told_the_address_people_type(proxy: Proxy) -> None:
    # Streamlit makes its redirect to /forecaster/ of these two.
    proxy.fetch("/forecaster", headers={"Host": f"localhost:{proxy.port}"})
    told = {name.lower(): value for name, value in proxy.backends["forecaster"].headers.items()}
    assert (told["host"], told["x-forwarded-proto"]) == (f"localhost:{proxy.port}", "https")


def test_authority_is_answered_by_traefik_itself_over_plain_http(proxy: Proxy) -> None:
    # 404: no such challenge is open. A redirect would send the authority to a port it cannot reach.
    assert plain(proxy, "/.well-known/acme-challenge/unknown", host="analytics.example.test") == (404, None)
    assert proxy.reached() == []


def test_answers_over_tls_promise_to_stay_there(proxy: Proxy) -> None:
    assert proxy.fetch("/")[2]["strict-transport-security"] == "max-age=31536000"


def test_port_443_is_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    with full_front_door(tmp_path_factory.mktemp("traefik"), {"HTTPS_PORT": "443"}) as found:
        assert plain(found, "/docs/", host="localhost") == (301, "https://localhost/docs/")
