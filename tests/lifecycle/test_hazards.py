"""Competing risks: the formula by hand, the laws it must give at a million draws, survival by integration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from churnsim.core.draws import uniform
from churnsim.lifecycle.hazards import HazardTable, decide, fire, survive
from churnsim.lifecycle.settings import Cause

from .examples import KEY

N = 1_000_000
IDS = np.arange(N)
# False-alarm rate of one share below, over seeds.
Z = norm.isf(5e-5)


def table(*names):
    return HazardTable({name: Cause(intercept=0.0) for name in names})


def rows(*hazards, n=N):
    return np.repeat(np.array(hazards, np.float32)[:, None], n, axis=1)


def decided(names, before, after=None, *, change=0.0, month=0):
    before = rows(*before)
    after = before if after is None else rows(*after)
    return decide(table(*names), before, after, np.full(N, change), ids=IDS, month=month, key=KEY,
                  clocks={})


def assert_share(hits, prob):
    assert abs(hits.mean() - prob) < Z * np.sqrt(prob * (1.0 - prob) / len(hits))


def test_hazards_by_hand():
    """exp(intercept + coefficients x covariates), times multiplier ** responsiveness while the effect lasts."""
    made = HazardTable({"a": Cause(intercept=-2.0, coefficients={"shopping": 1.0, "wake": -0.5}),
                        "b": Cause(intercept=-3.0, coefficients={"attention": 2.0, "shopping": 0.5})})
    assert made.covariates == ("shopping", "wake", "attention")
    x = np.array([[0, 1, 1, 1], [0, 2, 0, 0], [0, 1, 0, 0]], np.float32)
    log_multipliers = np.log(np.array([[1, 1], [0.5, 0.8]], np.float32))
    found = made.hazards(x, offer_code=np.array([0, 0, 1, 1], np.int8),
                         offer_left=np.array([0, 0, 3, 0], np.int8), responsiveness=np.array([1, 1, 2, 2], np.float32),
                         log_multipliers=log_multipliers)
    expected = [[np.exp(-2.0), np.exp(-2.0), np.exp(-1.0) * 0.25, np.exp(-1.0)],
                [np.exp(-3.0), np.exp(-0.5), np.exp(-2.5) * 0.64, np.exp(-2.5)]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(("before", "after", "change", "clock", "time"), [
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
def test_a_clock_fires_when_its_accumulated_hazard_is_reached(before, after, change, clock, time):
    fired, winner = np.full(1, np.inf), np.zeros(1, np.int8)
    fire(np.exp([-clock]), np.float32([before]), np.float32([after]), np.array([change]), 3, fired, winner)
    assert fired[0] == pytest.approx(time)
    assert winner[0] == (3 if np.isfinite(time) else 0)


def test_the_earliest_cause_wins():
    fired, winner = np.full(3, np.inf), np.zeros(3, np.int8)
    one, never = np.ones(3, np.float32), np.zeros(3)
    fire(np.exp([-0.5, -0.2, -9.0]), one, one, never, 1, fired, winner)
    fire(np.exp([-0.3, -0.6, -9.0]), one, one, never, 2, fired, winner)
    assert fired.tolist() == pytest.approx([0.3, 0.2, np.inf])
    assert winner.tolist() == [2, 1, 0]


@pytest.mark.parametrize("change", [0.0, 0.4, 1.0])
def test_the_chance_of_leaving_is_exact(change):
    """P = 1 - exp(-sum of hazard x duration), and by any day of the month."""
    time, _ = decided("ab", (0.3, 0.1), (0.05, 0.6), change=change)
    for day in (0.1, 0.4, 0.7, 1.0):
        accumulated = 0.4 * min(day, change) + 0.65 * max(0.0, day - change)
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


def test_kept_clocks_are_those_of_the_streams():
    kept = {}
    made = table("a", "b")
    ids = np.array([4, 9])
    hazard = rows(0.5, 0.5, n=2)
    decide(made, hazard, hazard, np.zeros(2), ids=ids, month=3, key=KEY, clocks=kept)
    for k, source in enumerate(made.clocks):
        assert source.name == f"lifecycle.clock.{'ab'[k]}"
        np.testing.assert_array_equal(kept[k], uniform(KEY, source, ids, month=3))


PORTION = st.floats(0.0, 1.0)
HAZARD = st.floats(0.0, 2.0, width=32)


@given(st.lists(st.tuples(HAZARD, HAZARD), min_size=1, max_size=3), PORTION, PORTION, st.floats(0.0, 3.0))
def test_survival_against_numerical_integration(causes, change, notice, past):
    before, after = (rows(*hazards, n=1) for hazards in zip(*causes, strict=True))
    hazard, at_change, active_next = np.array([past]), np.empty(1), np.empty(1)
    survive(before, after, np.array([change]), notice, hazard, at_change, active_next)

    def rate(time):
        return sum(first if time < change else then for first, then in causes)

    def integral(until):
        return quad(rate, 0.0, until, points=[change])[0] if until > 0.0 else 0.0

    assert at_change[0] == pytest.approx(np.exp(-past - integral(change)), rel=1e-6)
    assert active_next[0] == pytest.approx(np.exp(-past - integral(1.0 - notice)), rel=1e-6)
    assert hazard[0] == pytest.approx(past + integral(1.0), rel=1e-6, abs=1e-9)


def test_who_decided_before_never_survives():
    hazard, at_change, active_next = np.array([np.inf]), np.empty(1), np.empty(1)
    survive(rows(0.1, n=1), rows(0.1, n=1), np.zeros(1), 1.0, hazard, at_change, active_next)
    assert (hazard[0], at_change[0], active_next[0]) == (np.inf, 0.0, 0.0)
