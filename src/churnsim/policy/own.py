"""Policies of the user's own: classes that an experiment file names as module:Class."""

from __future__ import annotations

import numpy as np

from churnsim.policy.choice import Choice, Situation
from churnsim.policy.settings import Own


def choose(settings: Own, given: Situation) -> Choice:
    """Let the user's class make the list, and refuse one that breaks the limits."""
    raise NotImplementedError
