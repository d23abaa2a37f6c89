"""Campaigns over months: one month is one wave, months pass as in one run, and the waves add up to the world."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_world import load_small

from churnsim.campaign.limits import may_be_listed
from churnsim.core.clock import DAYS_PER_MONTH
from churnsim.core.columns import Subscribers
from churnsim.core.money import CENTS
from churnsim.errors import ConfigError
from churnsim.evaluation.ledger import EXPECTED, REALISED, Bookkeeper, compare_worlds
from churnsim.experiment import planners, stages, waves
from churnsim.experiment.planners import AdaptivePlanner, BanditPlanner
from churnsim.experiment.store import Cell
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.block import Block, Draws, Month
from churnsim.lifecycle.treatment import Treatment, contacts, everybody
from churnsim.signals.observe import observe
from churnsim.uplift.models import Models
from churnsim.uplift.settings import UpliftSettings
from churnsim.uplift.trial import Trial

POLICIES = """
uplift: {shrink: false, folds: 2}
policies:
  once: {kind: adaptive, learner: value, months: 1, refit_months: null, explore_share: 0.0}
  static: {kind: adaptive, learner: value, months: 3, refit_months: null, explore_share: 0.0}
  adaptive: {kind: adaptive, learner: value, months: 4, explore_share: 0.4}
  bandit: {kind: bandit, months: 4}
"""
START = 8


def world_of(*overrides: str) -> World:
    loaded = load_small("population.size=800", "evaluation.inner_draws=1", *overrides, extra=POLICIES)
    return make_world(loaded.experiment, replicate=0, folder=loaded.folder)


@cache
def pilot() -> Trial:
    return stages.pilot_trial(small())


@cache
def models(*learners: str) -> Models:
    settings = small().experiment.uplift
    return stages.learn_from(small(), pilot(), settings.model_copy(
        update={"learners": {name: settings.learners[name] for name in learners}}))


@pytest.fixture(autouse=True)
def one_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pilot is the same in all these worlds: it is run and learned from once."""

    def learn(world: World, trial: Trial, uplift: UpliftSettings) -> Models:
        if len(trial.X) == len(pilot().X):
            return models(*uplift.learners)
        return stages.learn_from(world, trial, uplift)

    monkeypatch.setattr(planners, "pilot_trial", lambda world: pilot())
    monkeypatch.setattr(planners, "learn_from", learn)


@cache
def small() -> World:
    return world_of()


@cache
def first_cells() -> tuple[Cell, Cell, Cell]:
    history = stages.history(small())
    return history, stages.plan(small(), history), stages.truth(small(), history)


@cache
def cell(name: str) -> Cell:
    return stages.policy(small(), name, *first_cells())


def campaign(name: str, world: World | None = None) -> tuple[waves.Campaign, Subscribers]:
    """Return a campaign after its months, and the base before it."""
    world = world or small()
    history = first_cells()[0] if world is small() else stages.history(world)
    base = stages.decision_base(history, world.engine.schema)
    settings: Any = world.experiment.policies[name]
    planner = (AdaptivePlanner if settings.kind == "adaptive" else BanditPlanner)(world, settings)
    found = waves.Campaign(world, base.copy(), settings.outcome_months)
    budget = world.experiment.campaign.budget_amount / settings.months
    for month in range(START, START + settings.months):
        found.pass_month(planner, month, budget=budget)
    return found, base


@cache
def passed(name: str) -> tuple[waves.Campaign, Subscribers]:
    return campaign(name)


def test_one_month_without_draws_or_refits_is_the_one_wave_policy_exactly() -> None:
    """The one-wave policy reads its plan from the cell of the whole pilot, fitted with all learners."""
    one, months = cell("uplift_value"), cell("once")
    assert one.facts == months.facts and one.facts["metrics"]["targeted"] > 100
    for name in ("ledger", "contacts", "monthly", "lists", "allocation"):
        frame = one.frames[name]
        pd.testing.assert_frame_equal(frame, months.frames[name], check_exact=True, check_categorical=False)


