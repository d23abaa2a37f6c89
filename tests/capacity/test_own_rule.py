"""A dispatch rule of the user's own is asked for the order of work."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnsim.capacity.orders import Orders
from churnsim.capacity.work import work
from churnsim.errors import CapacityError

from .examples import KEY, centre, order_list, team, voice

VALUES = np.array([3.0, 9.0, 1.0, 7.0])


def first_calls(orders: Orders, **more) -> list[int]:
    """Return the orders in the order of their first attempts by one agent."""
    channels = {"voice": voice(answer_prob_by_hour=(1.0,) * 24)}
    capacity = centre(team(agents=1), engine="compiled")
    log = work(orders, channels=channels, capacity=capacity, key=KEY, month=0, **more)
    assert log.engine == ("simpy" if "rule" in more else "compiled")
    assert ("cannot ask" in log.note) == ("rule" in more)
    return log.attempts.order_id.tolist()


def test_a_rule_orders_the_work():
    orders = order_list(4, value=VALUES)
    assert first_calls(orders) == [1, 3, 0, 2]
    assert first_calls(orders, rule=lambda table: -table["value"]) == [2, 0, 3, 1]


def test_what_a_rule_sees():
    seen = []

    def rule(table: pd.DataFrame) -> pd.Series:
        seen.append(table)
        return table["value"]

    first_calls(order_list(4, value=VALUES, loss_rate_monthly=7.2), rule=rule)
    day = seen[0]
    assert day["value"].tolist() == VALUES.tolist() and day["loss_rate_per_hour"].tolist() == [0.01] * 4
    assert day["answer_prob"].tolist() == [1.0] * 4 and day["attempts_per_hour"].tolist() == pytest.approx([10.0] * 4)
    assert day["now_hours"].tolist() == [0.0] * 4 and (day["clear_hours"] >= 1.0).all()
    # All done on the first day: nothing is asked again.
    assert len(seen) == 1


def test_only_open_orders_are_asked_about_on_later_days():
    asked = []

    def rule(table: pd.DataFrame) -> pd.Series:
        asked.append(len(table))
        return table["value"]

    log = work(order_list(200), channels={"voice": voice(answer_prob_by_hour=(1.0,) * 24)},
               capacity=centre(team(agents=1)), key=KEY, month=0, rule=rule)
    by_day = np.bincount(log.attempts.start_hours.astype(int) // 24)
    assert asked[:3] == [200, 200 - by_day[0], 200 - by_day[:2].sum()] and asked[2] > 0


@pytest.mark.parametrize(("wanted", "works"), [("auto", "simpy"), ("simpy", "simpy"), ("compiled", "compiled")])
def test_the_engine_of_the_settings_works(wanted, works, monkeypatch):
    channels = {"voice": voice()}
    log = work(order_list(4), channels=channels, capacity=centre(team(), engine=wanted), key=KEY, month=0)
    assert (log.engine, log.note) == (works, "")
    monkeypatch.setattr("churnsim.capacity.work.COMPILED_FROM", 4)
    log = work(order_list(4), channels=channels, capacity=centre(team(), engine=wanted), key=KEY, month=0)
    assert log.engine == ("compiled" if wanted == "auto" else works)


@pytest.mark.parametrize("answer", [np.zeros(3), np.full(4, np.nan)])
def test_a_rule_must_return_a_number_an_order(answer):
    with pytest.raises(CapacityError, match=r"one number an order, shape \(4,\)"):
        first_calls(order_list(4), rule=lambda table: answer)
