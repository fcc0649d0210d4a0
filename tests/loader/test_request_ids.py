"""Request ids of imported rows."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from loader.request_ids import NAMESPACE, Occurrences, request_ids


@given(st.text(max_size=20), st.lists(st.text(max_size=20) | st.integers(), max_size=20))
def test_request_ids_are_uuid5_of_prefix_and_key(prefix: str, keys: list[object]) -> None:
    expected = [uuid.uuid5(NAMESPACE, f"{prefix}{key}") for key in keys]
    assert [uuid.UUID(text) for text in request_ids(prefix, keys).to_pylist()] == expected


def test_equal_rows_are_numbered_and_memory_is_bounded() -> None:
    seen = Occurrences()
    assert [seen.key(text) for text in ("a", "b", "a\n", "a", "b")] == ["a", "b", "a\n1", "a\n2", "b\n1"]
    seen.RECENT = 3  # type: ignore[misc]
    keys = [seen.key(f"row {number // 2}") for number in range(100)]
    assert keys == [f"row {number // 2}" + "\n1" * (number % 2) for number in range(100)]
    assert len(seen._counts) + len(seen._before) <= 6
