"""Campaigns, twins and the table of offers for those who have left."""

from __future__ import annotations

import numpy as np
import pytest
from small_world import base_at_campaign, load_small, small_world

import churnsim
from churnsim.campaign.pilot import run_pilot
from churnsim.errors import ConfigError
from churnsim.experiment import stages
from churnsim.experiment.offer_effects import offers_table
from churnsim.experiment.settings import check_experiment
from churnsim.experiment.store import Cell
from churnsim.experiment.tasks import make_tasks
from churnsim.experiment.world import World
from churnsim.population.categories import STATES
from churnsim.signals.observe import active_rows, listed_rows, observe
from churnsim.uplift.trial import CONTROL

MONTH = 8
CHURNED = STATES.index("churned")
# Half of the base leaves within half a year, so that few subscribers are enough.
LEAVING = [f"lifecycle.causes.{name}.intercept=-3.6" for name in ("price", "competitor")]
SWITCHED = (*LEAVING, "campaign={offers: [discount_30, win_back_pack], lost_months: 4}",
            "offers.win_back_pack.acceptance.base_prob=0.4", "population.size=900",
            "pilot={size: 7000, control_share: 0.4}",
            "policies={everyone: {kind: everyone, offer: win_back_pack, channel: call}, oracle: {kind: oracle}, "
            "uplift_value: {kind: uplift_value, learner: value}, churn_risk: {kind: churn_risk}}")


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(*SWITCHED)


@pytest.fixture(scope="module")
def cells(world: World) -> dict[str, Cell]:
    history = stages.history(world)
    known = {"history": history, "plan": stages.plan(world, history), "truth": stages.truth(world, history)}
    return known | {name: stages.policy(world, name, *known.values()) for name in world.experiment.policies
                    if world.experiment.policies[name].kind != "none"}


def test_the_decision_base_holds_those_who_left_once(world: World, cells: dict[str, Cell]) -> None:
    """By hand: there, silent for less than 90 days, or gone for less than four months."""
    base = base_at_campaign(world)
    kept = stages.decision_base(cells["history"], world.engine.schema)
    gone = base["departure_time"]
    expected = [i for i in range(len(base)) if gone[i] > MONTH - (3 if base["payment"][i] == 1 else 4) or
                gone[i] > MONTH - 4]
    assert kept.ids.tolist() == base.ids[expected].tolist() and len(np.unique(kept.ids)) == len(kept)
    table = observe(kept, month=MONTH, settings=world.experiment.signals, key=world.key)
    silent = (kept["payment"] == 1) & (kept["departure_time"] > MONTH - 3)
    lost = (kept["departure_time"] <= MONTH) & ~silent
    assert np.array_equal(table["state"] == CHURNED, lost) and lost.sum() > 50
    assert not (kept["state"] == CHURNED).any()
    # What they used after leaving is nothing, whoever they are.
    assert not table.lag("bill_amount", month=MONTH, months_ago=1)[kept["departure_time"] <= MONTH - 1].any()


def test_each_is_allowed_the_offers_for_it_alone(world: World, cells: dict[str, Cell]) -> None:
    allowed, lost = cells["truth"].arrays["allowed"], cells["plan"].arrays["lost"]
    assert [arm.offer for arm in world.arms()] == ["discount_30"] * 2 + ["win_back_pack"] * 2
    assert not allowed[lost, :2].any() and not allowed[~lost, 2:].any()
    assert allowed[lost, 2:].any() and allowed[~lost, :2].any()


def test_the_plan_values_who_left_by_the_fee_and_the_average_risk(world: World, cells: dict[str, Cell]) -> None:
    arrays, base = cells["plan"].arrays, stages.decision_base(cells["history"], world.engine.schema)
    lost = arrays["lost"]
    cost = world.experiment.lifecycle.cost_to_serve
    fee = base["plan_price_amount"].astype(np.float64)
    margin = fee * (1.0 - cost.share_of_revenue) - cost.fixed_amount * base["lines"]
    assert arrays["margin"][lost] == pytest.approx(margin[lost])
    assert len(set(arrays["risk"][lost])) == 1 and arrays["risk"][~lost].min() < arrays["risk"][lost][0]


