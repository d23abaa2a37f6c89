"""The queue of callers in salabim: a component a caller, who requests an agent and fails after his patience."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import salabim

import row
from contact_load import SERVERS, Waits, facts, queue_of_callers


class Caller(salabim.Component):
    """One caller."""

    def setup(self, number: int, found: Waits, agents: salabim.Resource) -> None:
        self.number, self.found, self.agents = number, found, agents

    def process(self) -> Iterator[None]:
        wait, gave_up, callers = self.found
        came = self.env.now()
        yield self.request(self.agents, fail_delay=callers.patience[self.number])
        wait[self.number], gave_up[self.number] = self.env.now() - came, self.failed()
        if not self.failed():
            yield self.hold(callers.handle[self.number])
            self.release()


class Source(salabim.Component):
    """Where they come from."""

    def setup(self, found: Waits, agents: salabim.Resource) -> None:
        self.found, self.agents = found, agents

    def process(self) -> Iterator[None]:
        for number, time in enumerate(self.found.callers.time):
            yield self.hold(till=time)
            Caller(number=number, found=self.found, agents=self.agents)


def queue(callers: int, months: int) -> Callable[[], Waits]:
    """Monitors are off; processes are generators, which are faster here than greenlets."""
    salabim.yieldless(False)
    list_ = queue_of_callers(callers)
    found = Waits(np.empty(callers), np.empty(callers, bool), list_)

    def simulate() -> Waits:
        env = salabim.Environment(trace=False)
        Source(found=found, agents=salabim.Resource("agents", SERVERS, monitor=False))
        env.run()
        return found

    return simulate


if __name__ == "__main__":
    row.main({"queue": queue}, packages=["salabim", "numpy"], facts=facts, warm_up=False)
