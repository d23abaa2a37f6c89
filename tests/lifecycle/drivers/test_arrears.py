"""Missed bills: by hand, and by the shares they must have."""

from __future__ import annotations

import pytest

from churnsim.lifecycle.drivers import arrears

from ..examples import block_of, draws_of, lifecycle, subscribers
from .by_hand import Chosen, N, assert_share, log_odds, logistic


def test_arrears_by_hand():
    """Good standing is lost below 0.1, arrears are cleared below 0.6, else grow, at most to 12."""
    base = subscribers(6, arrears_months=[0, 0, 1, 1, 12, 0], join_month=[0, 0, 0, 0, 0, 8])
    block = block_of(base)
    arrears.driver(lifecycle()).step(block, block.month, Chosen(
        base.ids, [0.09, 0.11, 0.5, 0.5, 0.5, 0.01], [0.1, 0.1, 0.59, 0.61, 0.61, 0.1]))
    assert base["arrears_months"].tolist() == [1, 0, 0, 2, 12, 0]


@pytest.mark.parametrize(("payment", "extra"), [(0, 0.0), (1, 0.6)])
def test_share_of_missed_bills(payment, extra):
    base = subscribers(N, payment=payment)
    block = block_of(base)
    arrears.driver(lifecycle()).step(block, block.month, draws_of(base, arrears.EVENTS))
    assert_share(base["arrears_months"] == 1, logistic(log_odds(0.1) + extra))
