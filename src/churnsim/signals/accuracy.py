"""How well scores and flags tell who leaves: recall, area under the ROC curve, lift of the top tenth.

Every function takes outcomes that happened (1 left, 0 stayed) or the chance to leave (0 to 1): the result is then
what is expected over the outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recall:
    """Shares flagged of those who left and of those who stayed, with standard errors, and the share that left."""

    of_left: float
    of_left_se: float
    of_stayed: float
    of_stayed_se: float
    base_rate: float


def rule_recall(flagged: npt.ArrayLike, left: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> Recall:
    """Return the shares flagged of those who left and of those who stayed; NaN where there are none.

    Parameters
    ----------
    flagged
        (n,) bool, or the share of a row that is flagged.
    left
        (n,) 1 left, 0 stayed, or the chance to leave.
    weight
        (n,) how much a row counts; None: all the same.
    """
    flag, gone = np.asarray(flagged, np.float64), np.asarray(left, np.float64)
    counts = np.ones(len(gone)) if weight is None else np.asarray(weight, np.float64)

    def share(of: Float64) -> tuple[float, float]:
        total = float(of.sum())
        if total <= 0.0:
            return np.nan, np.nan
        mean = float((of * flag).sum() / total)
        return mean, float(np.sqrt(mean * (1.0 - mean) / total))

    total = float(counts.sum())
    rate = float((counts * gone).sum()) / total if total else np.nan
    return Recall(*share(counts * gone), *share(counts * (1.0 - gone)), rate)


def auc(score: npt.ArrayLike, left: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> float:
    """Return the area under the ROC curve: the chance that who left scores above who stayed, ties counting half.

    >>> auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    value, gone = np.asarray(score, np.float64), np.asarray(left, np.float64)
    counts = np.ones(len(gone)) if weight is None else np.asarray(weight, np.float64)
    _, place = np.unique(value, return_inverse=True)
    leavers = np.bincount(place, weights=counts * gone)
    stayers = np.bincount(place, weights=counts * (1.0 - gone))
    below = np.cumsum(stayers) - 0.5 * stayers
    pairs = leavers.sum() * stayers.sum()
    return float((leavers * below).sum() / pairs) if pairs > 0.0 else np.nan


def auc_se(area: float, *, leavers: float, stayers: float) -> float:
    """Return the standard error of an area under the ROC curve (Hanley and McNeil 1982)."""
    if min(leavers, stayers) <= 0.0:
        return np.nan
    both_above = area / (2.0 - area) - area**2
    both_below = 2.0 * area**2 / (1.0 + area) - area**2
    variance = area * (1.0 - area) + (leavers - 1.0) * both_above + (stayers - 1.0) * both_below
    return float(np.sqrt(max(variance, 0.0) / (leavers * stayers)))


def top_flags(score: npt.ArrayLike, left: npt.ArrayLike, *, base_rate: float | None = None, share: float = 0.1
              ) -> Float64:
    """Return which rows are among the `share` of highest scores of a population that loses `base_rate`, (n,).

    Rows that left weigh as the population's do, so that a sample in which churners are more frequent gives the top
    tenth of the population. Rows on the edge count by the part of them that still fits (ties alike).
    """
    value, gone = np.asarray(score, np.float64), np.asarray(left, np.float64)
    rate = float(gone.mean())
    target = rate if base_rate is None else base_rate
    counts = gone * (target / rate if rate > 0.0 else 0.0) + (1.0 - gone) * (
        (1.0 - target) / (1.0 - rate) if rate < 1.0 else 0.0)
    _, place = np.unique(-value, return_inverse=True)
    mass = np.bincount(place, weights=counts)
    before = np.cumsum(mass) - mass
    room = share * counts.sum() - before
    part = np.clip(np.divide(room, mass, out=np.zeros_like(mass), where=mass > 0.0), 0.0, 1.0)
    return np.asarray(part[place], np.float64)
