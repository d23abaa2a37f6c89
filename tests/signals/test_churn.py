"""The churn model: better than the base rate, refuses what it cannot learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.errors import DataError
from churnsim.signals.churn import ChurnModel, monthly_rate


def made(n: int, seed: int) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Return features and who left: log-odds -2.5 + first feature, the second is noise."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"])
    return X, rng.random(n) < 1.0 / (1.0 + np.exp(2.5 - X["a"].to_numpy()))


def log_loss(left: npt.NDArray[np.bool_], prob: npt.ArrayLike) -> float:
    return float(-np.mean(np.where(left, np.log(prob), np.log1p(-np.asarray(prob)))))


@pytest.mark.parametrize("kind", ["logistic", "lightgbm"])
def test_beats_the_base_rate_on_fresh_data(kind: str) -> None:
    X, left = made(6000, seed=1)
    fresh, left_fresh = made(6000, seed=2)
    prob = ChurnModel(kind, horizon_months=3, seed=5).fit(X, left).predict(fresh)
    assert log_loss(left_fresh, prob) < log_loss(left_fresh, np.full(6000, left.mean())) - 0.02
    # Calibrated in the mean: within 5 standard errors of fresh and fitted share together.
    assert prob.mean() == pytest.approx(left_fresh.mean(), abs=5 * np.sqrt(2 * left.var() / 6000))


@pytest.mark.parametrize("kind", ["logistic", "lightgbm"])
def test_same_seed_same_bits(kind: str) -> None:
    X, left = made(2000, seed=1)
    first, second = (ChurnModel(kind, horizon_months=3, seed=5).fit(X, left).predict(X) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(("left", "count"), [(np.zeros(4, bool), 0), (np.ones(4, bool), 4)])
def test_one_class_is_refused(left: npt.NDArray[np.bool_], count: int) -> None:
    X, _ = made(4, seed=1)
    with pytest.raises(DataError) as caught:
        ChurnModel("logistic", horizon_months=3, seed=1).fit(X, left)
    assert str(caught.value) == (
        f"churn model: {count} of 4 subscribers left within 3 months; it needs some who left "
        "and some who stayed: enlarge pilot.size"
    )


def test_monthly_rate_by_hand() -> None:
    # 1 - 0.9 ** 3 = 0.271
    assert monthly_rate(np.array([0.0, 0.271, 1.0]), horizon_months=3) == pytest.approx([0.0, 0.1, 1.0], abs=1e-12)


@given(st.floats(0.0, 1.0), st.integers(1, 36))
def test_the_monthly_rate_compounds_to_the_risk(risk: float, months: int) -> None:
    rate = monthly_rate(np.array([risk]), horizon_months=months)
    assert 1.0 - (1.0 - rate[0]) ** months == pytest.approx(risk, abs=1e-12)
