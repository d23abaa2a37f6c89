"""Gain against depth: cost curves and Qini of rankings over several arms, true or estimated from a trial.

A ranking says who gets what first, second, and so on. Its gain at a depth is what those reached by then gain,
per row: the sum of their effects over all rows. Effects are true ones, or the scores of
:meth:`churnsim.evaluation.logged_trial.LoggedTrial.effect_scores`, whose mean is right for any group of rows. The
ranking must have been learned on other rows than those it is judged on.

Intervals are by bootstrap over rows: whoever is drawn twice costs and gains twice, and all rankings see the same
draws. Ratios to the total gain are not offered, since they explode where the total is near zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.ranking import Ranking, Rows, rank_by
from churnsim.uplift.learners_data import Float64, refuse_gaps

DEPTHS = ("targeted", "spend")


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error and the limits of its interval; NaN where no draws were asked for."""

    value: float
    standard_error: float
    low: float
    high: float


def gain_curve(effects: npt.ArrayLike, ranking: Ranking, *, by: str, at: npt.ArrayLike | None = None, points: int = 51,
               draws: int = 200, seed: int = 0, confidence: float = 0.95) -> pd.DataFrame:
    """Return a ranking's gain per row at growing depths: its cost curve (``by="spend"``) or Qini curve (``targeted``).

    The Qini curve of Sverdrup, Wu, Athey and Wager (2023, arXiv 2306.11979), for any ranking.

    Parameters
    ----------
    effects
        (n, K) effects of each arm against control before `cost`, or scores; (n,) for one arm.
    by
        Depth: share of rows ``targeted``, or ``spend`` per row.
    at
        Depths wanted; default: `points` from 0 to the whole ranking. A deeper one gives the whole ranking.
    draws
        Bootstrap draws; 0 for no interval, as with true effects.
    seed
        Of the draws. The same seed gives the same draws to any ranking of as many rows.

    Returns
    -------
    DataFrame
        A row a depth: ``targeted``, ``spend``, ``gain``, ``standard_error``, ``low``, ``high``; all per row.

    Raises
    ------
    ConfigError
        Unknown `by`, draws below 0 or 1.
    DataError
        Effects with gaps or of another number of rows, an arm that effects lack, negative depths.

    Examples
    --------
    >>> curve = gain_curve([1.0, 4.0, 3.0], rank_by([0.1, 0.7, 0.4]), by="targeted", at=[0, 1/3, 2/3, 1], draws=0)
    >>> curve["gain"].to_numpy() * 3
    array([0., 4., 7., 8.])
    """
    steps = _Steps(effects, ranking)
    other = DEPTHS[1 - _depth_index(by)]
    depth, gain = steps.knots(None, by)
    grid = np.linspace(0.0, depth[-1], points) if at is None else np.asarray(at, dtype=np.float64)
    if grid.ndim != 1 or not (grid >= 0.0).all():
        raise DataError(f"at: depths must be a list of numbers of at least 0 (got {grid})")
    found = np.interp(grid, depth, gain)
    drawn = [np.interp(grid, *steps.knots(w, by)) for w in _weights(len(steps.effects), draws, seed)]
    error = np.std(drawn, axis=0, ddof=1) if drawn else np.full(len(grid), np.nan)
    z = _normal_quantile(confidence)
    return pd.DataFrame({by: np.minimum(grid, depth[-1]), other: np.interp(grid, depth, steps.knots(None, other)[0]),
                         "gain": found, "standard_error": error, "low": found - z * error, "high": found + z * error}
                        )[[*DEPTHS, "gain", "standard_error", "low", "high"]]


def qini_by_arm(effects: npt.ArrayLike, predicted: pd.DataFrame, *, draws: int = 200, seed: int = 0,
                confidence: float = 0.95) -> pd.DataFrame:
    """Return each arm's Qini coefficient when all rows are ranked by their predicted effect of it.

    Mean height of the gain curve over the share targeted, from 0 to 1, above the straight line of random targeting. In
    units of the outcome: 0 for a ranking that does no better than chance.

    Parameters
    ----------
    effects
        (n, K) true effects or scores, arms in the order of the columns of `predicted`.
    predicted
        (n, K) predicted effects, a column an arm.
    draws, seed, confidence
        As in :func:`gain_curve`.

    Returns
    -------
    DataFrame
        A row an arm: ``average_effect``, ``qini``, ``standard_error``, ``low``, ``high``.
    """
    true = _effects(effects)
    if true.shape != predicted.shape:
        raise DataError(f"effects have shape {true.shape} and predicted {predicted.shape}; give both the same")
    rows = []
    for k in range(true.shape[1]):
        steps = _Steps(true[:, k], rank_by(predicted.iloc[:, k]))
        found = _estimate(partial(_above_random, steps), rows=len(true), draws=draws, seed=seed,
                          confidence=confidence)[0]
        rows.append([true[:, k].mean(), found.value, found.standard_error, found.low, found.high])
    return pd.DataFrame(rows, columns=["average_effect", "qini", "standard_error", "low", "high"],
                        index=pd.Index(predicted.columns, name="arm"))


