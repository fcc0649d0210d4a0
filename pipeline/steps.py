"""Generate -> load -> dbt build -> forecast -> export -> docs; a step whose result is there is skipped.

Every step leaves its start and end, failures included, in ops.pipeline_events (`python -m warehouse run`; the loader
does so itself).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

SOURCE = "synthetic"
DOCS_FILES = ("index.html", "index.html.gz")
SERVER_TIMEOUT_S = 120
FORECAST_WORKERS = 2  # as many as the container has processors; the machine may have more
REPOSITORY = Path(__file__).resolve().parent.parent
MADE_BY = (
    "dbt_project",
    "forecaster",
    "frontend/export",
    "metabase",
    "theme.json",
)  # what the models and exports depend on


class PipelineError(Exception):
    """The pipeline cannot run; the message says what to do."""


@dataclass(frozen=True)
class Settings:
    """What to generate and where to keep it."""

    rows: int
    seed: int
    data: Path
    docs: Path
    report_tz: str

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Read ROWS, SEED, REPORT_TZ, PIPELINE_DATA_DIR, DOCS_DIR; raises PipelineError on a number that is none."""
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
            report_tz=environment.get("REPORT_TZ") or "UTC",
        )


def run_pipeline(settings: Settings, force: bool = False) -> None:
    """Bring the warehouse to what `settings` ask for; one line per step to stderr."""
    generated = settings.data / "generated"
    if force or not is_generated(generated, settings):
        options = ["--rows", settings.rows, "--seed", settings.seed, "--out", generated]
        run_recorded("generate", [sys.executable, "generator/generate_data.py", *options])
    else:
        report("generate", "skipped: the data set is there")
    if force or not is_loaded(generated):
        run_program("load", [sys.executable, "-m", "loader", "load", generated])
    else:
        report("load", "skipped: the latest load is of this data set")
    wanted = {"batches": latest_batches(), "made_by": digest(MADE_BY), "report_tz": settings.report_tz}
    marker = settings.data / "built.json"
    if force or read_json(marker) != wanted or not all((settings.docs / name).exists() for name in DOCS_FILES):
        marker.unlink(missing_ok=True)
        model(settings)
        marker.write_text(json.dumps(wanted, sort_keys=True), encoding="utf-8")
    else:
        report("dbt-build", "skipped: built from these loads by these files")


def model(settings: Settings) -> None:
    """Build the models, forecast from them, and write what the site shows of both."""
    target = settings.data / "dbt_target"
    # Unit tests check the code, not the data: `make test` runs them.
    build = dbt(settings, target, "build", "--exclude-resource-type", "unit_test")
    run_recorded("dbt-build", build, "--record-dbt", target)
    run_recorded("forecast", [sys.executable, "-m", "forecaster", "batch", "--workers", FORECAST_WORKERS])
    export_site(settings, target)  # before the docs, which write a run_results.json of their own
    run_program("dbt docs", dbt(settings, target, "docs", "generate", "--static"))
    publish_docs(target / "static_index.html", settings.docs)


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


def digest(names: Sequence[str]) -> str:
    """Return the SHA-256 of the names and contents of these files and folders of the repository."""
    total = hashlib.sha256()
    for path in sorted(path for name in names for path in (REPOSITORY / name, *(REPOSITORY / name).rglob("*"))):
        if path.is_file() and "__pycache__" not in path.parts:
            total.update(str(path.relative_to(REPOSITORY)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def dbt(settings: Settings, target: Path, *words: str) -> list[object]:
    """Return a dbt command whose target and logs go to the data volume; the project itself is read-only."""
    project = REPOSITORY / "dbt_project"
    folders = ["--project-dir", project, "--profiles-dir", project, "--target-path", target]
    return [Path(sys.executable).parent / "dbt", *words, *folders, "--log-path", settings.data / "dbt_logs"]


def export_site(settings: Settings, target: Path) -> None:
    """Write what the site shows, read from the warehouse as portfolio_reader."""
    site = settings.data / "site"
    paths = ["--out", site, "--target", target, "--generated", settings.data / "generated"]
    run_program("export site", [sys.executable, "-m", "frontend.export", *paths])
    run_program("export dashboards", [sys.executable, "-m", "metabase", "export", "--out", site / "dashboards"])


def publish_docs(page: Path, folder: Path) -> None:
    """Publish the documentation page and what the server sends of it to clients that take gzip."""
    compressed = page.with_suffix(".gz")
    compressed.write_bytes(gzip.compress(page.read_bytes(), mtime=0))
    for source, name in zip((page, compressed), DOCS_FILES, strict=True):
        publish(source, folder / name)


def publish(source: Path, destination: Path) -> None:
    """Put `source` in the place of `destination` in one step, so that a reader sees the old or the new file."""
    staging = destination.with_name(destination.name + ".new")
    staging.write_bytes(source.read_bytes())
    staging.replace(destination)


def run_recorded(name: str, words: Sequence[object], *options: object) -> None:
    """Run a program with its start and end recorded under `name`, see run_program."""
    run_program(name, [sys.executable, "-m", "warehouse", "run", name, *options, "--", *words])


def run_program(name: str, words: Sequence[object]) -> None:
    """Run a program in the repository's folder; raises PipelineError when it fails."""
    started = time.monotonic()
    status = subprocess.run([str(word) for word in words], cwd=REPOSITORY).returncode
    if status != 0:
        raise PipelineError(
            f"pipeline: {name}: expected it to succeed, found exit status {status}; see its last lines above"
        )
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
