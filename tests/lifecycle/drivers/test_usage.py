"""Data, minutes and bills: by hand, and by the shares and moments they must have."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.lifecycle.block import Month
from churnsim.lifecycle.drivers import usage
from churnsim.population.categories import STATES

from ..examples import block_of, draws_of, lifecycle, subscribers
from .by_hand import Chosen, N, Z, approx, assert_share

SUSPENDED = STATES.index("suspended")
# Lanes of an innovation of 0 and no idle month.
QUIET = (0.5, 0.5, 0.5, 0.5)


def stepped(base, *lanes, settings=None, month=7):
    block = block_of(base, month=month)
    usage.driver(settings or lifecycle()).step(block, block.month, Chosen(base.ids, *lanes))
    return block


def drawn(settings=None, **columns):
    base = subscribers(N, **columns)
    block = block_of(base)
    usage.driver(settings or lifecycle()).step(block, block.month, draws_of(base, usage.NOISE, usage.IDLE))
    return block


def test_usage_minutes_and_bill_by_hand():
    """Deviation 0.7 x 0.2 + 0.3 x 0.5 sqrt(3); 4 months old, 0.2 / e have yet to grow; a GB over costs 4."""
    block = stepped(subscribers(3, usage_deviation=0.2, tenure_months=4, allowance_gb=[10, 5, 5],
                                state=[3, 3, SUSPENDED]), 0.7, 0.8, 0.4, 0.6)
    deviation = 0.14 + 0.15 * np.sqrt(3.0)
    swing = deviation - 0.2 * np.exp(-1.0)
    full = 5.0 * np.exp(swing)
    assert block["usage_deviation"].tolist() == approx([deviation] * 3)
    assert block.ago("usage_gb", 0).tolist() == approx([full, full, 0.0])
    assert block.ago("voice_minutes", 0).tolist() == approx([200.0 * np.exp(0.7 * swing)] * 2 + [0.0])
    over = 4.0 * (full - 5.0)
    assert block["overage_amount"].tolist() == approx([0.0, over, 0.0])
    assert block.ago("bill_amount", 0).tolist() == approx([30.0, 30.0 + over, 3.0])


def test_idle_months_by_hand():
    """Below 0.05; there u / 0.05 is uniform, and 1 / e of it means one mean depth, 0.8. The deviation is as it was."""
    u = np.array([0.0501, 0.0499, 0.05 / np.e, 0.05 / np.e**2])
    block = stepped(subscribers(4, tenure_months=600), u, 1.0 - u)
    fall = np.array([0.0, 0.0016, 0.8, 1.6])
    np.testing.assert_allclose(block.ago("usage_gb", 0), 5.0 * np.exp(-fall), rtol=1e-4)
    np.testing.assert_allclose(block.ago("voice_minutes", 0), 200.0 * np.exp(-0.7 * fall), rtol=1e-4)
    assert np.abs(block["usage_deviation"]).max() < 1e-6


def test_no_month_is_idle_at_chance_0():
    block = stepped(subscribers(1, tenure_months=600), 1e-7, 1.0 - 1e-7, settings=lifecycle(usage={"idle_prob": 0.0}))
    assert block.ago("usage_gb", 0).tolist() == approx([5.0])


def test_share_and_depth_of_idle_months():
    """An exponential depth: its standard deviation is its mean."""
    block = drawn(lifecycle(usage={"idle_prob": 0.1, "noise_log_sd": 0.0}), tenure_months=600)
    fall = -np.log(block.ago("usage_gb", 0).astype(np.float64) / 5.0)
    idle = fall > 1e-5
    assert_share(idle, 0.1)
    assert abs(fall[idle].mean() - 0.8) < Z * 0.8 / np.sqrt(idle.sum())


@pytest.mark.parametrize(("days", "until", "shopping", "share"), [
    (0.0, 0.0, 0, 0.0),
    (15.0, 6.9, 0, 0.5),      # looked half of last month and stopped
    (3.0, 7.8, 1, 0.8),       # still looks, until day 24 of this month
    (12.0, 9.5, 1, 1.0),      # looks beyond this month
    (24.0, 7.2, 1, 0.8),      # the last month counts for more
    (0.0, 9.5, 0, 0.0),       # a search that somebody ended
])
def test_shopping_takes_traffic_away(days, until, shopping, share):
    """A whole month spent looking leaves u ** (0.4 / 0.6) of data and minutes, here with u = 0.5."""
    left = 0.5 ** (0.4 / 0.6)
    block = stepped(subscribers(1, tenure_months=600, shopping=shopping, shopping_until=until, shopping_days=days),
                    *QUIET)
    assert block.ago("usage_gb", 0).tolist() == approx([5.0 * (1.0 - (1.0 - left) * share)])
    assert block.ago("voice_minutes", 0).tolist() == approx([200.0 * (1.0 - (1.0 - left) * share)])


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0])
def test_mean_of_what_shopping_leaves(factor):
    """Powers u ** ((1 - m) / m) have mean m and variance m / (2 - m) - m ** 2."""
    block = drawn(lifecycle(usage={"shopping_factor": factor, "noise_log_sd": 0.0, "idle_prob": 0.0}),
                  tenure_months=600, shopping=0, shopping_days=30.0)
    left = block.ago("usage_gb", 0).astype(np.float64) / 5.0
    assert abs(left.mean() - factor) < Z * np.sqrt(max(factor / (2.0 - factor) - factor**2, 0.0) / N) + 1e-3


def test_innovations_have_unit_variance():
    """Variance of a sum of four uniforms: its estimate's relative error is sqrt((kurtosis - 1) / n)."""
    noise = drawn(lifecycle(usage={"noise_log_sd": 1.0}))["usage_deviation"].astype(np.float64)
    assert abs(noise.mean()) < Z / np.sqrt(N)
    assert abs(noise.var() - 1.0) < Z * np.sqrt(1.7 / N)


def test_usage_varies_around_the_usual_level():
    """Autoregressive of order one: variance 0.3^2 / (1 - 0.7^2) in the long run, here after 30 months."""
    base = subscribers(20_000)
    step = usage.driver(lifecycle()).step
    for month in range(30):
        step(block_of(base, month=month), Month(month), draws_of(base, usage.NOISE, usage.IDLE, month=month))
    expected = 0.09 / (1.0 - 0.49)
    assert base["usage_deviation"].var() == pytest.approx(expected, rel=Z * np.sqrt(2.0 / 20_000))


def test_bill_shock_is_of_this_months_bill():
    """Bills of months 6, 5, 4 stand in rows 0, 5, 4; this month's becomes 30, or 3 of the suspended."""
    bills = np.full((6, 4), 30.0)
    bills[[0, 5, 4], 0] = [10, 15, 20]
    bills[[0, 5, 4], 1] = [0, 0, 0]
    block = stepped(subscribers(4, bill_amount=bills, state=[3, 3, 3, SUSPENDED]))
    assert block.ago("bill_amount", 0).tolist() == approx([30.0, 30.0, 30.0, 3.0])
    assert block["bill_shock"].tolist() == approx([np.log(2.0), 2.0, 0.0, 0.0])
