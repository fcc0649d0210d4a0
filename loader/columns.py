"""Turn columns of text into typed columns, and say of each row that does not fit what was expected and found. Pure.

An empty field is NULL; blanks around anything but free text are ignored. Timestamps without a zone are read as UTC;
digits beyond the microsecond are cut off, never rounded, so that no request moves into the next second, hour or day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from loader.kinds import BLANKS, Column, Kind
from loader.records import Chunk
from loader.rows import Batch, Reject

SHOWN_CHARACTERS = 80
TIMESTAMP_TYPE = pa.timestamp("us", tz="UTC")


def values_of(kind: Kind, texts: pa.StringArray) -> pa.Array:
    """Return the values of `texts`, NULL where one is no text of `kind` or its value is out of range."""
    bare = texts if kind.is_free_text else pc.utf8_trim(texts, BLANKS)
    return kind.convert(pc.if_else(pc.match_substring_regex(bare, f"^(?:{kind.pattern})$"), bare, None))


def typed_chunk(chunk: Chunk, columns: Sequence[Column]) -> Batch:
    """Return `columns` of the records of `chunk`, found by their labels, as a batch; see typed_batch."""
    fields = list(zip(*chunk.rows, strict=True)) or [()] * len(chunk.header)
    texts = [pa.array(fields[chunk.header.index(column.label)], pa.string()) for column in columns]
    return typed_batch(texts, columns, chunk.line_numbers, chunk.texts, chunk.rejects)


def typed_batch(
    fields: Sequence[pa.StringArray],
    columns: Sequence[Column],
    line_numbers: Sequence[int],
    texts: Sequence[str],
    rejects: Sequence[Reject] = (),
) -> Batch:
    """Return rows given as columns of text as typed columns; a row that does not fit is a reject with all its faults.

    `line_numbers` and `texts` say of each row where it is from; `rejects` are those found before.
    """
    faults: dict[int, list[str]] = {}
    arrays = [_typed_column(column, values, faults) for column, values in zip(columns, fields, strict=True)]
    rows = pa.record_batch(arrays, names=[column.name for column in columns])
    return without_rows(Batch(rows, line_numbers, texts, sorted(rejects)), faults)


def without_rows(batch: Batch, faults: Mapping[int, Sequence[str]]) -> Batch:
    """Return `batch` with the rows that have `faults`, by place, as rejects."""
    if not faults:
        return batch
    kept = [i for i in range(batch.rows.num_rows) if i not in faults]
    rejects = [Reject(batch.line_numbers[i], batch.texts[i], "; ".join(faults[i])) for i in faults]
    return Batch(
        batch.rows.take(pa.array(kept, pa.int64())),
        [batch.line_numbers[i] for i in kept],
        [batch.texts[i] for i in kept],
        sorted([*batch.rejects, *rejects]),
    )


def _typed_column(column: Column, texts: pa.StringArray, faults: dict[int, list[str]]) -> pa.Array:
    """Return `texts` typed, adding what is wrong with them to `faults` by row."""
    is_empty = pc.equal(texts, "")
    values = pc.if_else(is_empty, None, values_of(column.kind, texts))
    wrong = values.is_null() if column.is_required else pc.and_(values.is_null(), pc.invert(is_empty))
    for i in pc.indices_nonzero(wrong).to_pylist():
        text = texts[i].as_py()
        found = repr(text[:SHOWN_CHARACTERS]) if text else "nothing"
        faults.setdefault(i, []).append(f"{column.label}: expected {column.kind.expected}, found {found}")
    return values
