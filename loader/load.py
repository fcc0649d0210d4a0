"""One load from start to end: build aside, check, swap in, keep the records."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from loader.errors import LoadError, database_error_text
from loader.fill import TableInput, fill_table
from loader.ledger import Counts, RejectLog, finish_batch, last_done_batch, source_lock, start_batch
from loader.partition import (
    abandon_batch,
    abandon_killed_batches,
    current_partition,
    partition_name,
    partition_target,
    replace_small_table,
    staged_target,
    swap_in,
)
from loader.schema import OWNER, ensure_schema


@dataclass(frozen=True)
class Policy:
    """What the user allows: the share of rejected rows, the wait for readers, and loading what is up to date."""

    max_reject_ratio: float = 0.01
    swap_wait_s: float = 300.0
    force: bool = False


@dataclass(frozen=True)
class Load:
    """What to load: the requests of one source and, for a generated set, the small tables beside them."""

    source: str
    file_name: str
    sha256: str
    arguments: dict[str, Any]
    requests: TableInput
    small_tables: tuple[TableInput, ...] = ()


def run_load(connection: psycopg.Connection, load: Load, policy: Policy) -> str:
    """Load and return a summary line; raises LoadError and leaves the tables as they were.

    Does nothing where the last load of the source had the same checksum and arguments, unless forced.
    """
    start = time.monotonic()
    try:
        prepare_session(connection)
        with source_lock(connection, load.source):
            abandon_killed_batches(connection, load.source)
            if not policy.force and (message := up_to_date(connection, load, policy)):
                return message
            batch = _Batch(connection, load, policy)
            batch.run()
            return batch.summary(time.monotonic() - start)
    except psycopg.Error as error:
        raise LoadError(database_error_text(error)) from error


def prepare_session(connection: psycopg.Connection) -> None:
    """Create what is missing in the database and become its owner, with settings a load must not inherit."""
    ensure_schema(connection)
    connection.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))
    connection.execute(
        "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set client_encoding = 'UTF8'; set statement_timeout = 0;"
        " set idle_in_transaction_session_timeout = 0; set client_connection_check_interval = '2s'"
    )


def up_to_date(connection: psycopg.Connection, load: Load, policy: Policy) -> str | None:
    """Return a message where readers already see what `load` would bring, None otherwise."""
    done = last_done_batch(connection, load.source)
    if done is None or (done.sha256, done.arguments) != (load.sha256, load.arguments):
        return None
    if current_partition(connection, load.source) != partition_name(load.source, done.batch_id):
        return None
    if done.rows_rejected > policy.max_reject_ratio * done.rows_read:
        return None
    return (
        f"{load.source}: up to date, batch {done.batch_id} ({done.finished_at}) loaded {load.file_name} with the same "
        f"sha256 {load.sha256[:12]}...; --force loads it again"
    )


class _Batch:
    """One attempt at a load: the state its steps share."""

    def __init__(self, connection: psycopg.Connection, load: Load, policy: Policy) -> None:
        self._connection = connection
        self._load = load
        self._policy = policy
        self.batch_id = start_batch(connection, load.source, load.file_name, load.sha256, load.arguments)
        self._rejects = RejectLog(connection, self.batch_id)
        self._counts = Counts()
        self._small_rows: dict[str, int] = {}

    def run(self) -> None:
        """Build and swap; on any failure mark the batch failed and remove what it built."""
        try:
            with self._rejects, self._connection.transaction():
                for small in self._load.small_tables:
                    self._stage_small_table(small)
                self._build_partition()
            self._swap()
        except (LoadError, psycopg.Error) as error:
            text = database_error_text(error) if isinstance(error, psycopg.Error) else str(error)
            self._abandon(text)
            raise LoadError(f"{text}; the tables are as they were, batch {self.batch_id} failed") from error
        except BaseException as error:
            self._abandon(type(error).__name__)
            raise

    def _stage_small_table(self, small: TableInput) -> None:
        """Fill the temporary twin of a small table; requests refer to its rows, so not one may be missing."""
        target = staged_target(self._connection, small.table, small.key)
        counts = fill_table(self._connection, small, target, self._rejects)
        if counts.rejected:
            raise LoadError(
                f"{small.path}: expected all {counts.read:,} rows to fit, found {counts.rejected:,} that do not, "
                f"{self._rejects.example}; correct them and run again"
            )
        self._small_rows[small.table] = counts.loaded

    def _build_partition(self) -> None:
        requests, limit = self._load.requests, self._policy.max_reject_ratio
        target = partition_target(self._connection, self._load.source, self.batch_id)
        counts = self._counts = fill_table(self._connection, requests, target, self._rejects)
        if counts.rejected > limit * counts.read:
            raise LoadError(
                f"{requests.path}: expected at most {limit:.2%} of the rows to be rejected, found "
                f"{counts.rejected:,} of {counts.read:,}, {self._rejects.example}; "
                "correct them or raise --max-reject-ratio"
            )
        if counts.read == 0 and requests.rows is None:
            raise LoadError(f"{requests.path}: expected rows behind the header, found none; check the file")
        # A fifth of the usual sample: enough for joins and groupings until autovacuum looks, at a fifth of the time.
        self._connection.execute("set local default_statistics_target = 20")
        self._connection.execute(sql.SQL("analyze {}").format(target.name))

    def _swap(self) -> None:
        with self._connection.transaction():
            for small in self._load.small_tables:
                replace_small_table(self._connection, small.table)
            finish_batch(self._connection, self.batch_id, "done", self._counts)
            swap_in(self._connection, self._load.source, self.batch_id, self._policy.swap_wait_s)

    def _abandon(self, error: str) -> None:
        # Where the server has gone, the next load of the source does this.
        with suppress(psycopg.Error):
            abandon_batch(self._connection, self._load.source, self.batch_id, error, self._counts)

    def summary(self, seconds: float) -> str:
        """Return what was loaded, as one line."""
        counts = self._counts
        small = "".join(f", {rows:,} {table}" for table, rows in self._small_rows.items())
        where = f" (see raw_staging.rejected_rows, {self._rejects.example})" if counts.rejected else ""
        return (
            f"{self._load.source}: {counts.loaded:,} api_requests{small} loaded, {counts.rejected:,} rejected{where}, "
            f"{seconds:.1f} s, batch {self.batch_id}"
        )
