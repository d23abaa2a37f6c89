"""Plans, brands, lines, prices and value: by hand, and by the shares they must have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.lifecycle.block import Month
from churnsim.lifecycle.drivers import plan
from churnsim.lifecycle.market import make_market
from churnsim.population.categories import BRAND_TIERS, VALUE_TIERS

from ..examples import CELLS, KEY, REGIONS, block_of, draws_of, lifecycle, market, subscribers
from .by_hand import Chosen, N, approx, assert_share, log_odds, logistic

BUDGET, STANDARD, PREMIUM = range(len(BRAND_TIERS))
LOW, MID, HIGH = range(len(VALUE_TIERS))
STAY = 0.9


def stepped(base, *lanes, month=7, settings=None, **scratch):
    """Let the driver step; lanes are change, down, tier, line."""
    block = block_of(base, month=month, **scratch)
    plan.driver(settings or lifecycle()).step(block, block.month, Chosen(base.ids, *lanes))
    return block


def drawn(settings=None, **columns):
    base = subscribers(N, **columns)
    block = block_of(base)
    plan.driver(settings or lifecycle()).step(block, block.month, draws_of(base, plan.EVENTS))
    return block


def test_a_change_by_hand():
    """Below 0.05 the plan changes, below 0.5 to one a fifth cheaper, below 0.4 the brand goes along if it can."""
    block = stepped(
        subscribers(6, brand_tier=[STANDARD, STANDARD, STANDARD, BUDGET, PREMIUM, STANDARD], plan_change_stock=1.0,
                    join_month=[0, 0, 0, 0, 0, 8]),
        [0.06, 0.04, 0.04, 0.04, 0.04, 0.04], [0.4, 0.4, 0.6, 0.4, 0.6, 0.4], [0.3, 0.3, 0.5, 0.3, 0.3, 0.3], 0.5)
    assert block["plan_change"].tolist() == [0, -1, 1, -1, 1, 0]
    assert block["plan_price_amount"].tolist() == approx([30.0, 24.0, 36.0, 24.0, 36.0, 30.0])
    assert block["allowance_gb"].tolist() == approx([10.0, 8.0, 12.0, 8.0, 12.0, 10.0])
    assert block["brand_tier"].tolist() == [STANDARD, BUDGET, STANDARD, BUDGET, PREMIUM, STANDARD]
    assert block["downgraded"].tolist() == [False, True, False, False, False, False]
    assert block["plan_change_stock"].tolist() == approx([0.6, 1.6, 1.6, 1.6, 1.6, 0.6])


def test_a_dearer_plan_may_come_with_a_dearer_brand():
    block = stepped(subscribers(1, brand_tier=BUDGET), 0.04, 0.6, 0.3, 0.5)
    assert block["brand_tier"].tolist() == [STANDARD] and not block["downgraded"].any()


def test_last_months_marks_are_gone():
    block = block_of(subscribers(1))
    for name in ("plan_change", "downgraded", "lines_lost"):
        block[name] = 1
    plan.driver(lifecycle()).step(block, block.month, Chosen(block.ids, STAY, STAY, STAY, 0.5))
    assert [block[name].tolist() for name in ("plan_change", "downgraded", "lines_lost")] == [[0], [False], [0]]


def test_share_of_changes_by_their_triggers():
    """Overage of half the fee adds 0.5; a sensitivity of 1 adds 0.5 to cheaper plans."""
    base = subscribers(N, price_sensitivity=1.0)
    block = block_of(base)
    block["overage_amount"] = 15.0
    plan.driver(lifecycle()).step(block, block.month, draws_of(base, plan.EVENTS))
    changes = block["plan_change"] != 0
    assert_share(changes, logistic(log_odds(0.05) + 0.5))
    down = block["plan_change"][changes] < 0
    assert_share(down, logistic(0.5))
    assert_share(block["downgraded"][changes][down], 0.4)


def test_lines_by_hand():
    """Below 0.03 a line goes, above 0.97 one comes; an account of one line keeps it and adds none."""
    block = stepped(subscribers(6, lines=[4, 4, 4, 1, 1, 4], allowance_gb=8.0, usage_level=2.0, voice_level=6.0,
                                join_month=[0, 0, 0, 0, 0, 8]), STAY, STAY, STAY,
                    [0.02, 0.98, 0.5, 0.02, 0.98, 0.02])
    ratio = np.array([0.75, 1.25, 1.0, 1.0, 1.0, 1.0])
    assert block["lines"].tolist() == [3, 5, 4, 1, 1, 4]
    assert block["lines_lost"].tolist() == [1, 0, 0, 0, 0, 0]
    assert block["plan_price_amount"].tolist() == approx(30.0 * ratio)
    assert block["allowance_gb"].tolist() == approx(8.0 * ratio)
    assert block["usage_level"].tolist() == approx(2.0 + np.log(ratio))
    assert block["voice_level"].tolist() == approx(6.0 + np.log(ratio))


def test_lines_end_at_the_most_that_the_column_holds():
    block = stepped(subscribers(1, lines=32_767), STAY, STAY, STAY, 0.98)
    assert block["lines"].tolist() == [32_767]


def test_shares_of_lines_lost_and_gained():
    """Satisfaction 50 adds 0.4 to the log-odds of giving one up."""
    block = drawn(lines=3, satisfaction=50.0)
    assert_share(block["lines"] == 2, logistic(log_odds(0.03) + 0.4))
    assert_share(block["lines"] == 4, 0.03)
    assert np.array_equal(block["lines_lost"] == 1, block["lines"] == 2)


@given(st.lists(st.floats(1e-6, 1.0 - 1e-6), min_size=8, max_size=30), st.integers(1, 5))
def test_an_account_keeps_a_line_and_what_each_costs(lines_lane, lines):
    """Whatever is drawn: fee, allowance and usage a line stay as they were while no plan changes."""
    base = subscribers(1, lines=lines)
    for month, u in enumerate(lines_lane):
        stepped(base, STAY, STAY, STAY, u, month=month, settings=lifecycle(plan={"line_loss_prob": 0.4}))
    assert base["lines"][0] >= 1
    assert base["plan_price_amount"][0] / base["lines"][0] == pytest.approx(30.0 / lines, rel=1e-4)
    assert np.exp(base["usage_level"][0]) / base["lines"][0] == pytest.approx(5.0 / lines, rel=1e-4)


def test_residual_need_falls_to_a_part_of_e_in_its_months():
    base = subscribers(2, residual_need=0.8, join_month=[0, 99])
    for month in range(60):
        stepped(base, STAY, STAY, STAY, 0.5, month=month)
    assert base["residual_need"].tolist() == pytest.approx([0.8 / np.e, 0.8], rel=1e-4)


@pytest.mark.parametrize(("bills", "tier"), [
    ((70.0, 70.0, 70.0), HIGH), ((69.0, 70.0, 70.0), MID), ((30.0, 30.0, 30.0), MID), ((29.0, 30.0, 30.0), LOW)])
def test_value_by_the_mean_of_three_bills(bills, tier):
    history = np.full((6, 1), 500.0)
    history[[1, 0, 5], 0] = bills
    assert stepped(subscribers(1, bill_amount=history), STAY, STAY, STAY, 0.5)["value_tier"].tolist() == [tier]


def values(monthly_bills):
    """Return the months in which value fell, for three bills alike a month."""
    base, fell = subscribers(1), []
    for month, bill in enumerate(monthly_bills):
        base["bill_amount"] = bill
        if stepped(base, STAY, STAY, STAY, 0.5, month=month)["value_fell"][0]:
            fell.append(month)
    return fell


def test_value_falls_once_within_a_year_of_a_high_one():
    assert values([80.0, 20.0, 20.0]) == [1]
    assert values([80.0, 50.0, 50.0, 20.0, 50.0, 20.0]) == [3]
    assert values([80.0, *[50.0] * 11, 20.0]) == [12]
    assert values([80.0, *[50.0] * 12, 20.0]) == []
    assert values([80.0, 20.0, 80.0, 20.0]) == [1, 3]
    assert values([50.0, 20.0]) == []


def moved(settings, month):
    around = make_market(settings, regions=REGIONS, cells_per_region=CELLS, months=12, key=KEY)
    block = block_of(subscribers(3, brand_tier=[BUDGET, STANDARD, PREMIUM], join_month=[0, 0, 99]), month=month)
    plan.prices(around).step(block, Month(month), draws_of(block))
    return block["plan_price_amount"].tolist()


def test_list_prices_move_in_their_month_for_their_brands():
    """Who has yet to join will find the new price."""
    settings = market(price_moves=[{"month": 4, "change_share": 0.1, "brand_tiers": ["standard", "premium"]},
                                   {"month": 4, "change_share": -0.5, "brand_tiers": ["premium"]},
                                   {"month": 0, "change_share": 1.0}])
    assert moved(settings, 3) == [30.0, 30.0, 30.0]
    assert moved(settings, 4) == approx([30.0, 33.0, 16.5])
    assert moved(settings, 5) == [30.0, 30.0, 30.0]
    assert moved(settings, 0) == approx([60.0, 60.0, 60.0])
