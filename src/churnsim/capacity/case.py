"""A centre's month that is worked again and again: with other staff, other rules, other seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.capacity.call_table import calls_from_frame
from churnsim.capacity.calls import mean_calls
from churnsim.capacity.hindsight import Hindsight
from churnsim.capacity.log import ContactLog
from churnsim.capacity.money import Money, count_money, reached_in_time
from churnsim.capacity.orders import Orders
from churnsim.capacity.roster import Roster, make_roster
from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel
from churnsim.capacity.work import COMPILED_FROM, work
from churnsim.core.draws import Key, make_key


@dataclass(frozen=True)
class Case:
    """Orders and callers of a month, and the centre before which they come.

    Attributes
    ----------
    calls
        Calls known beforehand, see :func:`churnsim.capacity.call_table.calls_from_frame`; None: none but those of the
        streams' own rates.
    """

    orders: Orders
    channels: Mapping[str, LiveChannel | BatchChannel]
    capacity: CapacitySettings
    month: int = 0
    hindsight: Hindsight = field(default_factory=Hindsight)
    calls: pd.DataFrame | None = None

    def key(self, seed: int) -> Key:
        """Return the key of a seed; cases with the same seed share their draws."""
        return make_key(seed=seed, replicate=0)

    def work(self, seed: int) -> ContactLog:
        """Return the log of the month."""
        key = self.key(seed)
        calls = None if self.calls is None else calls_from_frame(self.calls, self.capacity, key=key, month=self.month)
        return work(self.orders, channels=self.channels, capacity=self.capacity, key=key, month=self.month,
                    calls=calls)

    def roster(self, seed: int) -> Roster:
        """Return who is at work when."""
        return make_roster(self.channels, self.capacity, key=self.key(seed), month=self.month)

    def in_time(self, log: ContactLog) -> npt.NDArray[np.bool_]:
        """Return which orders a log of this case shows as reached in time, (n,)."""
        return reached_in_time(log, self.orders, self.hindsight)

    def money(self, log: ContactLog, seed: int) -> Money:
        """Return what a log of this case earns and costs."""
        return count_money(log, self.orders, self.roster(seed), hindsight=self.hindsight)

    def for_runs(self, runs: int) -> Case:
        """Return the case with the engine that is faster over so many runs, where the settings leave it open."""
        if self.capacity.engine != "auto":
            return self
        calls = sum(float(mean_calls(each, start_weekday=self.capacity.start_weekday, month=self.month).sum())
                    for each in self.capacity.inbound.values())
        engine = "compiled" if runs * (len(self.orders) + calls) >= COMPILED_FROM else "simpy"
        return replace(self, capacity=self.capacity.model_copy(update={"engine": engine}))

    def staffed(self, team: str, agents: int) -> Case:
        """Return the case with another number of agents in a team."""
        changed = self.capacity.teams[team].model_copy(update={"agents": agents})
        teams = {**self.capacity.teams, team: changed}
        return replace(self, capacity=self.capacity.model_copy(update={"teams": teams}))
