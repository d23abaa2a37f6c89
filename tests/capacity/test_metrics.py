from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churnsim.capacity.case import Case
from churnsim.capacity.hindsight import Hindsight
from churnsim.capacity.log import CallLog, no_calls
from churnsim.capacity.metrics import centre_metrics
from churnsim.capacity.settings import InboundStream, Law, Shift
from churnsim.capacity.staff_metrics import stream_lines
from churnsim.errors import DataError

from .examples import centre, order_list, sms, team, voice

SEED = 20
CERTAIN = voice(answer_prob_by_hour=(1.0,) * 24, handle_minutes_mean=60.0, handle_scv=0.0)


def metrics_of(case: Case) -> pd.DataFrame:
    log = case.work(SEED)
    return centre_metrics(log, case.orders, channels=case.channels, capacity=case.capacity, key=case.key(SEED),
                          month=case.month, hindsight=case.hindsight)


def value(metrics: pd.DataFrame, metric: str, by: str = "all", group: str = "orders") -> float:
    rows = metrics[(metrics["metric"] == metric) & (metrics["by"] == by) & (metrics["group"] == group)]
    assert len(rows) == 1, (metric, by, group)
    return float(rows["value"].iloc[0])


def busy_case() -> Case:
    """Return a centre with callers, breaks, absence, two channels and all that can be known afterwards."""
    calls = InboundStream(calls_per_hour_by_hour=(0.0,) * 9 + (12.0,) * 9 + (0.0,) * 6, wrap_share=0.2,
                          patience=Law(law="exponential", mean_minutes=2.0), retrial_prob=0.4,
                          handle=Law(law="exponential", mean_minutes=5.0), cost_per_minute_amount=0.01)
    agents = team(agents=3, inbound=("desk",), absence_prob=0.1, overtime_factor=1.5,
                  shifts=(Shift(start_hour=9.0, end_hour=13.0, breaks=((11.0, 11.5),)),
                          Shift(start_hour=14.0, end_hour=18.0)))
    call = voice(refusal_prob=0.1, wrong_number_prob=0.05, busy_prob=0.2, cost_per_minute_amount=0.02,
                 opt_out_prob=0.02)
    rng = np.random.default_rng(1)
    release = rng.uniform(0.0, 750.0, 600)
    orders = order_list(600, channel=np.where(np.arange(600) % 4, "voice>sms", "sms"), value=rng.gamma(2.0, 10.0, 600),
                        release_hours=release, deadline_hours=release + rng.exponential(100.0, 600),
                        consent=rng.random(600) < 0.95, accept_prob=0.4)
    hindsight = Hindsight(decision_hours=release + rng.exponential(200.0, 600), saved=rng.random(600) < 0.5)
    return Case(orders, {"voice": call, "sms": sms()}, centre(agents, team(agents=0), inbound={"desk": calls}), 0,
                hindsight)


def test_totals_by_hand():
    """Ten talks of an hour for two agents with 22 days of 8 hours; a message read and one not."""
    habit = [1.0] * 10 + [0.0, 2.0]
    orders = order_list(12, channel=["voice"] * 10 + ["sms"] * 2, answer_habit=habit, value=5.0)
    found = metrics_of(Case(orders, {"voice": CERTAIN, "sms": sms()}, centre(team(), team(agents=0))))
    assert [value(found, name) for name in ("targeted", "attempts", "reached")] == [12, 12, 11]
    assert value(found, "reach_rate") == value(found, "reach_rate_of_attempts") == pytest.approx(11 / 12)
    assert value(found, "contact_cost") == pytest.approx(10 * 30.05 + 0.06)
    assert value(found, "value_reached_in_time") == 55.0
    assert value(found, "net_value") == pytest.approx(55.0 - 300.56)
    assert value(found, "pay_of_all_hours") == pytest.approx(2 * 22 * 8 * 30.0)
    assert value(found, "value_before_pay") == pytest.approx(55.0 - 0.56)
    assert value(found, "cost_per_contact", "channel", "voice") == pytest.approx(30.05)
    assert value(found, "occupancy", "team", "t0") == pytest.approx(10 / (2 * 22 * 8))
    assert value(found, "occupancy", "team", "t1") == 0.0
    # Two of ten begin at nine, the rest wait; all end on the first day or the second.
    assert value(found, "resolved_within_24_hours", "channel", "voice") == 1.0
    assert value(found, "first_attempt_within_15_minutes", "channel", "voice") == 0.0


