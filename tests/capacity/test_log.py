from __future__ import annotations

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


def test_names_are_dictionaries():
    schema = small_log().attempts.to_arrow().schema
    for name in ("channel", "offer", "team", "disposition"):
        assert pa.types.is_dictionary(schema.field(name).type)
    assert schema.field("cost_cents").type == pa.int64()


def test_an_empty_log_has_the_same_columns():
    log = work(order_list(0), channels=CHANNELS, capacity=centre(team()), key=KEY, month=0)
    assert log.attempts.to_arrow().schema.names == small_log().attempts.to_arrow().schema.names
    assert log.outcomes.to_pandas().empty
