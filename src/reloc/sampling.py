"""A few of many, spread evenly."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")


def even_picks(count: int, most: int) -> NDArray[np.intp]:
    """``most`` of the numbers below ``count``, at most; ascending, from the first to the last."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.intp)


def evenly(items: Sequence[Item], most: int) -> tuple[Item, ...]:
    """``most`` of the items, at most, by ``even_picks``."""
    return tuple(items[index] for index in even_picks(len(items), most))


def spread_order(count: int) -> list[int]:
    """The numbers below ``count`` in an order whose every beginning is spread evenly."""
    golden = (5**0.5 - 1) / 2
    return np.argsort(np.arange(count) * golden % 1, kind="stable").tolist()
