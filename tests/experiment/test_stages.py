"""The stages on a small world: what they keep, and that their numbers fit together."""

from __future__ import annotations

import numpy as np
import pytest
from small_world import base_at_campaign, small_world

from churnsim.campaign.pilot import may_contact
from churnsim.campaign.wave import Assignment, run_wave
from churnsim.experiment import stages
from churnsim.experiment.store import Cell
from churnsim.experiment.world import World
from churnsim.policy.policies import Choice
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import Observed

MONTH = 8


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(
        "population.size=800",
        "uplift.shrink=false",
        "capacity.teams.day.agents=1",
        "capacity.teams.evening.agents=1",
        "campaign.deadline_days=4.0",
    )


@pytest.fixture(scope="module")
def cells(world: World) -> dict[str, Cell]:
    history = stages.history(world)
    known = {"history": history, "plan": stages.plan(world, history), "truth": stages.truth(world, history)}
    return known | {name: stages.policy(world, name, *known.values()) for name in world.experiment.policies}


POLICIES = ("none", "everyone", "everyone_capacity", "random", "churn_risk", "risk_value", "uplift_value", "oracle")


def test_the_population_has_its_size_and_its_newcomers() -> None:
    world = small_world("population.size=1000", "market.arrivals_share_monthly=0.02",
                        "market.arrivals_season_amplitude=0.0")
    base = world.population()
    joined = np.bincount(np.maximum(base["join_month"], 0), minlength=MONTH)
    assert joined.tolist() == [1000, 20, 20, 20, 20, 20, 20, 20] and len(np.unique(base.ids)) == len(base)
    assert base.ids[:1000].tolist() == list(range(1000)) and (base.ids[1000:] >= 2**41).all()
    none = small_world("market.arrivals_share_monthly=0.0").population()
    assert len(none) == 500


def test_history_keeps_those_whom_the_operator_counts_as_active_as_they_were(
    world: World, cells: dict[str, Cell]
) -> None:
    base = base_at_campaign(world)
    # Of those who pay in advance, whoever left in the last 90 days is not missed yet.
    silent = (base["payment"] == 1) & (base["departure_time"] > MONTH - 3)
    there = base.take(np.flatnonzero((base["departure_time"] > MONTH) | silent))
    assert (there["departure_time"] <= MONTH).any()
    kept = stages.decision_base(cells["history"], world.engine.schema)
    assert np.array_equal(kept.ids, there.ids) and cells["history"].facts["subscribers"] == len(there) < len(base)
    for name in SCHEMA:
        assert np.array_equal(kept[name], there[name]), name


def test_history_counts_by_hand() -> None:
    """Month by month, from the state at each month's end: who comes back later has left all the same."""
    world = small_world("population.size=800", "lifecycle.win_back.return_prob=0.14")
    history = stages.history(world)
    months, causes, states = (history.frames[name] for name in ("months", "causes", "states"))
    base = world.population()
    by_cause = np.zeros(1 + len(world.engine.causes), int)
    for m in range(MONTH):
        world.engine.run([(base, None)], start=m, months=1)
        decided = base["decision_time"]
        served = sum(1 for k in range(len(base)) if base["join_month"][k] <= m <= decided[k])
        assert months["subscribers"][m] == served
        now = (decided >= m) & (decided < m + 1)
        assert months["decided_to_leave"][m] == now.sum()
        by_cause += np.bincount(base["cause"][now], minlength=len(by_cause))
    assert causes["leavers"].tolist() == by_cause[1:].tolist() and by_cause[0] == 0
    assert causes["leavers"].sum() == np.isfinite(base["decision_time"]).sum() + base["spell"].sum() > 50
    assert causes["cause"].tolist() == list(world.engine.causes) and base["spell"].sum() > 10
    by_state = states.set_index("state")["subscribers"]
    assert by_state["churned"] == (base["departure_time"] <= MONTH).sum() and by_state.sum() == len(base)


def test_reached_in_time_is_settled_in_the_campaign_month() -> None:
    """Who had decided before the contact was not reached in time, coming back later or not."""
    world = small_world("lifecycle.win_back.return_prob=0.14", "lifecycle.causes.need_gone.intercept=-2.0")
    base, e = base_at_campaign(world), world.experiment
    n = len(base)
    everybody = Assignment(np.arange(n), np.full(n, world.offers.code("discount_30")), np.full(n, "sms"), np.zeros(n),
                           np.zeros(n))
    wave = run_wave(everybody, base, engine=world.engine, channels=e.channels, capacity=e.capacity,
                    offers=world.offers, month=MONTH, release_days=20.0, deadline_days=30.0, unlimited=True)
    _, in_time = stages.resolve(world, base, wave)
    contact = np.where(wave.reached, wave.contact_time, np.inf)
    month_later, at_last = base.copy(), base.copy()
    world.engine.run([(month_later, wave.treatment)], start=MONTH, months=1)
    world.engine.run([(at_last, wave.treatment)], start=MONTH, months=24)
    assert np.array_equal(in_time, wave.reached & (month_later["decision_time"] > MONTH + contact))
    assert (wave.reached & ~in_time & (at_last["decision_time"] > MONTH + contact)).sum() > 5


