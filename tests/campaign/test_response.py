"""Acceptance: the logistic model by hand, and draws that belong to the subscriber alone."""

from __future__ import annotations

import numpy as np
import pytest
from small_world import base_at_campaign, small_world

from churnsim.campaign.response import acceptance_prob, accepts, chosen_acceptance
from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.experiment.world import World
from churnsim.offers.settings import Acceptance, Offer
from churnsim.population.columns import SCHEMA

MONTH = 8


@pytest.fixture(scope="module")
def world() -> World:
    return small_world("population.size=4000")


@pytest.fixture(scope="module")
def base(world: World) -> Subscribers:
    return base_at_campaign(world)


def offer(base_prob: float, **coefficients: float) -> Offer:
    return Offer(acceptance=Acceptance(base_prob=base_prob, coefficients=coefficients))


def test_probability_by_hand(world: World) -> None:
    two = Subscribers.empty(SCHEMA, np.arange(2))
    two["price_sensitivity"], two["complaint_stock"] = [2.0, -1.0], [0.0, 3.0]
    # The bill of the month before, MONTH - 1, against the three before it.
    for ago, bill in ((1, 200.0), (2, 100.0), (3, 100.0), (4, 100.0)):
        two.lag("bill_amount", month=MONTH, months_ago=ago)[0] = bill
        two.lag("bill_amount", month=MONTH, months_ago=ago)[1] = 100.0
    made = offer(0.2, price_sensitivity=0.5, complaint_stock=0.25, bill_shock=1.0)
    # Odds 0.25 x exp(1.0) x 2 for the first, 0.25 x exp(-0.5 + 0.75) for the second.
    odds = np.array([0.25 * np.exp(1.0) * 2.0, 0.25 * np.exp(0.25)])
    for factor in (1.0, 0.3):
        found = acceptance_prob(made, two, engine=world.engine, month=MONTH, channel_factor=factor)
        assert found == pytest.approx(factor * odds / (1.0 + factor * odds), rel=1e-6)


def test_no_factor_nobody_and_huge_odds_everybody(world: World) -> None:
    one = Subscribers.empty(SCHEMA, np.arange(1))
    one["complaint_stock"] = 500.0
    sure = offer(0.5, complaint_stock=10.0)
    assert acceptance_prob(sure, one, engine=world.engine, month=MONTH, channel_factor=1.0).tolist() == [1.0]
    assert acceptance_prob(sure, one, engine=world.engine, month=MONTH, channel_factor=0.0).tolist() == [0.0]


def test_shares_match_probabilities() -> None:
    ids, prob = np.arange(40_000), np.full(40_000, 0.3)
    taken = accepts("a", prob, ids, key=make_key(seed=1, replicate=0), month=2)
    # 4 standard errors: false alarm 6e-5.
    assert taken.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 40_000))


def test_draws_are_of_subscriber_offer_month_and_key() -> None:
    ids, prob = np.arange(1000), np.full(1000, 0.5)
    key = make_key(seed=1, replicate=0)
    first = accepts("a", prob, ids, key=key, month=2)
    assert np.array_equal(
        accepts("a", prob[:7], ids[[900, 3, 5, 1, 8, 2, 999]], key=key, month=2), first[[900, 3, 5, 1, 8, 2, 999]]
    )
    others = (
        accepts("b", prob, ids, key=key, month=2),
        accepts("a", prob, ids, key=key, month=3),
        accepts("a", prob, ids, key=make_key(seed=1, replicate=1), month=2),
    )
    for other in others:
        assert 350 < (other == first).sum() < 650


def test_who_accepts_does_not_depend_on_who_else_is_contacted(world: World, base: Subscribers) -> None:
    rng = np.random.default_rng(4)
    made = rng.integers(0, 4, len(base))
    factor = rng.choice([1.0, 0.25], len(base))
    everybody = chosen_acceptance(base, made, factor, offers=world.offers, engine=world.engine, month=MONTH)
    assert set(np.unique(everybody)) == {0, 1, 2, 3}
    assert ((everybody == 0) | (everybody == made)).all()
    some = rng.permutation(len(base))[:300]
    alone = chosen_acceptance(
        base.take(some), made[some], factor[some], offers=world.offers, engine=world.engine, month=MONTH
    )
    assert np.array_equal(alone, everybody[some])


def test_each_contact_has_the_factor_of_its_channel(world: World, base: Subscribers) -> None:
    code = np.full(len(base), world.offers.code("discount_30"))
    taken = {}
    for factor in (1.0, 0.25):
        values = np.full(len(base), factor)
        taken[factor] = chosen_acceptance(base, code, values, offers=world.offers, engine=world.engine, month=MONTH) > 0
        prob = acceptance_prob(
            world.offers.settings["discount_30"], base, engine=world.engine, month=MONTH, channel_factor=factor
        )
        error = np.sqrt((prob * (1 - prob)).sum()) / len(base)
        assert taken[factor].mean() == pytest.approx(prob.mean(), abs=4 * error)
    mixed = np.where(base.ids % 2 == 0, 1.0, 0.25)
    found = chosen_acceptance(base, code, mixed, offers=world.offers, engine=world.engine, month=MONTH) > 0
    assert np.array_equal(found, np.where(base.ids % 2 == 0, taken[1.0], taken[0.25]))
    # One draw a subscriber: lower odds only ever take acceptances away.
    assert not (taken[0.25] & ~taken[1.0]).any()
