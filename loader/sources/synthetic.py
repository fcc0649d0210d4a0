"""The generated data set: five tables as CSV or Parquet, described by a manifest; `loader.tables` has their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loader.columns import typed_batch, typed_chunk
from loader.errors import LoadError, one_line
from loader.kinds import Column
from loader.records import CHUNK_ROWS, Chunk, bad_text_reject, check_header, is_storable, read_chunks
from loader.rows import Batch, Batches
from loader.tables import TABLES


def read_csv(stream: BinaryIO, table: str) -> Batches:
    """Yield the rows of a generated CSV file of `table`, columns in the order of TABLES.

    Raises LoadError when the header is another.
    """
    columns = TABLES[table]
    for chunk in read_chunks(stream, [column.name for column in columns]):
        yield typed_chunk(chunk, columns)


def read_parquet(stream: BinaryIO, table: str) -> Batches:
    """Yield the rows of a generated Parquet file of `table`, held to the rules of the CSV; lines are row numbers.

    Raises LoadError when the columns are others or the file is damaged.
    """
    columns = TABLES[table]
    try:
        file = pq.ParquetFile(stream)
        names = file.schema_arrow.names
        check_header(names, [[column.name for column in columns]], ",".join(names))
        first = 1
        for rows in file.iter_batches(batch_size=CHUNK_ROWS):
            yield _typed_rows([column.cast(pa.string()) for column in rows.columns], columns, first)
            first += rows.num_rows
    except (pa.ArrowException, OSError) as error:
        raise LoadError(f"expected a Parquet file of {table}, found a damaged one: {one_line(error)}") from None


def column_names(table: str) -> Sequence[str]:
    """Return the columns of `table` in file order."""
    return [column.name for column in TABLES[table]]


def _typed_rows(fields: list[pa.StringArray], columns: Sequence[Column], first: int) -> Batch:
    """Return rows of text, which Parquet does not promise to be UTF-8, as a batch; see typed_batch."""
    numbers = range(first, first + len(fields[0]))
    try:
        for field in fields:
            field.validate(full=True)
        filled = [pc.fill_null(field, "") for field in fields]
        texts = pc.binary_join_element_wise(*filled, ",").to_pylist()
        if is_storable("".join(texts)):
            return typed_batch(filled, columns, numbers, texts)
    except pa.ArrowInvalid:
        pass
    return typed_chunk(_storable_rows(fields, columns, numbers), columns)


def _storable_rows(fields: list[pa.StringArray], columns: Sequence[Column], numbers: Sequence[int]) -> Chunk:
    """Return the rows of which every byte can be stored as records, the others as rejects."""
    chunk = Chunk([column.label for column in columns])
    octets = zip(*(field.cast(pa.binary()).to_pylist() for field in fields), strict=True)
    for number, row in zip(numbers, octets, strict=True):
        values = [(value or b"").decode("utf-8", "surrogateescape") for value in row]
        text = ",".join(values)
        if is_storable(text):
            chunk.line_numbers.append(number)
            chunk.texts.append(text)
            chunk.rows.append(values)
        else:
            chunk.rejects.append(bad_text_reject(number, text))
    return chunk