def test_metrics_stay_about_those_on_the_network(world: World, cells: dict[str, Cell]) -> None:
    """Bringing back is no churn avoided: rate and network are those of who was there when the month began."""
    facts, base = cells["truth"].facts, stages.decision_base(cells["history"], world.engine.schema)
    assert facts["on_network"] == (base["departure_time"] > MONTH).sum() < facts["subscribers"] - 50
    rate = 1.0 - cells["truth"].arrays["still_active"][1] / facts["on_network"]
    assert cells["everyone"].facts["metrics"]["churn_rate"] == pytest.approx(rate)


def test_the_pack_brings_back_and_is_paid_for(world: World, cells: dict[str, Cell]) -> None:
    """Everybody's list: direct cost by hand, once for each acceptance, the same realised and expected."""
    cell = cells["everyone"]
    metrics, ledger, lists = cell.facts["metrics"], cell.frames["ledger"], cell.frames["lists"]
    assert metrics["targeted"] == cells["truth"].arrays["allowed"][:, 2].sum() > metrics["accepted"] > 10
    direct = ledger[(ledger["world"] == "policy") & (ledger["kind"] == "direct_offer_cost")]
    base = stages.decision_base(cells["history"], world.engine.schema)
    lines = dict(zip(base.ids.tolist(), base["lines"].tolist(), strict=True))
    for estimate in ("realised", "expected"):
        paid = direct[direct["estimate"] == estimate].set_index("subscriber")["undiscounted_cents"]
        assert len(paid) == metrics["accepted"]
        assert all(cents == 1800 * lines[i] for i, cents in paid.items())
    assert metrics["saved_revenue"] > 0.0 and metrics["reached_in_time"] >= metrics["accepted"]
    assert (lists["true_effect_on_staying"] > 0.0).mean() > 0.9


def test_policies_list_both_kinds(cells: dict[str, Cell]) -> None:
    arms = {name: set(cells[name].frames["lists"]["arm"].astype(str)) for name in ("oracle", "uplift_value")}
    assert any(arm.startswith("win_back_pack") for arm in arms["oracle"])
    oracle, learned = (cells[name].facts["metrics"] for name in ("oracle", "uplift_value"))
    assert learned["plan_value"] <= oracle["plan_value"] + oracle["plan_gap"]


def test_the_pilot_assigns_each_what_is_for_it(world: World) -> None:
    e = world.experiment
    trial = run_pilot(world.pilot_population(), e.pilot, tries=e.campaign.offers, engine=world.engine,
                      signals=e.signals, channels=e.channels, capacity=e.capacity, rate_annual=0.1, lost_months=4)
    assert trial.lost is not None and trial.for_lost == ("win_back_pack",)
    assert set(trial.assigned[trial.lost]) == {CONTROL, "win_back_pack"}
    assert set(trial.assigned[~trial.lost]) == {CONTROL, "discount_30"}
    # One offer for each: the control share is the propensity; 4 standard errors of a share, twice, 1.3e-4.
    for some in (trial.lost, ~trial.lost):
        share = (trial.assigned[some] == CONTROL).mean()
        assert abs(share - e.pilot.control_share) < 4.0 * np.sqrt(0.25 / some.sum())
    assert trial.propensity("win_back_pack")[CONTROL] == pytest.approx(e.pilot.control_share)
    took = trial.lost & trial.accepted
    assert took.sum() > 20 and trial.stayed[took].mean() > trial.stayed[trial.lost & ~trial.accepted].mean() + 0.3