def area_between(effects: npt.ArrayLike, a: Ranking, b: Ranking, *, by: str, upto: float | None = None,
                 draws: int = 200, seed: int = 0, confidence: float = 0.95) -> Estimate:
    """Return how high the gain curve of `a` runs above that of `b`, the mean over depths, with a paired interval.

    Parameters
    ----------
    upto
        Depths from 0 to here; default: to the end of the shorter ranking.
    effects, by, draws, seed, confidence
        As in :func:`gain_curve`.

    Raises
    ------
    ConfigError, DataError
        As :func:`gain_curve`; `upto` not above 0.
    """
    steps = [_Steps(effects, a), _Steps(effects, b)]
    end = _end(steps, by, upto)

    def statistic(w: Float64 | None) -> Float64:
        first, second = _heights(steps, w, by, end)
        return np.array([first - second])

    return _estimate(statistic, rows=a.rows, draws=draws, seed=seed, confidence=confidence)[0]


def compare_rankings(effects: npt.ArrayLike, rankings: Mapping[str, Ranking], *, against: str, by: str,
                     upto: float | None = None, draws: int = 200, seed: int = 0, confidence: float = 0.95
                     ) -> pd.DataFrame:
    """Compare rankings with one of them, such as uplift models with churn risk, and say who wins or that nobody does.

    Parameters
    ----------
    rankings
        Name -> ranking.
    against
        Name of the one that the others must beat.
    effects, by, upto, draws, seed, confidence
        As in :func:`area_between`; one `upto` for all.

    Returns
    -------
    DataFrame
        A row a ranking: ``height`` (mean gain over depths, per row), its ``standard_error``; ``difference`` from
        `against` with ``low`` and ``high``, paired; ``verdict``: "better", "worse", "not told apart", or "the
        reference".

    Raises
    ------
    ConfigError
        `against` is no ranking.
    """
    if against not in rankings:
        raise ConfigError(f"against: {against!r} is no ranking; choose one of {', '.join(rankings)}")
    steps = [_Steps(effects, ranking) for ranking in rankings.values()]
    end, base = _end(steps, by, upto), list(rankings).index(against)

    def statistic(w: Float64 | None) -> Float64:
        heights = _heights(steps, w, by, end)
        return np.concatenate([heights, heights - heights[base]])

    found = _estimate(statistic, rows=len(steps[0].effects), draws=draws, seed=seed, confidence=confidence)
    rows = [(height.value, height.standard_error, gap.value, gap.low, gap.high,
             "the reference" if k == base else _verdict(gap))
            for k, (height, gap) in enumerate(zip(found[:len(steps)], found[len(steps):], strict=True))]
    return pd.DataFrame(rows, index=pd.Index(list(rankings), name="ranking"),
                        columns=["height", "standard_error", "difference", "low", "high", "verdict"])


def comparison_text(compared: pd.DataFrame) -> str:
    """Return a table of :func:`compare_rankings` in words: who beats the reference, or that nobody does.

    Examples
    --------
    >>> effects = np.tile([0.0, 1.0], 200)
    >>> comparison_text(compare_rankings(effects, {"risk": rank_by(effects), "uplift": rank_by(-effects)},
    ...                                  against="risk", by="targeted"))
    'No ranking is seen to beat risk. Worse than it: uplift.'
    """
    (reference,) = compared.index[compared["verdict"] == "the reference"]
    by_verdict = {verdict: ", ".join(map(str, compared.index[compared["verdict"] == verdict]))
                  for verdict in ("better", "not told apart", "worse")}
    better = by_verdict["better"]
    parts = [f"Better than {reference}: {better}." if better else f"No ranking is seen to beat {reference}."]
    if by_verdict["not told apart"]:
        parts.append(f"Not told apart from it: {by_verdict['not told apart']}.")
    if by_verdict["worse"]:
        parts.append(f"Worse than it: {by_verdict['worse']}.")
    return " ".join(parts)


