"""Contracts: their end and renewal, the fee for leaving them, the notice before they end."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from churnsim.lifecycle.drivers import contract

from ..examples import block_of, draws_of, engine, lifecycle, subscribers
from .by_hand import Chosen, N, approx, assert_share


def month_of(base, draws, *, month=7, **settings):
    """Let the notices and contract ends of the month happen, and the month pass; return the hits by change."""
    driver = contract.Contract(lifecycle(contract=settings).contract).driver()
    block = block_of(base, month=month)
    found = {change.name: (change, *change.when(block, block.month, draws)) for change in driver.changes}
    for change, rows, _ in found.values():
        change.act(block, rows, np.arange(len(rows)), block.month, draws)
    driver.step(block, block.month, draws)
    return {name: (rows, times) for name, (_, rows, times) in found.items()}


def ended(base, draws, *, month=7):
    return month_of(base, draws, month=month)["contract_end"]


def test_by_hand():
    """Renewed below 0.5; who has not joined waits. Leaving costs half of the fees left, of 30 a month."""
    base = subscribers(7, contract_left_months=[0, 1, 1, 2, 12, 12, 1], contract_length_months=24,
                       join_month=[0, 0, 0, 0, 0, 8, 8])
    rows, times = ended(base, Chosen(base.ids, [0.1, 0.49, 0.51, 0.1, 0.1, 0.1, 0.1]))
    assert rows.tolist() == [1, 2]
    assert times.tolist() == approx([0.49, 0.51])
    assert base["contract_left_months"].tolist() == [0, 24, 0, 1, 11, 12, 1]
    assert base["termination_fee_amount"].tolist() == approx([0, 360, 0, 15, 165, 180, 15])


def test_a_renewed_contract_ends_its_length_later_on_the_same_day():
    base = subscribers(200, contract_left_months=1, contract_length_months=6)
    ends = []
    for month in range(7):
        rows, times = ended(base, Chosen(base.ids, np.linspace(0.001, 0.499, 200)), month=month)
        ends.append((len(rows), times.tolist()))
    assert [count for count, _ in ends] == [200, 0, 0, 0, 0, 0, 200]
    assert ends[0] == ends[6]


@pytest.mark.parametrize(("left", "name"), [(1, "contract_end"), (2, "contract_notice")])
def test_a_contract_extended_meanwhile_neither_ends_nor_is_told_of(left, name):
    base = subscribers(2, contract_left_months=left, contract_length_months=24)
    changes = contract.Contract(lifecycle(contract={"notice_wake": 1.0}).contract).driver().changes
    change = next(change for change in changes if change.name == name)
    block = block_of(base)
    draws = Chosen(base.ids, 0.4)
    rows, _ = change.when(block, block.month, draws)
    base["contract_left_months"][0] += 12
    change.act(block, rows, np.arange(2), block.month, draws)
    assert base["contract_left_months"].tolist() == ([13, 25] if left == 1 else [14, 2])
    assert base["wake"].tolist() == approx([0.0, 0.0] if left == 1 else [0.0, 0.6])


def test_the_fee_falls_on_the_day_of_the_end():
    """Free from then on, or bound to 12 fees of 30 at a half; the month of signing is the old contract's."""
    base = subscribers(2, contract_left_months=1, termination_fee_amount=15.0)
    change = contract.Contract(lifecycle().contract).driver().changes[0]
    block = block_of(base)
    change.act(block, np.arange(2), np.arange(2), block.month, Chosen(base.ids, [0.4, 0.6]))
    assert base["termination_fee_amount"].tolist() == approx([180.0, 0.0])


def test_notice_a_month_before_the_end_on_its_day():
    """It wakes by 1.5 x (1 - attention), never lowers, and tells those whose contract ends next month."""
    base = subscribers(5, contract_left_months=[1, 2, 2, 3, 2], attention=0.4, wake=[0, 0, 2, 0, 0],
                       join_month=[0, 0, 0, 0, 8])
    days = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    hits = month_of(base, Chosen(base.ids, days), notice_wake=1.5)
    rows, times = hits["contract_notice"]
    assert rows.tolist() == [1, 2] and times.tolist() == approx([0.2, 0.3])
    assert base["wake"].tolist() == approx([0.0, 0.9, 2.0, 0.0, 0.0])
    rows, times = ended(base, Chosen(base.ids, days), month=8)
    assert {1, 2} <= set(rows.tolist()) and times[np.isin(rows, [1, 2])].tolist() == approx([0.2, 0.3])


@pytest.mark.parametrize(("settings", "column"), [
    ({"notice_wake": 2.0}, "decision_time"), ({"termination_fee_share": 0.0}, "decision_time"),
    ({"renewal_prob": 1.0}, "decision_time")])
def test_every_key_moves_who_leaves(settings, column):
    causes = {"price": {"intercept": -2.0, "coefficients": {"wake": 1.0, "termination_fee": -0.5,
                                                            "out_of_contract": 1.0}}}
    moved = []
    for change in ({}, settings):
        world, base = engine(lifecycle(contract=change, causes=causes)), subscribers(500, contract_left_months=2)
        base["termination_fee_amount"] = 30.0
        world.run([(base, None)], start=0, months=4)
        moved.append(base[column])
    assert (moved[0] != moved[1]).mean() > 0.05


def test_share_of_renewals():
    base = subscribers(N, contract_left_months=1)
    ended(base, draws_of(base, contract.DAY, contract.RENEWAL))
    assert set(base["contract_left_months"]) == {0, 12}
    assert_share(base["contract_left_months"] == 12, 0.5)


def test_contracts_end_on_any_day_alike_whether_renewed_or_not():
    """False-alarm rate 1e-4 each of two."""
    base = subscribers(N, contract_left_months=1)
    _, times = ended(base, draws_of(base, contract.DAY, contract.RENEWAL))
    assert kstest(times, "uniform").pvalue > 1e-4
    assert kstest(times[base["contract_left_months"] == 12], "uniform").pvalue > 1e-4


def test_months_since_the_contract_ended():
    """One is bound, one's contract ends this month for good, one's ended two months ago, one never had any."""
    base = subscribers(4, contract_left_months=[5, 1, 0, 0], contract_length_months=[12, 12, 12, 0],
                       contract_ended_months=[127, 127, 2, 127])
    drivers = engine(lifecycle(contract={"renewal_prob": 0.0}))
    drivers.run([(base, None)], start=7, months=1)
    assert base["contract_ended_months"].tolist() == [127, 1, 3, 127]
