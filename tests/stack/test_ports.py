"""Other ports than 80 and 443: a second Traefik of the stack's image on them, before the same backends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.client import Client
from tests.stack.project import Project

pytestmark = pytest.mark.every_engine
HTTP_PORT, HTTPS_PORT = "18080", "18443"
ORIGIN = f"https://localhost:{HTTPS_PORT}"
COMPOSE = """
networks:
  web: !override {external: true, name: tokenscope_web}
"""


@pytest.fixture(scope="module")
def words(stack: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Start that Traefik; return the words that make compose speak of it."""
    folder = tmp_path_factory.mktemp("ports")
    (folder / "ports.yml").write_text(COMPOSE)
    (folder / "ports.env").write_text(f"HTTP_PORT={HTTP_PORT}\nHTTPS_PORT={HTTPS_PORT}\n")
    files = ["-f", "docker-compose.yml", "-f", str(folder / "ports.yml"), "--env-file", str(folder / "ports.env")]
    found = ["-p", "ports", *files]
    try:
        stack.compose(*found, "up", "--detach", "--wait", "traefik")
        yield found
    finally:
        stack.compose(*found, "down", "--volumes", check=False)


@pytest.fixture(scope="module")
def other(stack: Project, words: list[str]) -> Client:
    """Return a client of that Traefik."""
    return Client(ORIGIN, Path(stack.folder / "secrets" / "tls_certificate"))


def test_plain_http_is_sent_to_the_other_port(other: Client) -> None:
    answer = other.fetch("/docs/?a=b", origin=f"http://localhost:{HTTP_PORT}")
    assert (answer.status, answer.headers["location"]) == (301, f"{ORIGIN}/docs/?a=b")


def test_pages_without_their_slash_stay_on_the_other_port(other: Client) -> None:
    assert other.fetch("/docs").headers["location"] == f"{ORIGIN}/docs/"
    assert other.fetch("/forecaster").headers["location"] == f"{ORIGIN}/forecaster/"
    assert other.fetch("/pipeline").headers["location"] in ("/pipeline/", f"{ORIGIN}/pipeline/")


def test_site_and_metabase_are_told_the_address_with_its_port(stack: Project, words: list[str]) -> None:
    settings = stack.compose(*words, "config")
    assert f"SITE_PUBLIC_URL: {ORIGIN}\n" in settings and f"MB_SITE_URL: {ORIGIN}/metabase\n" in settings


def test_port_443_is_in_no_address_of_the_site(stack: Project) -> None:
    page = stack.compose("exec", "-T", "frontend", "cat", "/site/current/index.html", "/site/current/sitemap-0.xml")
    assert "https://localhost/" in page and "localhost:443" not in page
