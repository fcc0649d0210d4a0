"""A real domain: a certificate from an authority that asks back over port 80, and a login before everything.

The authority is Pebble, as Let's Encrypt does it. A second Traefik of the stack's own image has the domain; it stands
beside the stack's first one, before the same backends. What the tests change is the authority's address.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import HANG_S, wait_until
from tests.stack.engine import PEBBLE, REPOSITORY
from tests.stack.project import Project
from tests.stack.standins import ROOT_TAG
from tests.stack.test_routes import FORBIDDEN, METHODS, TABLE, filled

pytestmark = pytest.mark.every_engine
DOMAIN = "analytics.example.test"
CHALLENGE = "httpChallenge: {entryPoint: web}"
COMPOSE = """
services:
  traefik:
    environment: {{DOMAIN: {domain}, LEGO_CA_CERTIFICATES: /pebble/cert.pem}}
    ports: !reset []
    volumes: ["{folder}/traefik.yml:/etc/traefik/traefik.yml:ro", "{folder}:/pebble:ro"]
    networks: {{edge: {{aliases: [{domain}]}}, web: {{}}}}
    depends_on: {{pebble: {{condition: service_started}}}}
  pebble:
    image: {image}
    command: [/usr/local/bin/pebble, -config, /pebble/pebble.json]
    environment: {{PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0"}}
    volumes: ["{folder}:/pebble:ro", "{program}:/usr/local/bin/pebble:ro"]
    networks: [edge]
networks:
  web: !override {{external: true, name: tokenscope_web}}
"""


@dataclass(frozen=True)
class Domain:
    """The stack's Traefik with a domain, and the authority beside it."""

    stack: Project
    words: list[str]

    def compose(self, *words: str) -> str:
        """Run `docker compose WORDS...` on these two."""
        return self.stack.compose(*self.words, *words)

    def curl(self, *words: str) -> str:
        """Run curl beside them; return what it printed."""
        limited = ["curl", "--silent", "--show-error", "--max-time", f"{HANG_S:.0f}"]
        return self.compose("exec", "-T", "pebble", *limited, *words)


@pytest.fixture(scope="module")
def domain(stack: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Domain]:
    """Start Traefik with a domain, and Pebble."""
    folder = tmp_path_factory.mktemp("pebble")
    folder.chmod(0o755)
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    names = ["-subj", "/CN=pebble", "-addext", "subjectAltName=DNS:pebble,DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *names]
    subprocess.run(command, check=True, capture_output=True)
    settings = {"listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000"}
    settings |= {"certificate": "/pebble/cert.pem", "privateKey": "/pebble/key.pem"}
    ports = {"httpPort": 80, "tlsPort": 443}
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings | ports}))
    configuration = (REPOSITORY / "traefik" / "traefik.yml").read_text()
    assert configuration.count(CHALLENGE) == 1
    authority = f"{CHALLENGE}\n      caServer: https://pebble:14000/dir"
    (folder / "traefik.yml").write_text(configuration.replace(CHALLENGE, authority))
    override = folder / "domain.yml"
    program = stack.engine.root / PEBBLE
    override.write_text(COMPOSE.format(domain=DOMAIN, folder=folder, image=ROOT_TAG, program=program))
    found = Domain(stack, ["-p", "domain", "-f", "docker-compose.yml", "-f", str(override)])
    try:
        found.compose("up", "--detach", "--wait", "traefik")
        yield found
    finally:
        stack.compose(*found.words, "down", "--volumes", check=False)


def test_domain_gets_a_certificate_of_the_authority(domain: Domain, tmp_path: Path) -> None:
    script = "curl -s --cacert /pebble/cert.pem https://localhost:15000/roots/0 >/tmp/root.pem"
    domain.compose("exec", "-T", "pebble", "sh", "-c", script)
    asked = ["--cacert", "/tmp/root.pem", "--output", "/dev/null", "--write-out", "%{ssl_verify_result}"]

    def is_trusted() -> bool:
        with suppress(AssertionError):  # curl fails while the certificate is still the one Traefik made itself
            return domain.curl(*asked, f"https://{DOMAIN}/") == "0"
        return False

    wait_until(is_trusted, "a certificate of the authority")
    assert DOMAIN in domain.compose("exec", "-T", "traefik", "cat", "/acme/acme.json")


