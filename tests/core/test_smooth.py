from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from churnsim.core.smooth import exp32, exp64_scalar, logistic32, logit

INSIDE = np.linspace(-87.0, 87.0, 1_000_001).astype(np.float32)


def test_relative_error_of_exp():
    exact = np.exp(INSIDE.astype(np.float64))
    assert np.abs(exp32(INSIDE) / exact - 1.0).max() < 3e-7


def test_relative_error_of_logistic():
    x = INSIDE.astype(np.float64)
    assert np.abs(logistic32(INSIDE) * (1.0 + np.exp(-x)) - 1.0).max() < 5e-7


def test_exp_rises_where_its_polynomial_changes():
    """Near the half powers of two the nearest whole exponent changes; one-ulp neighbours must not fall."""
    edges = ((np.arange(-60, 60) + 0.5) * np.log(2.0)).astype(np.float32)
    beside = [np.nextafter(edges, np.float32(way)) for way in (-100.0, 100.0)]
    near = np.concatenate([edges, *beside])
    values = exp32(np.sort(near)).astype(np.float64)
    assert (np.diff(values) / values[1:] > -3e-7).all()
    assert (np.diff(exp32(INSIDE)) >= 0).all()


def test_far_out_exp_stays_finite_and_positive():
    low, high = exp32([-1e30, 1e30])
    assert 0.0 < low < 1e-37
    assert 1e37 < high < np.inf
    assert logistic32([-200.0, 0.0, 200.0]).tolist() == pytest.approx([0.0, 0.5, 1.0])
    assert np.isnan(exp32([np.nan])).all()


@given(st.floats(-90, 90, width=32), st.integers(0, 70), st.integers(0, 70))
def test_same_bits_at_any_position_and_length(x, before, after):
    """Vector lanes and the scalar remainder of a loop must agree, else results depend on block sizes."""
    padded = np.concatenate([np.linspace(-9, 9, before), [x], np.linspace(-9, 9, after)]).astype(np.float32)
    for function in (exp32, logistic32):
        assert function(padded)[before] == function([x])[0]


def test_logit_by_hand():
    assert logit(0.5) == 0.0
    assert logit(0.8) == pytest.approx(np.log(4.0))


def test_relative_error_of_exp_in_double_precision():
    x = np.concatenate([np.linspace(-700.0, 700.0, 40_001), -np.logspace(-12, 2, 10_000)])
    found = np.array([exp64_scalar(value) for value in x])
    assert np.abs(found / np.exp(x) - 1.0).max() < 1e-13
    assert exp64_scalar(0.0) == 1.0


def test_exp_in_double_precision_is_nothing_far_below():
    assert [exp64_scalar(x) for x in (-700.1, -1e30, -np.inf)] == [0.0] * 3
    assert exp64_scalar(-700.0) > 0.0


@njit
def _exp64_into(x, out):
    for j in range(len(x)):
        out[j] = exp64_scalar(x[j])


def exp64(x):
    out = np.empty(len(x))
    _exp64_into(np.asarray(x, np.float64), out)
    return out


def test_exp_in_double_precision_in_a_vector():
    """A million arguments, and where the polynomial changes: close, rising, never nan, as in compiled kernels."""
    edges = (np.arange(-1000, 1000) + 0.5) * np.log(2.0)
    x = np.sort(np.concatenate([np.linspace(-700.0, 700.0, 1_000_001), edges, np.nextafter(edges, 0.0)]))
    found = exp64(x)
    np.testing.assert_allclose(found, [math.exp(value) for value in x], rtol=1e-13)
    # Neighbours a rounding apart may fall by a rounding.
    assert (np.diff(found) >= -2.0**-50 * found[1:]).all()
    assert exp64([np.nextafter(-700.0, -701.0), -1e308, -np.inf]).tolist() == [0.0] * 3
    assert exp64([700.0, 1e308, np.inf]).tolist() == pytest.approx([math.exp(700.0)] * 3, rel=1e-13)


@given(st.floats(-800, 0), st.integers(0, 20), st.integers(0, 20))
def test_exp_in_double_precision_has_the_same_bits_everywhere(x, before, after):
    padded = np.concatenate([np.linspace(-9, 9, before), [x], np.linspace(-9, 9, after)])
    assert exp64(padded)[before] == exp64_scalar(x)
