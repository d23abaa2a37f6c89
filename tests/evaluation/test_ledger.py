"""The ledger by hand, its identities on every result, and its two estimates against each other."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import pytest
from small_world import base_at_campaign, small_world

from churnsim.core.columns import Subscribers
from churnsim.evaluation.ledger import (
    DISCOUNTED,
    ESTIMATES,
    EXPECTED,
    KINDS,
    REALISED,
    Bookkeeper,
    compare_worlds,
    ledger_frame,
)
from churnsim.evaluation.settings import EvaluationSettings
from churnsim.experiment import stages
from churnsim.experiment.store import Cell
from churnsim.experiment.world import World
from churnsim.lifecycle.block import Block, Month
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.treatment import contacts, everybody
from churnsim.offers.settings import Offer
from churnsim.offers.table import offer_table

START = 8
RATE = 0.21


def evaluation(**changes: Any) -> EvaluationSettings:
    values = {
        "horizon_months": 4,
        "discount_rate_annual": RATE,
        "terminal_value": "none",
        "inner_draws": 2,
        "confidence": 0.95,
    }
    return EvaluationSettings.model_validate(values | changes)


def month(arm: int, age: int, **changes: Any) -> Block:
    """Return a month of one subscriber with two lines: revenue 40.05, cost to serve 18.01, there for sure."""
    base = Subscribers.empty(LIFECYCLE_SCHEMA, np.array([5]))
    block = Block.over(base, LIFECYCLE_SCHEMA, month=Month(START + age), arm=arm)
    values: dict[str, Any] = {
        "lines": 2,
        "revenue": 40.05,
        "cost_to_serve": 18.01,
        "active": True,
        "active_prob": 1.0,
        "undecided": True,
        "undecided_prob": 1.0,
        "billed": True,
        "billed_prob": 1.0,
        "hazard": 0.05,
    }
    for name, value in (values | changes).items():
        block[name] = value
    return block


def books(*, settings: EvaluationSettings | None = None, contact_cents: int = 0) -> Bookkeeper:
    device = Offer.model_validate({"direct_cost_per_line_amount": 100.0, "acceptance": {"base_prob": 0.5}})
    offers = offer_table({"device": device}, causes=())
    return Bookkeeper(
        settings or evaluation(), offers, start=START, n=1, arms=2, contact_cents=np.array([contact_cents])
    )


def cents(amount: str, weight: float, age: int) -> int:
    """Post an amount of the day, discounted from the start of month `age`, half to even."""
    exact = Decimal(amount) * Decimal(weight * 1.21 ** (-age / 12)) * 100
    return int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))


# Reference: leaves in the third month, is charged twice. Policy: a device at once, 12.00 off the next two bills,
# stays. The chances are the expected side: 0.9 to be active each month given the month before.
PROBS = (1.0, 0.9, 0.81, 0.729)


def two_worlds() -> Bookkeeper:
    kept = books(contact_cents=173)
    for age in range(4):
        kept.observe(month(0, age, active=age < 2, active_prob=PROBS[age] ** 2))
        accepted = 1 if age == 0 else 0
        discount = 12.0 if age in (1, 2) else 0.0
        kept.observe(
            month(
                1,
                age,
                active_prob=PROBS[age],
                accepted=accepted,
                undecided_prob=0.85,
                discount=discount,
                billed_prob=min(PROBS[age], 0.85),
            )
        )
    return kept


def test_one_subscriber_by_hand() -> None:
    reference, policy = two_worlds().worlds
    ages = range(4)
    assert reference.cents[:, REALISED, DISCOUNTED, 0].tolist() == [
        cents("40.05", 1, 0) + cents("40.05", 1, 1),
        cents("18.01", 1, 0) + cents("18.01", 1, 1),
        0,
        0,
        0,
        0,
        0,
    ]
    assert policy.cents[:, REALISED, DISCOUNTED, 0].tolist() == [
        sum(cents("40.05", 1, a) for a in ages),
        sum(cents("18.01", 1, a) for a in ages),
        cents("12", 1, 1) + cents("12", 1, 2),
        20000,
        173,
        0,
        0,
    ]
    assert policy.cents[:, EXPECTED, DISCOUNTED, 0].tolist() == [
        sum(cents("40.05", PROBS[a], a) for a in ages),
        sum(cents("18.01", PROBS[a], a) for a in ages),
        cents("12", 0.85, 1) + cents("12", 0.81, 2),
        17000,
        173,
        0,
        0,
    ]
    assert policy.cents[:, REALISED, 0, 0].tolist() == [4 * 4005, 4 * 1801, 2400, 20000, 173, 0, 0]
    # 40.05 discounted at 21 % a year: 40.05, 39.419..., 38.798..., 38.186...
    assert policy.cents[0, REALISED, DISCOUNTED, 0] == 4005 + 3942 + 3880 + 3819


def test_differences_by_hand() -> None:
    money = compare_worlds(*two_worlds().worlds, estimate=REALISED)
    revenue = cents("40.05", 1, 2) + cents("40.05", 1, 3)
    margin = revenue - cents("18.01", 1, 2) - cents("18.01", 1, 3)
    cost = 20000 + cents("12", 1, 1) + cents("12", 1, 2)
    assert [int(x[0]) for x in (money.saved_revenue, money.saved_margin, money.offer_cost, money.contact_cost)] == [
        revenue,
        margin,
        cost,
        173,
    ]
    assert int(money.net_value[0]) == margin - cost - 173


def test_offer_cost_to_stayers_by_hand() -> None:
    # The reference twin is there when the device and the bill of month 1 fall due, and gone by that of month 2.
    assert two_worlds().offer_cost_to_stayers[1].tolist() == [20000 + cents("12", 1, 1)]


def test_running_cost_is_direct_offer_cost_while_it_is_owed() -> None:
    """8.00 a month: posted beside the device, weighted as the discount is; the reference leaves after a month."""
    kept = books()
    for age in range(3):
        kept.observe(month(0, age, active=age < 2, active_prob=0.5))
        kept.observe(month(1, age, accepted=age == 0, upkeep=8.0 * (age > 0), billed=age < 2, billed_prob=0.25))
    direct = kept.worlds[1].cents[KINDS.index("direct_offer_cost"), :, :, 0]
    assert direct[REALISED].tolist() == [20000 + 800, 20000 + cents("8", 1, 1)]
    assert direct[EXPECTED].tolist() == [20000 + 2 * 200, 20000 + cents("8", 0.25, 1) + cents("8", 0.25, 2)]
    money = compare_worlds(*kept.worlds, estimate=REALISED)
    assert money.offer_cost[0] == 20000 + cents("8", 1, 1)
    assert kept.offer_cost_to_stayers[1].tolist() == [20000 + cents("8", 1, 1)]


def test_acquisition_cost_avoided_stands_beside_net_value() -> None:
    """The reference leaves for month 2, the policy world stays: one account of 150 need not be won, two months on."""
    on, off = (books(settings=evaluation(acquisition_cost_amount=amount)) for amount in (150.0, 0.0))
    for kept in (on, off):
        for age in range(4):
            kept.observe(month(0, age, active=age < 2, active_prob=PROBS[age] ** 2))
            kept.observe(month(1, age, active_prob=PROBS[age]))
    realised = compare_worlds(*on.worlds, estimate=REALISED)
    assert realised.acquisition_cost_avoided.tolist() == [cents("150", 1, 2)]
    expected = compare_worlds(*on.worlds, estimate=EXPECTED).acquisition_cost_avoided[0]
    left = [sum(cents("150", p[a - 1] - p[a], a) for a in (1, 2, 3)) for p in (np.array(PROBS) ** 2, PROBS)]
    assert expected == left[0] - left[1] > 0
    without = compare_worlds(*off.worlds, estimate=REALISED)
    assert without.acquisition_cost_avoided.tolist() == [0]
    assert realised.net_value.tolist() == without.net_value.tolist()


def test_who_comes_back_need_not_be_won_anew() -> None:
    kept = books(settings=evaluation(acquisition_cost_amount=150.0, discount_rate_annual=0.0))
    for age in range(4):
        kept.observe(month(0, age, active=age < 1))
        kept.observe(month(1, age, active=age in (0, 3)))
    assert compare_worlds(*kept.worlds, estimate=REALISED).acquisition_cost_avoided.tolist() == [15000]


def test_rounding_is_half_to_even_once_a_posting() -> None:
    kept = books()
    kept.observe(month(1, 0, revenue=0.125, cost_to_serve=0.375))
    assert kept.worlds[1].cents[:2, REALISED, 0, 0].tolist() == [12, 38]
    for age in (1, 2):
        kept.observe(month(1, age, revenue=0.125, cost_to_serve=0.0))
    assert kept.worlds[1].cents[0, REALISED, 0, 0] == 36


def test_still_active_is_read_twelve_months_on_or_at_the_end() -> None:
    short, long = books(), books(settings=evaluation(horizon_months=20))
    for age in range(20):
        change: dict[str, Any] = {"active": age != 3, "active_prob": 0.9 - 0.01 * age}
        long.observe(month(1, age, **change))
        if age < 4:
            short.observe(month(1, age, **change))
    assert short.worlds[1].still_active[:, 0] == pytest.approx([0.0, 0.87])
    assert long.worlds[1].still_active[:, 0] == pytest.approx([1.0, 0.78])


def test_terminal_value_by_hand() -> None:
    kept = books(settings=evaluation(terminal_value="residual"))
    for age in range(4):
        kept.observe(month(1, age, active_prob=0.5))
    # From month 4 on: 22.04 a month, stays with exp(-0.05) a month, discounted by 1.21 ** (-1/12) a month.
    stay = np.exp(-0.05)
    by_sum = sum(22.04 * stay**k * 1.21 ** (-(3 + k) / 12) for k in range(1, 2000))
    posted = kept.worlds[1].cents[KINDS.index("terminal_margin"), :, DISCOUNTED, 0]
    assert posted == pytest.approx([100 * by_sum, 50 * by_sum], abs=1)
    # It stands on a line of its own.
    money = compare_worlds(*kept.worlds, estimate=REALISED)
    assert money.net_value[0] == money.saved_margin[0] < money.terminal_value[0]


def test_terminal_value_without_hazard_or_discount_is_finite() -> None:
    kept = books(settings=evaluation(terminal_value="residual", discount_rate_annual=0.0))
    kept.observe(month(1, 3, hazard=0.0))
    assert 0 < kept.worlds[1].cents[KINDS.index("terminal_margin"), REALISED, DISCOUNTED, 0] < 1e12


def test_frame_has_the_rows_that_are_not_zero() -> None:
    frame = ledger_frame(np.array([5]), *two_worlds().worlds)
    counts = frame.groupby(["world", "estimate"], observed=True).size()
    assert counts.to_dict() == {
        ("reference", "realised"): 2,
        ("reference", "expected"): 2,
        ("policy", "realised"): 5,
        ("policy", "expected"): 5,
    }
    assert set(frame["subscriber"]) == {5}
    row = frame[(frame["kind"] == "retention_discount") & (frame["estimate"] == "realised")]
    assert row[["undiscounted_cents", "discounted_cents"]].to_numpy().tolist() == [
        [2400, cents("12", 1, 1) + cents("12", 1, 2)]
    ]


# From here on: the cells of a small world.


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(
        "policies.everyone.offer=contract_device", "evaluation.terminal_value=residual", "population.size=700",
        "evaluation.acquisition_cost_amount=120.0", "offers.service_recovery.monthly_cost_amount=0.5",
    )


@pytest.fixture(scope="module")
def cells(world: World) -> dict[str, Cell]:
    history = stages.history(world)
    known = {"history": history, "plan": stages.plan(world, history), "truth": stages.truth(world, history)}
    return known | {name: stages.policy(world, name, *known.values()) for name in world.experiment.policies}


POLICIES = ("none", "everyone", "everyone_capacity", "random", "churn_risk", "risk_value", "uplift_value", "oracle")


@pytest.mark.parametrize("name", POLICIES)
def test_identity_and_sums_of_rows_to_the_cent(cells: dict[str, Cell], name: str) -> None:
    metrics, frame = cells[name].facts["metrics"], cells[name].frames["ledger"]
    sign = np.where(frame["world"] == "policy", 1, -1)
    change = (sign * frame["discounted_cents"]).groupby([frame["estimate"], frame["kind"]], observed=False).sum()

    def total(*kinds: str, estimate: str = "expected") -> int:
        return int(sum(change[estimate, kind] for kind in kinds))

    by_hand = {
        "saved_revenue": total("revenue"),
        "saved_margin": total("revenue") - total("cost_to_serve"),
        "offer_cost": total("retention_discount", "direct_offer_cost"),
        "contact_cost": total("contact_cost"),
        "terminal_value": total("terminal_margin"),
        "acquisition_cost_avoided": -total("replacement_cost"),
    }
    by_hand["net_value"] = by_hand["saved_margin"] - by_hand["offer_cost"] - by_hand["contact_cost"]
    by_hand["net_value_realised"] = total("revenue", estimate="realised") - total(
        "cost_to_serve", "retention_discount", "direct_offer_cost", "contact_cost", estimate="realised"
    )
    for metric, value in by_hand.items():
        assert metrics[metric] == value / 100, metric
    in_cents = {metric: round(100 * metrics[metric]) for metric in by_hand}
    assert in_cents["net_value"] == in_cents["saved_margin"] - in_cents["offer_cost"] - in_cents["contact_cost"]
    contacts = cells[name].frames["contacts"]
    assert in_cents["contact_cost"] == contacts["cost_cents"].sum()
    assert metrics["spillover"] == 0.0 and metrics["direct_effect"] == metrics["net_value"]
    assert metrics["offer_cost_to_stayers"] >= 0.0


@pytest.mark.parametrize("name", POLICIES)
def test_monthly_totals_are_the_sums_of_rows(cells: dict[str, Cell], name: str) -> None:
    rows, monthly = cells[name].frames["ledger"], cells[name].frames["monthly"]
    keys = ["kind", "estimate"]
    for column in ("undiscounted_cents", "discounted_cents"):
        signed = [
            frame.assign(**{column: np.where(frame["world"] == "policy", 1, -1) * frame[column]})
            .astype({key: str for key in keys})
            .groupby(keys)[column]
            .sum()
            for frame in (rows, monthly)
        ]
        difference = signed[0].sub(signed[1], fill_value=0)
        assert (difference == 0).all(), column
    # The reference of the monthly table is everybody, not those with an order alone.
    everybody = cells["truth"].arrays["monthly"].sum(axis=0)
    reference = monthly[monthly["world"] == "reference"].groupby(keys)["discounted_cents"].sum()
    for (kind, estimate), value in reference.items():
        assert value == everybody[KINDS.index(kind), ESTIMATES.index(estimate), DISCOUNTED]


def test_none_is_exactly_zero(cells: dict[str, Cell]) -> None:
    metrics = cells["none"].facts["metrics"]
    assert {name: value for name, value in metrics.items() if value != 0} == {"churn_rate": metrics["churn_rate"]}
    assert len(cells["none"].frames["ledger"]) == len(cells["none"].frames["contacts"]) == 0
    assert 0.0 < metrics["churn_rate"] < 1.0


def test_a_discount_is_not_billed_to_whom_it_was_not_given() -> None:
    """Who decided before the contact gets nothing from an offer, even if service ends after the next bill."""
    world = small_world("population.size=3000", "lifecycle.notice_days=30.0")
    base = base_at_campaign(world)
    base = base.take(np.flatnonzero(base["departure_time"] > START))
    for offer in (world.offers.code("discount_30"), world.offers.code("contract_device")):
        n = len(base)
        treatment = everybody(n, contact_time=0.95, accepted=offer)
        treated = base.copy()
        kept = Bookkeeper(evaluation(horizon_months=6), world.offers, start=START, n=n, arms=2)
        world.engine.run([(base.copy(), None), (treated, treatment)], start=START, months=6, observe=kept.observe)
        gone = treated["decision_time"] < START + 0.95
        assert (treated["departure_time"][gone] > START + 1).sum() > 10
        cost = compare_worlds(*kept.worlds, estimate=REALISED).offer_cost
        assert not cost[gone].any() and (cost[~gone] > 0).mean() > 0.9


def test_realised_and_expected_agree_over_many() -> None:
    """Everybody takes an offer: the two estimates of net value differ by chance alone, 4 standard errors (6e-5)."""
    world = small_world("population.size=12000", "evaluation.terminal_value=residual")
    base = base_at_campaign(world)
    base = base.take(np.flatnonzero((base["departure_time"] > START) & (base["join_month"] < START)))
    n = len(base)
    rng = np.random.default_rng(0)
    treatment = contacts(rng.uniform(0.05, 0.9, n), rng.integers(0, 4, n).astype(np.int8))
    kept = Bookkeeper(world.experiment.evaluation, world.offers, start=START, n=n, arms=2)
    world.engine.run([(base.copy(), None), (base, treatment)], start=START, months=24, observe=kept.observe)
    realised, expected = (compare_worlds(*kept.worlds, estimate=k) for k in (REALISED, EXPECTED))
    for name in ("saved_revenue", "saved_margin", "offer_cost", "net_value", "terminal_value"):
        away = getattr(realised, name) - getattr(expected, name)
        assert abs(away.sum()) < 4 * away.std() * np.sqrt(n), name
    for kept_world in kept.worlds:
        away = np.diff(kept_world.still_active, axis=0)[0]
        assert abs(away.sum()) < 4 * away.std() * np.sqrt(n)
    # And the expected one is the steadier of the two.
    assert expected.saved_margin.std() < realised.saved_margin.std()
