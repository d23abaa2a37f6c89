"""Linear models whose prediction for a row does not depend on the rows beside it.

A matrix product in BLAS adds up a row's terms in an order that hangs on how many rows there are. The last bit that
this moves is enough to break a tie between equal subscribers another way in another partition.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression, Ridge

Float64 = npt.NDArray[np.float64]


class RowwiseLogistic(LogisticRegression):  # type: ignore[misc]
    """Logistic regression of two classes."""

    def decision_function(self, X: npt.ArrayLike) -> Float64:
        """Return the log-odds of the second class, (n,)."""
        return _weighted(X, self.coef_[0], self.intercept_[0])


class RowwiseRidge(Ridge):  # type: ignore[misc]
    """Ridge regression of one outcome."""

    def predict(self, X: npt.ArrayLike) -> Float64:
        """Return the expected outcome, (n,)."""
        return _weighted(X, self.coef_, self.intercept_)


def _weighted(X: npt.ArrayLike, weights: Float64, constant: Any) -> Float64:
    columns = np.asarray(X, dtype=np.float64).T
    total = np.full(columns.shape[1], constant, np.float64)
    for column, weight in zip(columns, weights, strict=True):
        total += weight * column
    return total
