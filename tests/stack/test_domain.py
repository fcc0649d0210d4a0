"""A real domain: Traefik gets its certificate from an authority that asks back over port 80, as Let's Encrypt does.

The authority is Pebble, in a network with the stack's own Traefik and nothing else; the one setting of Traefik that the
test changes is the authority's address.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack.engine import PEBBLE, REPOSITORY
from tests.stack.patience import HANG_S, wait_until
from tests.stack.project import Project
from tests.stack.standins import ROOT_TAG

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