def test_the_centre_is_told_what_a_contact_is_worth_and_how_fast_it_loses_that(
        world: World, cells: dict[str, Cell]) -> None:
    base = stages.decision_base(cells["history"], world.engine.schema)
    plan = stages.load_plan(world, cells["plan"], base.ids)
    arm = np.full(len(base), -1)
    arm[[3, 8]] = plan.arm("discount_30", "call"), plan.arm("service_recovery", "sms")
    given = stages.assigned(plan, Choice(arm, np.arange(len(base), dtype=np.float64), 0.0), horizon_months=3)
    assert given.row.tolist() == [3, 8] and given.channel.tolist() == ["call", "sms"]
    assert given.offer.tolist() == [plan.arms[k].offer_code for k in arm[[3, 8]]]
    assert given.value == pytest.approx([3 / plan.reach[3, arm[3]], 8 / plan.reach[8, arm[8]]])
    # After three months as many are lost as the plan predicts.
    assert 1 - np.exp(-3 * given.loss_rate_monthly) == pytest.approx(plan.risk[[3, 8]])
    assert len(stages.assigned(plan, Choice(np.full(len(base), -1), np.zeros(len(base)), 0.0), horizon_months=3)) == 0


def test_odds_are_scaled_by_the_channels_factor() -> None:
    prob = np.array([[0.5, 0.2], [0.0, 1.0]])
    assert stages._scale_odds(prob, np.array([1.0, 0.25])) == pytest.approx(np.array([[0.5, 1 / 17], [0.0, 1.0]]))
    # Nobody accepts through a channel of factor 0, whatever the pilot's channel did.
    assert stages._scale_odds(prob, np.array([0.0, 0.0])).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_the_plan_knows_every_arm(world: World, cells: dict[str, Cell]) -> None:
    base = stages.decision_base(cells["history"], world.engine.schema)
    plan = stages.load_plan(world, cells["plan"], base.ids)
    tried = world.experiment.campaign.offers
    names = [f"{offer} by {channel}" for offer in tried for channel in ("call", "sms")]
    assert [arm.name for arm in plan.arms] == names
    assert [arm.offer_code for arm in plan.arms] == [1, 1, 2, 2, 3, 3]
    assert plan.pilot_channel == "call" and set(plan.kept) == set(plan.effects) == {"value", "stay"}
    call, sms = plan.arm("discount_30", "call"), plan.arm("discount_30", "sms")
    # What a message keeps is what a call keeps, as much less often as its offer is taken.
    for effects in plan.effects.values():
        assert effects[:, sms] == pytest.approx(effects[:, call] * plan.accept[:, sms] / plan.accept[:, call])
    table = Observed(base, MONTH)
    for channel, kind in (("call", "live"), ("sms", "batch")):
        for offer in tried:
            allowed = may_contact(table, kind) & world.offers.eligible(offer, table, month=MONTH)
            assert np.array_equal(plan.allowed[:, plan.arm(offer, channel)], allowed)
    assert np.array_equal(cells["truth"].arrays["allowed"], plan.allowed)
    assert ((plan.risk > 0) & (plan.risk < 1)).all()


def test_planned_reach_goes_by_the_habit_of_the_channel(world: World, cells: dict[str, Cell]) -> None:
    base = stages.decision_base(cells["history"], world.engine.schema)
    plan = stages.load_plan(world, cells["plan"], base.ids)
    sms = world.experiment.channels["sms"]
    expected = np.minimum(sms.read_prob * base["read_habit"].astype(np.float64), 1.0)  # type: ignore[union-attr]
    assert plan.reach[:, plan.arm("discount_30", "sms")] == pytest.approx(expected)
    order = np.argsort(base["answer_habit"])
    assert (np.diff(plan.reach[order, plan.arm("discount_30", "call")]) >= 0).all()


