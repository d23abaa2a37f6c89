from __future__ import annotations

import numpy as np
import pyarrow as pa

from churnsim.capacity.work import work

from .examples import KEY, centre, order_list, sms, team, voice

CHANNELS = {"voice": voice(answer_prob_by_hour=(1.0,) * 24, handle_scv=0.0), "sms": sms(read_prob=1.0)}


def small_log():
    orders = order_list(2, channel=["voice", "sms"], offer=["device", "discount"])
    return work(orders, channels=CHANNELS, capacity=centre(team()), key=KEY, month=0)


def test_costs_and_dispositions_by_hand():
    """0.05 and 6 minutes at 30 an hour: 3.05; a message: 0.03."""
    frame = small_log().attempts.to_pandas()
    assert frame["cost_cents"].tolist() == [3, 305]
    assert frame["disposition"].tolist() == ["read", "reached"]
    assert frame["offer"].tolist() == ["discount", "device"]
    assert frame["team"].tolist() == ["", "t0"]
    assert frame["handled_hours"].tolist() == [0.0, 0.1]


def test_the_contact_is_the_pick_up_or_the_reading():
    outcomes = small_log().outcomes.to_pandas()
    assert outcomes["contact_hours"].tolist() == [9.0, 8.01]
    assert outcomes["outcome"].tolist() == ["reached", "reached"]


def test_who_accepts_is_told_where_the_orders_say_how_likely_that_is():
    """A conversion costs 2 on the phone and 1.5 by message; without a probability the log does not say."""
    channels = {"voice": voice(answer_prob_by_hour=(1.0,) * 24, handle_scv=0.0, cost_per_conversion_amount=2.0),
                "sms": sms(read_prob=1.0, cost_per_conversion_amount=1.5)}
    orders = order_list(5, channel=["voice"] * 3 + ["sms"] * 2, accept_prob=[1.0, 0.0, np.nan, 1.0, 0.0])
    log = work(orders, channels=channels, capacity=centre(team()), key=KEY, month=0)
    said = dict(zip(log.attempts.order_id.tolist(), log.attempts.disposition.tolist(), strict=True))
    assert said == {0: "reached_accepted", 1: "reached_declined", 2: "reached", 3: "read", 4: "read"}
    cents = dict(zip(log.attempts.order_id.tolist(), log.attempts.cost_cents.tolist(), strict=True))
    assert cents == {0: 505, 1: 305, 2: 305, 3: 153, 4: 3}
    assert log.attempts.is_reached.all()
    assert set(log.outcomes.outcome) == {"reached"}


def test_names_are_dictionaries():
    schema = small_log().attempts.to_arrow().schema
    for name in ("channel", "offer", "team", "disposition"):
        assert pa.types.is_dictionary(schema.field(name).type)
    assert schema.field("cost_cents").type == pa.int64()


def test_an_empty_log_has_the_same_columns():
    log = work(order_list(0), channels=CHANNELS, capacity=centre(team()), key=KEY, month=0)
    assert log.attempts.to_arrow().schema.names == small_log().attempts.to_arrow().schema.names
    assert log.outcomes.to_pandas().empty
