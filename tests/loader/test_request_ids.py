"""Request ids of imported rows."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from loader.request_ids import NAMESPACE, request_ids


@given(st.text(max_size=20), st.lists(st.text(max_size=20) | st.integers(), max_size=20))
def test_request_ids_are_uuid5_of_prefix_and_key(prefix: str, keys: list[object]) -> None:
    expected = [uuid.uuid5(NAMESPACE, f"{prefix}{key}") for key in keys]
    assert [uuid.UUID(text) for text in request_ids(prefix, keys).to_pylist()] == expected
