"""The queue of callers in Ciw, on the callers' own times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ciw
import numpy as np

import row
from contact_load import SERVERS, Floats, Waits, facts, queue_of_callers


class Gaps(ciw.dists.Distribution):
    """Times between callers, then none."""

    def __init__(self, time: Floats) -> None:
        self.gaps = iter(np.diff(time, prepend=0.0).tolist())

    def sample(self, t: Any = None, ind: Any = None) -> float:
        return next(self.gaps, float("inf"))


class OfCaller(ciw.dists.Distribution):
    """A time that each caller brings."""

    def __init__(self, hours: Floats) -> None:
        self.hours = hours.tolist()

    def sample(self, t: Any = None, ind: Any = None) -> float:
        return self.hours[ind.id_number - 1]


def queue(callers: int, months: int) -> Callable[[], Waits]:
    """A network of one node whose customers renege."""
    list_ = queue_of_callers(callers)

    def simulate() -> Waits:
        network = ciw.create_network(
            arrival_distributions=[Gaps(list_.time)],
            service_distributions=[OfCaller(list_.handle)],
            reneging_time_distributions=[OfCaller(list_.patience)],
            number_of_servers=[SERVERS],
        )
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_customers(callers, method="Finish")
        wait, gave_up = np.empty(callers), np.empty(callers, bool)
        for each in simulation.get_all_records():
            caller = each.id_number - 1
            wait[caller], gave_up[caller] = each.waiting_time, each.record_type == "renege"
        return Waits(wait, gave_up, list_)

    return simulate


if __name__ == "__main__":
    row.main({"queue": queue}, packages=["ciw", "numpy"], facts=facts, warm_up=False)
