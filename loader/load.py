"""Replace a source: build its partition aside, check it, swap it in; and what every load shares."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from loader.changes import HISTORIES, restart_history
from loader.errors import AttemptFailed, LoadError, database_error_text, one_line
from loader.fill import TableInput, Target, check_reject_ratio, create_empty, fill_table, fill_whole
from loader.ledger import (
    NO_SPAN,
    Counts,
    Origin,
    Span,
    commit_lazily,
    finish_batch,
    live_batches,
    reached_day,
    refusal_recorded,
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
from loader.rejects import RejectLog, forget_old_rejects
from loader.schema import OWNER, ensure_schema
from warehouse.lock import alone

ADDED = "added"
"""In a batch's arguments: its file is one of several that make up the source."""


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


@dataclass
class Attempt:
    """One recorded attempt at a load: the state its steps share."""

    batch_id: int
    rejects: RejectLog
    counts: Counts = field(default_factory=Counts)
    span: Span = NO_SPAN
    small_rows: dict[str, int] = field(default_factory=dict)


@contextmanager
def loading(connection: psycopg.Connection, origin: Origin, mode: str) -> Iterator[None]:
    """Prepare the session and hold the source's lock; what the server refuses becomes a LoadError.

    Where another load has the lock, a batch that failed says so.
    """
    try:
        prepare_session(connection)
        with ExitStack() as held:
            with refusal_recorded(connection, origin, mode):
                held.enter_context(source_lock(connection, origin.source))
            abandon_killed_batches(connection, origin.source)
            yield
    except psycopg.Error as error:
        raise LoadError(database_error_text(error)) from error


@contextmanager
def attempt(connection: psycopg.Connection, origin: Origin, mode: str) -> Iterator[Attempt]:
    """Record an attempt; on any failure mark its batch failed and remove what it built."""
    batch_id = start_batch(connection, origin, mode)
    forget_old_rejects(connection)
    with RejectLog(connection, batch_id) as rejects:
        batch = Attempt(batch_id, rejects)
        try:
            yield batch
        except (LoadError, psycopg.Error) as error:
            text = database_error_text(error) if isinstance(error, psycopg.Error) else str(error)
            _abandon(connection, origin.source, batch, text)
            raise AttemptFailed(f"{text}; the tables are as they were, batch {batch_id} failed") from error
        except BaseException as error:
            _abandon(connection, origin.source, batch, one_line(f"{type(error).__name__} {error}"))
            raise


def _abandon(connection: psycopg.Connection, source: str, batch: Attempt, error: str) -> None:
    # Where the server has gone, the next load of the source does this.
    with suppress(psycopg.Error):
        abandon_batch(connection, source, batch.batch_id, error, batch.counts)


def prepare_session(connection: psycopg.Connection) -> None:
    """Create what is missing in the database and become its owner, with settings a load must not inherit."""
    ensure_schema(connection)
    connection.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))
    connection.execute(
        "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set client_encoding = 'UTF8'; set statement_timeout = 0;"
        " set idle_in_transaction_session_timeout = 0; set client_connection_check_interval = '2s'"
    )


def up_to_date(connection: psycopg.Connection, load: Load, policy: Policy) -> str | None:
    """Return a message where readers already see what `load` would bring, None otherwise or where forced."""
    origin = load.origin
    done = next(iter(live_batches(connection, origin.source)), None)
    if policy.force or done is None or (done.data_sha256, done.arguments) != (origin.data_sha256, origin.arguments):
        return None
    if current_partition(connection, origin.source) != partition_name(origin.source, done.batch_id):
        return None
    if done.rows_rejected > policy.max_reject_ratio * done.rows_read:
        return None
    return (
        f"{origin.source}: up to date, batch {done.batch_id} ({done.finished_at}) loaded {origin.file_name} with the "
        f"same data (sha256 {origin.data_sha256[:12]}...); --force loads it again"
    )


def replace_unless_up_to_date(connection: psycopg.Connection, load: Load, policy: Policy) -> str:
    """Replace the source unless readers see this very data already; return a summary line.

    Raises LoadError where files were added to the source one by one, unless forced: replacing would lose them all.
    """
    added = [batch for batch in live_batches(connection, load.origin.source) if batch.arguments.get(ADDED)]
    if added and not policy.force:
        raise LoadError(
            f"expected a source that one file makes up, found {len(added)} files added to {load.origin.source!r};"
            " --add adds this one to them, --force replaces them, --source NAME keeps it apart"
        )
    return up_to_date(connection, load, policy) or replace_source(connection, load, policy)


def replace_source(connection: psycopg.Connection, load: Load, policy: Policy) -> str:
    """Load and return a summary line; the caller is `loading`. Raises LoadError and leaves the tables as they were."""
    start = time.monotonic()
    with attempt(connection, load.origin, "replace") as batch:
        target = create_empty(connection, partition_target(connection, load.origin.source, batch.batch_id))
        staged = staged_targets(connection, load.small_tables)
        with connection.transaction():
            commit_lazily(connection)
            fill_staged(connection, staged, batch)
            _build_partition(connection, load, target, policy, batch)
        with alone(connection, f"load/{load.origin.source}"), connection.transaction():
            _swap(connection, load, policy, batch)
    named = load.requests.members.text if load.requests.members else ""
    return (
        f"{load.origin.source}: {loaded_text(batch)}{named}, {time.monotonic() - start:.1f} s, batch {batch.batch_id}"
    )


def loaded_text(batch: Attempt) -> str:
    """Return what a finished attempt loaded and rejected."""
    counts = batch.counts
    small = "".join(f", {rows:,} {table}" for table, rows in batch.small_rows.items())
    where = f" ({batch.rejects.where(counts.rejected)}, {batch.rejects.example})" if counts.rejected else ""
    return f"{counts.loaded:,} api_requests{small} loaded, {counts.rejected:,} rejected{where}"


def staged_targets(connection: psycopg.Connection, inputs: Sequence[TableInput]) -> list[tuple[TableInput, Target]]:
    """Create the temporary twin of each small table; return each file with it."""
    return [(small, create_empty(connection, staged_target(connection, small.table, small.key))) for small in inputs]


def fill_staged(connection: psycopg.Connection, staged: Sequence[tuple[TableInput, Target]], batch: Attempt) -> None:
    """Fill the small tables' twins, inside the caller's transaction."""
    for small, target in staged:
        batch.small_rows[small.table] = fill_whole(connection, small, target, batch.rejects)


def _build_partition(
    connection: psycopg.Connection, load: Load, target: Target, policy: Policy, batch: Attempt
) -> None:
    requests = load.requests
    batch.counts = fill_table(connection, requests, target, batch.rejects)
    check_reject_ratio(requests, batch.counts, policy.max_reject_ratio, batch.rejects)
    if batch.counts.read == 0 and requests.rows is None:
        raise LoadError(f"{requests.file.path}: expected rows behind the header, found none; check the file")
    batch.span = complete_partition(connection, target.name)


def _swap(connection: psycopg.Connection, load: Load, policy: Policy, batch: Attempt) -> None:
    if load.small_tables:
        for history in HISTORIES:
            restart_history(connection, history)
        for small in load.small_tables:
            replace_small_table(connection, small.table)
        batch.span = batch.span._replace(last_day=reached_day(connection, batch.span))
    if load.requests.members:
        load.requests.members.write(connection, is_replaced=True)
    finish_batch(connection, batch.batch_id, "done", batch.counts, batch.span)
    swap_in(connection, load.origin.source, batch.batch_id, policy.swap_wait_s)