def test_off_nothing_is_listed_twice_or_at_all() -> None:
    base = base_at_campaign(small_world(*LEAVING))
    usual = listed_rows(base, month=MONTH, silent_days=90.0)
    assert np.array_equal(usual, listed_rows(base, month=MONTH, silent_days=90.0, lost_months=0))
    more = listed_rows(base, month=MONTH, silent_days=90.0, lost_months=2)
    assert len(np.unique(more)) == len(more) > len(usual) and np.isin(usual, more).all()


def test_twins_of_those_who_left() -> None:
    """A pack brings back surely, a discount does to them what a mere contact does; who is there gains from no pack."""
    history = churnsim.simulate(load_small(*LEAVING, "population.size=400"))
    found = churnsim.twins(history, offers=["discount_30", "win_back_pack"], lost_months=6, channel="call")
    base = history.base
    there = set(base.ids[active_rows(base, month=MONTH)].tolist())
    lost = np.array([i not in there for i in found.index])
    assert 20 < lost.sum() < len(found)
    assert found["win_back_pack_staying"][lost].min() > 0.0 and found["win_back_pack_staying"][lost].mean() > 0.1
    assert np.array_equal(found["discount_30_value"][lost], found["contact_value"][lost])
    assert np.array_equal(found["win_back_pack_value"][~lost], found["contact_value"][~lost])
    without = churnsim.twins(history, offers=["discount_30"], channel="call")
    assert np.array_equal(without.to_numpy(), found.loc[without.index, without.columns].to_numpy())


def test_the_table_of_offers_judges_the_pack_on_leavers() -> None:
    """Who left in the last six months is judged; the others' rows are as without them."""
    loaded = load_small(*LEAVING)
    both = offers_table(loaded, offers=["discount_30", "win_back_pack"], years=1, draws=1)
    alone = offers_table(loaded, offers=["discount_30"], years=1, draws=1)
    assert both.subscribers == alone.subscribers
    assert both.table.iloc[:2].equals(alone.table)
    pack = both.table.iloc[2]
    assert pack["eligible"] > 20 and 0.1 < pack["effect_on_staying"] < 1.0 and pack["negative_share"] == 0.0
    # A line each costs 18; some accounts have several.
    assert pack["cost_per_acceptor"] > 18.0


@pytest.mark.parametrize(("override", "path", "message"), [
    ("campaign={offers: [discount_30, win_back_pack]}", ("campaign", "offers", 1),
     "'win_back_pack' is for those who have left; raise campaign.lost_months above 0, or take it out"),
    ("campaign.lost_months=3", ("campaign", "lost_months"),
     "no offer of campaign.offers is for those who have left (brings_back); name one, or set it to 0 (got 3)"),
])
def test_contradictions_are_refused(override: str, path: tuple[str | int, ...], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_small(override)
    assert message in str(refused.value) and ".".join(map(str, path[:2])) in str(refused.value)


def test_twins_refuse_a_pack_without_leavers() -> None:
    history = churnsim.simulate(load_small("population.size=60"))
    with pytest.raises(ConfigError) as refused:
        churnsim.twins(history, offers=["win_back_pack"])
    assert str(refused.value) == ("offers: 'win_back_pack' is for those who have left; give lost_months, or take it "
                                  "out")


@pytest.mark.parametrize("override", ["campaign.lost_months=5", "signals.silent_days=60.0"])
def test_who_may_be_listed_makes_another_history(override: str) -> None:
    keys = [{task.stage: task.key for task in make_tasks(load_small(*more))[0]}
            for more in (SWITCHED, (*SWITCHED, override))]
    assert keys[0]["history"] != keys[1]["history"]


def test_the_offers_of_a_campaign_make_another_plan_and_truth() -> None:
    keys = [{task.stage: task.key for task in make_tasks(load_small(f"campaign.offers=[{names}]"))[0]}
            for names in ("discount_30", "discount_30, service_recovery")]
    assert keys[0]["history"] == keys[1]["history"]
    assert all(keys[0][stage] != keys[1][stage] for stage in ("plan", "truth"))


def test_it_passes_every_check() -> None:
    assert not list(check_experiment(load_small(*SWITCHED).experiment))
