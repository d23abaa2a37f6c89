from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnsim.capacity.call_table import calls_from_frame
from churnsim.capacity.case import Case
from churnsim.capacity.disciplines import compare_disciplines
from churnsim.capacity.replicates import mean_of
from churnsim.capacity.settings import InboundStream, Law
from churnsim.capacity.shadow import shadow_prices
from churnsim.capacity.staffing import ServiceGoal, knee, staff_for_net_value, staff_for_service_level
from churnsim.capacity.theory.abandonment import erlang_a
from churnsim.capacity.theory.staffing import agents_for_service_level
from churnsim.errors import CapacityError, DataError

from .examples import EVERY_DAY, KEY, ROUND_THE_CLOCK, centre, order_list, team, voice

SEEDS = (1, 2, 3, 4)


def desk(rate: float = 30.0, hours: tuple[int, int] = (0, 24), **changes: object) -> InboundStream:
    by_hour = tuple(rate if hours[0] <= hour < hours[1] else 0.0 for hour in range(24))
    return InboundStream(**{"calls_per_hour_by_hour": by_hour, "patience": Law(law="exponential", mean_minutes=2.0),
                            "handle": Law(law="exponential", mean_minutes=6.0), **changes})


def always(**changes: object) -> object:
    return team(**{"weekdays": EVERY_DAY, "shifts": ROUND_THE_CLOCK, "inbound": ("desk",), "channels": (), **changes})


def callers_only(stream: InboundStream, *teams: object) -> Case:
    return Case(order_list(0), {"voice": voice()}, centre(*teams, inbound={"desk": stream}, engine="simpy"))


def list_case(n: int = 1500, **changes: object) -> Case:
    rng = np.random.default_rng(5)
    orders = order_list(n, value=rng.gamma(2.0, 10.0, n), release_hours=rng.uniform(0.0, 400.0, n),
                        deadline_hours=700.0)
    return Case(orders, {"voice": voice()}, centre(team(**{"agents": 1, **changes}), engine="simpy"))


def test_the_service_level_of_erlang_a_is_found():
    """Round the clock the month is stationary: the answer is that of theory, and its level that of Erlang-A."""
    needed = agents_for_service_level(30.0, handle_hours=0.1, patience_hours=1 / 30, within_hours=20 / 3600,
                                      target_prob=0.8)
    found = staff_for_service_level(callers_only(desk(), always(agents=1)), "t0", ServiceGoal("desk", 0.8, 20.0),
                                    seeds=SEEDS)
    assert found.first_guess == needed == found.agents
    assert found.notes == ()
    for row in found.curve.to_dict("records"):
        truth = erlang_a(row["agents"], 30.0, handle_hours=0.1, patience_hours=1 / 30)
        # 86,400 calls in all, dependent over minutes: a standard error of about 0.002; 6 of them.
        assert row["service_level"] == pytest.approx(truth.within(20 / 3600), abs=0.012)
        assert row["abandonment_rate"] == pytest.approx(truth.abandon_prob, abs=0.012)
    assert (np.diff(found.curve["service_level"]) > 0).all()


def test_the_guess_is_corrected_by_simulating():
    """Agents who are away and callers who call again are more than the guess knows."""
    stream = desk(retrial_prob=0.9, rate=60.0)
    found = staff_for_service_level(callers_only(stream, always(productivity_cv=0.8)), "t0",
                                    ServiceGoal("desk", 0.7, 20.0), seeds=SEEDS)
    levels = found.curve.set_index("agents")["service_level"]
    assert found.agents != found.first_guess
    assert levels[found.agents] >= 0.7 > levels[found.agents - 1]


