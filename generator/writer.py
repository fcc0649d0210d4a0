"""Write a data set: all files under a hidden name first, then renamed into place, the manifest last.

Blocks are drawn and formatted on threads (NumPy and Arrow release the interpreter's lock) and written in order by
the caller's thread; never more than a few are in memory. Threads, not processes: 500,000 rows take a quarter of a
second, about what starting a pool of processes would cost.
"""

import hashlib
import io
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from generator.distributions import child_stream
from generator.entities import Window, dates_table, endpoints_table, models_table, users_table
from generator.formats import REQUEST_SCHEMA, REQUESTS_CSV_HEADER, requests_csv, requests_table, table_csv
from generator.manifest import (
    MANIFEST_NAME,
    PARTIAL_NAME,
    Arguments,
    TableFile,
    data_sha256,
    listed_files,
    manifest_text,
)
from generator.ticks import drop_ticks_of_another_set
from generator.traffic import ALLOCATION_STREAM, BLOCK_STREAM, Block, Requests, blocks, draw_block, population

REQUESTS_NAME = "api_requests"

OnRows = Callable[[int], object]
DrawBlock = Callable[[Block], Requests]


@dataclass(frozen=True)
class Work:
    """How to write, as opposed to what: it changes speed and memory, never a byte."""

    workers: int
    chunk_rows: int


class HashedFile(io.RawIOBase):
    """A file being written, with its checksum so far."""

    def __init__(self, path: Path) -> None:
        """Create the file at `path`."""
        self._path = path
        self._file = path.open("wb")
        self._digest = hashlib.sha256()

    def writable(self) -> bool:
        """Return true, as Arrow asks."""
        return True

    def write(self, data: Any, /) -> int:
        """Append `data`, anything that exposes its bytes."""
        self._digest.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._file.tell()

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()
        super().close()

    def described(self, rows: int) -> TableFile:
        """Return the manifest's entry of the closed file."""
        return TableFile(self._path.name, rows, self._path.stat().st_size, self._digest.hexdigest())


def write_data_set(folder: Path, arguments: Arguments, work: Work, on_rows: OnRows) -> dict[str, TableFile]:
    """Write all tables and the manifest into `folder`, which exists, and return what was written by table.

    The caller holds the folder's lock: two writers would share the hidden name.
    `on_rows` is told the number of requests after each piece written. Raises OSError where a file cannot be written;
    `folder` then shows what it showed before.
    """
    partial = folder / PARTIAL_NAME
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    partial.mkdir()
    try:
        tables = _write_tables(partial, arguments, work, on_rows)
        (partial / MANIFEST_NAME).write_text(manifest_text(arguments, tables), encoding="utf-8", newline="\n")
        drop_ticks_of_another_set(folder, data_sha256(tables))
        _publish(partial, folder, [table.file for table in tables.values()])
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return tables


def _publish(partial: Path, folder: Path, files: list[str]) -> None:
    """Rename the files into place, the manifest last; then drop files that only the previous manifest lists.

    Between the renames the old manifest does not match the new files, so a reader that verifies it refuses them.
    """
    outdated = listed_files(folder) - set(files)
    for name in [*files, MANIFEST_NAME]:
        (partial / name).replace(folder / name)
    for name in outdated:
        (folder / name).unlink(missing_ok=True)


def _write_tables(partial: Path, arguments: Arguments, work: Work, on_rows: OnRows) -> dict[str, TableFile]:
    window = Window(date.fromisoformat(arguments.start), arguments.days)
    users = users_table(arguments.seed, window, arguments.users)
    models = models_table(window)
    tables = {"users": users, "models": models, "endpoints": endpoints_table(), "dates": dates_table(window)}
    written = {name: write_table(partial / f"{name}.{arguments.format}", table) for name, table in tables.items()}
    people = population(users, models, window)

    def draw(block: Block) -> Requests:
        return draw_block(child_stream(arguments.seed, BLOCK_STREAM, block.index), block, window, people)

    plan = blocks(child_stream(arguments.seed, ALLOCATION_STREAM), arguments.rows, window)
    path = partial / f"{REQUESTS_NAME}.{arguments.format}"
    return written | {REQUESTS_NAME: write_requests(path, plan, draw, work, on_rows)}


def write_requests(path: Path, plan: list[Block], draw: DrawBlock, work: Work, on_rows: OnRows) -> TableFile:
    """Write the requests of all blocks to a new file, CSV or Parquet by its name."""
    write = _write_requests_csv if path.suffix == ".csv" else _write_requests_parquet
    with HashedFile(path) as file:
        write(file, plan, draw, work, on_rows)
    return file.described(sum(block.rows for block in plan))


def write_table(path: Path, table: pa.Table) -> TableFile:
    """Write a small table to a new file, CSV or Parquet by its name."""
    with HashedFile(path) as file:
        if path.suffix == ".csv":
            file.write(table_csv(table))
        else:
            pyarrow.parquet.write_table(table, file)
    return file.described(table.num_rows)


def _write_requests_csv(file: HashedFile, plan: list[Block], draw: DrawBlock, work: Work, on_rows: OnRows) -> None:
    file.write(REQUESTS_CSV_HEADER)
    for block, lines in _in_order(plan, lambda block: requests_csv(draw(block)), work):
        file.write(lines)
        on_rows(block.rows)


def _write_requests_parquet(file: HashedFile, plan: list[Block], draw: DrawBlock, work: Work, on_rows: OnRows) -> None:
    """Write one row group per block: the file must not depend on how the work was cut."""
    with pyarrow.parquet.ParquetWriter(file, REQUEST_SCHEMA) as writer:
        for block, table in _in_order(plan, lambda block: requests_table(draw(block)), work):
            writer.write_table(table, row_group_size=block.rows)
            on_rows(block.rows)


def _in_order(
    plan: list[Block], prepared: Callable[[Block], pa.Buffer | pa.Table], work: Work
) -> Iterator[tuple[Block, pa.Buffer | pa.Table]]:
    """Yield each block with what `prepared` makes of it, in order, at most one chunk per worker ahead of the caller."""
    pending: deque[tuple[list[Block], Future[list[Any]]]] = deque()
    with ThreadPoolExecutor(work.workers) as pool:
        for chunk in _chunks(plan, work.chunk_rows):
            pending.append((chunk, pool.submit(lambda chunk: [prepared(block) for block in chunk], chunk)))
            if len(pending) > work.workers:
                done, future = pending.popleft()
                yield from zip(done, future.result(), strict=True)
        while pending:
            done, future = pending.popleft()
            yield from zip(done, future.result(), strict=True)


def _chunks(plan: list[Block], chunk_rows: int) -> Iterator[list[Block]]:
    """Yield runs of blocks that together reach `chunk_rows`; at least one block each."""
    chunk: list[Block] = []
    rows = 0
    for block in plan:
        chunk.append(block)
        rows += block.rows
        if rows >= chunk_rows:
            yield chunk
            chunk, rows = [], 0
    if chunk:
        yield chunk
