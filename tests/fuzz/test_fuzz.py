"""Fuzzing: whatever the bytes, a reader returns rows and reasons or refuses with its own error, and comes to an end.

`make fuzz MINUTES=10` runs the same for longer; a corpus of what has broken readers is in `corpus/`, a folder a target.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loader.errors import LoadError
from loader.sources import synthetic
from loader.tables import TABLES
from tests.fuzz.mutation import mutations
from tests.fuzz.targets import TARGETS, check_batches

CORPUS = Path(__file__).parent / "corpus"
SEEDS = {name: [path.read_bytes() for path in sorted((CORPUS / name).iterdir())] for name in TARGETS}
a_while = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.timeout(3600 if "FUZZ_EXAMPLES" in os.environ else 240)


def test_every_target_has_a_corpus_and_nothing_else_has() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
    assert all(SEEDS.values())
    assert sum(len(octets) for seeds in SEEDS.values() for octets in seeds) < 200_000


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_corpus_breaks_no_reader(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_near_the_corpus_break_no_reader(name: str) -> None:
    @a_while
    @given(mutations(SEEDS[name]))
    def check(octets: bytes) -> None:
        TARGETS[name](octets)

    check()


TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int8(), st.integers(-128, 127)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float64(), st.floats()),
    (pa.decimal128(38, 10), st.decimals(-(10**20), 10**20, places=10)),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.text(max_size=9)),
    (pa.large_string(), st.text(max_size=9)),
    (pa.binary(), st.binary(max_size=9)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.date32(), st.dates()),
    (pa.timestamp("us", tz="UTC"), st.datetimes()),
    (pa.timestamp("ns"), st.integers(-(2**63), 2**63 - 1)),
    (pa.timestamp("us", tz="Europe/Paris"), st.integers(-(2**63), 2**63 - 1)),
    (pa.time64("us"), st.times()),
    (pa.duration("us"), st.integers(0, 2**40)),
    (pa.list_(pa.int64()), st.lists(st.integers(0, 9), max_size=2)),
    (pa.struct([("a", pa.int64())]), st.fixed_dictionaries({"a": st.integers(0, 9)})),
    (pa.null(), st.none()),
]


@st.composite
def parquet_files(draw: Any) -> tuple[str, bytes]:
    """Draw a table's name and a Parquet file with its columns, of any types."""
    name = draw(st.sampled_from(sorted(TABLES)))
    count = draw(st.integers(0, 3))
    arrays = []
    for _ in TABLES[name]:
        kind, values = draw(st.sampled_from(TYPES))
        arrays.append(pa.array(draw(st.lists(values | st.none(), min_size=count, max_size=count)), kind))
    buffer = io.BytesIO()
    pq.write_table(pa.table(arrays, names=[column.name for column in TABLES[name]]), buffer)
    return name, buffer.getvalue()


@a_while
@given(parquet_files())
def test_parquet_of_any_types_breaks_no_reader(file: tuple[str, bytes]) -> None:
    name, octets = file
    try:
        check_batches(synthetic.read_parquet(io.BytesIO(octets), name))
    except LoadError as error:
        assert "expected a Parquet file" in str(error)
