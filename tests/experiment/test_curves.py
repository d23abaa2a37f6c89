"""Curves of policies: each point is the list that the policy makes at that budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from churnsim.core.draws import make_key
from churnsim.experiment.curve_grid import ROUND_COUNTS
from churnsim.experiment.curves import curve_frames
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.choices import Limits, Resource, Segment
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import Arm, Plan
from churnsim.policy.policies import choose
from churnsim.policy.settings import PolicySettings
from churnsim.uplift.best import BestCampaign
from churnsim.uplift.models import RANKINGS

ARMS = (Arm("gift", 1, "call"), Arm("gift", 1, "sms"), Arm("device", 2, "call"), Arm("device", 2, "sms"))
STEPPED: dict[str, dict[str, Any]] = {
    **{kind: {} for kind in ("random", "churn_risk", "risk_value", "oracle", "clairvoyant")},
    **{kind: {"learner": "value"} for kind in ("uplift", "profit_lift", "uplift_value")},
    "rules": {"match": [{"rule": "w1", "offer": "device", "channel": "sms"}]},
    "value_tier": {"tiers": [{"least_margin_amount": 20.0, "offer": "gift", "channel": "sms"}]},
}
AMOUNTS = ["planned_spend_amount", "targeted", "planned_value_amount", "true_value_amount"]


def policy(kind: str) -> PolicySettings:
    made: PolicySettings = TypeAdapter(PolicySettings).validate_python(
        {"kind": kind, **STEPPED.get(kind, {"learner": "value"})})
    return made


def situation(seed: int, *, budget: float = 40.0, n: int = 60, **limits: Any) -> tuple[Situation, TrueEffects]:
    """Return a random plan under limits, and the truth about it."""
    rng = np.random.default_rng(seed)
    shape = (n, len(ARMS))
    best = {ranking: BestCampaign("gift", 0.6, 1.0) for ranking in (*RANKINGS, "uplift.value", "profit_lift.value")}
    months = rng.normal(1.0, 2.0, shape)
    margin = rng.uniform(0.0, 40.0, n)
    plan = Plan(ids=np.arange(n), arms=ARMS, allowed=rng.random(shape) < 0.8, reach=rng.uniform(0.1, 0.9, shape),
                contact_cost=rng.uniform(0.1, 1.5, shape), accept=rng.uniform(0.0, 0.8, shape),
                offer_cost=rng.uniform(0.0, 10.0, shape), risk=rng.uniform(0.0, 1.0, n).round(1), margin=margin,
                minutes=rng.uniform(1.0, 5.0, shape), segment=rng.integers(0, 2, n).astype(np.int32),
                effects={"value": months}, kept={"value": margin[:, None] * months},
                flags={"w1": rng.random(n) < 0.5}, best=best, pilot_channel="call")
    truth = TrueEffects(rng.normal(0.0, 5.0, shape), np.zeros(shape), np.zeros(shape))
    return Situation(plan, Limits(budget, **limits), make_key(seed=1, replicate=0)), truth


def curve_of(kind: str, where: Situation, truth: TrueEffects, known: TrueEffects | None = None
             ) -> tuple[Choice, dict[str, pd.DataFrame]]:
    chosen = choose(policy(kind), where, truth=known or truth)
    return chosen, curve_frames(policy(kind), where, chosen, known=known or truth, truth=truth)


def at_budget(kind: str, where: Situation, budget: float, truth: TrueEffects) -> Choice:
    return choose(policy(kind), replace(where, limits=replace(where.limits, budget=budget)), truth=truth)


@pytest.mark.parametrize("kind", STEPPED)
@given(seed=st.integers(0, 2**16), budget=st.sampled_from([0.0, 7.5, 40.0, 1e4]))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_every_point_is_the_list_at_its_budget(kind: str, seed: int, budget: float) -> None:
    where, truth = situation(seed, budget=budget)
    _, frames = curve_of(kind, where, truth)
    curve = frames["curve"]
    assert curve["budget_amount"].is_monotonic_increasing and curve["budget_amount"].is_unique
    for _, row in curve.iterrows():
        other = at_budget(kind, where, row["budget_amount"], truth)
        found = [other.planned_spend, (other.arm >= 0).sum(), truth.of_list(other.arm)]
        assert row[["planned_spend_amount", "targeted", "true_value_amount"]].tolist() == pytest.approx(found, abs=1e-9)
    # At the end nothing is left to buy.
    assert curve["targeted"].iloc[-1] == (at_budget(kind, where, np.inf, truth).arm >= 0).sum()
    assert set(ROUND_COUNTS) & set(range(curve["targeted"].max() + 1)) <= set(curve["targeted"]) or kind in (
        "uplift_value", "oracle", "clairvoyant")


@pytest.mark.parametrize("kind", [*STEPPED, "budget_staff", "capacity_aware", "readable"])
def test_at_the_campaigns_budget_money_is_exactly_the_policys(kind: str) -> None:
    where, truth = situation(5)
    if kind in ("capacity_aware", "readable"):
        chosen, made = choose(policy("uplift_value"), where), TypeAdapter(PolicySettings).validate_python(
            {"kind": kind, "learner": "value"} if kind == "capacity_aware" else {"kind": kind, "imitates": "other"})
        frames = curve_frames(made, where, chosen, known=truth, truth=truth)
        assert len(frames["curve"]) == 1 and frames.keys() == {"curve"}
    else:
        chosen, frames = curve_of(kind, where, truth)
        assert len(frames["curve"]) > 5
    (row,) = frames["curve"][frames["curve"]["budget_amount"] == 40.0].to_dict("records")
    assert row["planned_spend_amount"] == chosen.planned_spend
    assert row["true_value_amount"] == truth.of_list(chosen.arm)
    assert row["targeted"] == (chosen.arm >= 0).sum()


def test_beliefs_are_the_policys_own_and_true_values_the_truths() -> None:
    where, truth = situation(3)
    known = TrueEffects(truth.net_value + 1.0, truth.net_value_se, truth.staying)
    _, frames = curve_of("clairvoyant", where, truth, known)
    rows = frames["curve"]
    # Each listed subscriber is believed to be worth 1 more than is true.
    more = rows["planned_value_amount"] - rows["true_value_amount"]
    assert more.tolist() == pytest.approx(rows["targeted"].tolist())
    learned = curve_of("uplift_value", where, truth)[1]["curve"]
    assert learned["planned_value_amount"].is_monotonic_increasing and learned["planned_value_amount"].iloc[-1] > 0
    assert curve_of("churn_risk", where, truth)[1]["curve"]["planned_value_amount"].isna().all()


def test_prices_fall_to_nothing_and_are_those_of_the_next_step() -> None:
    where, truth = situation(4)
    _, frames = curve_of("oracle", where, truth)
    prices = frames["price_curve"]
    assert (prices["limit"].unique(), prices["unit"].unique()) == (["budget"], ["money"])
    assert (np.diff(prices["shadow_price_amount"]) <= 0.0).all() and prices["shadow_price_amount"].iloc[-1] == 0.0
    assert "price_curve" not in curve_of("random", where, truth)[1]


def test_staff_prices_at_each_budget_are_those_of_the_list_there() -> None:
    where, truth = situation(6, resources=(Resource("team", 30.0, (1.0, 0.0, 1.0, 0.0)),))
    chosen, frames = curve_of("budget_staff", where, truth)
    prices = frames["price_curve"].set_index(["budget_amount", "limit"])["shadow_price_amount"]
    own = chosen.tables["prices"].set_index("limit")["shadow_price_amount"]
    assert prices[40.0, "team"] == own["team"]
    last = frames["curve"]["budget_amount"].max()
    # With money to spare the team's minutes are what is scarce.
    assert prices[last, "team"] > 0.0 and prices[last, "budget"] == pytest.approx(0.0, abs=1e-6)
    assert frames["curve"]["targeted"].is_monotonic_increasing


def test_budgets_that_cannot_buy_the_least_numbers_have_no_point() -> None:
    where, truth = situation(7, segments=(Segment("a", least=10), Segment("b")))
    chosen, frames = curve_of("churn_risk", where, truth)
    curve = frames["curve"]
    assert (chosen.arm >= 0).any() and curve["budget_amount"].iloc[0] > 0.0
    assert (curve["targeted"] >= 10).all()


@pytest.mark.parametrize("kind", ["none", "everyone"])
def test_policies_without_a_budget_have_no_curve(kind: str) -> None:
    where, truth = situation(8)
    made = TypeAdapter(PolicySettings).validate_python(
        {"kind": kind} | ({} if kind == "none" else {"offer": "gift", "channel": "sms"}))
    assert curve_frames(made, where, choose(made, where), known=truth, truth=truth) == {}
