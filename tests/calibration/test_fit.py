"""The fit on moments that are linear in the constants: known answers, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.calibration.fit import fit, unidentified_tunables
from churnsim.calibration.tunables import Tunable

RNG = np.random.default_rng(3)


def tunable(name, low=-5.0, high=5.0, size=2.0):
    return Tunable(name, (name,), "shift", low, high, (), size=size)


def test_it_finds_the_constants_that_made_the_moments():
    slopes, truth = 20.0 * RNG.normal(size=(12, 3)), np.array([1.0, -0.7, 0.4])
    names = ["a", "b", "c"]
    seen = []
    found = fit([tunable(n) for n in names],
                lambda s: slopes @ (np.array([s[n] for n in names]) - truth), report=lambda *line: seen.append(line))
    assert [found.steps[n] for n in names] == pytest.approx(truth, abs=0.01)
    # Of a linear model the standard errors are those of least squares.
    assert list(found.standard_errors.values()) == pytest.approx(
        np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes))), rel=0.05)
    assert found.unidentified == {}
    assert seen[0][0] == 0 and seen[-1][1] < 0.1 < seen[0][1]


def test_it_keeps_to_the_bounds():
    found = fit([tunable("a", high=0.5)], lambda s: np.array([50.0 * (s["a"] - 2.0)]), report=lambda *_: None)
    assert found.steps["a"] == pytest.approx(0.5, abs=1e-3)


def test_it_leaves_a_bound_that_it_starts_on():
    slopes, truth = np.array([[20.0, 3.0], [5.0, 30.0], [9.0, -9.0]]), np.array([1.0, -0.5])
    found = fit([tunable("a", low=0.0), tunable("b")], lambda s: slopes @ (np.array([s["a"], s["b"]]) - truth),
                report=lambda *_: None)
    assert [found.steps["a"], found.steps["b"]] == pytest.approx(truth, abs=0.01)
    assert found.converged


def test_a_fit_that_was_stopped_says_so(monkeypatch):
    monkeypatch.setattr("churnsim.calibration.fit.MOST_TRIES", 1)
    assert not fit([tunable("a")], lambda s: np.array([10.0 * (s["a"] - 1.0)]), report=lambda *_: None).converged


def test_what_no_moment_or_another_one_tells_stays_and_is_named():
    slopes = np.array([[30.0, 0.0, 60.0, 0.05], [0.0, 20.0, 0.0, 0.0]])
    why = unidentified_tunables(["level", "usage", "twin", "idle"], slopes)
    assert why == {"twin": "it moves the moments as 'level' and those before it do", "idle": "no moment reacts to it"}


def test_weak_but_its_own_is_told():
    # 100 times the first one's direction, and 3 standard errors of its own.
    slopes = np.array([[30.0, 300.0], [0.0, 3.5]])
    assert unidentified_tunables(["level", "other"], slopes) == {}


def test_nothing_to_tell():
    found = fit([tunable("a")], lambda s: np.zeros(2), report=lambda *_: None)
    assert (found.steps, found.unidentified) == ({}, {"a": "no moment reacts to it"})