def test_months_one_by_one_are_the_months_of_one_run() -> None:
    """The state and what happens, to the bit; who is touched by nothing is the same whatever happens to others."""
    found, base = passed("static")
    whole = base.copy()
    small().engine.run([(whole, None)], start=START, months=3)
    parts = base.copy()
    for month in range(START, START + 3):
        small().engine.run([(parts, None)], start=month, months=1)
    touched = np.unique(np.concatenate([wave.rows for wave in found.waves]))
    alone = np.setdiff1d(np.arange(len(base)), touched)
    assert len(alone) > 100 < len(touched)
    for column in small().engine.schema.stored:
        assert np.array_equal(whole[column.name], parts[column.name]), column.name
        assert np.array_equal(whole[column.name][..., alone], found.base[column.name][..., alone]), column.name
    assert any(not np.array_equal(whole[name], found.base[name]) for name in ("satisfaction", "contact_stock"))


def test_the_waves_add_up_to_the_world_with_all_of_them() -> None:
    """Realised money of one run with contacts in several months, for which the engine has no entry."""
    found, base = passed("static")
    world, e = small(), small().experiment
    n = len(base)
    met: dict[int, Treatment] = {}
    cents: dict[int, Any] = {}
    for each in found.waves:
        time, accepted = np.full(n, np.inf), np.zeros(n, np.int8)
        time[each.rows], accepted[each.rows] = each.wave.contact_time, each.wave.accepted
        met[each.month] = contacts(time, accepted)
        cents[each.month] = each.wave.contact_cents
    books = Bookkeeper(e.evaluation, world.offers, start=START, n=n, arms=2)
    engine, draws = world.engine, Draws(world.key, base.ids, world.engine._streams)
    for arm in (0, 1):
        block = Block.over(base.copy(), engine.schema, month=Month(START, first=True), arm=arm)
        for begin in engine._starts:
            begin(block)
        for month in range(START, START + e.evaluation.horizon_months):
            block.treatment = met.get(month) if arm else None
            block.month = Month(month, first=block.treatment is not None)
            draws.month = month
            for step in engine._steps:
                step(block, block.month, draws)
            books.observe(block)
    whole = compare_worlds(*books.worlds, estimate=REALISED)
    parts = [compare_worlds(*each.books.worlds, estimate=REALISED) for each in found.waves]
    for name in ("saved_revenue", "saved_margin", "offer_cost"):
        total = np.zeros(n, np.int64)
        for each, money in zip(found.waves, parts, strict=True):
            total[each.rows] += getattr(money, name)
        assert np.array_equal(total, getattr(whole, name)), name
        assert np.any(total != 0)
    rate = e.evaluation.discount_rate_annual
    paid = sum(np.rint(cents[m] * (1 + rate) ** (-(m - START) / 12)).sum() for m in cents)
    assert sum(int(money.contact_cost.sum()) for money in parts) == paid > 0


@pytest.mark.parametrize("name", ["static", "adaptive", "bandit"])
def test_money_adds_up_to_the_ledger(name: str) -> None:
    metrics, frames = cell(name).facts["metrics"], cell(name).frames
    ledger, table = frames["ledger"], frames["waves"]
    rows = ledger[ledger["estimate"] == "expected"].assign(
        cents=lambda x: x["discounted_cents"] * np.where(x["world"] == "policy", 1, -1))
    kind = rows.groupby("kind", observed=False)["cents"].sum()
    net = (kind["revenue"] - kind["cost_to_serve"] - kind["retention_discount"] - kind["direct_offer_cost"]
           - kind["contact_cost"])
    assert net == round(metrics["net_value"] * CENTS) == round(table["net_value_amount"].sum() * CENTS)
    assert kind["contact_cost"] == round(metrics["contact_cost"] * CENTS) > 0
    assert metrics["direct_effect"] + metrics["spillover"] == pytest.approx(metrics["net_value"], abs=0.001)
    assert metrics["targeted"] == table["listed"].sum() == len(frames["lists"])
    assert metrics["accepted"] == table["accepted"].sum() and metrics["reached_in_time"] <= metrics["reached"]
    monthly = frames["monthly"].query("estimate == 'expected'")
    sign = np.where(monthly["world"] == "policy", 1, -1)
    assert (sign * monthly["discounted_cents"])[monthly["kind"] == "contact_cost"].sum() == kind["contact_cost"]
    # Contacts are paid in the month in which they are made, undiscounted at that month's prices.
    due = (sign * monthly["undiscounted_cents"])[monthly["kind"] == "contact_cost"].groupby(monthly["month"]).sum()
    paid = table.set_index(table["month"] - START)["contact_cost_amount"]
    assert due.to_dict() == {m: round(c * CENTS) for m, c in paid.items() if c}
    assert (table["planned_spend_amount"] <= table["budget_amount"] + 1e-6).all()
    assert table["budget_amount"].sum() == pytest.approx(1500.0)
    assert frames["contacts"].drop_duplicates(["order_id"])["subscriber"].size == frames["lists"].groupby(
        ["month", "subscriber"]).ngroups - _never_tried(frames)


