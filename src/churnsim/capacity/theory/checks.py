"""Refusals that the formulas share: a number that cannot be meant is named with what was found."""

from __future__ import annotations

import math

from churnsim.errors import CapacityError


def require_positive(**numbers: float) -> None:
    """Raise a CapacityError unless every number is finite and above 0."""
    for name, value in numbers.items():
        if not (math.isfinite(value) and value > 0):
            raise CapacityError(f"{name} is {value}; give a finite number above 0")


def require_patience(**hours: float) -> None:
    """Raise a CapacityError unless every mean patience is above 0; infinite patience is allowed."""
    for name, value in hours.items():
        if not value > 0:
            raise CapacityError(f"{name} is {value}; give hours above 0, or inf for callers who never give up")


def require_prob(**probs: float) -> None:
    """Raise a CapacityError unless every probability is in [0, 1]."""
    for name, value in probs.items():
        if not 0 <= value <= 1:
            raise CapacityError(f"{name} is {value}; give a probability between 0 and 1")


def require_count(least: int = 1, **counts: int) -> None:
    """Raise a CapacityError unless every count is a whole number of at least `least`."""
    for name, value in counts.items():
        if value != int(value) or value < least:
            raise CapacityError(f"{name} is {value}; give a whole number of at least {least}")
