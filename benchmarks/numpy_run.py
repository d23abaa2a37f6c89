"""The workload in numpy, on whole arrays: written plainly, and with the types and copies it can do without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import row
from workload import BYTES, CHANGING, STATES, advance, population, summary


def plain(subscribers: int, months: int) -> Callable[[], row.Summary]:
    """Whole arrays and masks; states are integers."""
    now = population(subscribers)
    rng = np.random.default_rng(3)

    def simulate() -> row.Summary:
        rows = []
        for _ in range(months):
            present = now["state"] != STATES.churned
            changed, complains = advance(now, rng.random((3, subscribers), dtype=np.float32))
            for name in CHANGING:
                np.copyto(now[name], changed[name], where=present, casting="unsafe")
            staying = np.bincount(now["state"], minlength=5)[:4]
            counts = {
                "complaints": np.count_nonzero(complains & present),
                "present": np.count_nonzero(present),
            }
            rows.append(summary(staying, **counts, subscribers=subscribers))
        return rows

    return simulate


def tuned(subscribers: int, months: int) -> Callable[[], row.Summary]:
    """States are bytes, one buffer for the draws, and only the state of who has left is held."""
    now = population(subscribers)
    rng = np.random.default_rng(3)
    uniforms = np.empty((3, subscribers), np.float32)

    def simulate() -> row.Summary:
        rows = []
        for _ in range(months):
            rng.random(out=uniforms, dtype=np.float32)
            present = now["state"] != BYTES.churned
            changed, complains = advance(now, uniforms, codes=BYTES)
            changed["state"] = np.where(present, changed["state"], BYTES.churned)
            now.update(changed)
            staying = [np.count_nonzero(now["state"] == code) for code in BYTES[:4]]
            counts = {
                "complaints": np.count_nonzero(complains & present),
                "present": np.count_nonzero(present),
            }
            rows.append(summary(staying, **counts, subscribers=subscribers))
        return rows

    return simulate


if __name__ == "__main__":
    row.main({"plain": plain, "tuned": tuned}, packages=["numpy"])
