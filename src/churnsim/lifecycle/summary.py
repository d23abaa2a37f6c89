"""Monthly counts and money by group.

Counts and cents are whole numbers and other sums are taken in millionths, so that no result depends on blocks, threads
or partitions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnsim.core.compiled import njit
from churnsim.lifecycle.block import Array, Block, Float32, Float64
from churnsim.lifecycle.drivers.tenure import CHURNED
from churnsim.lifecycle.record import Labels, coded
from churnsim.lifecycle.record_settings import GROUPS
from churnsim.population.categories import STATES
from churnsim.population.columns import SCHEMA

Int64 = npt.NDArray[np.int64]

MILLION = 1_000_000
# Columns of the month, of those on the network when it starts; and of those still there when it ends, since the last
# steps of a month bring them.
WHILE_HERE = ("returned", "complaint", "fault", "fault_mended")
WHO_STAYS = ("downgraded", "value_fell")
MEASURES = ("subscribers", "expected_subscribers", "joined", "returned", "complaints", "faults", "faults_mended",
            "decided", "departed", "downgraded", "value_fell", "lines_lost", "accepted", "revenue_cents",
            "cost_to_serve_cents", "discount_cents")
(SUBSCRIBERS, EXPECTED, JOINED, FIRST_HERE, _, _, _, DECIDED, DEPARTED, FIRST_STAYS, _, LINES_LOST, ACCEPTED, REVENUE,
 COST_TO_SERVE, DISCOUNT) = range(len(MEASURES))


class Summary:
    """Monthly counts and money by group; give :meth:`observe` to the engine.

    Parameters
    ----------
    by
        Names of columns that hold codes and do not change over a subscriber's life.
    sizes
        How many codes each has.
    causes
        How many causes there are, apparent ones included.
    start, months
        Calendar months covered.

    Attributes
    ----------
    totals
        (months, groups, measures + 2 x causes + states) int64: sums over subscribers, `expected_subscribers` in
        millionths; decisions to leave in the month by cause; replaced lines by cause; subscribers by state at the
        month's end, never joined left out.
    """

    def __init__(self, by: Sequence[str], sizes: Sequence[int], *, causes: int, start: int, months: int) -> None:
        self.by = tuple(by)
        self.sizes = tuple(sizes)
        self.causes = causes
        self.start = start
        groups = int(np.prod(self.sizes, dtype=np.int64))
        self.totals = np.zeros((months, groups, len(MEASURES) + 2 * causes + len(STATES)), np.int64)
        self._lock = threading.Lock()

    def observe(self, block: Block) -> None:
        """Add one month of one block."""
        group = np.zeros(len(block), np.int32)
        for name, size in zip(self.by, self.sizes, strict=True):
            group = group * np.int32(size) + block[name]
        month = block.month.number
        found = np.zeros(self.totals.shape[1:], np.int64)
        _count(group, month, block["join_month"], block["active"], block["active_prob"], block["decision_time"],
               block["departure_time"], block["cause"], block["substituted"], block["state"], block["accepted"],
               block["undecided"], tuple(block[name] for name in WHILE_HERE),
               tuple(block[name] for name in WHO_STAYS), block["lines_lost"], block["revenue"],
               block["cost_to_serve"], block["discount"], block["billed"], self.causes, found)
        with self._lock:
            self.totals[month - self.start] += found

    def table(self, labels: Labels, *, regions: int, expected_until: int | None = None) -> pa.Table:
        """Return the totals, one row a month and group that ever had a subscriber.

        `expected_subscribers` is a float, and null from month `expected_until` on; every other column is a whole
        number.
        """
        months = len(self.totals)
        used = np.flatnonzero(self.totals.any(axis=(0, 2)))
        totals = self.totals[:, used].reshape(months * len(used), self.totals.shape[2])
        columns: dict[str, pa.Array] = {"month": pa.array(np.repeat(np.arange(months) + self.start, len(used)))}
        codes = np.unravel_index(used, self.sizes) if self.sizes else ()
        for name, code in zip(self.by, codes, strict=True):
            named = SCHEMA[name].categories or tuple(str(k) for k in range(regions))
            columns[name] = coded(np.tile(code, months), named)
        for name, k in self._columns(labels):
            columns[name] = pa.array(totals[:, k])
        columns["expected_subscribers"] = pa.array(
            totals[:, EXPECTED] / MILLION,
            mask=None if expected_until is None else columns["month"].to_numpy() >= expected_until)
        return pa.table(columns)

    def _columns(self, labels: Labels) -> Iterator[tuple[str, int]]:
        """Yield columns of the table and their places in the totals; a cause is either real or apparent."""
        yield from ((name, k) for k, name in enumerate(MEASURES))
        first = len(MEASURES)
        yield from ((f"left.{cause}", first + k) for k, cause in enumerate(labels.causes)
                    if cause not in labels.apparent)
        first += self.causes
        yield from ((f"substituted.{cause}", first + k) for k, cause in enumerate(labels.causes)
                    if cause in labels.apparent)
        first += self.causes
        yield from ((f"state.{state}", first + k) for k, state in enumerate(STATES))


@njit
def _count(group: Array, month: int, join_month: Array, active: Array, active_prob: Float64, decision: Float64,
           departure: Float64, cause: Array, substituted: Array, state: Array, accepted: Array, undecided: Array,
           while_here: tuple[Array, ...], who_stays: tuple[Array, ...], lines_lost: Array, revenue: Float32,
           cost: Float32, discount: Float32, billed: Array, causes: int, out: Int64) -> None:
    first_cause = len(MEASURES)
    for j in range(group.shape[0]):
        if join_month[j] > month:
            continue
        g = group[j]
        out[g, EXPECTED] += np.int64(np.rint(active_prob[j] * 1e6))
        out[g, JOINED] += month > 0 and join_month[j] == month
        if decision[j] >= month and decision[j] < month + 1:
            out[g, DECIDED] += 1
            out[g, first_cause + cause[j] - 1] += 1
        out[g, DEPARTED] += departure[j] > month and departure[j] <= month + 1
        gone = departure[j] <= month + 1
        # Of who has left, an offer to come back.
        out[g, ACCEPTED] += accepted[j] > 0 and undecided[j]
        if active[j]:
            out[g, SUBSCRIBERS] += 1
            for k in range(len(while_here)):
                out[g, FIRST_HERE + k] += while_here[k][j]
            # On the path of who has resolved to leave a line may still be replaced: it never is.
            if substituted[j] > 0 and decision[j] >= month:
                out[g, first_cause + causes + substituted[j] - 1] += 1
            out[g, REVENUE] += np.int64(np.rint(np.float64(revenue[j]) * 100.0))
            out[g, COST_TO_SERVE] += np.int64(np.rint(np.float64(cost[j]) * 100.0))
            if billed[j]:
                out[g, DISCOUNT] += np.int64(np.rint(np.float64(discount[j]) * 100.0))
        if not gone:
            for k in range(len(who_stays)):
                out[g, FIRST_STAYS + k] += who_stays[k][j]
            out[g, LINES_LOST] += lines_lost[j]
        out[g, first_cause + 2 * causes + (CHURNED if gone else state[j])] += 1


def group_sizes(by: Sequence[str], *, regions: int) -> tuple[int, ...]:
    """Return how many codes each of the named columns has.

    Raises
    ------
    ValueError
        A column is none of those that hold codes and never change.
    """
    for name in by:
        if name not in GROUPS:
            raise ValueError(f"no group {name!r}; there are {', '.join(GROUPS)}")
    return tuple(len(SCHEMA[name].categories) or regions for name in by)
