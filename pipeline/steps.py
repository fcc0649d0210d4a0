"""Generate -> load -> dbt build -> docs; a step whose result is already there is skipped, whoever made it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

SOURCE = "synthetic"
SERVER_TIMEOUT_S = 120


class PipelineError(Exception):
    """The pipeline cannot run; the message says what to do."""


@dataclass(frozen=True)
class Settings:
    """What to generate and where to keep it."""

    rows: int
    seed: int
    data: Path
    docs: Path
    project: Path

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Read ROWS, SEED, PIPELINE_DATA_DIR, DOCS_DIR; raises PipelineError on a number that is none."""
        numbers = {"ROWS": environment.get("ROWS") or "500000", "SEED": environment.get("SEED") or "42"}
        wrong = [
            f"{name}: expected a whole number, found {value}" for name, value in numbers.items() if not value.isdigit()
        ]
        if wrong:
            raise PipelineError(f"pipeline: {'; '.join(wrong)}; change it in .env")
        return Settings(
            rows=int(numbers["ROWS"]),
            seed=int(numbers["SEED"]),
            data=Path(environment.get("PIPELINE_DATA_DIR") or "/data"),
            docs=Path(environment.get("DOCS_DIR") or "/docs"),
            project=Path(__file__).resolve().parent.parent / "dbt_project",
        )


def run_pipeline(settings: Settings, force: bool = False) -> None:
    """Bring the warehouse to what `settings` ask for; one line per step to stderr."""
    generated = settings.data / "generated"
    if force or not is_generated(generated, settings):
        run_step(
            "generate",
            "generator/generate_data.py",
            "--rows",
            settings.rows,
            "--seed",
            settings.seed,
            "--out",
            generated,
        )
    else:
        report("generate", "skipped: the data set is there")
    if force or not is_loaded(generated):
        run_step("load", "-m", "loader", "load", generated)
    else:
        report("load", "skipped: the latest load is of this data set")
    wanted = {"batches": latest_batches(), "project": digest(settings.project)}
    marker = settings.data / "built.json"
    if force or read_json(marker) != wanted or not (settings.docs / "index.html").exists():
        marker.unlink(missing_ok=True)
        target = settings.data / "dbt_target"
        dbt(settings, target, "build")
        export_site(settings, target)  # before the docs, which write a run_results.json of their own
        dbt(settings, target, "docs", "generate", "--static")
        publish(target / "static_index.html", settings.docs / "index.html")
        marker.write_text(json.dumps(wanted, sort_keys=True), encoding="utf-8")
    else:
        report("dbt", "skipped: built from these loads by this project")


def wait_for_server() -> None:
    """Wait while the server starts or recovers, so that the container's few restarts are kept for real failures.

    Raises psycopg.OperationalError when it stays away for SERVER_TIMEOUT_S, or at once when it refuses the password.
    """
    deadline = time.monotonic() + SERVER_TIMEOUT_S
    while True:
        try:
            psycopg.connect("", connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(1)


def is_generated(directory: Path, settings: Settings) -> bool:
    """Return whether `directory` holds the data set of these settings, by its manifest (written last)."""
    arguments = read_json(directory / "manifest.json").get("arguments", {})
    return bool(arguments.get("rows") == settings.rows and arguments.get("seed") == settings.seed)


def is_loaded(generated: Path) -> bool:
    """Return whether the latest finished load of the generated source is of this very manifest."""
    manifest = hashlib.sha256((generated / "manifest.json").read_bytes()).hexdigest()
    query = """
        select sha256 from raw_staging.load_batches
        where source = %s and status = 'done' order by batch_id desc limit 1
    """
    with psycopg.connect("") as connection:
        return connection.execute(query, [SOURCE]).fetchone() == (manifest,)


def latest_batches() -> list[list[str]]:
    """Return source and finish time of every source's latest load: what the models were, or will be, built from."""
    query = """
        select source, max(finished_at)::text from raw_staging.load_batches
        where status = 'done' group by source order by source
    """
    with psycopg.connect("") as connection:
        return [list(row) for row in connection.execute(query)]


def digest(directory: Path) -> str:
    """Return the SHA-256 of all file names and contents below `directory`."""
    total = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        total.update(str(path.relative_to(directory)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def dbt(settings: Settings, target: Path, *words: str) -> None:
    """Run dbt; its target and logs go to the data volume, the project itself is read-only."""
    folders = ["--project-dir", settings.project, "--profiles-dir", settings.project, "--target-path", target]
    program = Path(sys.executable).parent / "dbt"
    run_program(f"dbt {words[0]}", program, *words, *folders, "--log-path", settings.data / "dbt_logs")


def export_site(settings: Settings, target: Path) -> None:
    """Write what the site shows, read from the warehouse as portfolio_reader."""
    site = settings.data / "site"
    paths = ["--out", site, "--target", target, "--generated", settings.data / "generated"]
    run_step("export site", "-m", "frontend.export", *paths)
    run_step("export dashboards", "-m", "metabase", "export", "--out", site / "dashboards")


def publish(source: Path, destination: Path) -> None:
    """Put `source` in the place of `destination` in one step, so that a reader sees the old or the new file."""
    staging = destination.with_suffix(".new")
    staging.write_bytes(source.read_bytes())
    staging.replace(destination)


def run_step(name: str, *words: object) -> None:
    """Run `python WORDS...`, see run_program."""
    run_program(name, sys.executable, *words)


def run_program(name: str, *words: object) -> None:
    """Run a program in the repository's folder; raises CalledProcessError when it fails."""
    started = time.monotonic()
    subprocess.run([str(word) for word in words], cwd=Path(__file__).resolve().parent.parent, check=True)
    report(name, f"done in {time.monotonic() - started:.1f} s")


def report(step: str, text: str) -> None:
    """Say one thing on stderr."""
    print(f"pipeline: {step}: {text}", file=sys.stderr, flush=True)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in `path`, an empty one where it is absent or no JSON."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
