"""A dispatch rule of the user's own: a function from what the operator knows of the open orders to their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.capacity.dispatch_index import service_rate
from churnsim.capacity.floor import OPEN, Floats, Floor, Table
from churnsim.errors import CapacityError

# Takes a table of the open orders when a day begins, returns a number each: the largest goes first.
Rule: TypeAlias = Callable[[pd.DataFrame], npt.ArrayLike]


def ranks_by(rule: Rule, f: Floor, work: Table, clear_hours: Floats, *, now_hours: float) -> Floats:
    """Return the ranks that a rule gives to orders, (n, steps), the least first; those not open keep 0.

    The rule is asked once a step of the orders' plans. Its table has a row an open order, by order id: `subscriber`,
    `channel` (number in the settings), `value`, `priority`, `answer_prob` as planned for the day, `attempts_per_hour`
    of an agent who makes nothing else, `loss_rate_per_hour`, `clear_hours` of the work ahead, `release_hours`,
    `deadline_hours`, `attempts` made and `now_hours`.

    Raises
    ------
    CapacityError
        The rule returns another number of values than it got orders, or no numbers.
    """
    ranks = np.zeros(f.steps.shape)
    for step in range(f.plans.shape[1]):
        rows = np.flatnonzero((work["state"] == OPEN) & (f.plans["queue"][f.orders["plan"], step] >= 0)
                              & (work["step"] <= step))
        if not len(rows):
            continue
        orders, queue = f.orders[rows], f.plans["queue"][f.orders["plan"][rows], step]
        channel = f.queues["channel"][queue]
        chance = np.minimum(f.channels["plan_prob"][channel] * orders["habit"], 1.0)
        rates = [service_rate(p, f.channels["plan_handle"][c], f.channels["no_answer"][c])
                 for p, c in zip(chance.tolist(), channel.tolist(), strict=True)]
        table = pd.DataFrame({
            "subscriber": orders["subscriber"], "channel": channel, "value": orders["value"],
            "priority": orders["priority"], "answer_prob": chance, "attempts_per_hour": rates,
            "loss_rate_per_hour": orders["loss_rate"], "clear_hours": clear_hours[f.queues["group"][queue]],
            "release_hours": orders["release"], "deadline_hours": orders["deadline"],
            "attempts": work["attempts"][rows], "now_hours": now_hours})
        found = np.asarray(rule(table), dtype=np.float64)
        if found.shape != (len(rows),) or np.isnan(found).any():
            raise CapacityError(f"dispatch rule {getattr(rule, '__name__', rule)!r}: must return one number an order, "
                                f"shape ({len(rows)},) without NaN (got shape {found.shape}"
                                f"{', with NaN' if np.isnan(found).any() else ''})")
        ranks[rows, step] = -found
    return ranks