def test_domain_is_sent_to_https(domain: Domain) -> None:
    asked = ["--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}"]
    assert domain.curl(*asked, f"http://{DOMAIN}/docs/") == f"301 https://{DOMAIN}/docs/"


def statuses(domain: Domain, requests: list[tuple[str, str]], *words: str) -> list[tuple[str, str, int]]:
    """Return method, path and status of each request, sent by one curl with `words` for all of them."""
    command = [
        "--insecure",
        "--path-as-is",
        "--globoff",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}\\n",
        *words,
    ]
    found: list[tuple[str, str, int]] = []
    for begin in range(0, len(requests), 50):
        part = requests[begin : begin + 50]
        each: list[str] = []
        for method, path in part:
            how = ["--head"] if method == "HEAD" else ["--request", method]
            each += ["--next", *command, *how, f"https://{DOMAIN}{path}"]
        codes = domain.curl(*each[1:]).split()
        found += [(method, path, int(code)) for (method, path), code in zip(part, codes, strict=True)]
    return found


UPLOAD = "/forecaster/_stcore/upload_file/{uuid}/{uuid}"


def login(domain: Domain) -> str:
    """Return the header that signs a visitor in, with the password that `make secrets` made."""
    password = (domain.stack.folder / "secrets" / "viewer_password").read_text().strip()
    return "Authorization: Basic " + base64.b64encode(f"tokenscope:{password}".encode()).decode()


def test_nothing_of_the_domain_is_reached_without_a_login(domain: Domain, names: dict[str, str]) -> None:
    allowed = [row["path"] for row in TABLE["allowed"] + TABLE["allowed_files"]]
    requests = [("GET", path) for path in [*allowed, *FORBIDDEN]] + [("HEAD", path) for path in allowed]
    requests = [(method, filled(path, names)) for method, path in [*requests, ("PUT", UPLOAD), ("DELETE", UPLOAD)]]
    assert [found for found in statuses(domain, requests) if found[2] != 401] == []
    wrong = "Authorization: Basic " + base64.b64encode(b"tokenscope:wrong").decode()
    assert [found for found in statuses(domain, requests, "--header", wrong) if found[2] != 401] == []
    other = [(method, filled(path, names)) for method, path in METHODS if method != "TRACE"]
    assert {found[2] for found in statuses(domain, other)} <= {401, 404, 405}


def test_login_opens_what_the_table_allows_and_no_more(domain: Domain, names: dict[str, str]) -> None:
    signed_in = ["--header", login(domain)]
    rows = {filled(row["path"], names): row.get("answers", 200) for row in TABLE["allowed"]}
    found = statuses(domain, [("GET", path) for path in rows], *signed_in)
    assert {path: status for _, path, status in found} == rows
    refused = statuses(domain, [("GET", filled(path, names)) for path in FORBIDDEN], *signed_in)
    assert [found for found in refused if found[2] not in (404, 405)] == []


def test_page_of_a_refused_visitor_asks_for_the_password(domain: Domain) -> None:
    answer = domain.curl("--insecure", "--include", f"https://{DOMAIN}/")
    assert 'www-authenticate: Basic realm="Tokenscope"' in answer and "This server asks who you are" in answer


def test_name_that_is_not_the_domain_is_refused(domain: Domain) -> None:
    words = [
        "--insecure",
        "--header",
        "Host: rebind.example.test",
        "--header",
        login(domain),
        "--write-out",
        "%{http_code}",
    ]
    assert domain.curl(*words, f"https://{DOMAIN}/").endswith("421")
