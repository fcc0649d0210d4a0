"""Cards flow from left to right into rows of a 24-column grid; nothing can overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

COLUMNS = 24
T = TypeVar("T")


@dataclass(frozen=True)
class Placed(Generic[T]):
    """Something on the grid: `row` and `col` from 0, width `w` and height `h` in grid units."""

    content: T
    row: int
    col: int
    w: int
    h: int


def flow(
    sized: Sequence[tuple[T, tuple[int, int]]], starts_row: Callable[[T], bool] = lambda _: False
) -> tuple[Placed[T], ...]:
    """Place items in order; one that does not fit beside its neighbours, or starts a row, goes below the tallest."""
    placed: list[Placed[T]] = []
    row = col = tallest = 0
    for item, (width, height) in sized:
        if placed and (col + width > COLUMNS or starts_row(item)):
            row, col, tallest = row + tallest, 0, 0
        placed.append(Placed(item, row, col, width, height))
        col, tallest = col + width, max(tallest, height)
    return tuple(placed)


def height(placed: Sequence[Placed[T]]) -> int:
    """Return the number of grid rows that the items take."""
    return max((item.row + item.h for item in placed), default=0)
