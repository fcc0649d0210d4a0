"""Static files leave as they were compressed at build time; the proxy compresses nothing of them again."""

from __future__ import annotations

import gzip
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.paths import REPOSITORY
from embedded.precompressed import accepts_gzip, compressed_copy
from embedded.proxy import free_port
from tests.traefik.front_door import ALLOWED, Proxy, front_door, running_nginx, wait_for_port

PAGE = "".join(f"<p>{number} of the documentation's lines</p>\n" for number in range(2000)).encode()
SMALL = b"<p>small</p>"
# How a folder of the two servers is filled: the site at /, the documentation at /docs.
SERVED = """
import sys
from pathlib import Path
import embedded.static_files as files
files.SITE, files.DOCS = Path(sys.argv[2]), Path(sys.argv[3])
import uvicorn
uvicorn.run(files.application(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    for path in (folder / "site" / "current", folder / "docs"):
        path.mkdir(parents=True)
        (path / "index.html").write_bytes(PAGE)
        (path / "index.html.gz").write_bytes(gzip.compress(PAGE))
        (path / "small.html").write_bytes(SMALL)
    (folder / "site" / "current" / "404.html").write_bytes(SMALL)
    return folder


@pytest.fixture(scope="module", params=["nginx", "embedded"])
def proxy(request: pytest.FixtureRequest, folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("traefik")
    if request.param == "nginx":
        paths = {"root /site/current;": f"root {folders}/site/current;", "root /;": f"root {folders};"}
        with (
            running_nginx(folder, "site.conf", paths) as address,
            front_door(folder, {"SITE_URL": address, "DOCS_URL": address}) as found,
        ):
            yield found
        return
    port = free_port("127.0.0.1")
    command = [sys.executable, "-c", SERVED, str(port), str(folders / "site" / "current"), str(folders / "docs")]
    with subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}) as process:
        try:
            wait_for_port(port)
            address = f"http://127.0.0.1:{port}"
            with front_door(folder, {"SITE_URL": address, "DOCS_URL": address}) as found:
                yield found
        finally:
            process.terminate()


def get(proxy: Proxy, path: str, encodings: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
    try:
        connection.request("GET", path, headers={"Accept-Encoding": encodings, **headers})
        response = connection.getresponse()
        return response.status, response.read(), {k.lower(): v for k, v in response.getheaders()}
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/docs/"])
@pytest.mark.parametrize("encodings", ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8"])
def test_client_that_takes_gzip_gets_the_copy_made_at_build_time(proxy: Proxy, path: str, encodings: str) -> None:
    status, body, headers = get(proxy, path, encodings)
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(body) == PAGE and headers["content-type"].startswith("text/html")
    assert "accept-encoding" in headers["vary"].lower() and headers["content-length"] == str(len(body))


@pytest.mark.parametrize("path", ["/", "/docs/"])
@pytest.mark.parametrize("encodings", ["identity", "zstd", "br", "gzip;q=0"])
def test_other_client_gets_the_page_as_it_is(proxy: Proxy, path: str, encodings: str) -> None:
    status, body, headers = get(proxy, path, encodings)
    assert (status, body) == (200, PAGE) and "content-encoding" not in headers


def test_file_without_a_copy_is_sent_as_it_is(proxy: Proxy) -> None:
    status, body, headers = get(proxy, "/docs/small.html", "gzip")
    assert (status, body) == (200, SMALL) and "content-encoding" not in headers


def test_copy_that_has_not_changed_is_not_sent_again(proxy: Proxy) -> None:
    etag = get(proxy, "/docs/", "gzip")[2]["etag"]
    assert get(proxy, "/docs/", "gzip", **{"If-None-Match": etag})[0] == 304
    assert get(proxy, "/docs/", "identity")[2]["etag"] != etag


def test_copy_older_than_its_page_is_not_used_by_the_embedded_server(tmp_path: Path) -> None:
    page, copy = tmp_path / "index.html", tmp_path / "index.html.gz"
    page.write_bytes(PAGE)
    assert compressed_copy(page, page.stat()) is None
    copy.write_bytes(gzip.compress(b"of yesterday"))
    os.utime(copy, (1, 1))
    assert compressed_copy(page, page.stat()) is None
    os.utime(copy, ns=(page.stat().st_mtime_ns, page.stat().st_mtime_ns))
    assert compressed_copy(page, page.stat()) == copy.stat()


def test_proxy_compresses_nothing(tmp_path: Path) -> None:
    with front_door(tmp_path) as found:
        for backend in found.backends.values():
            backend.body = PAGE
        for row in ALLOWED:
            _, body, headers = get(found, row["path"], "zstd, br, gzip")
            assert body == PAGE and "content-encoding" not in headers


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        *[(header, True) for header in ("gzip", "GZIP", "br, gzip;q=0.5", "deflate, gzip;q=0.01")],
        *[(header, False) for header in ("", "br", "x-gzip", "identity", "gzip; q=0", "gzip;q=0.000")],
    ],
)
def test_accept_encoding_is_read_as_it_is_meant(header: str, takes: bool) -> None:
    assert accepts_gzip(header) is takes
