"""Linear models whose predictions do not hang on the number of rows, against scikit-learn's own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge

from churnsim.signals.linear import RowwiseLogistic, RowwiseRidge

RNG = np.random.default_rng(3)
X = RNG.normal(size=(700, 21))
Y = X @ RNG.normal(size=21) + RNG.normal(size=700)
LOGISTIC = RowwiseLogistic(max_iter=1000).fit(X, Y > 0)
RIDGE = RowwiseRidge(alpha=2.0).fit(X, Y)


def predicted(rows: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    return [LOGISTIC.predict_proba(rows)[:, 1], RIDGE.predict(rows)]


def test_they_predict_what_scikit_learn_does() -> None:
    theirs = [
        LogisticRegression(max_iter=1000).fit(X, Y > 0).predict_proba(X)[:, 1],
        Ridge(alpha=2.0).fit(X, Y).predict(X),
    ]
    for own, other in zip(predicted(X), theirs, strict=True):
        assert own == pytest.approx(other, rel=1e-12)
    assert np.array_equal(LOGISTIC.predict(X), LogisticRegression(max_iter=1000).fit(X, Y > 0).predict(X))
    assert clone(RIDGE).alpha == 2.0


@given(st.integers(0, 699), st.integers(1, 40), st.booleans())
def test_a_row_is_predicted_the_same_with_any_rows_beside_it(first: int, count: int, by_column: bool) -> None:
    rows = np.asarray(X[first:first + count], order="F" if by_column else "C")
    for alone, whole in zip(predicted(rows), predicted(X), strict=True):
        assert np.array_equal(alone, whole[first:first + count])
