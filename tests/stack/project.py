"""A copy of this clone's files in which the real compose file runs, so that its .env and secrets stay untouched."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.patience import COMMAND_HANG_S, wait_until
from tests.stack.engine import REPOSITORY, Engine

HTTP_PORT, HTTPS_PORT = 80, 443
LONG_RUNNING = [
    *("portfolio_db", "metabase", "forecaster", "frontend", "error-pages", "traefik"),
    *("site-build", "scheduler", "backup"),
]
ONE_SHOTS = ["roles", "pipeline", "metabase-provision"]


def without_digests(path: Path) -> None:
    """Take the digests out of a copied compose file or Dockerfile: stand-ins have the official tags, other digests."""
    if path.name in ("docker-compose.yml", "Dockerfile"):
        path.write_text(re.sub(r"(?m)^(\s*(?:image:|FROM)\s+\S+?)@sha256:[0-9a-f]{64}", r"\1", path.read_text("utf-8")))


class Project:
    """The stack as a user has it: a folder with the repository's files, and `make` and `docker compose` in it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Copy the files git knows or would know; keep secrets of an earlier run."""
        self.engine = engine
        self.folder = folder
        secrets = folder / "secrets"
        kept = engine.home / "kept-secrets"
        if secrets.is_dir():
            secrets.rename(kept)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, check=True).stdout.decode().split("\0")
        for name in filter(None, names):
            if (REPOSITORY / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, folder / name)
                without_digests(folder / name)
        if kept.is_dir():
            kept.rename(secrets)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a user of the tests' engine; make's exported settings are not theirs."""
        foreign = (
            "PG",
            "TOKENSCOPE_",
            "COMPOSE_",
            "MAKE",
            "MFLAGS",
            "ROWS",
            "SEED",
            "DATA",
            "DAILY_RUN_AT",
            "RETENTION_MONTHS",
            "BACKUP_",
            "REPORT_TZ",
            "DOMAIN",
            "PUBLIC",
            "ALLOWED_HOSTS",
            "TRUSTED_PROXIES",
            "AUTH_FORWARD_URL",
            "HTTP_PORT",
            "HTTPS_PORT",
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {**kept, **self.engine.environment}

    def make(self, *words: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `make WORDS...` as a user would; return what it printed."""
        return self.run("make", *words, *(f"{name}={value}" for name, value in variables.items()), check=check)

    def compose(self, *words: str, check: bool = True) -> str:
        """Run `docker compose WORDS...`; return its stdout."""
        return self.run("docker", "compose", *words, check=check).stdout

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what Docker knows of a service's container."""
        found: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", self.container(service)))
        return found[0]

    def health(self, service: str) -> str:
        """Return a service's health, or its state where it has no check."""
        state = self.inspect(service)["State"]
        return str(state.get("Health", {}).get("Status", state["Status"]))

    def wait_healthy(self, service: str) -> float:
        """Wait until a service is running and healthy; return the seconds it took."""

        def is_healthy() -> bool:
            state = self.inspect(service)["State"]
            return bool(state["Running"]) and state.get("Health", {}).get("Status") == "healthy"

        return wait_until(is_healthy, f"{service} is healthy")

    def logs(self, *services: str) -> str:
        """Return what services have printed."""
        result = self.run("docker", "compose", "logs", "--no-color", "--no-log-prefix", *services)
        return result.stdout + result.stderr

    def sql(self, query: str, database: str = "tokenscope", user: str = "postgres") -> str:
        """Run a query in the database's container as superuser; return unaligned rows."""
        words = ["exec", "-T", "portfolio_db", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database]
        return self.compose(*words, "-c", query).strip()

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in the project's folder; return what it printed. Fails with its last lines where it does."""
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_HANG_S,
        )
        if check and result.returncode != 0:
            tail = f"{result.stdout[-3000:]}\n{result.stderr[-5000:]}"
            raise AssertionError(f"{' '.join(command)} exited with {result.returncode}\n{tail}")
        return result
