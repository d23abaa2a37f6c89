"""What no engine can beat that draws like ours or touches the state once a month: draws alone, copies alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint32, uint64

import row
from workload import population

BLOCK_ROWS = 16_384

Float32 = npt.NDArray[np.float32]


@njit
def fill_uniforms(
    first_id: int, month: int, key_low: int, key_high: int, a: Float32, b: Float32, c: Float32, d: Float32
) -> None:
    """Fill four arrays with the float32 uniforms of consecutive ids, one Philox4x32-10 call an id.

    Philox4x32-10: Salmon, Moraes, Dror, Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3". The
    counter is (id low, id high, month, 0).
    """
    low, half_word = uint64(0xFFFFFFFF), uint64(32)
    for j in range(len(a)):
        subscriber = uint64(first_id) + uint64(j)
        w0, w1, w2, w3 = subscriber & low, subscriber >> half_word, uint64(month), uint64(0)
        k0, k1 = uint64(key_low), uint64(key_high)
        for _ in range(10):
            even, odd = uint64(0xD2511F53) * w0, uint64(0xCD9E8D57) * w2
            w0, w1, w2, w3 = (
                (odd >> half_word) ^ w1 ^ k0,
                odd & low,
                (even >> half_word) ^ w3 ^ k1,
                even & low,
            )
            k0, k1 = (k0 + uint64(0x9E3779B9)) & low, (k1 + uint64(0xBB67AE85)) & low
        a[j] = unit_interval(w0)
        b[j] = unit_interval(w1)
        c[j] = unit_interval(w2)
        d[j] = unit_interval(w3)


@njit
def unit_interval(word: Any) -> Any:
    """Return the upper 23 of 32 bits as a float32 strictly inside (0, 1)."""
    return (np.float32(uint32(word) >> uint32(9)) + np.float32(0.5)) * np.float32(2.0**-23)


def draws(subscribers: int, months: int) -> Callable[[], None]:
    """Four uniforms a subscriber and month, in blocks that stay in cache."""

    def simulate() -> None:
        for first in range(0, subscribers, BLOCK_ROWS):
            rows = min(BLOCK_ROWS, subscribers - first)
            uniforms = [np.empty(rows, np.float32) for _ in range(4)]
            for month in range(months):
                fill_uniforms(first, month, 1, 2, *uniforms)

    return simulate


def copy(subscribers: int, months: int) -> Callable[[], None]:
    """The 16 bytes of a subscriber's state, copied once a month."""
    columns = population(subscribers)
    copies = {name: np.zeros_like(column) for name, column in columns.items()}

    def simulate() -> None:
        for _ in range(months):
            for name, column in columns.items():
                np.copyto(copies[name], column)

    return simulate


if __name__ == "__main__":
    row.main({"draws": draws, "copy": copy}, packages=["numba", "numpy"])