def test_shrinkage_is_breaks_and_absence():
    agents = team(shifts=(Shift(start_hour=9.0, end_hour=17.0, breaks=((12.0, 13.0),)),), absence_prob=0.25, agents=40)
    found = metrics_of(Case(order_list(0), {"voice": CERTAIN}, centre(agents)))
    paid, breaks, absent, there = (value(found, name, "team", "t0") for name in ("paid", "breaks", "absent", "at_work"))
    assert (paid, breaks) == (40 * 22 * 8.0, 40 * 22 * 1.0)
    assert absent + there == pytest.approx(paid - breaks)
    # 880 agent days: the share away has a standard error of 0.0146; beyond 4 of them 1 time in 16,000.
    assert absent / (paid - breaks) == pytest.approx(0.25, abs=0.0584)
    assert value(found, "shrinkage", "team", "t0") == pytest.approx((breaks + absent) / paid)


def test_callers_by_hand():
    """Four calls: answered after 10 and after 40 s, given up after 30 s, and answered at once when calling again."""
    second = 1.0 / 3600.0
    inf, columns = np.inf, {}
    columns["call_hours"] = np.array([9.0, 9.0, 9.0, 9.5])
    columns["start_hours"] = columns["call_hours"] + np.array([10.0, 40.0, inf, 0.0]) * second
    columns["end_hours"] = np.array([9.1, 9.1, 9.0 + 30 * second, 9.6])
    log = CallLog(**{**{name: getattr(no_calls(), name) for name in CallLog.__dataclass_fields__}, **columns,
                     "call_id": np.array([1, 2, 3, 3]), "stream": np.full(4, "desk"), "attempt": np.array([1, 1, 1, 2]),
                     "disposition": np.array(["served", "served", "abandoned_in_queue", "served"]),
                     "handled_hours": np.full(4, 0.1), "cost_cents": np.array([100, 100, 0, 100])})
    stream = InboundStream(calls_per_hour_by_hour=(1.0,) * 24, patience=None, handle=Law(law="fixed", mean_minutes=6.0))
    found = {line.metric: line.value for line in stream_lines(log, {"desk": stream})}
    assert (found["callers"], found["calls"], found["served"], found["abandoned"]) == (3, 4, 3, 1)
    assert found["service_level"] == 0.5
    assert found["speed_of_answer_of_those_answered"] == pytest.approx(50 / 3)
    assert found["speed_of_answer_of_all_callers"] == pytest.approx(20.0)
    assert (found["abandonment_rate"], found["callers_never_served_rate"]) == (0.25, 0.0)
    assert (found["answered_within_15_minutes"], found["resolved_within_24_hours"]) == (0.75, 1.0)


