"""What the provisioner takes from the environment: addresses, and secrets as values or files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metabase.client import MetabaseError

READER = "portfolio_reader"
SCHEMAS = "public_marts,public_star,public_snowflake,ops,forecast"


@dataclass(frozen=True)
class Target:
    """One Metabase to provision, and the warehouse as Metabase sees it. Secrets are not part of its repr."""

    url: str
    email: str
    password: str = field(repr=False)
    warehouse: Mapping[str, Any] = field(default_factory=dict)
    reader_password: str = field(default="", repr=False)
    setup_token: str = field(default="", repr=False)
    namespace: str = "tokenscope"
    collection: str = "Tokenscope"
    database: str = "Tokenscope warehouse"
    site_name: str = "Tokenscope"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must never be printed."""
        return tuple(secret for secret in (self.password, self.reader_password, self.setup_token) if secret)


def read_target(environment: Mapping[str, str] | None = None) -> Target:
    """Return the target that the environment names; raises MetabaseError listing everything that is missing."""
    env = os.environ if environment is None else environment
    problems: list[str] = []

    def needed(name: str, value: str, what: str) -> str:
        if not value:
            problems.append(f"{name} ({what})")
        return value

    password = needed(
        "METABASE_ADMIN_PASSWORD_FILE", _secret(env, "METABASE_ADMIN_PASSWORD"), "file with the admin's password"
    )
    reader = needed(
        "PORTFOLIO_READER_PASSWORD_FILE", _secret(env, "PORTFOLIO_READER_PASSWORD"), f"file with {READER}'s password"
    )
    host = needed("PGHOST", env.get("PGHOST", ""), "the warehouse's host as Metabase sees it")
    if problems:
        raise MetabaseError(f"expected in the environment: {', '.join(problems)}; found none; set them and run again")
    return Target(
        url=env.get("METABASE_URL") or "http://localhost:3000",
        email=env.get("METABASE_ADMIN_EMAIL") or "admin@tokenscope.local",
        password=password,
        warehouse=_details(host, env),
        reader_password=reader,
        setup_token=_secret(env, "METABASE_SETUP_TOKEN"),
    )


def _details(host: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Return Metabase's connection details without the password."""
    port = env.get("PGPORT") or "5432"
    if not port.isdigit():
        raise MetabaseError(f"expected a number in PGPORT, found {port!r}; set it and run again")
    mode = env.get("PGSSLMODE", "disable")
    tls = {"ssl": True, "ssl-mode": mode} if mode in ("require", "verify-ca", "verify-full") else {"ssl": False}
    return {
        "host": host,
        "port": int(port),
        "dbname": env.get("PGDATABASE") or "tokenscope",
        "user": READER,
        "schema-filters-type": "inclusion",
        "schema-filters-patterns": SCHEMAS,
        **tls,
    }


def _secret(env: Mapping[str, str], name: str) -> str:
    """Return the content of the file that `<name>_FILE` names, else `<name>`, else ''."""
    path = env.get(f"{name}_FILE")
    if not path:
        return env.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        told = f"expected a readable file in {name}_FILE, found {path} ({error.strerror})"
        raise MetabaseError(f"{told}; create it with `make secrets` or correct the path") from None
