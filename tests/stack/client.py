"""HTTP as an attacker would send it: paths as written, a method of choice, HTTP/1.1 or 2, the certificate checked."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.patience import HANG_S


@dataclass(frozen=True)
class Answer:
    """A response: status, header values by lower-case name, body, and the protocol it came by."""

    status: int
    headers: dict[str, str]
    body: bytes
    protocol: str

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")


class Client:
    """Asks one origin through curl, which can leave a path alone (`--path-as-is`) and speaks HTTP/2."""

    def __init__(self, origin: str, certificate: Path) -> None:
        """Trust `certificate` alone."""
        self.origin = origin
        self.certificate = certificate

    def fetch(
        self,
        path: str,
        method: str = "GET",
        http: str = "1.1",
        headers: dict[str, str] | None = None,
        origin: str | None = None,
        timeout_s: float = HANG_S,
        tls: str | None = None,
    ) -> Answer:
        """Send one request; raises ConnectionError where there is no answer."""
        with tempfile.NamedTemporaryFile() as head:
            words = ["curl", "--silent", "--show-error", "--path-as-is", "--globoff", "--dump-header", head.name]
            words += ["--cacert", str(self.certificate), f"--http{http}", "--max-time", str(timeout_s)]
            words += ["--tls-max", tls] if tls else []
            words += ["--head"] if method == "HEAD" else ["--request", method]
            for name, value in (headers or {}).items():
                words += ["--header", f"{name}: {value}"]
            result = subprocess.run([*words, (origin or self.origin) + path], capture_output=True)
            if result.returncode != 0:
                raise ConnectionError(result.stderr.decode(errors="replace").strip())
            status_line, *lines = Path(head.name).read_text(errors="replace").strip().splitlines()
        found = (line.split(":", 1) for line in lines if ":" in line)
        values = {name.strip().lower(): value.strip() for name, value in found}
        protocol, status = status_line.split()[:2]
        return Answer(int(status), values, b"" if method == "HEAD" else result.stdout, protocol)
