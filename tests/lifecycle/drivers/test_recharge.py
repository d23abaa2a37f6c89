"""Balance and recharges of those who pay in advance: by hand, and by the shares they must have."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from churnsim.lifecycle.drivers import recharge
from churnsim.population.categories import STATES

from ..examples import block_of, draws_of, lifecycle, subscribers
from .by_hand import Chosen, N, approx, assert_share, log_odds, logistic


def stepped(base, *lanes, month=7, **settings):
    """Let the driver step; lanes are skip and day."""
    block = block_of(base, month=month)
    recharge.driver(lifecycle(recharge=settings).recharge).step(block, block.month, Chosen(base.ids, *lanes))
    return block


def prepaid(n, **columns):
    return subscribers(n, **{"payment": 1, "balance_amount": 10.0, "recharge_days": 12.0, **columns})


def test_a_month_by_hand():
    """Made at or above 0.2, on day 27: 3 days ago when the month ends. A fee is 30, a bill 34; the last one joins."""
    base = prepaid(4, bill_amount=[30.0, 34.0, 30.0, 30.0], join_month=[-24, -24, -24, 7])
    block = stepped(base, [0.21, 0.21, 0.19, 0.21], 0.9)
    assert block["recharged"].tolist() == [True, True, False, True]
    assert block["balance_amount"].tolist() == approx([10.0, 6.0, 0.0, 10.0])
    assert block["recharge_days"].tolist() == approx([3.0, 3.0, 42.0, 3.0])


def test_a_balance_that_covers_the_fee_needs_no_recharge():
    """Recharged for three months at once: due again when less than a fee is left."""
    base = prepaid(1, balance_amount=0.0)
    seen = []
    for month in range(5):
        block = stepped(base, 0.9, 0.5, month=month, fee_months=3.0)
        seen.append((bool(block["recharged"][0]), float(base["balance_amount"][0]), float(base["recharge_days"][0])))
    assert seen == [(True, 60.0, 15.0), (False, 30.0, 45.0), (False, 0.0, 75.0), (True, 60.0, 15.0),
                    (False, 30.0, 45.0)]


def test_who_pauses_pays_after_use_or_has_yet_to_join_makes_none():
    base = prepaid(3, payment=[1, 0, 1], join_month=[0, 0, 8], state=[STATES.index("suspended"), 3, 0], bill_amount=3.0)
    block = stepped(base, 0.9)
    assert not block["recharged"].any()
    assert base["balance_amount"].tolist() == approx([7.0, 10.0, 10.0])
    assert base["recharge_days"].tolist() == [42.0, 12.0, 12.0]


def test_last_months_mark_is_gone():
    block = block_of(prepaid(2, payment=[0, 1]))
    block["recharged"] = True
    recharge.driver(lifecycle().recharge).step(block, block.month, Chosen(block.ids, 0.1))
    assert not block["recharged"].any()


@given(st.lists(st.tuples(st.floats(1e-6, 0.999), st.floats(0.0, 400.0)), min_size=1, max_size=20),
       st.sampled_from([0.5, 1.0, 4.0]))
def test_a_balance_is_never_negative_nor_above_what_was_recharged(months, fee_months):
    base = prepaid(1, balance_amount=0.0)
    for month, (u, bill) in enumerate(months):
        base["bill_amount"] = bill
        stepped(base, u, u, month=month, fee_months=fee_months)
        assert 0.0 <= base["balance_amount"][0] <= (1.0 + fee_months) * 30.0
        assert base["recharge_days"][0] >= 0.0


def test_shares_of_skips_and_days():
    """Shopping adds 1 to the log-odds of a skip; recharges fall on any day alike (false-alarm rate 1e-4)."""
    for shopping, extra in ((0, 0.0), (1, 1.0)):
        base = prepaid(N, shopping=shopping)
        block = block_of(base)
        recharge.driver(lifecycle().recharge).step(block, block.month, draws_of(base, recharge.EVENTS))
        assert_share(~block["recharged"], logistic(log_odds(0.2) + extra))
        assert kstest(base["recharge_days"][block["recharged"]] / 30.0, "uniform").pvalue > 1e-4
        assert np.array_equal(base["recharge_days"] > 30.0, ~block["recharged"])