def test_metrics_add_up():
    case = busy_case()
    log, found = case.work(SEED), metrics_of(case)
    attempts, calls = log.attempts, log.calls

    def total(metric: str, by: str) -> float:
        return float(found[(found["metric"] == metric) & (found["by"] == by)]["value"].sum())

    for metric in ("attempts", "reached", "contact_cost", "value_reached_in_time", "net_value"):
        assert value(found, metric) == pytest.approx(total(metric, "channel")), metric
        assert value(found, metric) == pytest.approx(total(metric, "value decile")), metric
    assert value(found, "targeted") == total("targeted", "value decile") == total("orders", "outcome") == 600
    assert value(found, "attempts") == len(attempts)
    assert value(found, "contact_cost") == pytest.approx(attempts.cost_cents.sum() / 100)
    assert value(found, "reached") == attempts.is_reached.sum() == value(found, "orders", "outcome", "reached")
    handled = attempts.handled_hours.sum() + calls.handled_hours.sum()
    assert total("handled", "team") == pytest.approx(handled)
    assert total("calls_taken", "team") == total("served", "stream") == (calls.disposition == "served").sum()
    assert len(calls) == sum(total(each, "stream") for each in ("served", "abandoned", "waiting_at_the_end"))
    assert total("calls_made", "team") == value(found, "attempts", "channel", "voice")
    busy = handled - attempts.overtime_hours.sum() - calls.overtime_hours.sum()
    assert value(found, "at_work", "team", "t0") < value(found, "paid", "team", "t0")
    assert value(found, "occupancy", "team", "t0") == pytest.approx(busy / value(found, "at_work", "team", "t0"))
    # Agents' time is all of the cost that attempts and minutes do not explain, to half a cent an attempt.
    spoken = attempts.channel == "voice"
    minutes = (attempts.end_hours - attempts.start_hours)[spoken].sum() * 60
    plain = 0.05 * spoken.sum() + 0.02 * minutes + 0.03 * (~spoken).sum()
    assert value(found, "agents_in_contact_cost") == pytest.approx(value(found, "contact_cost") - plain,
                                                                   abs=0.005 * len(attempts))
    steps = found[found["by"] == "step"].set_index("group")["value"]
    assert steps.is_monotonic_decreasing
    assert " > ".join(steps.index) == ("targeted > not suppressed > released > attempted > reached > in time > "
                                       "accepted > saved")
    assert steps["reached"] == value(found, "reached")
    contact, orders = log.outcomes.contact_hours, case.orders
    in_time = (contact < case.hindsight.decision_hours) & (contact <= orders.deadline_hours)
    won = np.isin(orders.order_id, attempts.order_id[attempts.disposition == "reached_accepted"])
    assert (steps["in time"], steps["accepted"]) == (in_time.sum(), (in_time & won).sum())
    assert steps["saved"] == (in_time & won & case.hindsight.saved).sum()
    assert steps["in time"] == value(found, "reached_before_decision") <= value(found, "reached_by_deadline")
    assert steps["saved"] == value(found, "saved") < steps["accepted"] == value(found, "accepted")


def test_dispatch_does_not_see_hindsight():
    case = busy_case()
    blind = replace(case, hindsight=Hindsight())
    pd.testing.assert_frame_equal(case.work(SEED).attempts.to_pandas(), blind.work(SEED).attempts.to_pandas())
    found = metrics_of(blind)
    assert value(found, "reached_by_deadline") == value(metrics_of(case), "reached_by_deadline")
    assert "reached_before_decision" not in set(found["metric"])


def test_an_empty_month_is_zero_without_a_warning():
    case = replace(busy_case(), orders=order_list(0), hindsight=Hindsight())
    quiet = {"desk": case.capacity.inbound["desk"].model_copy(update={"calls_per_hour_by_hour": (0.0,) * 24})}
    case = replace(case, capacity=case.capacity.model_copy(update={"inbound": quiet}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics_of(case)
    assert np.isfinite(found["value"]).all()
    given = {"agents", "paid", "breaks", "absent", "at_work", "pay", "shrinkage", "service_level_time",
             "pay_of_all_hours", "value_after_pay"}
    assert set(found.loc[found["value"] != 0.0, "metric"]) <= given


@pytest.mark.parametrize(("column", "cell", "says"), [
    ("decision_hours", "soon", "orders: column 'decision_hours', row 1: 'soon' is no number; give an hour on the "
                               "centre's clock, inf for never"),
    ("saved", 2, "orders: column 'saved', row 1: 2 is neither true nor false; correct the cell")])
def test_hindsight_refuses(column, cell, says):
    with pytest.raises(DataError) as caught:
        Hindsight.from_frame(pd.DataFrame({column: [1, cell]}))
    assert str(caught.value) == says
