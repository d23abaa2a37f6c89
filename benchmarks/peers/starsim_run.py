"""The workload in starsim, with its common random numbers: a module with states and distributions of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["STARSIM_INSTALL_FONTS"] = "0"

import numpy as np
import starsim as ss

import row
from workload import BYTES, Columns, advance, population, summary


class Subscribers(ss.Module):
    """The states of the workload; draws are keyed by agent, one distribution a decision."""

    def __init__(self, start: Columns, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.rows: list[list[int]] = []
        # Narrow states: starsim's own float states hold the same numbers and are slower.
        self.define_states(
            *(ss.Arr(name, dtype=column.dtype, default=0, nan=0) for name, column in start.items())
        )
        self.usage_draw, self.complaint_draw, self.leave_draw = ss.random(), ss.random(), ss.random()

    def init_post(self) -> None:
        super().init_post()
        for name, column in self.start.items():
            getattr(self, name)[:] = column

    def step(self) -> None:
        uids = self.sim.people.auids
        now = {name: getattr(self, name)[uids] for name in self.start}
        draws = (draw.rvs(uids) for draw in (self.usage_draw, self.complaint_draw, self.leave_draw))
        changed, complains = advance(now, draws, codes=BYTES)
        for name, column in changed.items():
            getattr(self, name)[uids] = column
        self.sim.people.request_death(uids[changed["state"] == BYTES.churned])
        staying = np.bincount(changed["state"], minlength=5)[:4]
        complaints = np.count_nonzero(complains)
        total = len(self.start["state"])
        self.rows.append(summary(staying, complaints=complaints, present=len(uids), subscribers=total))


def crn(subscribers: int, months: int) -> Callable[[], row.Summary]:
    """Common random numbers are starsim's default."""
    ss.options(verbose=0, crn=True)
    module = Subscribers(population(subscribers))
    # From 0 to dur in steps of dt, both ends included.
    sim = ss.Sim(
        n_agents=subscribers, modules=module, start=0, dur=months - 1, dt=1, rand_seed=3, copy_inputs=False
    )
    sim.init()

    def simulate() -> row.Summary:
        sim.run()
        return module.rows

    return simulate


if __name__ == "__main__":
    row.main({"crn": crn}, packages=["starsim", "numpy"])
