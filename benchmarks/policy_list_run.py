"""The list of a campaign from what the operator's table shows: features, effects, costs, reach, and the best list."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from churnsim.config.source import parse_yaml
from churnsim.core.columns import Subscribers
from churnsim.experiment.load import load_tree
from churnsim.experiment.stages import fit_models, make_plan, situation
from churnsim.experiment.world import World, make_world
from churnsim.policy.choice import Choice
from churnsim.policy.plan import Plan
from churnsim.policy.policies import choose, shortlist
from churnsim.uplift.models import Models

import row

PART_ROWS = 250_000
# Eight offers through one channel: what a subscriber may be given.
OFFERS = ("discount_30", "contract_device", "service_recovery", "data_gift", "loyalty_level", "small_services_year",
          "recontract", "lottery")
EXPERIMENT = f"""
schema: 1
name: lists
seed: 7
replicates: 1
population: {{size: {PART_ROWS * 6 // 5}}}
pilot: {{size: 100000}}
campaign: {{offers: [{', '.join(OFFERS)}], channels: [call]}}
policies: {{budget_staff: {{kind: budget_staff, learner: value}}}}
"""
# Money for each subscriber, and how many of them the preset's agents are for: both run out.
BUDGET, FEW_AGENTS = 0.4, 4 * PART_ROWS


@functools.cache
def first_part() -> tuple[World, Models, Subscribers]:
    """Return a world, what a pilot teaches in it, and a partition as the campaign month starts."""
    loaded = load_tree(parse_yaml(EXPERIMENT, "lists"), folder=Path())
    world = make_world(loaded.experiment, replicate=0, folder=loaded.folder)
    base = world.population()
    world.engine.run([(base, None)], start=0, months=loaded.experiment.campaign_month)
    there = np.flatnonzero(base["departure_time"] > loaded.experiment.campaign_month)[:PART_ROWS]
    return world, fit_models(world), base.take(there)


def lists(policy: str, subscribers: int, months: int) -> Callable[[], tuple[Choice, Plan]]:
    """Make a list of so many subscribers; partitions after the first are the same subscribers under other ids."""
    world, models, base = first_part()
    settings = world.experiment.policies.get(policy, world.experiment.policies["uplift_value"])
    campaign = world.experiment.campaign.model_copy(update={"budget_amount": BUDGET * subscribers})
    staffed = _with_staff(world, subscribers)
    world = World(staffed.model_copy(update={"campaign": campaign}), 0, world.folder, world.key, world.engine)

    def run() -> tuple[Choice, Plan]:
        short: list[Plan] = []
        for number, first in enumerate(range(0, subscribers, PART_ROWS)):
            rows = min(PART_ROWS, subscribers - first)
            part = Subscribers(base.schema, base.ids[:rows] + number * (1 << 40),
                               {name: values[..., :rows] for name, values in base.columns.items()})
            plan = make_plan(world, models, part, learners=("value",), rules=())
            short.append(plan.take(shortlist(settings, situation(world, plan))))
        whole = Plan.concat(short)
        return choose(settings, situation(world, whole)), whole

    return run


def _with_staff(world: World, subscribers: int) -> Any:
    """Return the experiment with the same agents a subscriber for any number of them."""
    e = world.experiment
    teams = {name: team.model_copy(update={"agents": max(1, team.agents * subscribers // FEW_AGENTS)})
             for name, team in e.capacity.teams.items()}
    return e.model_copy(update={"capacity": e.capacity.model_copy(update={"teams": teams})})


def facts(found: tuple[Choice, Plan]) -> dict[str, Any]:
    """Tell how long the list is and what may lack to the best one."""
    choice, plan = found
    arm: npt.NDArray[np.int64] = choice.arm
    value = float(choice.priority[arm >= 0].sum())
    return {"gap_share": choice.gap / max(value, 1.0), "listed": int((arm >= 0).sum()), "shortlisted": len(plan.ids)}


if __name__ == "__main__":
    row.main({name: functools.partial(lists, name) for name in ("uplift_value", "budget_staff")},
             packages=["causalml", "numba", "numpy", "scikit-learn"], facts=facts)
