"""What "churn a year" means: three conventions that give three numbers for one history."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.clock import MONTHS_PER_YEAR
from churnsim.errors import DataError
from churnsim.lifecycle.block import Array, Block

Int64 = npt.NDArray[np.int64]

CONVENTIONS = {
    "over_average_base": "leavers of the year over the average base",
    "compounded": "the mean monthly rate, compounded over twelve months",
    "closed_cohort": "loss of those there when the year starts",
}


@dataclass(frozen=True)
class ChurnRates:
    """Churn of a year, shares of 1.

    Attributes
    ----------
    monthly
        Mean over the months of leavers over the base when the month starts.
    over_average_base
        Leavers of the year over the mean of the bases when its months start: at a constant rate twelve times it.
    compounded
        1 - (1 - monthly)**12.
    closed_cohort
        Share of those on the network when the year starts who are not when it ends. Below `compounded` where
        subscribers differ and newcomers take the place of leavers: those who stay are those who leave less.
    """

    monthly: float
    over_average_base: float
    compounded: float
    closed_cohort: float

    def table(self) -> pd.DataFrame:
        """Return a row a convention: ``convention``, ``meaning``, ``annual_churn``."""
        return pd.DataFrame({"convention": list(CONVENTIONS), "meaning": list(CONVENTIONS.values()),
                             "annual_churn": [asdict(self)[name] for name in CONVENTIONS]})

    def text(self) -> str:
        """Return the rates as a line to read."""
        return (f"churn of the last year: {self.over_average_base:.1%} (leavers over average base), "
                f"{self.compounded:.1%} ({self.monthly:.2%} a month compounded), "
                f"{self.closed_cohort:.1%} (of those there at its start)")


class ChurnCounts:
    """Counts what a year's rates need; give :meth:`observe` to the engine.

    Attributes
    ----------
    start
        First calendar month of the year; below 0 nothing is counted.
    totals
        (13, 2) int64: base at the month's start and leavers of each month; last those there when the year starts,
        and how many of them are not when it ends. Counts of partitions add up.
    """

    def __init__(self, *, start: int) -> None:
        self.start = start
        self.totals = np.zeros((MONTHS_PER_YEAR + 1, 2), np.int64)
        self._cohort: dict[int, Array] = {}
        self._lock = threading.Lock()

    def observe(self, block: Block) -> None:
        """Add one month of one block; other months than those of the year and other arms than the first count not."""
        month = block.month.number
        age = month - self.start
        if self.start < 0 or block.arm > 0 or not 0 <= age < MONTHS_PER_YEAR:
            return
        here = block["active"]
        gone = block["departure_time"] <= month + 1
        with self._lock:
            if age == 0:
                self._cohort[block.low] = here.copy()
            self.totals[age] += here.sum(), (here & gone).sum()
            if age == MONTHS_PER_YEAR - 1:
                cohort = self._cohort.pop(block.low)
                self.totals[-1] += cohort.sum(), (cohort & gone).sum()

    def rates(self) -> ChurnRates | None:
        """Return the year's rates, None unless there was somebody when each of its months started."""
        return churn_rates(self.totals) if self.totals[:, 0].all() else None


def churn_rates(totals: Int64) -> ChurnRates:
    """Return the rates of a year from its counts.

    Parameters
    ----------
    totals
        (13, 2), as in :class:`ChurnCounts`.

    Raises
    ------
    DataError
        A month starts with nobody on the network.

    Examples
    --------
    At a constant 2.5 % a month, of a base that newcomers keep at its size:

    >>> totals = np.array([[1000, 25]] * 12 + [[1000, 262]])
    >>> rates = churn_rates(totals)
    >>> rates.monthly, round(rates.over_average_base, 3), round(rates.compounded, 3), rates.closed_cohort
    (0.025, 0.3, 0.262, 0.262)
    """
    base, leavers = totals[:-1].T
    if not base.all():
        empty = int(np.argmin(base)) + 1
        raise DataError(f"churn of a year: nobody is on the network when month {empty} of it starts; take a year with "
                        "subscribers")
    monthly = float((leavers / base).mean())
    return ChurnRates(monthly, float(leavers.sum() / base.mean()), 1.0 - (1.0 - monthly) ** MONTHS_PER_YEAR,
                      float(totals[-1, 1] / totals[-1, 0]))
