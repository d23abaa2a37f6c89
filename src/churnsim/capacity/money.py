"""What a month of contacts earns and costs: agents charged for handled time, and as they are paid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.capacity.hindsight import Hindsight
from churnsim.capacity.log import ContactLog
from churnsim.capacity.orders import Orders
from churnsim.capacity.roster import Roster
from churnsim.core.money import from_cents


@dataclass(frozen=True)
class Money:
    """Amounts of a month, in the currency.

    Attributes
    ----------
    value_amount
        Sum of `value` over the orders reached in time.
    contact_cost_amount
        Of all attempts: what campaigns are charged, agents' time only while they handle.
    agents_amount
        The part of it that is agents' time, and that of callers is not in it.
    paid_amount
        Pay of all teams for all hours on shift, overtime included.
    """

    value_amount: float
    contact_cost_amount: float
    agents_amount: float
    paid_amount: float

    @property
    def net_value_amount(self) -> float:
        """Value less contact cost, as campaigns count it."""
        return self.value_amount - self.contact_cost_amount

    @property
    def before_pay_amount(self) -> float:
        """Value less the cost of attempts without agents' time: what agents, whoever pays them, bring in."""
        return self.net_value_amount + self.agents_amount

    @property
    def after_pay_amount(self) -> float:
        """The same less the pay of all hours on shift, idle ones too."""
        return self.before_pay_amount - self.paid_amount


def reached_in_time(log: ContactLog, orders: Orders, hindsight: Hindsight) -> npt.NDArray[np.bool_]:
    """Return which orders were reached by the deadline and, where it is known, before the decision, (n,)."""
    contact = log.outcomes.contact_hours
    decision = np.inf if hindsight.decision_hours is None else hindsight.decision_hours
    return np.asarray(log.outcomes.reached & (contact <= orders.deadline_hours) & (contact < decision))


def count_money(log: ContactLog, orders: Orders, roster: Roster, *, hindsight: Hindsight) -> Money:
    """Return the amounts of a month's log."""
    attempts = log.attempts
    agents, paid = 0.0, 0.0
    for name, team in roster.teams.items():
        mine = attempts.team == name
        own_overtime = float(attempts.overtime_hours[mine].sum())
        overtime = own_overtime + float(log.calls.overtime_hours[log.calls.team == name].sum())
        handled = float(attempts.handled_hours[mine].sum())
        agents += team.cost_per_hour_amount * (handled + (team.overtime_factor - 1.0) * own_overtime)
        paid += team.cost_per_hour_amount * (roster.paid_hours[name] + team.overtime_factor * overtime)
    in_time = reached_in_time(log, orders, hindsight)
    return Money(float(orders.value[in_time].sum()), from_cents(int(attempts.cost_cents.sum())), agents, paid)
