"""The table of routes.yml against the real Traefik, this repository's dynamic.yml and backends that keep a record."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from tests.traefik.front_door import ALLOWED, FORBIDDEN, METHODS, UPLOAD, Proxy, filled, front_door


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with front_door(tmp_path_factory.mktemp("traefik")) as found:
        yield found
    lines = found.log.read_text().splitlines()
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


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row["path"])
def test_every_answer_keeps_other_sites_out_and_asks_for_no_device(proxy: Proxy, row: dict[str, Any]) -> None:
    _, _, headers = proxy.fetch(row["path"])
    # The site frames Metabase's pages from its own origin, so both may keep to themselves.
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["permissions-policy"] == "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


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
