"""Competing risks: the formula by hand, the laws it must give at a million draws, survival by integration."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from churnsim.core.draws import counter, stream, uniform
from churnsim.lifecycle.hazards import HazardTable, fire, fire_in_pieces, survive, survive_in_pieces
from churnsim.lifecycle.settings import Cause

from .examples import KEY, block_of, subscribers

N = 1_000_000
IDS = np.arange(N)
PORTION = st.floats(0.0, 1.0)
HAZARD = st.floats(0.0, 2.0, width=32)
PIECES = st.integers(1, 3).flatmap(lambda causes: st.lists(
    st.tuples(PORTION, st.lists(HAZARD, min_size=causes, max_size=causes)), min_size=1, max_size=4))
# False-alarm rate of one share below, over seeds.
Z = norm.isf(5e-5)


def clock(name, ids=IDS, month=0):
    return -np.log(uniform(KEY, stream(f"lifecycle.clock.{name}"), ids, month=month))


def rows(*hazards, n=N):
    """Return (causes, n) hazards, each a number or an array of its own."""
    return np.array([np.broadcast_to(hazard, n) for hazard in hazards], np.float32)


def decided(names, hazards, *changes, month=0, ids=IDS):
    """Return when and why; each change is (time, hazards from then on), numbers or arrays."""
    n = len(ids)
    time, winner = np.full(n, np.nan), np.full(n, -1, np.int8)
    streams = np.array([stream(f"lifecycle.clock.{name}").number for name in names])
    pieces = np.array([rows(*hazards, n=n), *(rows(*then, n=n) for _, then in changes)])
    if changes:
        times = np.array([np.broadcast_to(moment, n) for moment, _ in changes], np.float64)
        fire_in_pieces(ids, counter(month), streams, *KEY, times, pieces, time, winner)
    else:
        fire(ids, counter(month), streams, *KEY, pieces[0], time, winner)
    return time, winner


def assert_share(hits, prob):
    assert abs(hits.mean() - prob) < Z * np.sqrt(prob * (1.0 - prob) / len(hits))


def test_hazards_by_hand():
    """exp(intercept + coefficients x covariates), times multiplier ** responsiveness while the effect lasts."""
    made = HazardTable({"a": Cause(intercept=-2.0, coefficients={"shopping": 1.0, "wake": -0.5}),
                        "b": Cause(intercept=-3.0, coefficients={"attention": 2.0, "shopping": 0.5})},
                       np.log(np.array([[1, 1], [0.5, 0.8]], np.float32)))
    assert made.covariates == ("shopping", "wake", "attention")
    block = block_of(subscribers(4, shopping=[0, 1, 1, 1], wake=[0, 2, 0, 0], attention=[0, 1, 0, 0],
                                 offer_code=[0, 0, 1, 1], offer_left_months=[0, 0, 3, 0], responsiveness=[1, 1, 2, 2]))
    found = made.hazards(block)
    expected = [[np.exp(-2.0), np.exp(-2.0), np.exp(-1.0) * 0.25, np.exp(-1.0)],
                [np.exp(-3.0), np.exp(-0.5), np.exp(-2.5) * 0.64, np.exp(-2.5)]]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(made.hazards(block.some(np.array([1, 2]), made.reads)), found[:, 1:3])
    changed = block_of(subscribers(4, shopping=[1, 1, 0, 0], wake=[0, 2, 0, 0], attention=[0, 1, 0, 0],
                                   offer_code=[1, 0, 1, 1], offer_left_months=[3, 0, 3, 2],
                                   responsiveness=[1, 1, 2, 2]))
    after = made.update(block, changed, found, frozenset(("shopping", "offer_code", "offer_left_months")))
    np.testing.assert_allclose(after, made.hazards(changed), rtol=1e-6)


@pytest.mark.parametrize(("before", "after", "change", "due", "time"), [
    (1.0, 3.0, 0.5, 0.4, 0.4),     # before the change
    (1.0, 3.0, 0.5, 0.5, 0.5),     # at it
    (1.0, 3.0, 0.5, 1.4, 0.8),     # 0.5 + (1.4 - 0.5) / 3
    (1.0, 3.0, 0.5, 1.99, 0.5 + 1.49 / 3.0),
    (1.0, 3.0, 0.5, 2.01, np.inf),  # accumulated hazard at the end of the month is 2
    (0.0, 1.0, 0.25, 0.5, 0.75),
    (4.0, 0.0, 0.25, 0.9, 0.225),
    (4.0, 0.0, 0.25, 1.1, np.inf),
    (2.0, 2.0, 0.0, 1.0, 0.5),     # no change
    (0.0, 0.0, 0.0, 0.001, np.inf),
])
def test_a_clock_fires_when_its_accumulated_hazard_is_reached(before, after, change, due, time):
    """Hazards are scaled by each clock, as if it stood at `due`."""
    ids = np.arange(200)
    scale = clock("a", ids) / due
    fired, winner = decided("a", (before * scale,), (change, (after * scale,)), ids=ids)
    assert fired == pytest.approx(np.full(200, time), rel=1e-6)
    assert (winner == (1 if np.isfinite(time) else 0)).all()
    if before == after:
        np.testing.assert_allclose(decided("a", (before * scale,), ids=ids)[0], fired, rtol=1e-12)


def test_several_changes_by_hand():
    """Hazard 1 until 0.2, 4 until 0.5, 0 until 0.9, then 10: 0.2, 1.4, 1.4 and 2.4 are accumulated by then."""
    ids = np.arange(50)
    for due, time in ((0.1, 0.1), (0.6, 0.3), (1.3, 0.475), (1.5, 0.91), (2.3, 0.99), (2.5, np.inf)):
        scale = clock("a", ids) / due
        changes = [(0.2, (4.0 * scale,)), (0.5, (0.0,)), (0.9, (10.0 * scale,))]
        assert decided("a", (scale,), *changes, ids=ids)[0] == pytest.approx(np.full(50, time), rel=1e-6), due


def test_the_earliest_cause_wins():
    """The clocks of three subscribers as if they stood at 0.5, 0.2, 9 and at 0.3, 0.6, 9."""
    ids = np.arange(3)
    hazards = clock("a", ids) / [0.5, 0.2, 9.0], clock("b", ids) / [0.3, 0.6, 9.0]
    for changes in ((), ((0.1, hazards),)):
        fired, winner = decided("ab", hazards, *changes, ids=ids)
        assert fired.tolist() == pytest.approx([0.3, 0.2, np.inf])
        assert winner.tolist() == [2, 1, 0]


def test_nobody_who_fires_is_passed_over():
    """A hazard that just reaches the clock by the month's end fires, the next smaller one does not."""
    due = clock("a")
    nearest = due.astype(np.float32)
    reaches = np.where(nearest < due, np.nextafter(nearest, np.float32(np.inf)), nearest)
    fired, winner = decided("a", (reaches,))
    np.testing.assert_allclose(fired, due / reaches, rtol=1e-12)
    assert (winner == 1).all()
    fired, winner = decided("a", (np.nextafter(reaches, np.float32(0)),))
    assert np.isinf(fired).all() and not winner.any()