@pytest.mark.parametrize("name", POLICIES)
def test_metrics_count_what_the_tables_hold(cells: dict[str, Cell], name: str) -> None:
    metrics, frames = cells[name].facts["metrics"], cells[name].frames
    contacts, lists = frames["contacts"], frames["lists"]
    assert metrics["targeted"] == len(lists) == lists["subscriber"].nunique()
    assert metrics["reached"] == contacts["disposition"].isin(["reached_accepted", "reached_declined", "read"]).sum()
    assert 0 <= metrics["accepted"] <= metrics["reached_in_time"] <= metrics["reached"] <= metrics["targeted"]
    assert set(contacts["subscriber"]) <= set(lists["subscriber"])
    assert metrics["plan_value"] == pytest.approx(lists["true_effect_amount"].sum())
    assert metrics["planned_spend"] == pytest.approx(lists["planned_cost_amount"].sum())
    assert set(frames["ledger"]["subscriber"]) <= set(lists["subscriber"])
    if name != "none":
        assert metrics["targeted"] > 0, cells[name].facts["note"]


def test_policies_stand_to_one_another_as_they_should(world: World, cells: dict[str, Cell]) -> None:
    metrics = {name: cells[name].facts["metrics"] for name in POLICIES}
    assert metrics["everyone"]["targeted"] == metrics["everyone_capacity"]["targeted"]
    # One agent a shift cannot call them all in two days.
    assert metrics["everyone"]["reached"] > metrics["everyone_capacity"]["reached"] > 0
    budget = world.experiment.campaign.budget_amount
    for name in ("random", "churn_risk", "risk_value", "uplift_value", "oracle"):
        assert metrics[name]["planned_spend"] <= budget * (1 + 1e-9)
        assert metrics[name]["plan_value"] <= metrics["oracle"]["plan_value"] + metrics["oracle"]["plan_gap"]


def test_churn_rate_is_of_everybody_on_the_network(cells: dict[str, Cell]) -> None:
    truth = cells["truth"]
    n = truth.facts["on_network"]
    assert n == (cells["history"].arrays["departure_time"] > MONTH).sum() < truth.facts["subscribers"]
    assert cells["none"].facts["metrics"]["churn_rate"] == pytest.approx(1 - truth.arrays["still_active"][1] / n)
    # Those without an order are the same in both worlds: a rate moves by what the orders do, and no further.
    lists = cells["everyone"].frames["lists"]
    moved = cells["none"].facts["metrics"]["churn_rate"] - cells["everyone"].facts["metrics"]["churn_rate"]
    assert moved == pytest.approx(lists["true_effect_on_staying"].sum() / n, abs=0.02) and moved != 0.0


def test_table_of_arms_by_hand(cells: dict[str, Cell]) -> None:
    truth = cells["truth"]
    row, allowed = truth.frames["arms"].iloc[0], truth.arrays["allowed"][:, 0]
    value, staying = truth.arrays["net_value"][allowed, 0], truth.arrays["staying"][allowed, 0]
    assert row["arm"] == "discount_30 by call" and row["subscribers"] == allowed.sum()
    assert row["mean_net_value"] == pytest.approx(value.mean())
    assert row["share_worth_it"] == pytest.approx((value > 0).mean())
    assert row["mean_effect_on_staying"] == pytest.approx(staying.mean())
    assert row["share_harmed"] == pytest.approx((staying < 0).mean())


def test_an_arm_for_nobody_has_zeros() -> None:
    world = small_world("offers.contract_device.eligibility.min_tenure_months=1200")
    truth = stages.truth(world, stages.history(world))
    row = truth.frames["arms"].set_index("arm").loc["contract_device by sms"]
    assert row.tolist() == [0] * len(row)


def test_risk_and_effect_correlate_over_those_with_an_arm() -> None:
    allowed = np.array([[True], [True], [False], [True]])
    truth = Cell({}, {"allowed": allowed, "staying": np.array([[0.1], [0.2], [9.0], [0.3]])})
    plan = Cell({}, {"risk": np.array([0.1, 0.2, 0.0, 0.9]), "lost": np.zeros(4, bool)})
    assert stages.risk_and_effect(plan, truth) == pytest.approx(1.0)
    few = Cell({}, {"allowed": np.zeros((4, 1), bool), "staying": truth.arrays["staying"]})
    assert stages.risk_and_effect(plan, few) == 0.0


def test_replicates_share_nothing_but_the_settings(cells: dict[str, Cell]) -> None:
    other = small_world("population.size=800", replicate=1)
    found = stages.decision_base(stages.history(other), other.engine.schema)
    mine = stages.decision_base(cells["history"], other.engine.schema)
    both = np.intersect1d(found.ids, mine.ids)
    assert len(both) > 300
    prices = [base["plan_price_amount"][np.isin(base.ids, both)] for base in (found, mine)]
    assert not (prices[0] == prices[1]).any()
