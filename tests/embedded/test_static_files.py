"""The real static server: what was built is served, what is hidden or asked for by a strange name is not."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from embedded.proxy import free_port
from embedded.static_policy import allowed_hosts
from tests.patience import HANG_S, wait_until


def get(port: int, path: str, host: str | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture(scope="module")
def static_port(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Iterator[int]:
    """Return the port of a static server over a folder with hidden files."""
    site = tmp_path_factory.mktemp("site")
    for name in ("index.html", "plain.txt", ".env", ".git/config", "sub/.htpasswd", "sub/..data"):
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text("text")
    code = (
        "import runpy, sys; from pathlib import Path; import embedded.paths as paths\n"
        "paths.SITE, paths.DOCS = Path(sys.argv.pop()), Path('/nowhere')\n"
        "runpy.run_module('embedded.static_files', run_name='__main__', alter_sys=True)"
    )
    port = free_port("127.0.0.1")
    environment = {**os.environ, "ALLOWED_HOSTS": "Laptop.lan, other.lan"}
    words = [sys.executable, "-c", code, str(port), str(site)]
    with subprocess.Popen(words, cwd=repo_root, env=environment) as process:

        def answers() -> bool:
            assert process.poll() is None
            with suppress(OSError):
                get(port, "/")
                return True
            return False

        wait_until(answers, "the server answers", poll_s=0.05)
        yield port
        process.kill()


def test_what_was_built_is_served(static_port: int) -> None:
    assert (get(static_port, "/"), get(static_port, "/plain.txt"), get(static_port, "/absent")) == (200, 200, 404)


@pytest.mark.parametrize(
    "path", ["/.env", "/%2eenv", "/.git/config", "/sub/.htpasswd", "/sub/..data", "/sub/../.env", "//.env"]
)
def test_a_hidden_file_is_not_there(static_port: int, path: str) -> None:
    assert get(static_port, path) == 404


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "laptop.lan:8080", "OTHER.lan"])
def test_a_name_of_this_machine_is_answered(static_port: int, host: str) -> None:
    assert get(static_port, "/", host) == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "lan"])
def test_a_strange_name_is_refused(static_port: int, host: str) -> None:
    assert get(static_port, "/", host) == 400


def test_the_domain_is_a_name_of_this_machine() -> None:
    assert allowed_hosts({"DOMAIN": "a.example", "ALLOWED_HOSTS": ""})[-1] == "a.example"
    assert allowed_hosts({}) == ["localhost", "127.0.0.1", "[::1]"]
