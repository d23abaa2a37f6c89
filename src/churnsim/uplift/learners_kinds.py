"""The kinds of learners before their fit: base models, and causalml's objects around them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from churnsim.signals.linear import RowwiseLogistic, RowwiseRidge
from churnsim.uplift.estimators import OwnModel
from churnsim.uplift.learners_data import Codes, Float64

FOREST_TREES = 50
FORESTS = ("uplift_forest", "causal_forest")
LEAVES, MOST_LEAVES, LEAF_ROWS = 8, 31, 200
ROWS_PER_LEAF = 12_500


class WeightedPipeline(Pipeline):  # type: ignore[misc]
    """A pipeline whose last step weighs rows."""

    def fit(self, X: Float64, y: Float64, sample_weight: Float64 | None = None) -> WeightedPipeline:
        """Fit the steps, the last one with weights."""
        super().fit(X, y, **{f"{self.steps[-1][0]}__sample_weight": sample_weight})
        return self


def ridge() -> Pipeline:
    """Return an unfitted ridge regression on standardised features; constant columns weigh nothing."""
    return make_pipeline(StandardScaler(), RowwiseRidge(alpha=1.0))


def small_trees(seed: int, *, rows: int) -> Any:
    """Return unfitted boosted trees of at least 200 rows a leaf.

    They have 8 leaves up to 112,000 rows, and one more for each further 12,500, to 31: larger ones lose to a constant
    at the size of a pilot.
    """
    from lightgbm import LGBMRegressor

    return LGBMRegressor(
        n_estimators=100,
        learning_rate=0.05,
        num_leaves=min(MOST_LEAVES, max(LEAVES, rows // ROWS_PER_LEAF)),
        min_child_samples=LEAF_ROWS,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        # More than one thread is an order of magnitude slower wherever the cores are shared.
        n_jobs=1,
        verbosity=-1,
    )


def unfitted(kind: str, causalml: ModuleType, *, seed: int, rows: int, own: OwnModel | None = None) -> Any:
    """Return causalml's object for a kind; its arms are numbers, control 0.

    Parameters
    ----------
    causalml
        ``causalml.inference.meta`` or, for forests, ``causalml.inference.tree``.
    rows
        Of the trial.
    own
        The base model of kinds that end in own.
    """
    if kind in FORESTS:
        return _forest(kind, causalml, seed)
    letter, _, base = kind.partition("_")
    if base == "logistic":
        # Newton reaches the optimum itself, so the result does not hang on a stopping rule.
        logistic = make_pipeline(StandardScaler(), RowwiseLogistic(solver="newton-cholesky", random_state=seed))
        return causalml.BaseTClassifier(learner=logistic, control_name=0)
    if letter == "r":
        weighted = WeightedPipeline(ridge().steps) if base == "ridge" else _base_model(base, own, seed, rows)
        # Its regressor has no parameter for the number of processes, and takes all cores.
        return causalml.BaseRLearner(learner=weighted, control_name=0, random_state=seed, cv_n_jobs=1)
    wanted = getattr(causalml, f"Base{letter.upper()}Regressor")
    return wanted(learner=_base_model(base, own, seed, rows), control_name=0)


def _base_model(base: str, own: OwnModel | None, seed: int, rows: int) -> Any:
    if base == "own":
        return own
    return ridge() if base == "ridge" else small_trees(seed, rows=rows)


def _forest(kind: str, causalml: ModuleType, seed: int) -> Any:
    if kind == "uplift_forest":
        return causalml.UpliftRandomForestClassifier(
            control_name=0, n_estimators=FOREST_TREES, max_depth=3, min_samples_leaf=LEAF_ROWS, random_state=seed,
            n_jobs=1)
    return causalml.CausalRandomForestRegressor(
        control_name=0, n_estimators=FOREST_TREES, max_leaf_nodes=LEAVES, min_samples_leaf=LEAF_ROWS,
        random_state=seed, n_jobs=1)


def forest_weights(shares: Float64, codes: Codes) -> Float64 | None:
    """Return the weights that make a forest's means those of a trial, (n,): 1 / chance of the arm that a row got.

    Forests compare plain means of arms. None where everybody had the same chances, and no weight is needed.
    """
    if (shares == shares[0]).all():
        return None
    weights = 1.0 / shares[np.arange(len(codes)), codes]
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def arm_shares(shares: Float64) -> tuple[dict[int, Float64], tuple[float, ...]]:
    """Return P(arm | arm or control) for each arm by its position: a row each, and the mean over rows."""
    by_row = {k: shares[:, k] / (shares[:, k] + shares[:, 0]) for k in range(1, shares.shape[1])}
    # The mean of equal numbers may differ from them by rounding.
    means = tuple(float(share[0] if (share == share[0]).all() else share.mean()) for share in by_row.values())
    return by_row, means