class _Steps:
    """A ranking with the effects of what each step changes."""

    def __init__(self, effects: npt.ArrayLike, ranking: Ranking) -> None:
        self.effects = _effects(effects)
        n, arms = self.effects.shape
        if ranking.rows != n:
            raise DataError(f"the ranking is of {ranking.rows} rows, effects have {n}; rank the rows that are judged")
        if len(ranking.arm) and ranking.arm.max() >= arms:
            raise DataError(f"the ranking gives arm {ranking.arm.max()}, but effects have arms 0 to {arms - 1}")
        self.subscriber = ranking.subscriber
        before = _arm_before(ranking)
        gained = self.effects[ranking.subscriber, ranking.arm]
        self._gain = gained - np.where(before >= 0, self.effects[ranking.subscriber, before], 0.0)
        self._depth = {"targeted": (before < 0).astype(np.float64), "spend": ranking.cost}
        self._last = np.flatnonzero(np.diff(ranking.place, append=-1) != 0)

    def knots(self, weights: Float64 | None, by: str) -> tuple[Float64, Float64]:
        """Return depth and gain per row where the straight pieces of the curve meet; rows count `weights` times."""
        w = 1.0 if weights is None else weights[self.subscriber]
        depth, gain = (np.append(0.0, np.cumsum(w * each)[self._last]) / len(self.effects)
                       for each in (self._depth[by], self._gain))
        return depth, gain


def _arm_before(ranking: Ranking) -> Rows:
    """Return what each step's row had before it, -1 for nothing."""
    order = np.argsort(ranking.subscriber, kind="stable")
    before = np.full(len(order), -1, dtype=np.int64)
    again = np.flatnonzero(np.diff(ranking.subscriber[order]) == 0) + 1
    before[order[again]] = ranking.arm[order[again - 1]]
    return before


def _mean_height(depth: Float64, gain: Float64, upto: float) -> float:
    """Return the exact mean of the piecewise straight curve over [0, upto]; past its end it is level."""
    inside = depth <= upto
    x = np.append(depth[inside], upto)
    y = np.append(gain[inside], np.interp(upto, depth, gain))
    return float(np.trapezoid(y, x) / upto)


def _heights(steps: Sequence[_Steps], weights: Float64 | None, by: str, upto: float) -> Float64:
    return np.array([_mean_height(*each.knots(weights, by), upto) for each in steps])


def _above_random(steps: _Steps, weights: Float64 | None) -> Float64:
    depth, gain = steps.knots(weights, "targeted")
    return np.array([_mean_height(depth, gain, 1.0) - gain[-1] / 2.0])


def _end(steps: Sequence[_Steps], by: str, upto: float | None) -> float:
    _depth_index(by)
    end = min(each.knots(None, by)[0][-1] for each in steps) if upto is None else upto
    if not end > 0.0:
        raise DataError(f"upto: curves are compared over depths from 0 to {end}; give a depth above 0, or rankings "
                        "that are not empty")
    return float(end)


def _estimate(statistic: Callable[[Float64 | None], Float64], *, rows: int, draws: int, seed: int, confidence: float
              ) -> list[Estimate]:
    """Return a statistic of weighted rows (None: all alike), which may be several numbers, with its errors."""
    values = statistic(None)
    drawn = [statistic(w) for w in _weights(rows, draws, seed)]
    errors = np.std(drawn, axis=0, ddof=1) if drawn else np.full(len(values), np.nan)
    z = _normal_quantile(confidence)
    return [Estimate(float(v), float(e), float(v - z * e), float(v + z * e))
            for v, e in zip(values, errors, strict=True)]


def _weights(rows: int, draws: int, seed: int) -> Iterator[Float64]:
    if draws < 0 or draws == 1:
        raise ConfigError(f"draws is {draws}; give 2 or more, or 0 for no interval")
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(np.float64)


def _effects(effects: npt.ArrayLike) -> Float64:
    table = np.asarray(effects, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or not table.size:
        raise DataError(f"effects have shape {table.shape}; give one value a row and arm")
    refuse_gaps("effects", table)
    return table


def _depth_index(by: str) -> int:
    if by not in DEPTHS:
        raise ConfigError(f"by: {by!r} is no depth; choose {' or '.join(map(repr, DEPTHS))}")
    return DEPTHS.index(by)


def _normal_quantile(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence: must be above 0 and below 1 (got {confidence})")
    return NormalDist().inv_cdf((1.0 + confidence) / 2.0)


def _verdict(gap: Estimate) -> str:
    if gap.low > 0.0:
        return "better"
    return "worse" if gap.high < 0.0 else "not told apart"