def test_calls_outside_all_shifts_make_a_goal_infeasible():
    case = callers_only(desk(hours=(0, 12)), team(inbound=("desk",)))
    found = staff_for_service_level(case, "t0", ServiceGoal("desk", 0.8, 20.0), seeds=(1, 2))
    assert found.agents is None
    assert found.answer == "80 % of desk answered within 20 s: no number of agents of team t0 reaches it."
    # 3 of 12 hours on 22 of 30 days are staffed.
    assert found.notes[0] == "81.7 % of the calls come while the team is not at work"
    assert found.notes[1].startswith("no number of agents reaches the goal: ")
    easy = staff_for_service_level(case, "t0", ServiceGoal("desk", 0.1, 20.0), seeds=(1, 2))
    assert easy.agents is not None


def test_net_value_is_the_best_of_all_numbers():
    case = list_case()
    found = staff_for_net_value(case, "t0", budget_per_hour_amount=400.0, seeds=(1, 2))
    all_numbers = compare_disciplines(case, "t0", agents=range(1, 14), rules=("postponement",), seeds=(1, 2))
    best = all_numbers.set_index("agents")["after_pay_amount"]
    assert found.curve["agents"].max() == 13
    assert found.agents == best.idxmax()
    tried = found.curve.set_index("agents")
    assert np.allclose(tried["after_pay_amount"], best[tried.index])
    # Pay of all hours, not of handled time only: 22 days of 8 hours at 30, and some overtime.
    assert 22 * 8 * 30.0 < tried.loc[1, "paid_amount"] < 1.02 * 22 * 8 * 30.0
    assert (tried["handled_amount"] < tried["paid_amount"]).all()
    assert np.allclose(tried["after_pay_amount"], tried["net_value_amount"] + tried["handled_amount"]
                       - tried["paid_amount"])


@pytest.mark.parametrize(("agents", "value", "where"), [
    ([1, 2, 3, 4, 5], [10.0, 18.0, 20.0, 21.0, 21.5], 2), ([1, 2, 4], [0.0, 1.0, 3.0], None),
    ([1, 2], [0.0, 1.0], None),
    ([1, 3, 9], [0.0, 6.0, 8.0], 3), ([1, 2, 3], [0.0, 0.0, 5.0], None), ([1, 2, 3], [99.9, 100.1, 99.8], None)])
def test_knee_by_hand(agents, value, where):
    assert knee(agents, value) == where


def test_mean_of_two_by_hand():
    """Mean 2, standard deviation the square root of 2, t of one degree of freedom 12.706."""
    mean = mean_of([1.0, 3.0])
    assert mean.mean == 2.0
    assert mean.high - mean.mean == pytest.approx(12.7062, rel=1e-4)
    assert np.isnan(mean_of([1.0]).low)


def test_shadow_price_is_the_difference_of_two_months():
    """Where agents are short an hour more is worth much, where all is done nothing; hours without work have no row."""
    case = list_case(n=5000)
    prices = shadow_prices(case, seeds=(1, 2)).set_index("hour")
    assert list(prices.index) == list(range(8, 21))
    assert (prices["agent_hours"] == 22.0).all()
    assert (prices["worth_amount"] > prices["cost_per_hour_amount"]).all()
    extra = team(agents=1, shifts=(case.capacity.teams["t0"].shifts[0].model_copy(
        update={"start_hour": 18.0, "end_hour": 19.0}),))
    more = Case(case.orders, case.channels, centre(case.capacity.teams["t0"], extra, engine="simpy"))
    gains = [(more.money(more.work(seed), seed).net_value_amount - case.money(case.work(seed), seed).net_value_amount)
             / 22.0 for seed in (1, 2)]
    assert prices.loc[18, "price_amount"] == pytest.approx(np.mean(gains))
    idle = shadow_prices(list_case(n=5, agents=5), seeds=(1,)).set_index("hour")
    assert idle.loc[15, "price_amount"] == 0.0


