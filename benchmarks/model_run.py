"""The lifecycle that churnsim comes with, and twins: the base, and those whom an offer touches once more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from churnsim.experiment.load import load
from churnsim.experiment.simulation import Simulation, open_simulation
from churnsim.lifecycle.treatment import Treatment
from churnsim.lifecycle.twins import run_twins

import row

EXPERIMENT = Path(__file__).parents[1] / "experiments/scale.yaml"
TOUCHED_SHARE, CONTACT_TIME = 0.1, 0.1


def opened(subscribers: int, months: int) -> Simulation:
    """Return the experiment's simulation at another size and without its campaign; nothing is written."""
    overrides = [f"population.size={subscribers}", f"simulation.months={months}", "simulation.policy=null"]
    return open_simulation(load(EXPERIMENT, overrides=overrides), Path("unused"))


def model(subscribers: int, months: int, *, summarised: bool) -> Callable[[], int]:
    """Let the months of everybody pass, those who join later among them; return rows times months."""
    simulation = opened(subscribers, months)
    world, summary = simulation.world(), simulation.summary()
    base = world.population(until=months)

    def simulate() -> int:
        observe = summary.observe if summarised else None
        world.engine.run([(base, None)], start=0, months=months, observe=observe)
        return len(base) * months

    return simulate


def twins(subscribers: int, months: int, *, offers: int) -> Callable[[], int]:
    """Let the months pass for the base, and for a random tenth of it under each offer; return all rows times months.

    Offers are the preset's in turn, each accepted in month 0 by everybody whom it touches.
    """
    world = opened(subscribers, months).world()
    base = world.population(until=months)
    treatments = []
    for number in range(offers):
        rng = np.random.default_rng(number)
        rows = np.sort(rng.choice(len(base), round(TOUCHED_SHARE * len(base)), replace=False))
        code = 1 + number % len(world.offers.names)
        treatments.append(
            Treatment(rows, np.full(len(rows), CONTACT_TIME), np.full(len(rows), code, np.int8))
        )

    def simulate() -> int:
        touched = run_twins(world.engine, base, treatments, start=0, months=months)
        return (len(base) + sum(len(twin.rows) for twin in touched)) * months

    return simulate


def facts(subscriber_months: int) -> dict[str, Any]:
    """Tell what the rate counts: every row that is run, in every month."""
    return {"subscriber_months": subscriber_months}


if __name__ == "__main__":
    cases = {
        "model": partial(model, summarised=False),
        "summaries": partial(model, summarised=True),
        **{f"{offers} offers": partial(twins, offers=offers) for offers in (0, 1, 4, 8)},
    }
    row.main(cases, packages=["numba", "numpy"], facts=facts)
