"""One load from start to end: build aside, check, swap in, keep the records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from loader.changes import HISTORIES, restart_history
from loader.errors import LoadError, database_error_text
from loader.fill import TableInput, check_reject_ratio, fill_table, fill_whole
from loader.ledger import (
    Counts,
    Origin,
    RejectLog,
    Span,
    commit_lazily,
    finish_batch,
    live_batches,
    reached_day,
    source_lock,
    start_batch,
)
from loader.partition import (
    abandon_batch,
    abandon_killed_batches,
    complete_partition,
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

    origin: Origin
    requests: TableInput
    small_tables: tuple[TableInput, ...] = ()


@contextmanager
def loading(connection: psycopg.Connection, source: str) -> Iterator[None]:
    """Prepare the session and hold the source's lock; what the server refuses becomes a LoadError."""
    try:
        prepare_session(connection)
        with source_lock(connection, source):
            abandon_killed_batches(connection, source)
            yield
    except psycopg.Error as error:
        raise LoadError(database_error_text(error)) from error


def replace_source(connection: psycopg.Connection, load: Load, policy: Policy) -> str:
    """Load and return a summary line; the caller is `loading`. Raises LoadError and leaves the tables as they were."""
    start = time.monotonic()
    batch = _Batch(connection, load, policy)
    batch.run()
    return batch.summary(time.monotonic() - start)


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
    origin = load.origin
    done = next(iter(live_batches(connection, origin.source)), None)
    if done is None or (done.data_sha256, done.arguments) != (origin.data_sha256, origin.arguments):
        return None
    if current_partition(connection, origin.source) != partition_name(origin.source, done.batch_id):
        return None
    if done.rows_rejected > policy.max_reject_ratio * done.rows_read:
        return None
    return (
        f"{origin.source}: up to date, batch {done.batch_id} ({done.finished_at}) loaded {origin.file_name} with the "
        f"same data (sha256 {origin.data_sha256[:12]}...); --force loads it again"
    )


class _Batch:
    """One attempt at a load: the state its steps share."""

    def __init__(self, connection: psycopg.Connection, load: Load, policy: Policy) -> None:
        self._connection = connection
        self._load = load
        self._policy = policy
        self.batch_id = start_batch(connection, load.origin, "replace")
        self._rejects = RejectLog(connection, self.batch_id)
        self._counts = Counts()
        self._span = Span()
        self._small_rows: dict[str, int] = {}

    def run(self) -> None:
        """Build and swap; on any failure mark the batch failed and remove what it built."""
        try:
            with self._rejects, self._connection.transaction():
                commit_lazily(self._connection)
                for small in self._load.small_tables:
                    target = staged_target(self._connection, small.table, small.key)
                    self._small_rows[small.table] = fill_whole(self._connection, small, target, self._rejects)
                self._build_partition()
            self._swap()
        except (LoadError, psycopg.Error) as error:
            text = database_error_text(error) if isinstance(error, psycopg.Error) else str(error)
            self._abandon(text)
            raise LoadError(f"{text}; the tables are as they were, batch {self.batch_id} failed") from error
        except BaseException as error:
            self._abandon(type(error).__name__)
            raise

    def _build_partition(self) -> None:
        requests, limit = self._load.requests, self._policy.max_reject_ratio
        target = partition_target(self._connection, self._load.origin.source, self.batch_id)
        counts = self._counts = fill_table(self._connection, requests, target, self._rejects)
        check_reject_ratio(requests, counts, limit, self._rejects)
        if counts.read == 0 and requests.rows is None:
            raise LoadError(f"{requests.path}: expected rows behind the header, found none; check the file")
        self._span = complete_partition(self._connection, target.name)

    def _swap(self) -> None:
        connection, load = self._connection, self._load
        with connection.transaction():
            for history in HISTORIES if load.small_tables else ():
                restart_history(connection, history)
            for small in load.small_tables:
                replace_small_table(connection, small.table)
            if load.small_tables:
                self._span = self._span._replace(last_day=reached_day(connection, self._span))
            finish_batch(connection, self.batch_id, "done", self._counts, self._span)
            swap_in(connection, load.origin.source, self.batch_id, self._policy.swap_wait_s)

    def _abandon(self, error: str) -> None:
        # Where the server has gone, the next load of the source does this.
        with suppress(psycopg.Error):
            abandon_batch(self._connection, self._load.origin.source, self.batch_id, error, self._counts)

    def summary(self, seconds: float) -> str:
        """Return what was loaded, as one line."""
        counts = self._counts
        small = "".join(f", {rows:,} {table}" for table, rows in self._small_rows.items())
        where = f" (see raw_staging.rejected_rows, {self._rejects.example})" if counts.rejected else ""
        return (
            f"{self._load.origin.source}: {counts.loaded:,} api_requests{small} loaded, "
            f"{counts.rejected:,} rejected{where}, {seconds:.1f} s, batch {self.batch_id}"
        )
