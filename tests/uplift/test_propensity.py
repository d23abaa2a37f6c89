"""Models of assignment against known chances, and tables without overlap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.errors import ConfigError, DataError
from churnsim.uplift.propensity import cross_fit_propensity, overlapping, require_overlap

ARMS = ("none", "upgrade", "discount")


def campaign(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return features, arms got, and the chances of them: multinomial logistic in two of three features."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    odds = np.exp(np.column_stack([np.zeros(rows), -0.5 + X["a"], -1.0 + 0.7 * X["b"]]))
    chances = odds / odds.sum(axis=1, keepdims=True)
    arm = (rng.random(rows)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    return X, np.array(ARMS)[arm], chances


def estimate(X: pd.DataFrame, treatment: np.ndarray, *, clip: float = 0.01, seed: int = 1, folds: int = 3
             ) -> dict[str, np.ndarray]:
    return cross_fit_propensity(X, treatment, arms=ARMS, folds=folds, seed=seed, clip=clip)


def test_chances_are_found_in_config_order() -> None:
    """9 coefficients from 4,000 rows: errors of chances are near .01; .03 is out of reach of chance."""
    X, treatment, chances = campaign(4_000, seed=2)
    found = estimate(X, treatment)
    assert tuple(found) == ARMS
    for column, arm in enumerate(ARMS):
        assert np.sqrt(((found[arm] - chances[:, column]) ** 2).mean()) < 0.03
        assert abs(found[arm].mean() - (treatment == arm).mean()) < 0.01
    np.testing.assert_allclose(sum(found.values()), 1.0, atol=1e-12)


def test_a_row_is_told_by_others_of_other_folds_only() -> None:
    """Odd features of one row change the chances of itself and of the other two folds, not of the rest of its own."""
    X, treatment, _ = campaign(300, seed=3)
    odd = X.copy()
    odd.iloc[17] = 4.0
    same = (np.column_stack(list(estimate(X, treatment).values()))
            == np.column_stack(list(estimate(odd, treatment).values()))).all(axis=1)
    assert not same[17]
    assert 90 <= same.sum() <= 110


@given(clip=st.floats(0.0, 0.3), seed=st.integers(0, 50))
def test_what_is_clipped_adds_up(clip: float, seed: int) -> None:
    X, treatment, _ = campaign(300, seed=4)
    found = np.column_stack(list(estimate(X, treatment, clip=clip, seed=seed, folds=2).values()))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    # Raised to clip, then divided by a sum of at most 1 + 2 clip.
    assert found.min() >= clip / (1 + 2 * clip) - 1e-12


def test_same_seed_same_bits() -> None:
    X, treatment, _ = campaign(300, seed=5)
    first, again, other = (estimate(X, treatment, seed=seed)["none"] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_overlap_by_hand() -> None:
    chances = {"none": np.array([0.5, 0.995, 0.3]), "call": np.array([0.5, 0.005, 0.7])}
    assert overlapping(chances, rows=3, least=0.01).tolist() == [True, False, True]
    rare = {"none": np.array([0.5]), "call": np.array([0.497]), "gift": np.array([0.003])}
    assert overlapping(rare, rows=1, least=0.01).tolist() == [False]
    assert overlapping({"none": 0.9, "call": 0.05, "gift": 0.05}, rows=1, least=0.05).tolist() == [True]
    require_overlap(chances, rows=3, least=0.005)
    require_overlap({"none": 0.4, "call": 0.6}, rows=3, least=0.4)
    with pytest.raises(DataError, match=r"no overlap: arm 'none' has a propensity outside \[0.01, 0.99\] for 1 of 3 "
                       r"rows \(33.3 %\), such as 0.995 at row 1; leave out such rows \(overlapping of "
                       r"churnsim.uplift.propensity finds them\), drop the arm, or run a randomised pilot"):
        require_overlap(chances, rows=3, least=0.01)
    with pytest.raises(DataError, match=r"arm 'none' .* \[0.45, 0.55\] for 3 of 3 rows \(100 %\), such as 0.4"):
        require_overlap({"none": 0.4, "call": 0.6}, rows=3, least=0.45)


def test_a_list_that_left_nobody_to_chance_is_refused() -> None:
    """Everybody above a line was called: the model finds out, and the check says so."""
    rng = np.random.default_rng(6)
    X = pd.DataFrame({"risk": rng.random(1_000)})
    treatment = np.where(X["risk"] > 0.6, "call", "none")
    found = cross_fit_propensity(X, treatment, arms=("none", "call"), folds=3, seed=1, clip=0.0)
    with pytest.raises(DataError, match="no overlap: arm 'none' has a propensity outside"):
        require_overlap(found, rows=1_000, least=0.02)


def test_refusals_say_what_and_where() -> None:
    X, treatment, _ = campaign(300, seed=7)
    with pytest.raises(DataError, match=r"arm 'discount' has 0 rows in the trial; assign at least 30, or drop it"):
        estimate(X, np.where(treatment == "discount", "none", treatment))
    with pytest.raises(DataError, match=r"feature 'b' is nan at row 5"):
        estimate(X.assign(b=np.where(np.arange(300) == 5, np.nan, X["b"])), treatment)
    with pytest.raises(ConfigError, match=r"propensity clip is 0.4; give 0 or more, and below 0.333 \(one by"):
        estimate(X, treatment, clip=0.4)
    with pytest.raises(ConfigError, match="folds is 1; give 2 or more"):
        estimate(X, treatment, folds=1)
    half = np.full(300, 0.5)
    with pytest.raises(ConfigError, match=r"least propensity is 0.6; give a number above 0, and at most 0.5 \(one by"):
        require_overlap({"none": half, "call": half}, rows=300, least=0.6)
    with pytest.raises(DataError, match=r"propensity sums to 1.1 .* at row 3, the first of 1 such rows"):
        require_overlap({"none": half, "call": np.where(np.arange(300) == 3, 0.6, 0.5)}, rows=300, least=0.1)
    with pytest.raises(DataError, match=r"'call' is nan at row 3, the first of 1 such rows; give a share above 0"):
        require_overlap({"none": half, "call": np.where(np.arange(300) == 3, np.nan, 0.5)}, rows=300, least=0.1)
