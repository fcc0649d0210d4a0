"""The steps of a run: generate -> load -> inbox -> dbt build -> forecast -> export -> docs; what is done is skipped.

Every step leaves its start and end, failures included, in ops.pipeline_events (`python -m warehouse run`; the loader
does so itself).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from pipeline import inbox
from pipeline.jobs import Job, ask
from pipeline.settings import DEMO, NONE, REPOSITORY, PipelineError, Settings
from warehouse.child import dies_with_parent
from warehouse.lock import alone

SOURCE = "synthetic"
DOCS_FILES = ("index.html", "index.html.gz")
SERVER_TIMEOUT_S = 120
FORECAST_WORKERS = 2  # as many as the container has processors; the machine may have more
MADE_BY = (
    "dbt_project",
    "forecaster",
    "frontend/export",
    "metabase",
    "theme.json",
)  # what the models and exports depend on


def run_pipeline(settings: Settings, force: bool = False) -> None:
    """Bring the warehouse to what `settings` ask for; one line per step to stderr. The start of the stack does this."""
    with run_lock("run"):
        fill(settings, force)
        load_inbox(settings)
        build(settings, force)


def run_work(settings: Settings) -> None:
    """Load what lies in the inbox and bring everything up to date with it. Raises PipelineError where a step fails."""
    with run_lock("work"):
        is_loaded = load_inbox(settings)
        if build(settings, tests="changed"):
            run_step("site")
    if not is_loaded:
        raise PipelineError("pipeline: inbox: expected every file to be loaded, found others; see inbox/failed")


def run_daily(settings: Settings) -> None:
    """Do the daily run. A step that fails is named at the end, by a PipelineError; those that need it are left out."""
    failed: list[str] = []

    def attempted(name: str, step: Callable[[], object]) -> None:
        try:
            step()
        except (PipelineError, psycopg.Error) as error:
            print(" ".join(str(error).split()), file=sys.stderr, flush=True)
            failed.append(name)

    with run_lock("daily"):
        attempted("inbox", lambda: run_step("inbox"))
        attempted("build", lambda: build(settings, force=True))
        if settings.retention_months and not failed:  # what was not built would be dropped without a trace
            attempted("retention", lambda: run_step("retention"))
            attempted("build", lambda: build(settings))
        attempted("site", lambda: run_step("site"))
        attempted("backup", lambda: run_step("backup"))
        target = settings.data / "dbt_target"
        freshness = dbt(settings, target, "source", "freshness")
        attempted("freshness", lambda: run_recorded("freshness", freshness))
    if failed:
        raise PipelineError(
            f"pipeline: daily: expected every step to succeed, found {', '.join(failed)} failed;"
            " the lines above say why, the next run tries again"
        )


@contextmanager
def run_lock(name: str) -> Iterator[None]:
    """Hold the pipeline's lock for a run, whose steps run under it, waiting for whoever has it."""
    with psycopg.connect("", autocommit=True, application_name="tokenscope-run") as connection, alone(connection, name):
        yield


def fill(settings: Settings, force: bool = False) -> None:
    """Generate and load the demo's data set, where the warehouse is to hold it."""
    generated = settings.data / "generated"
    data_set = chosen_data_set(settings)
    if data_set != DEMO:
        stays = count_of_source(SOURCE)
        kept = (
            f"; its {stays:,} requests of an earlier start stay until"
            f" `docker compose run --rm pipeline remove {SOURCE}`"
            if stays
            else ""
        )
        report("generate", f"skipped: DATA={data_set} asks for no demo data{kept}")
        return
    if force or not is_generated(generated, settings):
        options = ["--rows", settings.rows, "--seed", settings.seed, "--out", generated]
        run_recorded("generate", [sys.executable, "generator/generate_data.py", *options])
    else:
        report("generate", "skipped: the data set is there")
    if force or not is_loaded(generated):
        run_program("load", [sys.executable, "-m", "loader", "load", generated])
    else:
        report("load", "skipped: the latest load is of this data set")


def chosen_data_set(settings: Settings) -> str:
    """Return what DATA says, or said last: a plain `make up` adds no demo data to a stack that was started without.

    Where that is not known (a restore on a new machine), a warehouse with real data and no demo gets none.
    """
    memory = settings.data / "data_set.json"
    sources = {source for source, _ in latest_batches()}
    guess = NONE if sources and not count_of_source(SOURCE) else DEMO
    chosen = settings.data_set or str(read_json(memory).get("data_set") or guess)
    memory.write_text(json.dumps({"data_set": chosen}) + "\n", encoding="utf-8")
    return chosen


def load_inbox(settings: Settings) -> bool:
    """Load what lies in the inbox, if anything does; return whether all of it could be. A bad file stops no other."""
    if not inbox.look(settings.inbox):
        return True
    try:
        run_step("inbox")
    except PipelineError as error:
        print(error, file=sys.stderr, flush=True)
        return False
    return True


