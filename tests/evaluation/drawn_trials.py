"""A small world with known effects, from which trials are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnsim.evaluation.logged_trial import LoggedTrial, logged_trial

ARMS = ("none", "call", "gift")
COSTS = {"call": 0.5, "gift": 1.0}


@dataclass(frozen=True)
class Drawn:
    """A trial and what nobody but its maker knows."""

    log: LoggedTrial
    X: pd.DataFrame
    mean: np.ndarray

    @property
    def effects(self) -> np.ndarray:
        return self.mean[:, 1:] - self.mean[:, :1]


def draw(rows: int, rng: np.random.Generator) -> Drawn:
    """Draw subscribers from a fixed law and randomise them with probabilities that hang on their features."""
    x, z = rng.uniform(-1, 1, (2, rows))
    mean = np.column_stack([5 + 2 * z, 5 + 2 * z + 1 + 2 * x, 5 + 2 * z + 1.5 - x])
    odds = np.column_stack([np.full(rows, 2.0), np.exp(0.5 * x), np.exp(0.5 * z)])
    propensity = odds / odds.sum(axis=1, keepdims=True)
    arm = (rng.random(rows)[:, None] > np.cumsum(propensity, axis=1)[:, :-1]).sum(axis=1)
    y = mean[np.arange(rows), arm] + rng.normal(0, 1, rows)
    log = logged_trial(y, treatment=np.array(ARMS)[arm], arms=ARMS, costs=COSTS,
                       propensity={name: propensity[:, k] for k, name in enumerate(ARMS)})
    return Drawn(log, pd.DataFrame({"x": x, "z": z}), mean)


def best_of(drawn: Drawn) -> np.ndarray:
    """Return a policy that was not learned on the trial: call for high x, a gift for low z, else nothing."""
    x, z = drawn.X["x"], drawn.X["z"]
    return np.where(x > 0.2, "call", np.where(z < 0.0, "gift", "none"))
