"""What a policy would have earned, estimated from a logged trial in which others decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.intervals import Interval, mean_interval, paired_difference
from churnsim.evaluation.logged_trial import LoggedTrial, arm_weights
from churnsim.uplift.learners_data import Float64, refuse_gaps

# A plan that costs exactly the budget must pass although its sum of thousands of costs is rounded.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class PolicyValue:
    """Estimated value of a policy, per row of the log, in units of the outcome, cost deducted.

    Attributes
    ----------
    method
        One of :data:`METHODS`.
    value, standard_error, low, high
        Estimate, standard error by influence function, limits of the interval.
    spend
        Cost of the arms given, per row.
    effective_rows
        Rows of equal weight that would tell as much: (sum w)^2 / sum w^2 with w = P(policy gives T) / P(T). The
        direct method does not look at them.
    contribution
        (n,) value plus influence of each row: their mean is `value`, their spread its error. Two policies on one log
        are compared by the differences of these, see :func:`value_difference`.
    """

    method: str
    value: float
    standard_error: float
    low: float
    high: float
    spend: float
    effective_rows: float
    contribution: Float64 = field(repr=False)


def policy_value(trial: LoggedTrial, policy: npt.ArrayLike | pd.DataFrame, *, method: str,
                 outcome_by_arm: npt.ArrayLike | None = None, least_propensity: float = 0.01,
                 budget: float = np.inf, confidence: float = 0.95) -> PolicyValue:
    """Estimate the mean outcome, cost deducted, that a policy would have had on the rows of a log.

    With g_k the probability that the policy gives arm k, p_k that the log gave it, m_k the predicted outcome, c_k the
    cost, T the arm got, and w = g_T / p_T:

    * ``ipw``: mean of w (y - c_T). Of one arm against control with a margin in `y` this is the profit of Hitsch, Misra
      and Zhang (2024, QME 22(2):115-168): d W (mY - c) / e + (1 - d) (1 - W) mY / (1 - e). Unbiased.
    * ``snipw``: sum of w (y - c_T) over the sum of w. A little biased, less noisy.
    * ``dm``: mean of sum_k g_k (m_k - c_k), the direct method. As good as the predictions; its error leaves out theirs.
    * ``dr``: the direct method plus mean of w (y - m_T), doubly robust (Dudík, Langford and Li, 2011, arXiv 1103.4601).
      Unbiased whatever the predictions, if a row's own were made without it.

    Propensities are taken as known. The value is that at the trial's own reach; for other staff see
    :func:`change_with_reach`.

    Parameters
    ----------
    policy
        (n,) names of arms, or (n, K + 1) probabilities as in :func:`churnsim.evaluation.logged_trial.arm_weights`. It
        must have been learned on other rows.
    method
        One of :data:`METHODS`.
    outcome_by_arm
        (n, K + 1) predicted outcomes before cost, out of fold; for ``dm`` and ``dr`` only.
    least_propensity
        Arms may be given only to rows that could have got them with at least this probability.
    budget
        Most that the policy may spend on all rows together.

    Raises
    ------
    ConfigError
        Unknown method; predictions missing, or given where they are not used.
    DataError
        The policy is not one (:func:`arm_weights`), gives arms that nobody got or without overlap, agrees with the log
        in no row, or spends more than the budget; predictions have gaps.

    Examples
    --------
    >>> from churnsim.evaluation.logged_trial import logged_trial
    >>> log = logged_trial([4.0, 1.0, 2.0, 0.0], treatment=["call", "none", "call", "none"], arms=["none", "call"],
    ...                    propensity={"none": 0.5, "call": 0.5}, costs={"call": 1.0})
    >>> found = policy_value(log, ["call", "none", "none", "none"], method="ipw")
    >>> found.value, found.spend
    (2.0, 0.25)
    """
    if method not in METHODS:
        raise ConfigError(f"method {method!r} is unknown; choose one of {', '.join(METHODS)}")
    if (outcome_by_arm is not None) != (method in ("dm", "dr")):
        raise ConfigError(f"method {method!r} {'uses no' if outcome_by_arm is not None else 'needs'} outcome_by_arm")
    weights = arm_weights(policy, arms=trial.arms, rows=len(trial))
    trial.require_overlap(weights, least_propensity=least_propensity)
    spend = float((weights * trial.cost).sum())
    if not spend <= budget * (1.0 + _ROUNDING):
        raise DataError(f"policy: it spends {spend:.6g} on {len(trial)} rows, more than its budget of {budget:.6g}; "
                        "cut the list, or raise the budget")
    rows = np.arange(len(trial))
    w = weights[rows, trial.arm] / trial.propensity[rows, trial.arm]
    if method != "dm" and not w.any():
        raise DataError("policy: no row of the log got what the policy gives it, so its value cannot be estimated; "
                        "use a larger log")
    predicted = np.zeros_like(weights) if outcome_by_arm is None else trial.predictions(outcome_by_arm)
    contribution = METHODS[method](trial, weights, w, predicted)
    interval = mean_interval(contribution, confidence=confidence)
    n = len(trial)
    error = float(contribution.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    low, high = (np.nan if limit is None else limit for limit in (interval.low, interval.high))
    effective = float(w.sum() ** 2 / (w**2).sum()) if w.any() else 0.0
    return PolicyValue(method, interval.mean, error, low, high, spend / n, effective, contribution)


def policy_values(trial: LoggedTrial, policy: npt.ArrayLike | pd.DataFrame, *, outcome_by_arm: npt.ArrayLike,
                  least_propensity: float = 0.01, budget: float = np.inf, confidence: float = 0.95) -> pd.DataFrame:
    """Return all estimates of one policy: a row a method, ``value``, ``standard_error``, ``low``, ``high``.

    Parameters are those of :func:`policy_value`.
    """
    found = [policy_value(trial, policy, method=method, least_propensity=least_propensity, budget=budget,
                          confidence=confidence, outcome_by_arm=outcome_by_arm if method in ("dm", "dr") else None)
             for method in METHODS]
    columns = ("value", "standard_error", "low", "high")
    return pd.DataFrame([[getattr(each, name) for name in columns] for each in found], columns=list(columns),
                        index=pd.Index(list(METHODS), name="method"))


def value_difference(a: PolicyValue, b: PolicyValue, *, confidence: float = 0.95) -> Interval:
    """Return the interval of value `a` less value `b` of two policies on the same log, row by row.

    Raises
    ------
    DataError
        The logs have different lengths.
    """
    return paired_difference(a.contribution, b.contribution, confidence=confidence)


def change_with_reach(trial: LoggedTrial, policy: npt.ArrayLike | pd.DataFrame, *, reach_ratio: npt.ArrayLike,
                      outcome_by_arm: npt.ArrayLike | None = None, least_propensity: float = 0.01,
                      confidence: float = 0.95) -> Interval:
    """Estimate what a policy's value changes by under other staff: the bias of the trial's own value for that staff.

    Mean of sum_k g_k (r'_k / r_k - 1) (effect score of k), with g as in :func:`policy_value`, r the chance of contact
    in the trial, and r' under the other staff: an effect of being listed is reach times the effect of a contact. Valid
    only if attempts without an answer do nothing, and if those reached besides gain as those like them who were reached
    in the trial. Costs stay as they are.

    Parameters
    ----------
    reach_ratio
        (n, K) r' / r of each row and arm after control, at least 0, or (K,) for all rows.
    policy, outcome_by_arm, least_propensity, confidence
        As in :func:`policy_value`; predictions may be left out.

    Raises
    ------
    DataError
        As :func:`policy_value`; ratios of another shape, negative, or with gaps; treated rows that could not have been
        left alone.
    """
    weights = arm_weights(policy, arms=trial.arms, rows=len(trial))
    given = weights[:, 1:]
    compared = np.column_stack([given.sum(axis=1), given])
    trial.require_overlap(compared, least_propensity=least_propensity)
    ratio = np.asarray(reach_ratio, dtype=np.float64)
    if ratio.shape not in (given.shape, given.shape[1:]):
        raise DataError(f"reach_ratio has shape {ratio.shape}; give one value a row and arm after control, "
                        f"{given.shape}, or one an arm, {given.shape[1:]}")
    refuse_gaps("reach_ratio", ratio)
    if (ratio < 0.0).any():
        raise DataError(f"reach_ratio has the value {ratio.min():g}; a ratio of probabilities must not be negative")
    scored = trial.arm_scores(outcome_by_arm)
    change = given * (ratio - 1.0) * (scored[:, 1:] - scored[:, :1])
    return mean_interval(change.sum(axis=1), confidence=confidence)


def _ipw(trial: LoggedTrial, weights: Float64, w: Float64, predicted: Float64) -> Float64:
    return w * _net_outcome(trial)


def _snipw(trial: LoggedTrial, weights: Float64, w: Float64, predicted: Float64) -> Float64:
    """Return value + influence; the influence of a ratio of means is (w y - w value) / mean(w)."""
    net = _net_outcome(trial)
    value = w @ net / w.sum()
    return np.asarray(value + w * (net - value) / w.mean(), dtype=np.float64)


def _dm(trial: LoggedTrial, weights: Float64, w: Float64, predicted: Float64) -> Float64:
    return np.asarray((weights * (predicted - trial.cost)).sum(axis=1), dtype=np.float64)


def _dr(trial: LoggedTrial, weights: Float64, w: Float64, predicted: Float64) -> Float64:
    return np.asarray((weights * (trial.arm_scores(predicted) - trial.cost)).sum(axis=1), dtype=np.float64)


def _net_outcome(trial: LoggedTrial) -> Float64:
    return np.asarray(trial.outcome - trial.cost[np.arange(len(trial)), trial.arm], dtype=np.float64)


METHODS: dict[str, Callable[[LoggedTrial, Float64, Float64, Float64], Float64]] = {
    "ipw": _ipw, "snipw": _snipw, "dm": _dm, "dr": _dr}
