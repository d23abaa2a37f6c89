"""What became of a list of orders, in numbers: of all, by channel, by value, and where orders were lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.capacity.calendar import month_start
from churnsim.capacity.hindsight import Hindsight
from churnsim.capacity.lines import Line, ratio
from churnsim.capacity.log import OUTCOMES, Attempts, ContactLog
from churnsim.capacity.money import reached_in_time
from churnsim.capacity.orders import Orders, plan_steps
from churnsim.core.money import CENTS

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DECILES = 10
# An answer within 15 minutes and an end within 24 hours: what service rules of operators promise.
ANSWERED_WITHIN_HOURS = 0.25
RESOLVED_WITHIN_HOURS = 24.0


@dataclass(frozen=True)
class OrderFacts:
    """What is known of each order at the month's end; arrays (n,) in the order of the list, None: not known.

    Attributes
    ----------
    row_of_attempt
        (k,) place of each attempt's order.
    started_hours, ended_hours
        Start of the first attempt and end of the one that reached; infinite without.
    accepted, saved
        Of those reached in time.
    """

    orders: Orders
    row_of_attempt: Ints
    first_channel: npt.NDArray[np.str_]
    released: Flags
    attempts: Ints
    started_hours: Floats
    ended_hours: Floats
    reached: Flags
    by_deadline: Flags
    in_time: Flags
    accepted: Flags | None
    saved: Flags | None
    cost_cents: Ints


def order_facts(log: ContactLog, orders: Orders, *, month: int, hindsight: Hindsight) -> OrderFacts:
    """Return what a log says of each order."""
    attempts = log.attempts
    sort = np.argsort(orders.order_id, kind="stable")
    row = sort[np.searchsorted(orders.order_id, attempts.order_id, sorter=sort)]
    started, ended = np.full(len(orders), np.inf), np.full(len(orders), np.inf)
    np.minimum.at(started, row, attempts.start_hours)
    hit = attempts.is_reached
    ended[row[hit]] = attempts.end_hours[hit]
    cost = np.zeros(len(orders), np.int64)
    np.add.at(cost, row, attempts.cost_cents)
    in_time = reached_in_time(log, orders, hindsight)
    accepted = hindsight.accepted if hindsight.accepted is not None else _told(attempts, row, len(orders))
    taken = in_time if accepted is None else in_time & accepted
    return OrderFacts(
        orders=orders, row_of_attempt=row,
        first_channel=np.array([plan_steps(plan)[0] for plan in orders.channel.tolist()], np.str_),
        released=orders.release_hours < month_start(month + 1), attempts=log.outcomes.attempts, started_hours=started,
        ended_hours=ended, reached=log.outcomes.reached,
        by_deadline=log.outcomes.reached & (log.outcomes.contact_hours <= orders.deadline_hours), in_time=in_time,
        accepted=None if accepted is None else taken,
        saved=None if hindsight.saved is None else taken & hindsight.saved, cost_cents=cost)


def _told(attempts: Attempts, row: Ints, n: int) -> Flags | None:
    """Return who accepted as the dispositions tell it; None where they tell nothing."""
    if not np.isin(attempts.disposition, ("reached_accepted", "reached_declined")).any():
        return None
    accepted = np.zeros(n, np.bool_)
    accepted[row[attempts.disposition == "reached_accepted"]] = True
    return accepted


def order_lines(facts: OrderFacts, log: ContactLog, *, decided: bool) -> list[Line]:
    """Return the metrics of all orders and of each tenth by value; `decided`: decisions are known."""
    rank = np.empty(len(facts.orders), np.int64)
    rank[np.lexsort((facts.orders.order_id, facts.orders.value))] = np.arange(len(rank))
    decile = 1 + rank * DECILES // max(len(rank), 1)
    lines = _of_orders(facts, np.ones(len(rank), np.bool_), "all", "orders", decided=decided)
    for tenth in np.unique(decile).tolist():
        lines += _of_orders(facts, decile == tenth, "value decile", str(tenth), decided=decided)
    for outcome in OUTCOMES.tolist():
        count = int((log.outcomes.outcome == outcome).sum())
        lines += [Line("orders", "outcome", outcome, count, "orders"),
                  Line("share_of_orders", "outcome", outcome, ratio(count, len(facts.orders)), "share")]
    return lines


def _of_orders(facts: OrderFacts, mine: Flags, by: str, group: str, *, decided: bool) -> list[Line]:
    targeted, made = int(mine.sum()), int(facts.attempts[mine].sum())
    reached, in_time = int(facts.reached[mine].sum()), int(facts.in_time[mine].sum())
    cost = int(facts.cost_cents[mine].sum()) / CENTS
    value = float(facts.orders.value[mine & facts.in_time].sum())
    found = [("targeted", targeted, "orders"), ("attempted", int((facts.attempts[mine] > 0).sum()), "orders"),
             ("attempts", made, "attempts"), ("reached", reached, "orders"),
             ("reach_rate", ratio(reached, targeted), "share"),
             ("reach_rate_of_attempts", ratio(reached, made), "share"),
             ("attempts_per_reach", ratio(made, reached), "attempts"),
             ("reached_by_deadline", int(facts.by_deadline[mine].sum()), "orders"),
             ("reached_by_deadline_rate", ratio(int(facts.by_deadline[mine].sum()), targeted), "share")]
    if decided:
        found += [("reached_before_decision", in_time, "orders"),
                  ("reached_before_decision_rate", ratio(in_time, targeted), "share")]
    found += [("contact_cost", cost, "amount"), ("cost_per_reach", ratio(cost, reached), "amount")]
    for name, flags in (("accepted", facts.accepted), ("saved", facts.saved)):
        if flags is not None:
            count = int(flags[mine].sum())
            found += [(name, count, "orders"), (f"cost_per_{'acceptance' if name == 'accepted' else 'save'}",
                                                ratio(cost, count), "amount")]
    found += [("value_reached_in_time", value, "amount"), ("net_value", value - cost, "amount")]
    return [Line(name, by, group, number, unit) for name, number, unit in found]


def waterfall_lines(facts: OrderFacts) -> list[Line]:
    """Return how many orders are left after each step from the list to the save; each is part of the one before."""
    consent = facts.orders.consent
    steps: list[tuple[str, Flags | None]] = [
        ("targeted", np.ones(len(consent), np.bool_)), ("not suppressed", consent), ("released", facts.released),
        ("attempted", facts.attempts > 0), ("reached", facts.reached), ("in time", facts.in_time),
        ("accepted", facts.accepted), ("saved", facts.saved)]
    left, lines = np.ones(len(consent), np.bool_), []
    for name, flags in steps:
        if flags is not None:
            left = left & flags
            lines.append(Line("left_after", "step", name, int(left.sum()), "orders"))
    return lines


def channel_lines(facts: OrderFacts, log: ContactLog, channels: list[str]) -> list[Line]:
    """Return the metrics of the attempts of each channel, and the service rules of the orders that begin on it."""
    lines = []
    for name in channels:
        mine = log.attempts.channel == name
        made, answered = int(mine.sum()), int((mine & np.isfinite(log.attempts.answer_hours)).sum())
        hit = mine & log.attempts.is_reached
        reached = int(hit.sum())
        dropped = int((mine & (log.attempts.disposition == "dropped_by_dialer")).sum())
        cost = int(log.attempts.cost_cents[mine].sum()) / CENTS
        rows = facts.row_of_attempt[hit]
        value = float(facts.orders.value[rows[facts.in_time[rows]]].sum())
        begun = facts.first_channel == name
        waited = facts.started_hours - facts.orders.release_hours
        lasted = facts.ended_hours - facts.orders.release_hours
        targeted = int(begun.sum())
        found = [("orders_begun", targeted, "orders"), ("attempts", made, "attempts"),
                 ("answered", answered, "attempts"), ("answer_rate", ratio(answered, made), "share"),
                 ("reached", reached, "orders"), ("reach_rate_of_attempts", ratio(reached, made), "share"),
                 ("attempts_per_reach", ratio(made, reached), "attempts"),
                 ("dropped_by_dialer", dropped, "attempts"),
                 ("dropped_share_of_answered", ratio(dropped, answered), "share"),
                 ("first_attempt_within_15_minutes",
                  ratio(int((waited[begun] <= ANSWERED_WITHIN_HOURS).sum()), targeted), "share"),
                 ("resolved_within_24_hours", ratio(int((lasted[begun] <= RESOLVED_WITHIN_HOURS).sum()), targeted),
                  "share"),
                 ("contact_cost", cost, "amount"), ("cost_per_contact", ratio(cost, answered), "amount"),
                 ("cost_per_reach", ratio(cost, reached), "amount"), ("value_reached_in_time", value, "amount"),
                 ("net_value", value - cost, "amount")]
        lines += [Line(metric, "channel", name, number, unit) for metric, number, unit in found]
    return lines