def build(settings: Settings, force: bool = False, tests: str = "all") -> bool:
    """Build and export unless that was done from these loads by these files; return whether anything was.

    Two notes say so, each beside what it is about: a restore brings back the models, not the exports in the volumes.
    """
    wanted = {
        "batches": latest_batches(),
        "dropped": latest_drop(),
        "made_by": digest(MADE_BY),
        "report_tz": settings.report_tz,
    }
    exported = settings.data / "exported.json"
    is_done = built_from() == wanted == read_json(exported)
    if not force and is_done and all((settings.docs / name).exists() for name in DOCS_FILES):
        report("dbt-build", "skipped: built from these loads by these files")
        return False
    (settings.data / "built.json").unlink(missing_ok=True)  # the only note of earlier versions
    exported.unlink(missing_ok=True)
    note_built_from(None)
    model(settings, tests)
    note_built_from(wanted)
    exported.write_text(json.dumps(wanted, sort_keys=True), encoding="utf-8")
    return True


def built_from() -> object:
    """Return what the models were last built from, None where no build has ended."""
    with psycopg.connect("") as connection:
        if connection.execute("select to_regclass('ops.built_from') is null").fetchone() == (True,):
            return None
        row = connection.execute("select wanted from ops.built_from").fetchone()
    return row[0] if row else None


def note_built_from(wanted: Mapping[str, object] | None) -> None:
    """Note what the models were built from, None while they are; it travels with a dump and with the log of changes."""
    with psycopg.connect("") as connection:
        connection.execute("set role portfolio_owner")
        connection.execute("create table if not exists ops.built_from (wanted jsonb not null)")
        connection.execute("delete from ops.built_from")
        if wanted is not None:
            connection.execute("insert into ops.built_from (wanted) values (%s)", [Jsonb(wanted)])


def model(settings: Settings, tests: str = "all") -> None:
    """Build the models, forecast from them, and write what the site shows of both."""
    target = settings.data / "dbt_target"
    # Unit tests check the code, not the data: `make test` runs them.
    command = dbt(settings, target, "build", "--exclude-resource-type", "unit_test")
    run_recorded("dbt-build", command, "--record-dbt", target, DBT_TEST_SCOPE=tests)
    run_recorded("forecast", [sys.executable, "-m", "forecaster", "batch", "--workers", FORECAST_WORKERS])
    run_step("export")
    run_program("dbt docs", dbt(settings, target, "docs", "generate", "--no-compile", "--static"))
    publish_docs(target / "static_index.html", settings.docs)
    ask(site_job(settings))


def site_job(settings: Settings) -> Job:
    """Return the job of building the site from the newest export."""
    return Job("site", "site-build", settings.data / "jobs", settings.site)


def backup_job(settings: Settings) -> Job:
    """Return the job of dumping the databases."""
    return Job("backup", "backup", settings.data / "jobs", settings.backups)


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


def count_of_source(source: str) -> int:
    """Return how many requests of a source the warehouse holds, by the loader's own count."""
    query = "select coalesce(sum(rows_loaded), 0) from raw_staging.live_batches where source = %s"
    with psycopg.connect("") as connection:
        row = connection.execute(query, [source]).fetchone()
    return int(row[0]) if row else 0


def latest_batches() -> list[list[str]]:
    """Return source and finish time of every source's latest load: what the models were, or will be, built from."""
    query = """
        select source, max(finished_at)::text from raw_staging.load_batches
        where status = 'done' group by source order by source
    """
    with psycopg.connect("") as connection:
        return [list(row) for row in connection.execute(query)]


def latest_drop() -> str | None:
    """Return the time before which requests were dropped for their age, None where none were."""
    with psycopg.connect("") as connection:
        if connection.execute("select to_regclass('ops.dropped_requests') is null").fetchone() == (True,):
            return None
        row = connection.execute("select max(dropped_before)::text from ops.dropped_requests").fetchone()
    return row[0] if row else None


def digest(names: Sequence[str]) -> str:
    """Return the SHA-256 of the names and contents of these files and folders of the repository."""
    total = hashlib.sha256()
    for path in sorted(path for name in names for path in (REPOSITORY / name, *(REPOSITORY / name).rglob("*"))):
        if path.is_file() and "__pycache__" not in path.parts:
            total.update(str(path.relative_to(REPOSITORY)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def dbt(settings: Settings, target: Path, *words: object) -> list[object]:
    """Return a dbt command whose target and logs go to the data volume; the project itself is read-only."""
    project = REPOSITORY / "dbt_project"
    folders = ["--project-dir", project, "--profiles-dir", project, "--target-path", target]
    return [Path(sys.executable).parent / "dbt", *words, *folders, "--log-path", settings.data / "dbt_logs"]


def export_site(settings: Settings) -> None:
    """Write what the site shows, read from the warehouse as portfolio_reader."""
    site, target = settings.data / "site", settings.data / "dbt_target"
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


def run_step(name: str) -> None:
    """Run one of this program's own steps as a child, recorded under its name."""
    run_recorded(name, [sys.executable, "-m", "pipeline", name])


def run_recorded(name: str, words: Sequence[object], *options: object, **environment: str) -> None:
    """Run a program with its start and end recorded under `name`, see run_program."""
    run_program(name, [sys.executable, "-m", "warehouse", "run", name, *options, "--", *words], environment)


def run_program(name: str, words: Sequence[object], environment: Mapping[str, str] | None = None) -> None:
    """Run a program in the repository's folder; raises PipelineError when it fails."""
    started = time.monotonic()
    variables = {**os.environ, **(environment or {})}
    command = [str(word) for word in words]
    status = subprocess.run(command, cwd=REPOSITORY, env=variables, preexec_fn=dies_with_parent()).returncode
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