def _never_tried(frames: dict[str, pd.DataFrame]) -> int:
    month = (frames["contacts"]["due_hours"] // 720).astype(int)
    tried = set(zip(month, frames["contacts"]["subscriber"], strict=True))
    return len(set(zip(frames["lists"]["month"], frames["lists"]["subscriber"], strict=True)) - tried)


def test_chances_of_draws_are_logged_and_outcomes_join_the_trial() -> None:
    found = cell("adaptive").frames
    draws, table = found["draws"], found["waves"]
    assert set(np.round(draws["prob"], 6)) <= {0.5, round(1 / 3, 6), 0.25} and len(draws) > 20
    assert (table["explored"] <= (draws.groupby("month").size().reindex(table["month"], fill_value=0).to_numpy())).all()
    # A refit is due after 3 months, when the outcomes of the first month are known.
    assert table["learned"].tolist() == [False, False, False, True]
    assert not cell("static").frames["waves"]["learned"].any()
    resting = draws[["month", "subscriber"]].merge(found["lists"][["month", "subscriber"]], on="subscriber",
                                                    suffixes=("", "_listed"))
    later = resting["month_listed"] - resting["month"]
    assert not later.between(1, 2).any(), "who takes part is left alone until his outcome is known"


def test_what_is_read_of_a_draw_is_what_the_policys_world_shows() -> None:
    world = small()
    settings: Any = world.experiment.policies["adaptive"]
    history = first_cells()[0]
    base = stages.decision_base(history, world.engine.schema)
    planner = AdaptivePlanner(world, settings)
    found = waves.Campaign(world, base, settings.outcome_months)
    for month in range(START, START + 3):
        found.pass_month(planner, month, budget=300.0)
    first = found._open[0]
    kept: list[Any] = []
    planner.learn = lambda finished, later: bool(kept.extend(finished))  # type: ignore[method-assign,assignment,misc]
    found._learn(planner, START + 3)
    (trial,) = kept
    rows = np.searchsorted(base.ids, first.base.ids)
    assert np.array_equal(base.ids[rows], trial.X.index) and len(rows) > 5
    # After the three months that were read, those who stayed in the trial's filled-in months are among those there.
    there = found.base["departure_time"][rows] > START + 3
    assert (there | ~trial.stayed).all() and trial.propensity_by_arm.sum(axis=1) == pytest.approx(1.0)
    got = np.isfinite(first.contact_time)
    assert np.array_equal(trial.reached, got) and got.any()


def test_limits_hold_over_months() -> None:
    """At most 2 contacts in any 75 days, 3 months of rest after an offer was taken, a holdout that stays."""
    world = world_of("campaign.limits.contacts={most: 2, days: 75.0}", "campaign.limits.cool_off_months=3",
                     "campaign.limits.holdout_share=0.3", "campaign.budget_amount=20000.0")
    found, base = campaign("adaptive", world)
    days: dict[int, list[float]] = {}
    taken: dict[int, int] = {}
    again = 0
    for each in found.waves:
        ids = base.ids[each.rows]
        assert may_be_listed(observe(base.take(each.rows), month=START, settings=world.experiment.signals,
                                     key=world.key), world.experiment.campaign.limits, key=world.key).all()
        for i, time in zip(ids, each.wave.contact_time, strict=True):
            again += i in days
            assert not START <= taken.get(i, -99) > each.month - 3
            if np.isfinite(time):
                days.setdefault(i, []).append((each.month + time) * DAYS_PER_MONTH)
        for i in ids[each.in_time & (each.wave.accepted > 0)]:
            taken[i] = each.month
    assert again > 50 and taken
    closest = [b - a for when in days.values() for a, b in zip(when, when[2:], strict=False)]
    assert closest and min(closest) > 75.0
    # Without the limit some are contacted more often.
    free, _ = passed("static")
    assert np.bincount(np.concatenate([each.rows[each.wave.reached] for each in free.waves])).max() > 2


def test_those_left_alone_to_compare_with_are_in_the_segment_of_those_listed() -> None:
    """Segments go by what a subscriber may be given, which being compared takes from nobody."""
    found, _ = passed("bandit")
    compared = 0
    for each in found.waves:
        draft = each.draft
        alone = draft.read[draft.option == 0]
        assert draft.plan.allowed[draft.read][:, planners.pilot_columns(draft.plan)].any(axis=1).all()
        assert (draft.choice.arm[alone] == -1).all()
        compared += len(alone)
    assert compared > 20


def test_a_second_offer_in_a_row_does_less() -> None:
    """Habituation acts through the subscriber's own columns, as the months before left them."""
    world = small()
    base = stages.decision_base(first_cells()[0], world.engine.schema)
    base = base.take(np.flatnonzero(base["decision_time"] == np.inf))
    give = everybody(len(base), contact_time=0.1, accepted=world.offers.code("discount_30"))
    hazard = {}
    for case, months in {"none": (), "second month": (1,), "both months": (0, 1)}.items():
        state, last = base.copy(), np.zeros(len(base))
        for k in range(3):

            def watch(block: Block, last: Any = last) -> None:
                last[block.low:block.high] = block["hazard"]

            world.engine.run([(state, give if k in months else None)], start=START + k, months=1, observe=watch,
                             realise=False)
        hazard[case], stock = last.mean(), state["contact_stock"].mean()
        assert stock == pytest.approx(sum(0.8 ** (3 - k) for k in months), rel=0.02)
    assert hazard["second month"] < 0.95 * hazard["both months"] and hazard["both months"] < hazard["none"]


@pytest.mark.parametrize(("key", "value"), [
    ("months", "2"), ("refit_months", "2"), ("explore_share", "0.2"), ("outcome_months", "4"), ("learner", "stay"),
])
def test_every_key_of_an_adaptive_policy_changes_its_months(key: str, value: str) -> None:
    found, _ = campaign("adaptive", world_of(f"policies.adaptive.{key}={value}"))
    assert [each.facts for each in found.waves] != [each.facts for each in passed("adaptive")[0].waves], key


@pytest.mark.parametrize(("key", "value"), [
    ("months", "2"), ("model", "linear"), ("segments", "[prepaid]"), ("outcome_months", "4"), ("compared_share", "0.2"),
])
def test_every_key_of_a_bandit_changes_its_months(key: str, value: str) -> None:
    found, _ = campaign("bandit", world_of(f"policies.bandit.{key}={value}"))
    assert [each.facts for each in found.waves] != [each.facts for each in passed("bandit")[0].waves], key


@pytest.mark.parametrize(("change", "message"), [
    ("policies.adaptive.outcome_months=2", "policies.adaptive.outcome_months: must lie between "
     "signals.risk_horizon_months (3) and pilot.outcome_months (6; got 2)"),
    ("policies.bandit.months=25", "policies.bandit.months: must be at most evaluation.horizon_months (24; got 25)"),
    ("policies.bandit.segments=[prepayd]", "policies.bandit.segments[0]: no feature 'prepayd'; there are log_price"),
    ("policies.bandit.segments=[prepaid, prepaid]", "segments[1]: 'prepaid' stands there twice; name it once"),
    ("campaign.tickets.channel=call", "policies.adaptive.kind: adaptive makes lists over months, and tickets are "
     "worked in the campaign month alone; set campaign.tickets.channel to null, or take the policy out"),
    ("pilot.targeting={kind: risk_list, listed_share: 0.3, strength: 1.0, logged: reached}", "policies.bandit.kind: "
     "bandit learns from everybody whom it lists, and a log of those reached (pilot.targeting.logged) does not show "
     "the others; log all, or take the policy out"),
])
def test_refusals(change: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        world_of(change)
    assert message in str(error.value)


def test_the_expected_estimate_is_that_of_the_realised_worlds() -> None:
    """Mean difference over subscribers within 4 standard errors: false alarm 6e-5."""
    for name in ("static", "bandit"):
        found, _ = passed(name)
        gap = np.concatenate([
            (compare_worlds(*each.books.worlds, estimate=REALISED).net_value
             - compare_worlds(*each.books.worlds, estimate=EXPECTED).net_value) for each in found.waves])
        assert abs(gap.mean()) < 4.0 * gap.std() / np.sqrt(len(gap))
