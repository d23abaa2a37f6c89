"""The workload in vivarium, with its common random numbers: a component with private columns and streams."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from loguru import logger
from vivarium import Component, InteractiveContext

import row
from workload import BYTES, CHANGING, Columns, advance, population, summary


class Subscribers(Component):
    """The columns of the workload; draws are keyed by the subscriber's number, one stream a decision."""

    def __init__(self, start: Columns) -> None:
        super().__init__()
        self.start = start
        self.rows: list[list[int]] = []

    def setup(self, builder: Any) -> None:
        self.register = builder.randomness.register_simulants
        self.streams = [builder.randomness.get_stream(name) for name in ("usage", "complaint", "leave")]
        builder.population.register_initializer(
            initializer=self.initialize, columns=["number", *self.start], required_resources=[]
        )
        # Who has left is out of every view from then on.
        builder.population.register_tracked_query(f"state != {BYTES.churned}")

    def initialize(self, simulants: Any) -> None:
        numbers = np.asarray(simulants.index, dtype=np.int64)
        columns = pd.DataFrame({"number": numbers, **self.start}, index=simulants.index)
        self.register(columns[["number"]])
        self.population_view.initialize(columns)

    def on_time_step(self, event: Any) -> None:
        present = self.population_view.get(event.index, list(self.start))
        draws = (stream.get_draw(present.index).to_numpy(np.float32) for stream in self.streams)
        now = {name: column.to_numpy() for name, column in present.items()}
        changed, complains = advance(now, draws, codes=BYTES)
        self.population_view.update(
            list(CHANGING), lambda _: pd.DataFrame(changed, index=present.index, copy=False)
        )
        staying = np.bincount(changed["state"], minlength=5)[:4]
        complaints = np.count_nonzero(complains)
        total = len(self.start["state"])
        self.rows.append(summary(staying, complaints=complaints, present=len(present), subscribers=total))


def crn(subscribers: int, months: int) -> Callable[[], row.Summary]:
    """Key columns turn common random numbers on."""
    logging.disable(logging.CRITICAL)
    component = Subscribers(population(subscribers))
    configuration = {
        "population": {"population_size": subscribers},
        "randomness": {"random_seed": 3, "key_columns": ["number"]},
        "time": {"start": {"year": 2020, "month": 1, "day": 1}, "step_size": 30},
    }
    sim = InteractiveContext(components=[component], configuration=configuration)
    logger.remove()  # the context adds a handler that prints every step

    def simulate() -> row.Summary:
        sim.take_steps(months)
        return component.rows

    return simulate


if __name__ == "__main__":
    row.main({"crn": crn}, packages=["vivarium", "pandas", "numpy"])
