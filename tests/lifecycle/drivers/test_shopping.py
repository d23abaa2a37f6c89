"""Searches for another operator: by hand, by shares, by days, and over the ends of months."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from churnsim.lifecycle.drivers import shopping

from ..examples import block_of, draws_of, engine, lifecycle, subscribers
from .by_hand import Chosen, N, Z, approx, assert_mean, assert_share, log_odds, logistic

SEARCHING = {"base_prob": 0.999999, "log_odds": {}}


def month_of(block, draws, settings=None):
    """Let the driver step and its changes happen; return the block and (row, time, shopping from then on)."""
    driver = shopping.driver(settings or lifecycle())
    driver.step(block, block.month, draws)
    found = [(change, *change.when(block, block.month, draws)) for change in driver.changes]
    told = []
    for change, rows, times in found:
        change.act(block, rows, np.arange(len(rows)), block.month, draws)
        told += zip(rows.tolist(), times.tolist(), block["shopping"][rows].tolist(), strict=True)
    return block, told


def drawn(settings=None, **columns):
    base = subscribers(N, **columns)
    return month_of(block_of(base), draws_of(base, shopping.EVENTS, shopping.DAY, shopping.LENGTH), settings)[0]


def test_by_hand():
    """P = 0.27 with a contract about to end; a search of -log(0.5) x 20 days starts at half time and ends 0.962.

    Row 0 does not start (0.28), 1 does, 2 looks on until 0.25, 3 looks through, 4 has yet to join.
    """
    base = subscribers(5, contract_left_months=1, ad_click_stock=1.0, attention=0.5, join_month=[0, 0, 0, 0, 8],
                       shopping_until=[7.0, 6.5, 7.25, 9.5, 0.0], shopping=[0, 0, 1, 1, 0])
    draws = Chosen(base.ids, [0.28, 0.26, 0.01, 0.01, 0.01], [0.06, 0.29, 0.31, 0.29, 0.06],
                   [0.1, 0.21, 0.1, 0.19, 0.1], uniform=0.5)
    block, told = month_of(block_of(base), draws)
    end = 0.5 + np.log(2.0) * 20 / 30
    assert told == [(1, 0.5, 1), (1, approx(end), 0), (2, 0.25, 0)]
    assert block["shopping"].tolist() == [0, 0, 0, 1, 0]
    assert block["shopping_days"].tolist() == approx([0.0, 30 * (end - 0.5), 7.5, 30.0, 0.0])
    assert block["shopping_until"].tolist() == approx([7.0, 7 + end, 7.25, 9.5, 0.0])
    assert block["ad_click_stock"].tolist() == approx([0.6, 1.6, 0.6, 1.6, 0.6])
    assert block["porting_request"].tolist() == [0, 0, 1, 1, 0]


@pytest.mark.parametrize("attention", [0.0, 1.0])
def test_shares_of_searches_clicks_and_requests(attention):
    block = drawn(attention=attention)
    looks, clicks = block["shopping_days"] > 0, block["ad_click_stock"] == 1
    assert_share(looks, 0.1)
    assert_share(clicks[looks], logistic(log_odds(0.3) + attention - 0.5))
    assert_share(clicks[~looks], logistic(log_odds(0.05) + attention - 0.5))
    assert_share(block["porting_request"][looks] == 1, 0.2)
    assert not block["porting_request"][~looks].any()


def test_searches_start_on_any_day_and_last_exponential_days():
    """False-alarm rate 1e-4 each of three; 12 days of 30 on average, told in months."""
    base = subscribers(N)
    settings = lifecycle(shopping={**SEARCHING, "days_mean": 12.0})
    block, told = month_of(block_of(base), draws_of(base, shopping.EVENTS, shopping.DAY, shopping.LENGTH), settings)
    begin = np.array([time for _, time, now in told if now])
    assert len(begin) > 0.999 * N
    assert kstest(begin, "uniform").pvalue > 1e-4
    lasts = block["shopping_until"][block["shopping_days"] > 0] - 7.0 - begin
    assert kstest(lasts, "expon", args=(0.0, 0.4)).pvalue > 1e-4
    assert np.corrcoef(begin, lasts)[0, 1] == pytest.approx(0.0, abs=Z / np.sqrt(N))


def test_days_over_the_months_add_up():
    """Days spent looking are those from the start to the end; a search that runs is not started again."""
    world = engine(lifecycle(shopping={"base_prob": 0.3, "log_odds": {}, "days_mean": 40.0}))
    base, months = subscribers(2000), 6
    spent, until, running = np.zeros(2000), np.zeros((months, 2000)), np.zeros((months, 2000))

    def look(block):
        month = block.month.number
        spent[:] += block["shopping_days"]
        until[month], running[month] = block["shopping_until"], block["shopping"]

    world.run([(base, None)], start=0, months=months, observe=look, block=2000)
    goes_on = until[:-1] > np.arange(1, months)[:, None]
    np.testing.assert_array_equal(running[:-1], goes_on)
    assert goes_on.mean() > 0.2
    np.testing.assert_array_equal(until[1:][goes_on], until[:-1][goes_on])
    # 30 % of those who do not look start; a search lasts 4/3 months.
    assert_mean(spent[running[-1] == 0] > 0, (spent[running[-1] == 0] > 0).mean(), 1.0)
    assert spent.max() <= 30.0 * months
    once = (until[-1] < months) & (until[-1] > 0) & (until == until[-1]).any(axis=0)
    assert once.any() and (spent[once] > 0).all()
