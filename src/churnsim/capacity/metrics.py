"""The centre's month in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass

from churnsim.capacity.calendar import staffed_hours
from churnsim.capacity.log import ContactLog
from churnsim.capacity.settings import CapacitySettings
from churnsim.core.money import from_cents


@dataclass(frozen=True)
class CentreMetrics:
    """Totals of a contact log.

    Attributes
    ----------
    targeted, reached
        Orders.
    reach_rate
        reached / targeted; 0 for an empty list.
    cost_amount
        Contact cost in the currency.
    occupancy
        By team, handled hours / hours on shift. Attempts finished after a shift count as handled, so it may
        pass 1. 0 for a team without hours.
    """

    targeted: int
    attempts: int
    reached: int
    reach_rate: float
    cost_amount: float
    occupancy: dict[str, float]


def centre_metrics(log: ContactLog, *, capacity: CapacitySettings, month: int) -> CentreMetrics:
    """Return the totals of the log of one month."""
    targeted = len(log.outcomes)
    reached = int(log.outcomes.reached.sum())
    occupancy = {}
    for name, team in capacity.teams.items():
        hours = staffed_hours(team, capacity, month=month)
        handled = float(log.attempts.handled_hours[log.attempts.team == name].sum())
        occupancy[name] = handled / hours if hours else 0.0
    return CentreMetrics(
        targeted=targeted,
        attempts=len(log.attempts),
        reached=reached,
        reach_rate=reached / targeted if targeted else 0.0,
        cost_amount=from_cents(int(log.attempts.cost_cents.sum())),
        occupancy=occupancy,
    )
