"""The generated data set: five tables as CSV or Parquet, described by a manifest.

The columns are the contract of the files; `loader/sql/` defines the raw tables, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loader.columns import (
    BOOLEAN,
    COUNTRY,
    DATE,
    ID,
    INT_MAX,
    MILLISECONDS,
    PRICE,
    STATUS,
    TEXT,
    TIMESTAMP,
    TOKENS,
    UUID,
    Column,
    Kind,
    typed_batch,
    typed_chunk,
    whole_number,
)
from loader.errors import LoadError, one_line
from loader.records import CHUNK_ROWS, check_header, read_chunks
from loader.rows import Batch


def _number(low: int, high: int) -> Kind:
    return whole_number(low, high, pa.int32())


TABLES: dict[str, tuple[Column, ...]] = {
    "users": (
        Column("user_id", ID),
        Column("full_name", TEXT),
        Column("email", TEXT),
        Column("company_name", TEXT, is_required=False),
        Column("industry", TEXT, is_required=False),
        Column("company_size", TEXT, is_required=False),
        Column("country_code", COUNTRY, is_required=False),
        Column("billing_tier", TEXT),
        Column("signed_up_on", DATE),
    ),
    "models": (
        Column("model_id", ID),
        Column("model_name", TEXT),
        Column("provider", TEXT),
        Column("family", TEXT, is_required=False),
        Column("context_window", _number(1, INT_MAX), is_required=False),
        Column("input_usd_per_mtok", PRICE, is_required=False),
        Column("output_usd_per_mtok", PRICE, is_required=False),
        Column("released_on", DATE, is_required=False),
        Column("is_deprecated", BOOLEAN),
    ),
    "endpoints": (
        Column("endpoint_id", ID),
        Column("path", TEXT),
        Column("http_method", TEXT),
        Column("category", TEXT),
        Column("is_streaming", BOOLEAN),
    ),
    "dates": (
        Column("date_id", _number(19700101, 21001231)),
        Column("full_date", DATE),
        Column("year", _number(1970, 2100)),
        Column("quarter", _number(1, 4)),
        Column("month", _number(1, 12)),
        Column("month_name", TEXT),
        Column("week_of_year", _number(1, 53)),
        Column("day_of_month", _number(1, 31)),
        Column("day_of_week", _number(1, 7)),
        Column("day_name", TEXT),
        Column("is_weekend", BOOLEAN),
        Column("is_month_end", BOOLEAN),
    ),
    "api_requests": (
        Column("request_id", UUID),
        Column("user_id", ID, is_required=False),
        Column("model_id", ID, is_required=False),
        Column("endpoint_id", ID, is_required=False),
        Column("requested_at", TIMESTAMP),
        Column("prompt_tokens", TOKENS, is_required=False),
        Column("completion_tokens", TOKENS, is_required=False),
        Column("latency_ms", MILLISECONDS, is_required=False),
        Column("status_code", STATUS, is_required=False),
        Column("is_flagged", BOOLEAN, is_required=False),
    ),
}


def read_csv(stream: BinaryIO, table: str) -> Iterator[Batch]:
    """Yield the rows of a generated CSV file of `table`, columns in the order of TABLES.

    Raises LoadError when the header is another.
    """
    columns = TABLES[table]
    for chunk in read_chunks(stream, [column.name for column in columns]):
        yield typed_chunk(chunk, columns)


def read_parquet(stream: BinaryIO, table: str) -> Iterator[Batch]:
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
            fields = [pc.fill_null(column.cast(pa.string()), "") for column in rows.columns]
            texts = pc.binary_join_element_wise(*fields, ",").to_pylist()
            yield typed_batch(fields, columns, range(first, first + len(texts)), texts)
            first += len(texts)
    except (pa.ArrowException, OSError) as error:
        raise LoadError(f"expected a Parquet file of {table}, found a damaged one: {one_line(error)}") from None


def column_names(table: str) -> Sequence[str]:
    """Return the columns of `table` in file order."""
    return [column.name for column in TABLES[table]]
