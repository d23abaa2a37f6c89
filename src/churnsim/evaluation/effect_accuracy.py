"""How good predicted effects are: errors, calibration, money lost by acting on them, and kinds of subscribers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.intervals import mean_interval
from churnsim.policy.allocate import LEFT_ALONE, budget_path
from churnsim.uplift.learners_data import Float64, refuse_gaps

PERSUADABLE, SURE_THING, LOST_CAUSE, DO_NOT_DISTURB = "persuadable", "sure_thing", "lost_cause", "do_not_disturb"
KINDS = (PERSUADABLE, SURE_THING, LOST_CAUSE, DO_NOT_DISTURB)

# A plan that costs exactly the budget must pass although its sum of thousands of costs is rounded.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Regret:
    """What a list is worth beside the best list that true values allow, all rows together.

    Attributes
    ----------
    value, oracle_value
        True value of the list, and of the oracle's within the same budget.
    regret
        The difference, in money: what the list leaves on the table.
    share_kept
        value / oracle_value; NaN where the oracle leaves everybody alone.
    oracle_gap
        The oracle takes whole subscribers in order of value per money: no list beats it by more than this.
    """

    value: float
    oracle_value: float
    regret: float
    share_kept: float
    oracle_gap: float


@dataclass(frozen=True, eq=False)
class Kinds:
    """Subscribers sorted by what leaving them alone and treating them would do.

    Attributes
    ----------
    frame
        A row a subscriber: ``risk``, ``effect``, ``kind`` (categorical, in the order of :data:`KINDS`).
    counts
        A row a kind: ``subscribers``, ``share``, ``mean_risk``, ``mean_effect`` (NaN where there are none).
    """

    frame: pd.DataFrame
    counts: pd.DataFrame


def effect_accuracy(predicted: pd.DataFrame, true: npt.ArrayLike) -> pd.DataFrame:
    """Return the errors of predicted effects.

    A small PEHE is no proof of a good list, nor a large one of a bad list: see :func:`regret`.

    Parameters
    ----------
    predicted
        (n, K) predicted effects, a column an arm.
    true
        (n, K) true effects, in the same order.

    Returns
    -------
    DataFrame
        A row an arm: ``mean_predicted``, ``mean_true``; ``pehe``, the root of the mean squared error (Hill, 2011, JCGS
        20(1):217-240); ``constant_pehe``, that of the true average given to all; ``spearman``, the correlation of
        ranks (NaN where either side has one value only).

    Raises
    ------
    DataError
        Shapes differ, or a value is missing.

    Examples
    --------
    >>> effect_accuracy(pd.DataFrame({"call": [0.0, 1.0, 2.0]}), [[1.0], [1.0], [4.0]]).round(3).loc["call"].tolist()
    [1.0, 2.0, 1.291, 1.414, 0.866]
    """
    guess, truth = _pair(predicted, "true", true)
    rows = [(g.mean(), t.mean(), np.sqrt(((g - t) ** 2).mean()), t.std(), _spearman(g, t))
            for g, t in zip(guess.T, truth.T, strict=True)]
    return pd.DataFrame(rows, index=pd.Index(predicted.columns, name="arm"),
                        columns=["mean_predicted", "mean_true", "pehe", "constant_pehe", "spearman"])


def effect_calibration(predicted: pd.DataFrame, *, scores: npt.ArrayLike | None = None,
                       true: npt.ArrayLike | None = None, groups: int = 10, confidence: float = 0.95) -> pd.DataFrame:
    """Compare predicted effects with estimated or true ones by decile of the prediction.

    Parameters
    ----------
    predicted
        (n, K) effects predicted for rows that the learner did not see, a column an arm.
    scores
        (n, K) scores of :meth:`churnsim.evaluation.logged_trial.LoggedTrial.effect_scores`: their mean in a group
        estimates its effect.
    true
        (n, K) true effects.
    groups
        Groups of about equal size; equal predictions share one.

    Returns
    -------
    DataFrame
        A row an arm and group, lowest prediction first: ``arm``, ``group`` (from 1), ``rows``, ``predicted``; with
        `scores` ``estimated``, ``low``, ``high`` (Student t, NaN in a group of one); with `true` ``true``. All means.

    Raises
    ------
    ConfigError
        Neither `scores` nor `true`, or fewer than one group.
    DataError
        Shapes differ, or a value is missing.
    """
    if (scores is None and true is None) or groups < 1:
        raise ConfigError(f"calibration of effects: give scores, true effects or both, and groups of at least 1 "
                          f"(got {groups})")
    against = {name: _pair(predicted, name, table)[1] for name, table in (("scores", scores), ("true", true))
               if table is not None}
    rows: list[dict[str, object]] = []
    for k, arm in enumerate(predicted.columns):
        guess = predicted.iloc[:, k].to_numpy(dtype=np.float64)
        group = np.ceil(groups * (rankdata(guess) - 0.5) / len(guess)).astype(np.int64)
        for number in np.unique(group):
            here = group == number
            row: dict[str, object] = {"arm": arm, "group": int(number), "rows": int(here.sum()),
                                      "predicted": guess[here].mean()}
            if "scores" in against:
                found = mean_interval(against["scores"][here, k], confidence=confidence)
                row |= {"estimated": found.mean, "low": found.low, "high": found.high}
            if "true" in against:
                row["true"] = against["true"][here, k].mean()
            rows.append(row)
    table = pd.DataFrame(rows)
    limits = [name for name in ("low", "high") if name in table]
    return table.astype(dict.fromkeys(limits, np.float64))


def regret(chosen: npt.ArrayLike, true_value: npt.ArrayLike, *, cost: npt.ArrayLike | None = None,
           budget: float = np.inf) -> Regret:
    """Return what a list loses against the oracle, in money: the headline of any comparison of learners.

    The list that a learner's effects lead to is ``budget_path(predicted_value, cost).at(budget).arm``.

    Parameters
    ----------
    chosen
        (n,) position of the arm that each row gets (0 is the first after control); -1 for left alone.
    true_value
        (n, K) true value of giving each arm rather than leaving alone, all costs deducted.
    cost
        (n, K) what the budget counts; None: nothing.
    budget
        Most that the list, and the oracle, may spend.

    Raises
    ------
    DataError
        Shapes that do not fit, an arm that is not there, gaps, or a list that spends more than the budget.

    Examples
    --------
    >>> regret([0, 0, -1], [[30, 10], [40, 50], [10, 55]], cost=[[3, 6]] * 3, budget=12)
    Regret(value=70.0, oracle_value=125.0, regret=55.0, share_kept=0.56, oracle_gap=0.0)
    """
    value = np.asarray(true_value, dtype=np.float64)
    refuse_gaps("true_value", value)
    costs = np.zeros_like(value) if cost is None else np.asarray(cost, dtype=np.float64)
    arm = np.asarray(chosen)
    if value.ndim != 2 or arm.shape != value.shape[:1] or not np.issubdtype(arm.dtype, np.integer):
        raise DataError(f"chosen is {arm.dtype} of shape {arm.shape}, true_value of shape {value.shape}; give one "
                        "whole number a row, and one value a row and arm")
    if ((arm < LEFT_ALONE) | (arm >= value.shape[1])).any():
        raise DataError(f"chosen has arms from {arm.min()} to {arm.max()}; true_value has arms 0 to "
                        f"{value.shape[1] - 1}, and {LEFT_ALONE} is left alone")
    oracle = budget_path(value, costs).at(budget)
    rows = np.flatnonzero(arm != LEFT_ALONE)
    spend = float(costs[rows, arm[rows]].sum())
    if spend > budget * (1.0 + _ROUNDING):
        raise DataError(f"chosen: the list spends {spend:.6g}, more than its budget of {budget:.6g}; cut it")
    kept = float(value[rows, arm[rows]].sum())
    share = kept / oracle.value if oracle.value > 0.0 else np.nan
    return Regret(kept, oracle.value, oracle.value - kept, share, oracle.gap)


def subscriber_kinds(risk: npt.ArrayLike, effect: npt.ArrayLike, *, risk_threshold: float, effect_threshold: float
                     ) -> Kinds:
    """Sort subscribers into the four kinds of uplift modelling, by true risk and true effect.

    ``persuadable``: the effect is above `effect_threshold`. ``do_not_disturb`` (sleeping dogs): it is below minus
    that. Between: ``lost_cause`` from `risk_threshold` on, ``sure_thing`` below it.

    Parameters
    ----------
    risk
        (n,) probability to leave if left alone, 0 to 1.
    effect
        (n,) change of the probability to stay by treatment.
    risk_threshold
        Strictly between 0 and 1.
    effect_threshold
        At least 0: smaller effects are none.

    Raises
    ------
    ConfigError
        A threshold out of range.
    DataError
        Shapes differ, gaps, or a risk that is no probability.

    Examples
    --------
    >>> subscriber_kinds([0.9, 0.9, 0.1, 0.1], [0.5, 0.0, 0.0, -0.2], risk_threshold=0.5,
    ...                  effect_threshold=0.01).frame["kind"].tolist()
    ['persuadable', 'lost_cause', 'sure_thing', 'do_not_disturb']
    """
    if not (0.0 < risk_threshold < 1.0 and effect_threshold >= 0.0):
        raise ConfigError(f"kinds of subscribers: risk_threshold must be between 0 and 1, effect_threshold at least 0 "
                          f"(got {risk_threshold} and {effect_threshold})")
    leaving, change = np.asarray(risk, dtype=np.float64), np.asarray(effect, dtype=np.float64)
    if leaving.ndim != 1 or leaving.shape != change.shape:
        raise DataError(f"risk has shape {leaving.shape} and effect {change.shape}; give both one value a row")
    refuse_gaps("risk", leaving)
    refuse_gaps("effect", change)
    if ((leaving < 0.0) | (leaving > 1.0)).any():
        raise DataError(f"risk runs from {leaving.min():g} to {leaving.max():g}; give probabilities")
    kind = np.select([change > effect_threshold, change < -effect_threshold, leaving >= risk_threshold],
                     [PERSUADABLE, DO_NOT_DISTURB, LOST_CAUSE], SURE_THING)
    frame = pd.DataFrame({"risk": leaving, "effect": change, "kind": pd.Categorical(kind, categories=list(KINDS))})
    by_kind = frame.groupby("kind", observed=False)
    counts = by_kind.agg(subscribers=("risk", "size"), mean_risk=("risk", "mean"), mean_effect=("effect", "mean"))
    counts.insert(1, "share", counts["subscribers"] / max(len(frame), 1))
    return Kinds(frame, counts)


def _pair(predicted: pd.DataFrame, name: str, other: npt.ArrayLike) -> tuple[Float64, Float64]:
    guess, table = predicted.to_numpy(dtype=np.float64), np.asarray(other, dtype=np.float64)
    if guess.shape != table.shape or not guess.size:
        raise DataError(f"predicted has shape {guess.shape} and {name} {table.shape}; give both the same (rows, arms)")
    refuse_gaps("predicted", guess)
    refuse_gaps(name, table)
    return guess, table


def _spearman(a: Float64, b: Float64) -> float:
    ranks = np.array([rankdata(a), rankdata(b)])
    return float(np.corrcoef(ranks)[0, 1]) if (np.ptp(ranks, axis=1) > 0.0).all() else np.nan
