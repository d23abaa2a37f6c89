"""Plans of the small experiment without a pilot: what the operator knows, with effects that a test sets."""

from __future__ import annotations

import numpy as np

from churnsim.core.columns import Subscribers
from churnsim.experiment.world import World
from churnsim.policy.plan import Plan
from churnsim.signals.observe import observe
from churnsim.signals.rules import RULES

LEARNER = "given"


def planned(world: World, base: Subscribers, worth: np.ndarray, *, accept: float = 0.5, offer_cost: float = 10.0
            ) -> Plan:
    """Return a plan in which each arm is worth so much to a subscriber who is reached, (n, arms) or (n, 1)."""
    table = observe(base, month=world.experiment.campaign_month, settings=world.experiment.signals, key=world.key)
    found, n, arms = world.reach(table), len(base), world.arms()
    shape = n, len(arms)
    kept = np.broadcast_to(worth, shape) + accept * offer_cost
    return Plan(
        ids=base.ids, arms=arms, allowed=found.allowed, reach=found.reach, contact_cost=found.contact_cost,
        minutes=found.minutes, accept=np.full(shape, accept), offer_cost=np.full(shape, offer_cost),
        risk=np.linspace(0.05, 0.5, n), margin=np.full(n, 20.0), segment=np.full(n, -1, np.int32),
        effects={LEARNER: kept / 20.0}, kept={LEARNER: kept}, flags={name: rule(table) for name, rule in RULES.items()},
        best={}, pilot_channel="call")
