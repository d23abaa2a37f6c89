"""The ranks of a day: which due order goes first, as both engines compute it when a day begins."""

from __future__ import annotations

import numpy as np

from churnsim.capacity.dispatch_index import RULES, index, service_rate
from churnsim.capacity.floor import Floats, Floor, Table
from churnsim.core.compiled import njit

PRICE = RULES.index("price")
# Staff too few to count on still clears the work, in the end.
LEAST_RATE = 1e-6
# With less work ahead than this, the value at stake in an hour decides.
LEAST_CLEAR_HOURS = 1.0
DAY = 24.0


@njit
def new_ranks(f: Floor, edge: int, work: Table, rank: Floats, price: Floats) -> Floats:
    """Fill the ranks of the open orders on the steps of their plans, and the price of each group, at a day's start.

    The time to clear the work ahead is that of all open orders of the group of queues released by the day's end, at the
    agent hours an hour the group can count on until the month's end: the expected attempts left, each at its expected
    length; at least an hour.

    Parameters
    ----------
    work
        (n,) how each order stands: its `state`, 0 for open, its `step`, and attempts `tried` on that step.
    rank
        (n, steps): the least goes first.
    price
        (groups,): under dispatch "price", the index below which an order is not worth an agent's time today: that at
        which the work above it takes all agent hours left; else nan, which nothing is below.

    Returns
    -------
    (groups,) hours to clear the work ahead.
    """
    now, groups = f.edges[edge].time, price.shape[0]
    ahead, hours = np.zeros(groups), np.zeros(work.shape[0])
    for o in range(work.shape[0]):
        order, step = f.orders[o], work[o].step
        if work[o].state == 0 and order.release < now + DAY and order.deadline >= now:
            plan = f.plans[order.plan, step]
            channel = f.channels[plan.channel]
            p = min(channel.plan_prob * order.habit, 1.0)
            failed, tried = 1.0, 0.0
            for _ in range(f.steps[o, step].cap - work[o].tried):
                tried += failed
                failed *= 1.0 - p
            hours[o] = tried / service_rate(p, channel.plan_handle, channel.no_answer)
            ahead[f.queues[plan.queue].group] += hours[o]
    clear = np.empty(groups)
    for g in range(groups):
        clear[g] = max(ahead[g] / max(f.clear_rate[edge, g], LEAST_RATE), LEAST_CLEAR_HOURS)
        price[g] = np.nan
    for o in range(work.shape[0]):
        # Who is released later is ranked when that day begins.
        order = f.orders[o]
        if work[o].state == 0 and order.release < now + DAY and order.deadline >= now:
            for s in range(work[o].step, f.plans.shape[1]):
                q = f.plans[order.plan, s].queue
                if q >= 0:
                    channel = f.channels[f.queues[q].channel]
                    p = min(channel.plan_prob * order.habit, 1.0)
                    mu = service_rate(p, channel.plan_handle, channel.no_answer)
                    rank[o, s] = -index(f.month[0].rule, order.value, p, mu, order.loss_rate,
                                        clear[f.queues[q].group], order.release, order.deadline, order.priority)
    if f.month[0].rule == PRICE:
        _set_prices(f, edge, work, rank, hours, price)
    return clear


@njit
def _set_prices(f: Floor, edge: int, work: Table, rank: Floats, hours: Floats, price: Floats) -> None:
    """Set each group's price by bisection between the lowest and the highest index of its orders with work ahead."""
    for g in range(price.shape[0]):
        capacity = f.clear_rate[edge, g] * max(f.month[0].end - f.edges[edge].time, 0.0)
        least, most = np.inf, -np.inf
        for o in range(work.shape[0]):
            if _is_ahead(f, work, hours, o, g):
                least, most = min(least, -rank[o, work[o].step]), max(most, -rank[o, work[o].step])
        if least > most or _work_above(f, work, rank, hours, g, -np.inf) <= capacity:
            continue
        # From `most` on nothing is left above the price; at `least - 1` more than the staff can do.
        low, high = least - 1.0, most
        while True:
            middle = 0.5 * (low + high)
            if middle <= low or middle >= high:
                break
            if _work_above(f, work, rank, hours, g, middle) > capacity:
                low = middle
            else:
                high = middle
        price[g] = high


@njit
def _is_ahead(f: Floor, work: Table, hours: Floats, o: int, g: int) -> bool:
    if work[o].state != 0 or hours[o] <= 0.0:
        return False
    return bool(f.queues[f.plans[f.orders[o].plan, work[o].step].queue].group == g)


@njit
def _work_above(f: Floor, work: Table, rank: Floats, hours: Floats, g: int, least: float) -> float:
    total = 0.0
    for o in range(work.shape[0]):
        if _is_ahead(f, work, hours, o, g) and -rank[o, work[o].step] > least:
            total += hours[o]
    return total
