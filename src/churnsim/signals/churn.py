"""The operator's churn model: the chance of leaving within the coming months."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import DataError

Float64 = npt.NDArray[np.float64]


class ChurnModel:
    """A fitted probability of leaving within `horizon_months`.

    Parameters
    ----------
    kind
        "logistic": on standardised features. "lightgbm": boosted trees of 8 leaves.
    """

    def __init__(self, kind: str, *, horizon_months: int, seed: int) -> None:
        self.kind = kind
        self.horizon_months = horizon_months
        self._model = _model(kind, seed)

    def fit(self, X: pd.DataFrame, left: npt.NDArray[np.bool_]) -> ChurnModel:
        """Fit on features (n rows) and whether each subscriber left within the horizon, (n,) bool."""
        if left.all() or not left.any():
            raise DataError(f"churn model: {int(left.sum())} of {len(left)} subscribers left within "
                            f"{self.horizon_months} months; it needs some who left and some who stayed: "
                            "enlarge pilot.size")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            self._model.fit(X.to_numpy(), left.astype(np.int64))
        return self

    def predict(self, X: pd.DataFrame) -> Float64:
        """Return the chance of leaving within the horizon, (n,); n may be 0."""
        if not len(X):
            return np.zeros(0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            return np.asarray(self._model.predict_proba(X.to_numpy())[:, 1], dtype=np.float64)


def cross_predicted(kind: str, features: Float64, left: npt.NDArray[np.bool_], *, folds: int, seed: int) -> Float64:
    """Return the chance of leaving, (n,), by a churn model that did not see the row.

    Parameters
    ----------
    kind
        "logistic" or "lightgbm".
    features
        (n, k).
    left
        (n,) bool.
    folds
        Parts of equal size, drawn by `seed`; each is predicted by a model fitted on the others.

    Raises
    ------
    DataError
        All rows outside a fold left, or all stayed.
    """
    frame = pd.DataFrame(features)
    fold = np.random.default_rng(seed).permutation(len(frame)) % folds
    out = np.empty(len(frame))
    for k in range(folds):
        held = fold == k
        model = ChurnModel(kind, horizon_months=1, seed=seed).fit(frame[~held], left[~held])
        out[held] = model.predict(frame[held])
    return out


def monthly_rate(risk: Float64, *, horizon_months: int) -> Float64:
    """Return the constant monthly rate that gives `risk` over the horizon: 1 - (1 - risk) ** (1 / months)."""
    return 1.0 - (1.0 - np.clip(risk, 0.0, 1.0)) ** (1.0 / horizon_months)


def _model(kind: str, seed: int) -> Any:
    if kind == "lightgbm":
        from lightgbm import LGBMClassifier

        return LGBMClassifier(n_estimators=150, learning_rate=0.05, num_leaves=8, min_child_samples=200,
                              n_jobs=1, random_state=seed, deterministic=True, verbose=-1)
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from churnsim.signals.linear import RowwiseLogistic

    return make_pipeline(StandardScaler(), RowwiseLogistic(max_iter=1000))
