"""Heaps in arrays for compiled engines: the least (key, item) first, several of them in one array."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.core.compiled import njit

PLACE = np.dtype([("key", "f8"), ("item", "i8")], align=True)
Places = npt.NDArray[np.void]


@njit
def push(heap: Places, base: int, size: int, key: float, item: int) -> int:
    """Add to the heap that takes `size` places from `base` on; return its new size."""
    i = size
    while i > 0:
        up = (i - 1) >> 1
        above = heap[base + up]
        if above.key < key or (above.key == key and above.item <= item):
            break
        heap[base + i].key, heap[base + i].item = above.key, above.item
        i = up
    heap[base + i].key, heap[base + i].item = key, item
    return size + 1


@njit
def pop(heap: Places, base: int, size: int) -> int:
    """Take the first place out of a heap; return its new size."""
    size -= 1
    _sink(heap, base, size, 0, heap[base + size].key, heap[base + size].item)
    return size


@njit
def rebuild(heap: Places, base: int, size: int) -> None:
    """Make a heap of places whose keys were changed."""
    for i in range(size // 2 - 1, -1, -1):
        _sink(heap, base, size, i, heap[base + i].key, heap[base + i].item)


@njit
def _sink(heap: Places, base: int, size: int, i: int, key: float, item: int) -> None:
    """Put (key, item) at place `i`, or below it where it belongs."""
    while True:
        low = 2 * i + 1
        if low >= size:
            break
        a = heap[base + low]
        if low + 1 < size:
            b = heap[base + low + 1]
            if b.key < a.key or (b.key == a.key and b.item < a.item):
                low, a = low + 1, b
        if key < a.key or (key == a.key and item <= a.item):
            break
        heap[base + i].key, heap[base + i].item = a.key, a.item
        i = low
    heap[base + i].key, heap[base + i].item = key, item
