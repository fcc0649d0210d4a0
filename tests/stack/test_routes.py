"""The table of tests/traefik/routes.yml through port 443 of the whole stack, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.client import Client
from tests.stack.project import Project

TABLE = yaml.safe_load((Path(__file__).parents[1] / "traefik" / "routes.yml").read_text(encoding="utf-8"))
FORBIDDEN = [path for paths in TABLE["forbidden"].values() for path in paths]
METHODS = [
    (method, path) for path in TABLE["forbidden_methods"]["paths"] for method in TABLE["forbidden_methods"]["methods"]
]
PROTOCOLS = {"1.1": "HTTP/1.1", "2": "HTTP/2"}


def filled(path: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        path = path.replace("{" + name + "}", value)
    return path


@pytest.mark.parametrize("http", PROTOCOLS)
@pytest.mark.parametrize("row", TABLE["allowed"], ids=lambda row: row["path"])
def test_allowed_path_answers(client: Client, names: dict[str, str], row: dict[str, Any], http: str) -> None:
    answer = client.fetch(filled(row["path"], names), http=http)
    assert (answer.status, answer.protocol) == (row.get("answers", 200), PROTOCOLS[http])


def test_forecaster_without_a_slash_stays_on_https(client: Client) -> None:
    assert client.fetch("/forecaster").headers["location"] == "https://localhost/forecaster/"


@pytest.mark.parametrize("http", PROTOCOLS)
@pytest.mark.parametrize("path", FORBIDDEN)
def test_forbidden_path_is_not_found(client: Client, names: dict[str, str], path: str, http: str) -> None:
    answer = client.fetch(filled(path, names), http=http)
    assert answer.status in (404, 405)
    assert "never route this" not in answer.text and "root:" not in answer.text


@pytest.mark.parametrize(("method", "path"), METHODS)
def test_forbidden_method_is_refused(client: Client, names: dict[str, str], method: str, path: str) -> None:
    assert client.fetch(filled(path, names), method).status in (404, 405)


@pytest.mark.parametrize("path", ["/nothing/here/", "/docs/nothing", "/metabase/setup"])
def test_not_found_is_a_page_of_the_site(client: Client, path: str) -> None:
    answer = client.fetch(path)
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html") and "Tokenscope" in answer.text


def test_plain_http_is_sent_to_https(client: Client) -> None:
    answer = client.fetch("/docs/?a=b", origin="http://localhost")
    assert answer.status in (301, 308)
    assert answer.headers["location"] == "https://localhost/docs/?a=b"


@pytest.mark.parametrize("path", ["/", "/docs/", "/forecaster", "/metabase/public/dashboard/{uuid}"])
def test_page_promises_tls_and_names_no_server(client: Client, names: dict[str, str], path: str) -> None:
    headers = client.fetch(filled(path, names)).headers
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["permissions-policy"].startswith("camera=()")
    assert not {"server", "x-powered-by", "set-cookie"} & headers.keys()


def test_metabase_page_keeps_its_nonce_policy_and_may_be_framed(client: Client, names: dict[str, str]) -> None:
    path = filled("/metabase/public/dashboard/{uuid}", names)
    first, second = (client.fetch(path).headers for _ in range(2))
    assert "nonce-" in first["content-security-policy"]
    assert first["content-security-policy"] != second["content-security-policy"]
    assert "x-frame-options" not in first


def test_metabase_page_loads_under_its_prefix(client: Client, names: dict[str, str]) -> None:
    page = client.fetch(filled("/metabase/public/dashboard/{uuid}", names)).text
    assert '<base href="/metabase/">' in page
    assert client.fetch("/metabase/app/dist/app-public.js").status == 200


def test_metabase_cards_hold_rows_and_no_sql(client: Client, names: dict[str, str]) -> None:
    answer = client.fetch(filled("/metabase/api/public/dashboard/{uuid}/dashcard/{dashcard}/card/{card}", names))
    assert '"rows"' in answer.text and "select " not in answer.text.lower()


def test_hashed_files_are_cached_for_ever_and_pages_are_not(client: Client) -> None:
    page = client.fetch("/")
    assert page.headers["cache-control"] == "no-cache"
    start = page.text.index("/_astro/")
    end = min(page.text.index(quote, start) for quote in "\"'" if quote in page.text[start:])
    assert client.fetch(page.text[start:end]).headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["/", "/docs/"])
def test_pages_are_sent_as_they_were_compressed(client: Client, path: str) -> None:
    answer = client.fetch(path, headers={"Accept-Encoding": "gzip, deflate, br, zstd"})
    assert answer.headers["content-encoding"] == "gzip" and "content-length" in answer.headers
    plain = client.fetch(path).body
    assert gzip.decompress(answer.body) == plain and len(answer.body) < len(plain) / 2


def test_old_tls_is_refused(client: Client, stack: Project) -> None:
    with pytest.raises(ConnectionError):
        client.fetch("/", tls="1.1")
    assert client.fetch("/", tls="1.2").status == 200


def test_requests_are_logged_without_headers(client: Client, stack: Project) -> None:
    marker = "/logged-by-traefik-or-not/"
    for _ in range(101):  # the log is written a hundred lines at a time
        client.fetch(marker, headers={"Cookie": "secret-cookie"})
    log = stack.logs("traefik")
    assert marker in log and "secret-cookie" not in log
