"""Whether a row simulated the workload: its monthly summaries against numpy's, within sampling error."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from workload import CHANGING, STATES, SUMMARY, advance, population, summary

STANDARD_ERRORS = 5
CHUNK_ROWS = 100_000

Counts = npt.NDArray[np.int64]


@cache
def reference(subscribers: int, months: int) -> Counts:
    """Return summaries (months, 8) of a base and of draws that no row uses, in chunks that need little memory."""
    total = np.zeros((months, len(SUMMARY)), np.int64)
    for chunk, first in enumerate(range(0, subscribers, CHUNK_ROWS)):
        rows = min(CHUNK_ROWS, subscribers - first)
        now = population(rows, seed=1_000_000 + chunk)
        rng = np.random.default_rng([11, chunk])
        for month in range(months):
            present = len(now["state"])
            changed, complains = advance(now, rng.random((3, present), dtype=np.float32))
            staying = np.bincount(changed["state"], minlength=5)[: STATES.churned]
            complaints = np.count_nonzero(complains)
            total[month] += summary(staying, complaints=complaints, present=present, subscribers=rows)
            stays = changed["state"] != STATES.churned
            now = {name: (changed if name in CHANGING else now)[name][stays] for name in now}
    return total


def disagreement(found: Sequence[Sequence[int]], expected: Counts, *, subscribers: int) -> str | None:
    """Return the first way in which summaries are not those of the workload, None if there is none.

    Every number counts subscribers, so the difference of two independent runs has a variance of at most
    ``2 n p (1 - p)``. Five such standard errors raise a false alarm in fewer than one run in 5,000.
    """
    counts = np.asarray(found)
    if counts.shape != expected.shape:
        return f"summaries have the shape {counts.shape} instead of {expected.shape}"
    present, churned = counts[:, SUMMARY.index("present")], counts[:, SUMMARY.index("churned")]
    if not np.array_equal(present[1:], subscribers - churned[:-1]):
        return "those present at a month's start are not those who stayed the month before"
    share = (counts + expected) / (2 * subscribers)
    # The 1 keeps a few subscribers against none from looking impossible.
    errors = np.abs(counts - expected) / np.sqrt(2 * subscribers * share * (1 - share) + 1)
    if errors.max() <= STANDARD_ERRORS:
        return None
    month, column = np.unravel_index(int(errors.argmax()), errors.shape)
    return (
        f"{SUMMARY[column]} in month {month}: {counts[month, column]:,} instead of {expected[month, column]:,}, "
        f"{errors[month, column]:.0f} standard errors"
    )
