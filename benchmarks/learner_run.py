"""Fits of every kind of learner that needs no class of one's own: three arms, 20 features, a 0/1 outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from churnsim.uplift.learners import LEARNERS, FittedLearner, fit

import row

ARMS = ("none", "upgrade", "discount")
PROPENSITY = {"none": 0.5, "upgrade": 0.25, "discount": 0.25}
FEATURES, SEED, INTERACTION = 20, 7, 0.15
WARM_UP_ROWS, FRESH_ROWS = 1_000, 20_000
KINDS = tuple(kind for kind in LEARNERS if not kind.endswith("own"))


@dataclass(frozen=True)
class Trial:
    """A randomised trial and its true effects, (n, 2)."""

    X: pd.DataFrame
    y: npt.NDArray[np.float64]
    treatment: npt.NDArray[np.str_]
    effects: npt.NDArray[np.float64]


def trial(rows: int, seed: int) -> Trial:
    """Return a trial whose effects are linear in the log-odds but for an interaction and a step."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, FEATURES))
    none = -0.4 + 0.6 * X[:, 0] - 0.5 * X[:, 1] + 0.4 * X[:, 2] * X[:, 3] + 0.3 * np.abs(X[:, 4])
    upgrade = 0.35 + 0.4 * X[:, 5] - 0.3 * (X[:, 6] > 0) + INTERACTION * X[:, 8] * X[:, 9]
    discount = 0.2 - 0.4 * X[:, 7] + 0.3 * X[:, 0] + INTERACTION * X[:, 1] * X[:, 5]
    prob = 1.0 / (1.0 + np.exp(-np.column_stack([none, none + upgrade, none + discount])))
    arm = rng.choice(len(ARMS), rows, p=list(PROPENSITY.values()))
    y = (rng.random(rows) < prob[np.arange(rows), arm]).astype(np.float64)
    table = pd.DataFrame(X, columns=[f"x{number}" for number in range(FEATURES)])
    return Trial(table, y, np.array(ARMS)[arm], prob[:, 1:] - prob[:, :1])


def fit_of(kind: str, rows: int, months: int) -> Callable[[], FittedLearner]:
    """Return a fit on a trial of so many rows; a small one before it imports causalml."""
    _fit(kind, trial(WARM_UP_ROWS, SEED))
    return partial(_fit, kind, trial(rows, SEED))


def _fit(kind: str, data: Trial) -> FittedLearner:
    return fit(kind, data.X, data.y, treatment=data.treatment, arms=ARMS, propensity=PROPENSITY, seed=SEED)


def facts(learner: FittedLearner) -> dict[str, Any]:
    """Tell the root mean squared error of effects on fresh rows."""
    fresh = trial(FRESH_ROWS, SEED + 1)
    error = learner.predict(fresh.X).to_numpy() - fresh.effects
    return {"pehe": float(np.sqrt((error**2).mean()))}


if __name__ == "__main__":
    row.main({kind: partial(fit_of, kind) for kind in KINDS}, packages=["causalml", "lightgbm", "scikit-learn"],
             facts=facts, warm_up=False)
