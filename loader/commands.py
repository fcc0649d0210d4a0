"""What the commands do, from parsed arguments to a summary line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import psycopg
from tqdm import tqdm

from loader.errors import LoadError, database_error_text
from loader.files import InputFile, held
from loader.fill import TableInput
from loader.ledger import Origin, live_batches, refusal_recorded, status_lines
from loader.load import (
    Load,
    Policy,
    loading,
    prepare_session,
    replace_source,
    replace_unless_up_to_date,
    up_to_date,
)
from loader.manifest import (
    FILE_NAME,
    SOURCE,
    TICKS_NAME,
    Manifest,
    TableFile,
    read_manifest,
    read_tick,
    read_ticks,
    verify_files,
)
from loader.members import Members
from loader.removal import removal_origin, remove_source
from loader.schema import initialise
from loader.tables import TABLES
from loader.ticks import Tick, append_tick, appended_text, loaded_batch
from loader.window import Window, log_window
from warehouse.connection import connect

if TYPE_CHECKING:
    from loader.rows import Batches
    from loader.sources.adapter import Adapter

SMALL_TABLES = {"users": "user_id", "models": "model_id", "endpoints": "endpoint_id", "dates": "date_id"}
REQUESTS, REQUEST_KEY = "api_requests", "request_id"


def load_data_set(directory: Path, policy: Policy) -> str:
    """Load a generated data set and append the ticks that are missing; return the summary.

    Raises LoadError, the tables then being as they were, or as they were after the last tick that could be appended.
    """
    unread = _unread(f"{directory.resolve().name}/{FILE_NAME}", {"format": "generated"})
    with (
        connect(autocommit=True) as connection,
        loading(connection, unread, "replace"),
        refusal_recorded(connection, unread, "replace"),
    ):
        base = read_manifest(directory)
        manifests = read_ticks(base)
        summary = _replace_base(connection, base, policy)
        return summary + _append_missing(connection, [(tick, _tick_of(tick)) for tick in manifests], policy)


def _replace_base(connection: psycopg.Connection, base: Manifest, policy: Policy) -> str:
    load = _load_of(base)
    with held(*base.files):
        summary = up_to_date(connection, load, policy)
        verify_files(base, by_size=summary is not None)
        return summary or replace_source(connection, load, policy)


def append_day(directory: Path, policy: Policy) -> str:
    """Append one tick; return the summary. Raises LoadError, the tables then being as they were."""
    name = f"{TICKS_NAME}/{directory.resolve().name}/{FILE_NAME}"
    unread = _unread(name, {"format": "generated tick"})
    with (
        connect(autocommit=True) as connection,
        loading(connection, unread, "append"),
        refusal_recorded(connection, unread, "append"),
    ):
        manifest = read_tick(directory)
        tick = _tick_of(manifest)
        batch = loaded_batch(live_batches(connection, SOURCE), tick)
        if batch is not None:
            when = f"batch {batch.batch_id} ({batch.finished_at})"
            return f"{SOURCE}: {tick.day} is up to date, {when} loaded the same data"
        start = time.monotonic()
        with held(*manifest.files):
            verify_files(manifest)
            done = append_tick(connection, tick, policy)
        return f"{SOURCE}: {appended_text([done], time.monotonic() - start)}"


def _append_missing(connection: psycopg.Connection, ticks: list[tuple[Manifest, Tick]], policy: Policy) -> str:
    """Append the ticks that readers do not see yet; return what was done. Raises LoadError where they see others."""
    start = time.monotonic()
    live = live_batches(connection, SOURCE)
    known = {tick.origin.data_sha256 for _, tick in ticks}
    ahead = [batch for batch in live[1:] if batch.data_sha256 not in known]
    if ahead:
        raise LoadError(
            f"expected the tick {ahead[0].last_day} that batch {ahead[0].batch_id} loaded, found none like it among "
            f"{len(ticks)} in {TICKS_NAME}; restore it, or load what is there with --force"
        )
    missing = ticks[len(live) - 1 :]
    done = []
    for manifest, tick in tqdm(missing, unit=" ticks", delay=2, leave=False, disable=not sys.stderr.isatty()):
        loaded_batch(live_batches(connection, SOURCE), tick)
        with held(*manifest.files):
            verify_files(manifest)
            done.append(append_tick(connection, tick, policy))
    if done:
        return f"; {appended_text(done, time.monotonic() - start)}"
    return f"; ticks up to date, the last is {ticks[-1][1].day}" if ticks else ""


Put = Callable[[psycopg.Connection, Load, Policy], str]
"""How a file reaches its source: in place of what is there, or beside it."""


def import_log(path: Path, log_format: str, source: str, epoch: datetime | None, policy: Policy, put: Put) -> str:
    """Load a real log as `source`; return the summary. Raises LoadError, the tables then being as they were."""
    from loader.sources.adapter import Context

    adapter: Adapter = import_module(f"loader.sources.{log_format.replace('-', '_')}").ADAPTER
    arguments = {"format": log_format, "assumptions": list(adapter.assumptions)}
    arguments |= {"epoch": epoch.isoformat()} if epoch else {}
    unread = Origin(source, path.name, "", "", arguments)
    mode = "replace" if put is replace_unless_up_to_date else "append"
    file = InputFile(path)
    with (
        connect(autocommit=True) as connection,
        loading(connection, unread, mode),
        refusal_recorded(connection, unread, mode),
        held(file),
    ):
        file.check_is_text()
        context = Context(source, epoch)
        load = Load(
            origin=replace(unread, sha256=file.sha256, data_sha256=file.sha256),
            requests=TableInput(
                REQUESTS,
                REQUEST_KEY,
                file,
                lambda stream: adapter.read(stream, context),
                window=_log_window(),
                members=Members(connection, source),
            ),
        )
        return put(connection, load, policy)


def take_out_source(source: str, policy: Policy) -> str:
    """Remove a source; return the summary. Raises LoadError, the tables then being as they were."""
    with connect(autocommit=True) as connection, loading(connection, removal_origin(source), "replace"):
        return remove_source(connection, source, policy.swap_wait_s)


def initialise_database() -> str:
    """Create or update roles, schemas and raw tables; return what was done."""
    with connect(autocommit=True) as connection:
        try:
            return initialise(connection)
        except psycopg.Error as error:
            raise LoadError(database_error_text(error)) from error


def load_status() -> str:
    """Return the latest loads as a table of text."""
    with connect(autocommit=True) as connection:
        try:
            prepare_session(connection)
            return "\n".join(status_lines(connection))
        except psycopg.Error as error:
            raise LoadError(database_error_text(error)) from error


def _load_of(manifest: Manifest) -> Load:
    return Load(
        origin=_origin(manifest, f"{manifest.directory.resolve().name}/{FILE_NAME}", {"format": "generated"}),
        requests=_generated_requests(manifest),
        small_tables=tuple(_generated(table, key, manifest.tables[table]) for table, key in SMALL_TABLES.items()),
    )


def _tick_of(manifest: Manifest) -> Tick:
    place = manifest.place
    if place is None:
        raise ValueError(f"{manifest.directory} holds no tick")
    arguments = {"format": "generated tick", "day": place.day.isoformat(), "sequence": place.sequence}
    small = (table for table in SMALL_TABLES if table in manifest.tables)
    return Tick(
        folder=manifest.directory,
        day=place.day,
        previous_sha256=place.previous_sha256,
        origin=_origin(manifest, f"{TICKS_NAME}/{manifest.directory.resolve().name}/{FILE_NAME}", arguments),
        requests=_generated_requests(manifest),
        small_tables=tuple(_generated(table, SMALL_TABLES[table], manifest.tables[table]) for table in small),
    )


def _origin(manifest: Manifest, file_name: str, arguments: dict[str, Any]) -> Origin:
    return Origin(SOURCE, file_name, manifest.sha256, manifest.data_sha256, arguments | manifest.arguments)


def _unread(file_name: str, arguments: dict[str, Any]) -> Origin:
    """Return the origin of a data set that has not been read yet."""
    return Origin(SOURCE, file_name, "", "", arguments)


def _generated_requests(manifest: Manifest) -> TableInput:
    requests = _generated(REQUESTS, REQUEST_KEY, manifest.tables[REQUESTS])
    return replace(requests, window=manifest.window or _log_window())


def _log_window() -> Window:
    return log_window(datetime.now(UTC).date())


def _generated(table: str, key: str, file: TableFile) -> TableInput:
    def read(stream: BinaryIO) -> Batches:
        from loader.sources import synthetic  # needs Arrow, which a load that the server accepts as it is does not

        return (synthetic.read_parquet if file.is_parquet else synthetic.read_csv)(stream, table)

    return TableInput(table, key, file.file, read, None if file.is_parquet else TABLES[table], file.rows)
