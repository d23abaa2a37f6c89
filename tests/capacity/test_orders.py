from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnsim.capacity.orders import Orders, plan_steps, require_channels
from churnsim.errors import DataError

from .examples import order_list


def table(**columns):
    n = 3
    orders = order_list(n, order_id=[10, 11, 12])
    frame = pd.DataFrame({name: getattr(orders, name) for name in Orders.__dataclass_fields__})
    return frame.assign(**columns)


def test_a_table_becomes_orders_and_further_columns_are_ignored():
    orders = Orders.from_frame(table(note="x", value=[1, 2, 3]))
    assert len(orders) == 3
    assert orders.order_id.tolist() == [10, 11, 12]
    assert orders.value.dtype == np.float64
    assert orders.channel.dtype.kind == "U"


def test_columns_that_may_be_left_out():
    short = Orders.from_frame(table().drop(columns=["skill", "priority", "loss_rate_monthly", "max_attempts", "consent",
                                                    "accept_prob"]))
    assert short.skill.tolist() == [""] * 3
    assert short.priority.tolist() == [0.0] * 3
    assert short.loss_rate_monthly.tolist() == [0.02] * 3
    assert short.max_attempts.tolist() == [0] * 3
    assert short.consent.tolist() == [True] * 3
    assert np.isnan(short.accept_prob).all()
    mixed = Orders.from_frame(table(consent=[1, 0, 1], accept_prob=[0.5, None, 0.0], skill=["en", "", "de"]))
    assert mixed.consent.tolist() == [True, False, True]
    assert np.isnan(mixed.accept_prob).tolist() == [False, True, False]
    assert mixed.skill.tolist() == ["en", "", "de"]


def test_the_channels_of_a_plan():
    assert plan_steps("voice > sms") == ("voice", "sms")
    assert plan_steps("voice") == ("voice",)
    orders = order_list(2, channel=["voice>sms", "voice>fax"])
    with pytest.raises(DataError, match=r"row 1 \(order_id 1\): 'voice>fax' is no channel; known are voice, sms"):
        require_channels(orders, ["voice", "sms"])


def test_a_table_without_rows():
    assert len(Orders.from_frame(table().iloc[:0])) == 0


@pytest.mark.parametrize(("columns", "message"), [
    ({"order_id": [10, 11, 10]}, "orders: column 'order_id', row 2 (order_id 10): 10 occurs twice; "
                                 "give every order an id of its own"),
    ({"subscriber": [1, -4, 2]}, "orders: column 'subscriber', row 1 (order_id 11): -4 is negative; "
                                 "ids count from 0"),
    ({"subscriber": [1, 2.5, 2]}, "orders: column 'subscriber', row 1: 2.5 is no whole number; "
                                  "correct the cell"),
    ({"value": [1.0, None, 2.0]}, "orders: column 'value', row 1: the cell is empty; "
                                  "fill it or drop the row"),
    ({"value": [1.0, 2.0, "much"]}, "orders: column 'value', row 2: 'much' is no number; correct the cell"),
    ({"value": [1.0, np.inf, 2.0]}, "orders: column 'value', row 1 (order_id 11): inf is not finite; "
                                    "give a number"),
    ({"answer_habit": [1.0, 1.0, -0.5]}, "orders: column 'answer_habit', row 2 (order_id 12): -0.5 is no "
                                         "finite number of 0 or more; 1 is an average subscriber"),
    ({"release_hours": [0.0, 5.0, 0.0], "deadline_hours": [9.0, 4.0, 9.0]},
     "orders: column 'deadline_hours', row 1 (order_id 11): 4.0 lies before release_hours; "
     "set the deadline at the release or later"),
    ({"priority": [1.0, np.inf, 0.0]}, "orders: column 'priority', row 1 (order_id 11): inf is not finite; "
                                       "give a number"),
    ({"loss_rate_monthly": [0.1, 0.1, -0.1]}, "orders: column 'loss_rate_monthly', row 2 (order_id 12): -0.1 is no "
                                              "finite number of 0 or more; give the predicted rate of loss a month"),
    ({"max_attempts": [1, -1, 1]}, "orders: column 'max_attempts', row 1 (order_id 11): -1 is negative; "
                                   "0 is the channel's own number"),
    ({"accept_prob": [0.5, np.nan, 1.5]}, "orders: column 'accept_prob', row 2 (order_id 12): 1.5 is no probability; "
                                          "give a number from 0 to 1, or leave the column out"),
    ({"consent": [True, "maybe", False]}, "orders: column 'consent', row 1: 'maybe' is neither true nor false; "
                                          "correct the cell"),
])
def test_bad_tables(columns, message):
    with pytest.raises(DataError) as caught:
        Orders.from_frame(table(**columns))
    assert str(caught.value) == message


def test_an_absent_column():
    with pytest.raises(DataError) as caught:
        Orders.from_frame(table()[["order_id", "subscriber"]])
    assert str(caught.value) == "orders: column 'channel' is absent; the table has order_id, subscriber"


def test_arrays_are_checked_like_tables():
    with pytest.raises(DataError) as caught:
        order_list(2, deadline_hours=[np.nan, 1.0])
    assert str(caught.value) == ("orders: column 'deadline_hours', row 0 (order_id 0): nan is no number; "
                                 "write inf for none")
    with pytest.raises(DataError) as caught:
        Orders(**{**order_list(2).__dict__, "value": np.ones(3)})
    assert str(caught.value) == ("orders: column 'value' has 3 rows, order_id has 2; give one value an order")


def test_an_unknown_channel():
    orders = order_list(3, channel=["voice", "fax", "sms"])
    with pytest.raises(DataError) as caught:
        require_channels(orders, ["voice", "sms"])
    assert str(caught.value) == ("orders: column 'channel', row 1 (order_id 1): 'fax' is no channel; "
                                 "known are voice, sms")
