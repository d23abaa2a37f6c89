"""Who was contacted when in the waves so far, and who asked not to be any more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.campaign.settings import ContactLimit
from churnsim.campaign.wave import Wave
from churnsim.core.clock import DAYS_PER_MONTH
from churnsim.core.columns import Subscribers

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class ContactHistory:
    """The contacts of past waves: calls answered, messages read."""

    def __init__(self) -> None:
        self._ids: list[Int64] = []
        self._days: list[Float64] = []
        self._opted_out: list[Int64] = []

    def add(self, wave: Wave, base: Subscribers, *, month: int) -> None:
        """Note what came of a month's wave; `base` is the one that the wave was made for."""
        reached = np.flatnonzero(wave.reached)
        self._ids.append(base.ids[wave.touched[reached]])
        self._days.append((month + wave.contact_time[reached]) * DAYS_PER_MONTH)
        self._opted_out.append(base.ids[wave.assignment.row[wave.log.outcomes.outcome == "opted_out"]])

    def may_be_contacted(self, ids: Int64, limit: ContactLimit | None, *, first_day: float) -> Flags:
        """Return who may get one more contact on a day from `first_day` on, (n,) bool.

        Those who did not opt out, and whose contacts in the limit's days before `first_day` are fewer than the limit:
        then no stretch of so many days holds more.

        Parameters
        ----------
        first_day
            Day, counted from the start of month 0, on which orders are released.
        """
        free = ~np.isin(ids, _joined(self._opted_out))
        if limit is not None and self._ids:
            lately = np.concatenate(self._ids)[np.concatenate(self._days) > first_day - limit.days]
            known, counts = np.unique(lately, return_counts=True)
            free &= ~np.isin(ids, known[counts >= limit.most])
        return free


def _joined(parts: list[Int64]) -> Int64:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