def test_a_month_without_change_and_one_of_equal_pieces_agree():
    """To the bit where the change is at the month's end: no twin may differ by the kernel it went through."""
    hazards = (np.linspace(0.0, 0.6, N), 0.2)
    plain = decided("ab", hazards)
    for whole, piece in zip(plain, decided("ab", hazards, (1.0, hazards)), strict=True):
        np.testing.assert_array_equal(whole, piece)
    np.testing.assert_allclose(plain[0], decided("ab", hazards, (0.3, hazards), (0.8, hazards))[0], rtol=1e-12)


@pytest.mark.parametrize("change", [None, 0.0, 0.4, 1.0])
def test_the_chance_of_leaving_is_exact(change):
    """P = 1 - exp(-sum of hazard x duration), and by any day of the month."""
    changes = () if change is None else ((change, (0.05, 0.6)),)
    time, _ = decided("ab", (0.3, 0.1), *changes)
    until = 1.0 if change is None else change
    for day in (0.1, 0.4, 0.7, 1.0):
        accumulated = 0.4 * min(day, until) + 0.65 * max(0.0, day - until)
        assert_share(time <= day, 1.0 - np.exp(-accumulated))


def test_cumulative_incidence_by_cause():
    """Constant hazards over five months: the Aalen-Johansen limit h / H (1 - exp(-H t)), also within a month."""
    hazards = {"a": 0.02, "b": 0.05, "c": 0.15}
    total = sum(hazards.values())
    time, cause = np.full(N, np.inf), np.zeros(N, np.int8)
    for month in range(5):
        when, winner = decided("abc", tuple(hazards.values()), month=month)
        leaves = np.isinf(time) & np.isfinite(when)
        time[leaves], cause[leaves] = month + when[leaves], winner[leaves]
    for until in (0.5, 2.0, 4.25, 5.0):
        for k, hazard in enumerate(hazards.values(), start=1):
            gone = (cause == k) & (time <= until)
            assert_share(gone, hazard / total * (1.0 - np.exp(-total * until)))


def test_a_further_cause_leaves_the_others_clocks_alone():
    both, winner = decided("ab", (0.3, 0.2))
    alone = {name: decided(name, (hazard,))[0] for name, hazard in (("a", 0.3), ("b", 0.2), ("c", 0.4))}
    np.testing.assert_array_equal(both, np.minimum(alone["a"], alone["b"]))
    np.testing.assert_array_equal(winner, np.where(np.isinf(both), 0, np.where(both == alone["a"], 1, 2)))
    for names, hazards in (("abc", (0.3, 0.2, 0.4)), ("cba", (0.4, 0.2, 0.3))):
        np.testing.assert_array_equal(decided(names, hazards)[0], np.minimum(both, alone["c"]))


