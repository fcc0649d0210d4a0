from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from metabase.layout import COLUMNS, flow, height

SIZES = st.lists(st.tuples(st.integers(1, 24), st.integers(1, 9)), max_size=30)


@given(SIZES, st.sets(st.integers(0, 29)))
def test_flow_never_overlaps_nor_leaves_the_grid(sizes: list[tuple[int, int]], starts: set[int]) -> None:
    placed = flow(list(enumerate(sizes)), starts_row=lambda index: index in starts)
    taken: set[tuple[int, int]] = set()
    for item in placed:
        cells = {(item.row + y, item.col + x) for y in range(item.h) for x in range(item.w)}
        assert item.col + item.w <= COLUMNS
        assert not cells & taken
        taken |= cells
    assert [item.content for item in placed] == list(range(len(sizes)))
    assert [(item.row, item.col) for item in placed] == sorted((item.row, item.col) for item in placed)
    assert height(placed) == max((y for y, _ in taken), default=-1) + 1


def test_flow_fills_rows_before_it_starts_new_ones() -> None:
    placed = flow([("a", (12, 6)), ("b", (12, 3)), ("c", (6, 2))])
    assert [(item.content, item.row, item.col) for item in placed] == [("a", 0, 0), ("b", 0, 12), ("c", 6, 0)]
