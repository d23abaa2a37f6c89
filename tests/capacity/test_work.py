from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.metrics import centre_metrics
from churnsim.capacity.work import work, work_unlimited
from churnsim.errors import CapacityError, DataError

from .examples import KEY, centre, order_list, sms, team, voice

CHANNELS = {"voice": voice(), "sms": sms()}


def run(orders, capacity, *, month=0):
    return work(orders, channels=CHANNELS, capacity=capacity, key=KEY, month=month)


@pytest.mark.parametrize("engine", [work, work_unlimited])
def test_an_empty_list(engine):
    log = engine(order_list(0), channels=CHANNELS, capacity=centre(team()), key=KEY, month=0)
    assert len(log.attempts) == len(log.outcomes) == 0
    metrics = centre_metrics(log, order_list(0), channels=CHANNELS, capacity=centre(team()), key=KEY, month=0)
    values = metrics.set_index("metric")["value"]
    assert not values[["targeted", "reach_rate", "contact_cost", "occupancy"]].any(axis=None)


def test_one_agent_and_one_order():
    log = run(order_list(1, answer_habit=3.0), centre(team(agents=1)))
    assert log.attempts.start_hours.tolist() == [9.0]
    assert log.outcomes.outcome.tolist() == ["reached"]


@pytest.mark.parametrize("engine", [work, work_unlimited])
def test_zero_agents_are_refused(engine):
    with pytest.raises(CapacityError) as caught:
        engine(order_list(1), channels=CHANNELS, capacity=centre(team(agents=0)), key=KEY, month=0)
    assert str(caught.value) == ("capacity.teams.t0.agents: there are 0 agents for channels in use: voice; "
                                 "give the team agents or take the channels out of the offers")


def test_zero_agents_do_not_stop_messages():
    log = run(order_list(5, channel="sms"), centre(team(agents=0)))
    assert len(log.attempts) == 5


@pytest.mark.parametrize("engine", [work, work_unlimited])
def test_an_unknown_channel_is_refused(engine):
    with pytest.raises(DataError, match="'fax' is no channel; known are voice, sms"):
        engine(order_list(1, channel="fax"), channels=CHANNELS, capacity=centre(team()), key=KEY, month=0)


@pytest.mark.parametrize("engine", [work, work_unlimited])
@pytest.mark.parametrize("channel", ["voice", "sms"])
def test_an_order_released_after_the_month_is_left(engine, channel):
    orders = order_list(2, channel=channel, release_hours=[720.0, 5000.0])
    log = engine(orders, channels=CHANNELS, capacity=centre(team()), key=KEY, month=0)
    assert len(log.attempts) == 0
    assert log.outcomes.outcome.tolist() == ["left", "left"]


def test_ten_thousand_orders_for_one_agent_are_all_accounted_for():
    orders = order_list(10_000, channel=np.where(np.arange(10_000) % 10, "voice", "sms"),
                        deadline_hours=np.where(np.arange(10_000) % 3, np.inf, 200.0))
    log = run(orders, centre(team(agents=1)))
    names, counts = np.unique(log.outcomes.outcome, return_counts=True)
    assert names.tolist() == ["exhausted", "expired", "left", "reached"]
    assert counts.sum() == 10_000
    assert log.outcomes.attempts.sum() == len(log.attempts)
    metrics = centre_metrics(log, orders, channels=CHANNELS, capacity=centre(team(agents=1)), key=KEY, month=0)
    by_team = metrics[metrics["by"] == "team"].set_index("metric")["value"]
    assert by_team["occupancy"] == pytest.approx(1.0)
    assert 1.0 < by_team["utilisation_with_overtime"] < 1.05  # at most one talk of 6 minutes over in 4 hours


def test_a_later_month_uses_its_own_hours_and_draws():
    orders = order_list(300, release_hours=720.0)
    log = run(orders, centre(team(agents=300)), month=1)
    assert 720 <= log.attempts.start_hours.min() < log.attempts.start_hours.max() < 1440
    first = run(order_list(300), centre(team(agents=300)))
    assert log.outcomes.attempts.tolist() != first.outcomes.attempts.tolist()