def test_lowering_one_cause_lowers_it_alone_and_raises_the_others():
    """The same draws: nobody is lost to another cause who was not lost to the lowered one before."""
    usual, usual_cause = decided("ab", (0.3, 0.2))
    lower, lower_cause = decided("ab", (0.15, 0.2))
    assert (lower >= usual).all()
    moved = usual_cause != lower_cause
    assert moved.any()
    assert (usual_cause[moved] == 1).all()
    assert np.isin(lower_cause[moved], (0, 2)).all()
    for cause, hazard in ((1, 0.15), (2, 0.2)):
        assert_share(lower_cause == cause, hazard / 0.35 * (1.0 - np.exp(-0.35)))
    assert (lower_cause == 1).sum() < (usual_cause == 1).sum()
    assert (lower_cause == 2).sum() > (usual_cause == 2).sum()


@given(PIECES, st.data())
def test_a_lower_hazard_never_leaves_earlier(pieces, data):
    """Of each cause, at every moment of a month with changes: the decision is no earlier, to rounding."""
    shares = data.draw(st.lists(PORTION, min_size=len(pieces), max_size=len(pieces)))
    ids = np.arange(200)
    times = sorted(time for time, _ in pieces[1:])
    names = "abc"[:len(pieces[0][1])]

    def leave(factors):
        hazards = [[hazard * factor for hazard in each] for (_, each), factor in zip(pieces, factors, strict=True)]
        return decided(names, hazards[0], *zip(times, hazards[1:], strict=True), ids=ids)[0]

    assert (leave(shares) >= leave(np.ones(len(pieces))) - 1e-12).all()


def test_clocks_are_those_of_the_streams():
    ids = np.array([4, 9, 2**40])
    time, winner = decided("ab", (50.0, 1e-9), ids=ids, month=3)
    assert (winner == 1).all()
    np.testing.assert_allclose(time * 50.0, clock("a", ids, month=3), rtol=1e-12)


@given(PIECES, PORTION, PORTION, st.floats(0.0, 3.0))
def test_survival_against_numerical_integration(pieces, moment, notice, past):
    """The first piece starts with the month, each other one when it says."""
    times = sorted(time for time, _ in pieces[1:])
    hazards = [hazards for _, hazards in pieces]
    cumulated, undecided, active_next = np.array([past]), np.empty(1), np.empty(1)
    total = np.empty(1, np.float32)
    survive_in_pieces(np.array(times).reshape(-1, 1), np.array([rows(*each, n=1) for each in hazards]), notice,
                      np.array([moment]), cumulated, undecided, active_next, total)

    def rate(time):
        return sum(hazards[np.searchsorted(times, time, side="right")])

    def integral(until):
        inner = [time for time in times if 0.0 < time < until]
        edges = [0.0, *inner, until]
        return sum(quad(rate, low, high)[0] for low, high in pairwise(edges))

    assert undecided[0] == pytest.approx(np.exp(-past - integral(moment)), rel=1e-6)
    assert active_next[0] == pytest.approx(np.exp(-past - integral(1.0 - notice)), rel=1e-6)
    assert cumulated[0] == pytest.approx(past + integral(1.0), rel=1e-6, abs=1e-9)
    assert total[0] == pytest.approx(sum(hazards[-1]), rel=1e-6)
    if len(pieces) == 1:
        assert_survival_of_constant_hazards(hazards[0], notice, past)


def assert_survival_of_constant_hazards(hazards, notice, past):
    cumulated, undecided, active_next = np.array([past]), np.empty(1), np.empty(1)
    total = np.empty(1, np.float32)
    survive(rows(*hazards, n=1), notice, cumulated, undecided, active_next, total)
    together = sum(hazards)
    assert undecided[0] == pytest.approx(np.exp(-past), rel=1e-12)
    assert active_next[0] == pytest.approx(np.exp(-past - together * (1.0 - notice)), rel=1e-6)
    assert cumulated[0] == pytest.approx(past + together, rel=1e-6, abs=1e-9)
    assert total[0] == pytest.approx(together, rel=1e-6)


def test_who_decided_before_never_survives():
    for pieces in (False, True):
        cumulated, undecided, active_next = np.array([np.inf]), np.empty(1), np.empty(1)
        outcome = cumulated, undecided, active_next, np.empty(1, np.float32)
        if pieces:
            survive_in_pieces(np.zeros((1, 1)), np.array([rows(0.1, n=1)] * 2), 1.0, np.zeros(1), *outcome)
        else:
            survive(rows(0.1, n=1), 1.0, *outcome)
        assert (cumulated[0], undecided[0], active_next[0]) == (np.inf, 0.0, 0.0)
