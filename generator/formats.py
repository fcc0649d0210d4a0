"""Turn tables and drawn requests into CSV text and Arrow tables. Pure.

CSV: comma, LF, quotes only where needed, booleans true/false, dates YYYY-MM-DD, times YYYY-MM-DDTHH:MM:SS.mmmZ.
Requests are formatted as byte matrices plus Arrow's CSV writer: 30 ms per block of 65,536 rows on one core.
"""

import csv
import io
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from generator.distributions import Ints
from generator.traffic import DAY_MS, Requests, Words

REQUEST_SCHEMA = pa.schema(
    [
        ("request_id", pa.string()),
        ("user_id", pa.int32()),
        ("model_id", pa.int32()),
        ("endpoint_id", pa.int32()),
        ("requested_at", pa.timestamp("ms", tz="UTC")),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("latency_ms", pa.int32()),
        ("status_code", pa.int16()),
        ("is_flagged", pa.bool_()),
    ]
)
REQUESTS_CSV_HEADER = (",".join(REQUEST_SCHEMA.names) + "\n").encode()

Bytes = NDArray[np.uint8]


def _texts(values: Iterable[str]) -> Bytes:
    """Return equally long ASCII texts as the rows of a matrix."""
    encoded = [value.encode() for value in values]
    return np.frombuffer(b"".join(encoded), dtype=np.uint8).reshape(len(encoded), -1)


# Viewed as one word per text, a table of digits is looked up in one step.
HEX_PAIRS = _texts(f"{i:02x}" for i in range(256)).view(np.uint16).ravel()
TWO_DIGITS = _texts(f"{i:02d}" for i in range(100))
THREE_DIGITS = _texts(f"{i:03d}" for i in range(1000))


def table_csv(table: pa.Table) -> bytes:
    """Return a small table as CSV, header included.

    By Python's writer: Arrow's quotes every text and every header once it may quote at all.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*([_csv_value(v) for v in column.to_pylist()] for column in table.columns), strict=True))
    return text.getvalue().encode()


def requests_csv(requests: Requests) -> pa.Buffer:
    """Return requests as CSV lines, without a header."""
    columns = [
        _text_array(uuid_texts(requests.id_high, requests.id_low)),
        *(pa.array(values) for values in (requests.user_id, requests.model_id, requests.endpoint_id)),
        _text_array(time_texts(requests.requested_at_ms)),
        *(pa.array(values) for values in (requests.prompt_tokens, requests.completion_tokens, requests.latency_ms)),
        pa.array(requests.status_code),
        pa.array(requests.is_flagged),
    ]
    batch = pa.record_batch(columns, names=REQUEST_SCHEMA.names)
    sink = pa.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none", batch_size=16_384)
    pyarrow.csv.write_csv(batch, sink, options)
    return sink.getvalue()


def requests_table(requests: Requests) -> pa.Table:
    """Return requests as a table of `REQUEST_SCHEMA`."""
    columns = {
        "request_id": _text_array(uuid_texts(requests.id_high, requests.id_low)),
        "requested_at": pa.array(requests.requested_at_ms).cast(REQUEST_SCHEMA.field("requested_at").type),
    }
    return pa.table(
        [
            columns[field.name] if field.name in columns else pa.array(getattr(requests, field.name)).cast(field.type)
            for field in REQUEST_SCHEMA
        ],
        schema=REQUEST_SCHEMA,
    )


def uuid_texts(high: Words, low: Words) -> Bytes:
    """Return ids as 36 characters each, 8-4-4-4-12 hexadecimal digits."""
    halves = np.stack([high, low], axis=1).astype(">u8").view(np.uint8)
    digits = HEX_PAIRS[halves].view(np.uint8)
    out = np.full((len(high), 36), ord("-"), dtype=np.uint8)
    for to, start, end in ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32)):
        out[:, to : to + end - start] = digits[:, start:end]
    return out


def time_texts(at_ms: Ints) -> Bytes:
    """Return times, given in ms since 1970 and rising, as 24 characters each: YYYY-MM-DDTHH:MM:SS.mmmZ."""
    first_day = int(at_ms[0]) // DAY_MS
    days = np.datetime64(first_day, "D") + np.arange(int(at_ms[-1]) // DAY_MS - first_day + 1)
    seconds, ms = np.divmod(at_ms - first_day * DAY_MS, 1000)
    minutes, second = np.divmod(seconds, 60)
    hours, minute = np.divmod(minutes, 60)
    day, hour = np.divmod(hours, 24)
    out = np.tile(_texts(["0000-00-00T00:00:00.000Z"]), (len(at_ms), 1))
    out[:, 0:10] = _texts(np.datetime_as_string(days, unit="D").tolist())[day]
    for to, part in ((11, hour), (14, minute), (17, second)):
        out[:, to : to + 2] = TWO_DIGITS[part]
    out[:, 20:23] = THREE_DIGITS[ms]
    return out


def _text_array(texts: Bytes) -> pa.StringArray:
    """Return a matrix of characters as an Arrow column of texts, without a copy."""
    rows, width = texts.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(texts))


def _csv_value(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
