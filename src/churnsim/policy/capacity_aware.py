"""Plan and contact centre in turn."""

from __future__ import annotations

from churnsim.policy.choice import Choice, Situation
from churnsim.policy.settings import CapacityAware


def choose(settings: CapacityAware, given: Situation) -> Choice:
    """Return the best of the lists that plan and rehearsal in turn come to."""
    raise NotImplementedError
