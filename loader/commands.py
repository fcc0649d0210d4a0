"""What the commands do, from parsed arguments to a summary line."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import psycopg

from loader.errors import LoadError, database_error_text
from loader.files import check_is_text, sha256_of
from loader.fill import TableInput
from loader.ledger import Origin, status_lines
from loader.load import Load, Policy, loading, prepare_session, replace_source, up_to_date
from loader.manifest import FILE_NAME, SOURCE, TableFile, read_manifest, verify_files
from loader.schema import initialise
from warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.rows import Batch
    from loader.sources.adapter import Adapter

SMALL_TABLES = {"users": "user_id", "models": "model_id", "endpoints": "endpoint_id", "dates": "date_id"}
REQUESTS, REQUEST_KEY = "api_requests", "request_id"


def load_data_set(directory: Path, policy: Policy) -> str:
    """Load a generated data set; return the summary. Raises LoadError, the tables then being as they were."""
    manifest = read_manifest(directory)
    verify_files(manifest)
    load = Load(
        origin=Origin(
            source=SOURCE,
            file_name=f"{directory.resolve().name}/{FILE_NAME}",
            sha256=manifest.sha256,
            data_sha256=manifest.data_sha256,
            arguments={"format": "generated", **manifest.arguments},
        ),
        requests=_generated(REQUESTS, REQUEST_KEY, manifest.tables[REQUESTS]),
        small_tables=tuple(_generated(table, key, manifest.tables[table]) for table, key in SMALL_TABLES.items()),
    )
    with connect(autocommit=True) as connection:
        return _load(connection, load, policy)


def import_log(path: Path, log_format: str, source: str, epoch: datetime | None, policy: Policy) -> str:
    """Load a real log as `source`; return the summary. Raises LoadError, the tables then being as they were."""
    from loader.sources.adapter import Context

    adapter: Adapter = import_module(f"loader.sources.{log_format.replace('-', '_')}").ADAPTER
    check_is_text(path)
    sha256 = sha256_of(path)
    context = Context(source, sha256, epoch)
    arguments = {"format": log_format, "assumptions": list(adapter.assumptions)}
    load = Load(
        origin=Origin(
            source=source,
            file_name=path.name,
            sha256=sha256,
            data_sha256=sha256,
            arguments=arguments | ({"epoch": epoch.isoformat()} if epoch else {}),
        ),
        requests=TableInput(REQUESTS, REQUEST_KEY, path, lambda stream: adapter.read(stream, context)),
    )
    with connect(autocommit=True) as connection:
        return _load(connection, load, policy)


def _load(connection: psycopg.Connection, load: Load, policy: Policy) -> str:
    with loading(connection, load.origin.source):
        if not policy.force and (message := up_to_date(connection, load, policy)):
            return message
        return replace_source(connection, load, policy)


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


def _generated(table: str, key: str, file: TableFile) -> TableInput:
    def read(stream: BinaryIO) -> Iterator[Batch]:
        from loader.sources import synthetic  # needs Arrow, which a load that the server accepts as it is does not

        return (synthetic.read_parquet if file.is_parquet else synthetic.read_csv)(stream, table)

    return TableInput(table, key, file.path, read, is_canonical_csv=not file.is_parquet, rows=file.rows)
