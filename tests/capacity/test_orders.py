from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnsim.capacity.orders import Orders, require_channels
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