def test_more_rules_more_rows():
    case = list_case(n=5000)
    found = compare_disciplines(case, "t0", agents=(1, 2), rules=("value", "fifo"), seeds=(1,))
    assert list(zip(found["dispatch"], found["agents"], strict=True)) == [
        ("value", 1), ("value", 2), ("fifo", 1), ("fifo", 2)]
    assert found["net_value_amount_low"].isna().all()
    one = found.set_index(["dispatch", "agents"])["net_value_amount"]
    assert one["value", 1] > one["fifo", 1]
    with pytest.raises(CapacityError, match=r"^dispatch: no rule 'fifi'; there are fifo, .*Did you mean 'fifo'\?"):
        compare_disciplines(case, "t0", agents=(1,), rules=("fifi",), seeds=(1,))


@pytest.mark.parametrize(("ask", "says"), [
    (lambda case: staff_for_service_level(case, "t9", ServiceGoal("desk", 0.8, 20.0), seeds=(1,)),
     "team: no team 't9'; there are t0, t1"),
    (lambda case: staff_for_service_level(case, "t0", ServiceGoal("shop", 0.8, 20.0), seeds=(1,)),
     "service level: no stream 'shop'; there are desk"),
    (lambda case: staff_for_service_level(case, "t1", ServiceGoal("desk", 0.8, 20.0), seeds=(1,)),
     "service level: team 't1' does not take calls of 'desk'; add it to capacity.teams.t1.inbound"),
    (lambda case: staff_for_net_value(case, "t0", budget_per_hour_amount=90.0, seeds=(1,)),
     "net value: there are no orders, and callers bring no value here; give orders or a service level"),
    (lambda case: staff_for_net_value(list_case(), "t0", budget_per_hour_amount=29.0, seeds=(1,)),
     "net value: 29 an hour buys no agent of team 't0' at 30; raise the budget"),
    (lambda case: ServiceGoal.parse("desk:80:20"),
     "service level 'desk:80:20': must be a stream, a share and seconds, such as save_desk:0.8:20 for 80 % within 20 "
     "seconds"),
])
def test_refusals(ask, says):
    with pytest.raises(CapacityError) as caught:
        ask(callers_only(desk(), always(), team()))
    assert str(caught.value).startswith(says)


def test_a_goal_of_a_text():
    assert ServiceGoal.parse("desk:0.8:20") == ServiceGoal("desk", 0.8, 20.0)
    assert str(ServiceGoal.parse("desk:0.8:20")) == "80 % of desk answered within 20 s"


def test_calls_of_a_table():
    frame = pd.DataFrame({"call_id": [7, 3], "stream": "desk", "time_hours": [12.0, 10.0], "handle_hours": [0.1, 0.2]})
    capacity = centre(always(), inbound={"desk": desk()})
    calls = calls_from_frame(frame, capacity, key=KEY, month=0)
    assert calls.time_hours.tolist() == [10.0, 12.0]
    assert calls.handle_hours.tolist() == [0.2, 0.1]
    assert calls.subscriber.tolist() == [-1, -1]
    # Patience goes with the call, wherever it stands in the table.
    again = calls_from_frame(frame[::-1], capacity, key=KEY, month=0)
    assert again.patience_hours.tolist() == calls.patience_hours.tolist()
    with pytest.raises(DataError, match=r"^calls: column 'time_hours' is absent; the table has call_id, stream$"):
        calls_from_frame(frame[["call_id", "stream"]], capacity, key=KEY, month=0)
    with pytest.raises(DataError, match=r"^calls: column 'time_hours', row 1: 'noon' is no number; correct the cell$"):
        calls_from_frame(frame.assign(time_hours=["10", "noon"]), capacity, key=KEY, month=0)


def test_the_engine_of_many_runs_is_the_faster_one():
    case = Case(order_list(30_000), {"voice": voice()}, centre(team()))
    assert case.for_runs(1).capacity.engine == "simpy"
    assert case.for_runs(20).capacity.engine == "compiled"
    calls = callers_only(desk(rate=100.0), always())
    assert calls.for_runs(20) is calls
    auto = Case(order_list(0), {}, calls.capacity.model_copy(update={"engine": "auto"}))
    assert auto.for_runs(2).capacity.engine == "compiled"
