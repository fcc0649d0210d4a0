"""The pipeline's own commands, as child processes, with folders of a test's own in place of the containers' volumes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from pipeline.settings import Settings

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


@dataclass
class Stack:
    """The folders and the database that stand for one stack."""

    root: Path
    database: dict[str, str]
    repository: Path

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment of a container."""
        folders = {"PIPELINE_DATA_DIR": "data", "DOCS_DIR": "docs", "INBOX_DIR": "inbox", "SITE_DIR": "site"}
        paths = {name: str(self.root / folder) for name, folder in folders.items()}
        paths["SCHEDULED_BACKUP_DIR"] = str(self.root / "backups")
        return {**os.environ, **self.database, **paths, "DATA": "none", **settings}

    def settings(self, **settings: str) -> Settings:
        """Return what a container would read from its environment."""
        return Settings.from_environment(self.environment(**settings))

    def run(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m pipeline WORDS...`; return how it ended."""
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *words],
            cwd=self.repository,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with self.connect() as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    def connect(self) -> psycopg.Connection:
        """Connect to the database as its administrator."""
        server = self.database
        parameters = {"host": server["PGHOST"], "port": server["PGPORT"], "user": server["PGUSER"]}
        return psycopg.connect(dbname=server["PGDATABASE"], **parameters)  # type: ignore[arg-type]

    def drop(self, name: str, minutes: range, day: str = "2024-05-10", folder: str = "azure-llm") -> Path:
        """Put a trace of one request a minute into the inbox."""
        path = self.root / "inbox" / folder / name
        lines = (f"{day} {at // 60:02}:{at % 60:02}:07.5,{100 + at},9\n" for at in minutes)
        path.write_text(HEADER + "".join(lines))
        return path


def make_stack(root: Path, database: dict[str, str], repository: Path) -> Stack:
    """Return a stack with empty folders."""
    for name in ("data", "docs", "site", "backups", "inbox/azure-llm", "inbox/litellm", "inbox/burstgpt"):
        (root / name).mkdir(parents=True)
    return Stack(root, database, repository)


@pytest.fixture
def stack(tmp_path: Path, database: dict[str, str], repo_root: Path) -> Stack:
    """Return a stack whose warehouse has raw tables and nothing else."""
    return make_stack(tmp_path, database, repo_root)
