"""Intervals against a case by hand, scipy and simulated truths."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.intervals import Interval, mean_interval, paired_difference, variance_ratio

numbers = st.floats(-1e6, 1e6)


def limits(interval: Interval) -> tuple[float, float]:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


def test_interval_by_hand() -> None:
    # Mean 5, squared deviations 9 + 1 + 1 + 9 = 20, s = sqrt(20 / 3), s / sqrt(4) = 1.290994;
    # t(3; .975) = 3.182446.
    interval = mean_interval([2, 4, 6, 8])
    assert (interval.mean, interval.n) == (5, 4)
    assert (interval.low, interval.high) == pytest.approx((5 - 4.108520, 5 + 4.108520), abs=1e-6)


def test_difference_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, s = 1, 1 / sqrt(3) = 0.577350, t(2; .95) = 2.919986.
    difference = paired_difference([11, 22, 33], [10, 20, 30], confidence=0.9)
    assert difference.mean == 2
    assert (difference.low, difference.high) == pytest.approx((2 - 1.685854, 2 + 1.685854), abs=1e-6)


@given(st.lists(numbers, min_size=2, max_size=30), st.floats(0.01, 0.99))
def test_interval_equals_scipy(values: list[float], confidence: float) -> None:
    interval = mean_interval(values, confidence=confidence)
    scale = stats.sem(values)
    assert interval.mean == pytest.approx(np.mean(values), abs=1e-6)
    if scale > 1e-6:
        expected = stats.t.interval(confidence, len(values) - 1, np.mean(values), scale)
        assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=10))
def test_difference_changes_sign_with_its_sides(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert back.mean == -there.mean
    assert limits(back) == tuple(-limit for limit in reversed(limits(there)))


def test_95_percent_interval_covers_95_percent() -> None:
    # Four standard errors: a right implementation fails with probability 6e-5, and the seed is fixed.
    rng = np.random.default_rng(20)
    simulations = 2000
    covered = 0
    for values in rng.normal(3.0, 2.0, (simulations, 5)):
        low, high = limits(mean_interval(values))
        covered += low <= 3.0 <= high
    assert abs(covered / simulations - 0.95) < 4 * np.sqrt(0.95 * 0.05 / simulations)


def test_pairing_removes_what_both_sides_share() -> None:
    rng = np.random.default_rng(21)
    shared, own = rng.normal(0, 100, 6), rng.normal(0, 1, 6)
    low, high = limits(paired_difference(shared + own, shared))
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 5) * stats.sem(own))


@given(numbers, st.integers(2, 9))
def test_equal_values_give_an_interval_of_no_width(value: float, n: int) -> None:
    assert mean_interval([value] * n) == Interval(value, value, value, n)


def test_one_replicate_has_no_limits_and_json_says_null() -> None:
    interval = mean_interval([7.5])
    assert interval == Interval(7.5, None, None, 1)
    assert json.dumps(asdict(interval)) == '{"mean": 7.5, "low": null, "high": null, "n": 1}'


def test_variance_ratio_by_hand() -> None:
    # Variances 20 / 3 and 2.
    assert variance_ratio([2, 4, 6, 8], [1, 3]) == pytest.approx(10 / 3)


@pytest.mark.parametrize(("a", "b"), [([1], [1, 2]), ([1, 2], [1]), ([1, 2], [0.1, 0.1, 0.1])])
def test_variance_ratio_without_a_variance_is_none(a: list[float], b: list[float]) -> None:
    assert variance_ratio(a, b) is None


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=10, unique=True), st.floats(0.1, 10))
def test_variance_ratio_grows_with_the_square_of_scale(values: list[int], scale: float) -> None:
    ratio = variance_ratio(np.multiply(values, scale), values)
    assert ratio == pytest.approx(scale**2)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, float("nan")])
def test_bad_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ConfigError, match=rf"confidence: must be above 0 and below 1 \(got {confidence}\)"):
        mean_interval([1, 2], confidence=confidence)


def test_bad_values_are_refused() -> None:
    with pytest.raises(DataError, match=r"value of replicate 1: must be a finite number \(got nan\)"):
        mean_interval([1, float("nan")])
    with pytest.raises(DataError, match=r"need a list of at least one number \(got shape \(0,\)\)"):
        mean_interval([])
    with pytest.raises(DataError, match=r"paired values need the same replicates \(got 2 and 1 values\)"):
        paired_difference([1, 2], [1])
