"""What :func:`churnsim.capacity.work.work` refuses about a list of orders in its centre."""

from __future__ import annotations

import pandas as pd
import pytest

from churnsim.capacity.orders import Orders
from churnsim.capacity.work import work, work_unlimited
from churnsim.errors import CapacityError, DataError

from .examples import KEY, centre, order_list, sms, team, voice

CHANNELS = {"voice": voice(), "sms": sms(), "once": voice(max_attempts=1, retry_delay_hours=0.0)}


def refused(orders, capacity, *, engine=work, error=CapacityError, month=0):
    with pytest.raises(error) as caught:
        engine(orders, channels=CHANNELS, capacity=capacity, key=KEY, month=month)
    return str(caught.value)


@pytest.mark.parametrize("engine", [work, work_unlimited])
def test_a_month_of_holidays(engine):
    closed = centre(team(), holidays=tuple(range(30, 60)))
    assert refused(order_list(1), closed, engine=engine, month=1) == (
        "capacity.holidays: nobody may work on voice in month 1 (days 30 to 59); take days out of the holidays")
    assert len(work(order_list(1), channels=CHANNELS, capacity=closed, key=KEY, month=0).attempts)


@pytest.mark.parametrize("engine", [work, work_unlimited])
@pytest.mark.parametrize("plan", ["once", "voice>once"])
def test_more_attempts_than_a_channel_without_delay_has(engine, plan):
    capacity = centre(team(channels=("voice", "once")))
    orders = order_list(3, channel=plan, max_attempts=[0, 1, 2])
    assert refused(orders, capacity, engine=engine) == (
        "orders: column 'max_attempts', row 2 (order_id 2): 2 attempts on channel 'once', whose retry_delay_hours is "
        "0, are a loop of instant redials; give the channel a delay above 0, or write 1")


def test_a_skill_that_nobody_has():
    capacity = centre(team(skills=("en",)), team(skills=("fr",), agents=0))
    assert refused(order_list(2, skill=["en", "fr"]), capacity) == (
        "orders: column 'skill', row 1 (order_id 1): no agent who serves channel 'voice' has skill 'fr'; skills of the "
        "teams are en, fr: add it to a team under capacity.teams, or leave the cell empty")


@pytest.mark.parametrize(("column", "values"), [
    ("release_hours", pd.to_datetime(["2025-03-01 09:00"])),
    ("deadline_hours", pd.to_datetime(["2025-03-01 09:00"], utc=True)),
    ("release_hours", pd.to_timedelta([9], unit="h")),
])
def test_dates_are_no_hours(column, values):
    frame = pd.DataFrame({"order_id": [0], "subscriber": [0], "channel": ["voice"], "offer": ["x"], "value": [1.0],
                          "answer_habit": [1.0], "release_hours": [0.0], "deadline_hours": [9.0]})
    frame[column] = values
    with pytest.raises(DataError) as caught:
        Orders.from_frame(frame)
    assert str(caught.value) == (
        f"orders: column {column!r} has dates or durations ({frame[column].dtype}); give numbers: for hours on the "
        "centre's clock, put all dates into one time zone, then (date - start of month 0) / pd.Timedelta(hours=1)")


@pytest.mark.parametrize(("columns", "message"), [
    ({"order_id": [4, 4]}, "orders: column 'order_id', row 1 (order_id 4): 4 occurs twice; give every order an id of "
                           "its own"),
    ({"release_hours": 10.0, "deadline_hours": [20.0, 9.0]},
     "orders: column 'deadline_hours', row 1 (order_id 1): 9.0 lies before release_hours; set the deadline at the "
     "release or later"),
    ({"max_attempts": [0, -1]}, "orders: column 'max_attempts', row 1 (order_id 1): -1 is negative; 0 is the channel's "
                                "own number"),
    ({"accept_prob": [0.5, 1.5]}, "orders: column 'accept_prob', row 1 (order_id 1): 1.5 is no probability; give a "
                                  "number from 0 to 1, or leave the column out"),
    ({"loss_rate_monthly": [0.5, -1.0]}, "orders: column 'loss_rate_monthly', row 1 (order_id 1): -1.0 is no finite "
                                         "number of 0 or more; give the predicted rate of loss a month"),
])
def test_bad_orders(columns, message):
    with pytest.raises(DataError) as caught:
        order_list(2, **columns)
    assert str(caught.value) == message
