"""Trials whose true effects are known, for the tests of learners."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from churnsim.uplift.learners import LEARNERS, FittedLearner, fit

# Alphabetical order (discount, none, upgrade) differs from the order of the config in every place.
ARMS = ("none", "upgrade", "discount")
PROPENSITY = {"none": 0.5, "upgrade": 0.3, "discount": 0.2}
ATE = np.array([0.10, -0.05])
FORESTS = ("uplift_forest", "causal_forest")
META = tuple(kind for kind in LEARNERS if kind not in FORESTS and not kind.endswith("own"))


@dataclass(frozen=True)
class Trial:
    X: pd.DataFrame
    y: np.ndarray
    treatment: np.ndarray
    effects: np.ndarray


@cache
def trial(rows: int = 12_000, seed: int = 11) -> Trial:
    """A randomised trial with a 0/1 outcome whose effects are linear in two of four features."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.uniform(-1, 1, (rows, 4)), columns=["a", "b", "c", "d"]).assign(constant=1.0)
    X.index = pd.Index(rng.permutation(rows) + 1_000, name="subscriber")
    effects = np.column_stack([ATE[0] + 0.15 * X["a"], ATE[1] + 0.20 * X["b"]])
    arm = rng.choice(3, rows, p=list(PROPENSITY.values()))
    stay_prob = 0.5 + 0.2 * X["c"].to_numpy() + np.column_stack([np.zeros(rows), effects])[range(rows), arm]
    return Trial(X, (rng.random(rows) < stay_prob).astype(float), np.array(ARMS)[arm], effects)


def fit_trial(kind: str, data: Trial, *, seed: int = 5, **more: Any) -> FittedLearner:
    return fit(kind, data.X, data.y, treatment=data.treatment, arms=ARMS,
               **{"propensity": PROPENSITY, **more}, seed=seed)


@cache
def fitted(kind: str) -> FittedLearner:
    return fit_trial(kind, trial())


@dataclass(frozen=True)
class Confounded:
    """A campaign that went to some more than to others, and their chances of it."""

    X: pd.DataFrame
    y: np.ndarray
    treatment: np.ndarray
    propensity: dict[str, np.ndarray]
    naive: dict[str, float]
    effects: np.ndarray


def confounded(rows: int, seed: int) -> Confounded:
    """Return a campaign to those at the edges of feature c, where outcomes are low, which no line through them shows.

    Effects are 1 + a and -0.5 + b.
    """
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.uniform(-1, 1, (rows, 3)), columns=["a", "b", "c"])
    edge = X["c"].to_numpy() ** 2
    chances = np.column_stack([0.7 - 0.5 * edge, 0.15 + 0.25 * edge, 0.15 + 0.25 * edge])
    arm = (rng.random(rows)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    effects = np.column_stack([1.0 + X["a"], -0.5 + X["b"]])
    y = -4.0 * edge + np.column_stack([np.zeros(rows), effects])[range(rows), arm] + rng.normal(size=rows)
    return Confounded(X, y, np.array(ARMS)[arm], dict(zip(ARMS, chances.T, strict=True)),
                      dict(zip(ARMS, np.bincount(arm, minlength=3) / rows, strict=True)), effects)
