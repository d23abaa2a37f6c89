"""A shallow tree that imitates a policy."""

from __future__ import annotations

from collections.abc import Callable

from churnsim.policy.choice import Choice, Situation
from churnsim.policy.settings import Readable


def choose(settings: Readable, given: Situation, choose_other: Callable[..., Choice]) -> Choice:
    """Grow the tree on the list of the imitated policy, and list whom it would."""
    raise NotImplementedError
