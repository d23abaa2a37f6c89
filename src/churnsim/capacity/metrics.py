"""The centre's month in a table: a row a metric, with its group and unit."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from churnsim.capacity.hindsight import Hindsight
from churnsim.capacity.lines import Line, lines_frame
from churnsim.capacity.log import ContactLog
from churnsim.capacity.money import Money, count_money
from churnsim.capacity.order_metrics import channel_lines, order_facts, order_lines, waterfall_lines
from churnsim.capacity.orders import Orders
from churnsim.capacity.points import count_points, points_lines
from churnsim.capacity.roster import make_roster
from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel
from churnsim.capacity.staff_metrics import stream_lines, team_lines
from churnsim.core.draws import Key

NO_HINDSIGHT = Hindsight()


def centre_metrics(log: ContactLog, orders: Orders, *, channels: Mapping[str, LiveChannel | BatchChannel],
                   capacity: CapacitySettings, key: Key, month: int, hindsight: Hindsight = NO_HINDSIGHT
                   ) -> pd.DataFrame:
    """Return the metrics of a month's log; docs/staffing.md says what each one counts.

    Whatever there is nothing of is 0.

    Parameters
    ----------
    log, orders
        Of the same month: what :func:`churnsim.capacity.work.work` returned for the list.
    key
        Of the world; absences and checks of reported saves follow from it.
    hindsight
        What became known later. Without it the log's own dispositions tell who accepted, if the orders say how likely
        that is: of conversations, since nothing tells it of a message.

    Returns
    -------
    DataFrame
        `metric`, `by` ("all", "channel", "value decile", "outcome", "step", "team", "stream", "points"), `group`,
        `value`, `unit` ("orders", "share", "amount", "hours", ...).
    """
    facts = order_facts(log, orders, month=month, hindsight=hindsight)
    roster = make_roster(channels, capacity, key=key, month=month)
    lines = order_lines(facts, log, decided=hindsight.decision_hours is not None)
    lines += _money_lines(count_money(log, orders, roster, hindsight=hindsight))
    lines += waterfall_lines(facts)
    lines += channel_lines(facts, log, list(channels))
    lines += stream_lines(log.calls, capacity.inbound)
    lines += team_lines(log, facts, roster)
    if capacity.incentives is not None:
        lines += points_lines(count_points(log, capacity.incentives, key=key, month=month))
    return lines_frame(lines)


def _money_lines(money: Money) -> list[Line]:
    found = (("agents_in_contact_cost", money.agents_amount), ("pay_of_all_hours", money.paid_amount),
             ("value_before_pay", money.before_pay_amount), ("value_after_pay", money.after_pay_amount))
    return [Line(name, "all", "orders", amount, "amount") for name, amount in found]
