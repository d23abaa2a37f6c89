"""Acceptance: the logistic model by hand, and draws that belong to the subscriber alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from small_world import base_at_campaign, small_world

from churnsim.campaign.response import acceptance_prob, accepts, chosen_acceptance, odds_factor, worth_in_fees
from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.experiment.world import World
from churnsim.offers.settings import Acceptance, Ladder, Offer
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
    channel = rng.choice(["call", "sms"], len(base))
    channels = world.experiment.channels
    everybody = chosen_acceptance(base, made, channel, channels=channels, offers=world.offers, engine=world.engine,
                                  month=MONTH)
    assert set(np.unique(everybody)) == {0, 1, 2, 3}
    assert ((everybody == 0) | (everybody == made)).all()
    some = rng.permutation(len(base))[:300]
    alone = chosen_acceptance(
        base.take(some), made[some], channel[some], channels=channels, offers=world.offers, engine=world.engine,
        month=MONTH,
    )
    assert np.array_equal(alone, everybody[some])


def test_each_contact_has_the_factors_of_its_channel() -> None:
    """The channel's own, 0.25 by message, times the offer's, 0.5 by message."""
    world = small_world("population.size=4000", "offers.discount_30.acceptance.channel_factors={sms: 0.5}")
    base, channels = base_at_campaign(world), world.experiment.channels
    name = "discount_30"
    made = world.offers.settings[name]
    assert odds_factor(made, "sms", channels) == pytest.approx(0.125) and odds_factor(made, "call", channels) == 1.0
    code = np.full(len(base), world.offers.code(name))

    def takes(channel: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
        return chosen_acceptance(base, code, channel, channels=channels, offers=world.offers, engine=world.engine,
                                 month=MONTH) > 0

    taken = {}
    for channel, factor in (("call", 1.0), ("sms", 0.125)):
        taken[channel] = takes(np.full(len(base), channel))
        prob = acceptance_prob(made, base, engine=world.engine, month=MONTH, channel_factor=factor)
        error = np.sqrt((prob * (1 - prob)).sum()) / len(base)
        assert taken[channel].mean() == pytest.approx(prob.mean(), abs=4 * error)
    even = base.ids % 2 == 0
    assert np.array_equal(takes(np.where(even, "call", "sms")), np.where(even, taken["call"], taken["sms"]))
    # One draw a subscriber: lower odds only ever take acceptances away.
    assert not (taken["sms"] & ~taken["call"]).any()


def test_worth_in_fees_by_hand() -> None:
    """20 % of three fees waived, and a gift of 2 x 10 + 4 at a fee of 60 and of 30; no fee counts as a cent."""
    base = Subscribers.empty(SCHEMA, np.arange(3))
    base["lines"], base["plan_price_amount"] = [2, 1, 0], [60.0, 30.0, 0.0]
    made = Offer(acceptance=Acceptance(base_prob=0.2), discount_share=0.2, discount_months=3,
                 direct_cost_per_line_amount=10.0, direct_cost_amount=4.0)
    assert worth_in_fees(made, base) == pytest.approx([0.6 + 0.4, 0.6 + 14.0 / 30.0, 0.6 + 400.0])
    ladder = Offer(acceptance=Acceptance(base_prob=0.2), contract_months_added=24,
                   ladder=Ladder(share_per_year=0.05, form="linear"))
    assert worth_in_fees(ladder, base) == pytest.approx([2.4, 2.4, 2.4])


def test_worth_raises_and_withdrawal_lowers_acceptance(world: World) -> None:
    """Odds 0.25 x exp(0.5 x worth 2); a tenth of those who accept withdraws."""
    one = Subscribers.empty(SCHEMA, np.arange(1))
    one["plan_price_amount"] = 30.0
    made = Offer(acceptance=Acceptance(base_prob=0.2, log_odds_per_fee_month=0.5, withdrawal_prob=0.1),
                 discount_share=1.0, discount_months=2)
    found = acceptance_prob(made, one, engine=world.engine, month=MONTH, channel_factor=1.0)
    odds = 0.25 * np.e
    assert found == pytest.approx([0.9 * odds / (1.0 + odds)])
