"""A list that grows with its depth: who gets which arm first, second, and so on, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.errors import DataError
from churnsim.policy.allocate import BudgetPath
from churnsim.uplift.learners_data import Float64, refuse_gaps

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Steps of a growing list, the first to be taken first.

    Attributes
    ----------
    subscriber, arm
        (m,) row that the step concerns, and the arm it gives (0 is the first after control); a later step of a row
        replaces its arm.
    cost
        (m,) cost that the step adds, at least 0.
    place
        (m,) rank, ascending; steps of one place are tied, and a depth among them takes the same share of each.
    rows
        Rows of the base, on the list or not.
    """

    subscriber: Rows
    arm: Rows
    cost: Float64
    place: Rows
    rows: int


def rank_by(score: npt.ArrayLike, *, arm: npt.ArrayLike = 0, cost: npt.ArrayLike = 1.0) -> Ranking:
    """Return the ranking that gives each row one arm, highest score first.

    Parameters
    ----------
    score
        (n,) the higher, the sooner; equal scores are tied.
    arm
        (n,) position of the arm (0 is the first after control), or one for all; -1 leaves the row out.
    cost
        (n,) cost of giving it, or one for all. Left at 1, spend is the share targeted.

    Raises
    ------
    DataError
        Scores or costs with gaps, negative costs, shapes that do not fit.

    Examples
    --------
    >>> rank_by([0.1, 0.7, 0.4]).subscriber
    array([1, 2, 0])
    """
    scores = np.asarray(score, dtype=np.float64)
    if scores.ndim != 1 or not len(scores):
        raise DataError(f"score has shape {scores.shape}; give one value a row")
    refuse_gaps("score", scores)
    shapes = {np.shape(arm), np.shape(cost)} - {(), scores.shape}
    if shapes:
        raise DataError(f"arm or cost has shape {shapes.pop()}; give one for all, or one for each of {len(scores)} "
                        "rows")
    arms = np.broadcast_to(np.asarray(arm, dtype=np.int64), scores.shape)
    costs = np.broadcast_to(np.asarray(cost, dtype=np.float64), scores.shape)
    order = np.argsort(-scores, kind="stable")
    order = order[arms[order] >= 0]
    refuse_gaps("cost", costs[order])
    if (costs[order] < 0.0).any():
        raise DataError(f"cost is {costs[order].min()} at row {order[costs[order].argmin()]}; it must not be negative")
    return Ranking(order, arms[order], costs[order], _places(scores[order]), len(scores))


def rank_path(path: BudgetPath) -> Ranking:
    """Return the ranking of :func:`churnsim.policy.allocate.budget_path`: every budget's plan, cheapest gains first."""
    return Ranking(path.subscriber, path.arm, np.maximum(np.diff(path.spend, prepend=0.0), 0.0), _places(path.price),
                   path.n_subscribers)


def _places(score: Float64) -> Rows:
    """Number runs of equal values."""
    return np.cumsum(np.append(False, score[1:] != score[:-1]), dtype=np.int64)[:len(score)]
