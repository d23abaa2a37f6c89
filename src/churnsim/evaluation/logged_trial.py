"""A trial's log as evaluations need it: what each row got, with which probability, what came of it, what it costs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import DataError
from churnsim.uplift.learners_data import Codes, Float64, Propensity, arm_codes, refuse_gaps

# Probabilities of a row may miss 1 by the rounding of their sum.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class LoggedTrial:
    """Rows of a trial after :func:`logged_trial` has checked them.

    Attributes
    ----------
    arms
        (K + 1,) names, control first.
    arm
        (n,) position in `arms` of what each row got.
    outcome
        (n,) what came of it, before `cost`.
    propensity
        (n, K + 1) probability with which each row could have got each arm.
    cost
        (n, K + 1) cost of giving each arm, in units of the outcome.
    """

    arms: tuple[str, ...]
    arm: Codes
    outcome: Float64
    propensity: Float64
    cost: Float64

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.arm)

    def arm_scores(self, outcome_by_arm: npt.ArrayLike | None = None) -> Float64:
        """Return scores whose mean over any group of rows estimates the group's outcome under each arm.

        m_k + 1[T = k] (y - m_k) / p_k: the augmented inverse-propensity score of Robins, Rotnitzky and Zhao
        (1994, doi 10.1080/01621459.1994.10476818). Without predictions m is 0: plain inverse-propensity
        weighting. Before cost.

        Parameters
        ----------
        outcome_by_arm
            (n, K + 1) expected outcome before cost, predicted without the row itself, such as by
            :func:`churnsim.uplift.scores.cross_fit_outcomes`.

        Returns
        -------
        numpy.ndarray
            (n, K + 1), in units of the outcome.

        Raises
        ------
        DataError
            Predictions of another shape, or with gaps.
        """
        scored = np.zeros(self.cost.shape) if outcome_by_arm is None else self.predictions(outcome_by_arm)
        rows = np.arange(len(self))
        scored[rows, self.arm] += (self.outcome - scored[rows, self.arm]) / self.propensity[rows, self.arm]
        return scored

    def effect_scores(self, outcome_by_arm: npt.ArrayLike | None = None, *, least_propensity: float = 0.01
                      ) -> Float64:
        """Return scores whose mean over any group estimates the group's effect of each arm against control.

        Differences of :meth:`arm_scores`. Without predictions they are the response transformation of Gubela,
        Lessmann and Jaroszewicz (2020, EJOR 283(2):647-661), Z = Y (W - p) / (p (1 - p)) for one arm: a
        regression of them on features learns the effect on revenue directly.

        Parameters
        ----------
        outcome_by_arm
            As in :meth:`arm_scores`.
        least_propensity
            Each row must have had at least this probability of each arm.

        Returns
        -------
        numpy.ndarray
            (n, K), in units of the outcome.

        Raises
        ------
        DataError
            As :meth:`arm_scores`; an arm that nobody got; a probability below `least_propensity`.
        """
        self.require_overlap(np.ones(self.cost.shape), least_propensity=least_propensity)
        scored = self.arm_scores(outcome_by_arm)
        return scored[:, 1:] - scored[:, :1]

    def predictions(self, outcome_by_arm: npt.ArrayLike) -> Float64:
        """Return a checked copy of predicted outcomes, (n, K + 1)."""
        expected = np.array(outcome_by_arm, dtype=np.float64)
        if expected.shape != self.cost.shape:
            raise DataError(f"outcome_by_arm has shape {expected.shape}; give one value a row and arm: "
                            f"{self.cost.shape}")
        refuse_gaps("outcome_by_arm", expected)
        return expected

    def require_overlap(self, weights: Float64, *, least_propensity: float) -> None:
        """Refuse a policy that gives arms which the log cannot speak of.

        Parameters
        ----------
        weights
            (n, K + 1) probability that the policy gives the arm to the row.

        Raises
        ------
        DataError
            An arm is given that nobody got, or to rows that had got it with less than `least_propensity`.
        """
        got = np.bincount(self.arm, minlength=len(self.arms))
        for k, name in enumerate(self.arms):
            given = weights[:, k] > 0.0
            if given.any() and not got[k]:
                raise DataError(f"arm {name!r} is given to {given.sum()} rows, but nobody in the log got it; a log "
                                "says nothing about an arm it lacks: leave the arm out, or try it first")
            thin = np.flatnonzero(given & (self.propensity[:, k] < least_propensity))
            if len(thin):
                raise DataError(
                    f"overlap: arm {name!r} is given to {len(thin)} of {len(self)} rows ({len(thin) / len(self):.1%}) "
                    f"that had got it with probability below {least_propensity:g} (the first is row {thin[0]} with "
                    f"{self.propensity[thin[0], k]:.3g}); give those rows another arm, or leave them out")


def logged_trial(y: npt.ArrayLike, *, treatment: npt.ArrayLike, arms: Sequence[str],
                 propensity: Propensity,
                 costs: Mapping[str, float | npt.ArrayLike] | None = None) -> LoggedTrial:
    """Check a trial's log.

    Parameters
    ----------
    y
        (n,) outcome before cost: money, or 0/1.
    treatment
        (n,) name of the arm each row got.
    arms
        Names of all arms, control first.
    propensity
        Arm -> probability of assignment, one number or (n,); control included, 1 in sum for each row. 0 means that
        the row could not get the arm.
    costs
        Arm -> cost of giving it, in units of `y`, one number or (n,), at least 0. All arms but control, which
        costs 0 unless it is named. None: everything is free.

    Raises
    ------
    ConfigError
        Repeated arms, or fewer than two.
    DataError
        Lengths differ, gaps, unknown arms in `treatment`, `propensity` or `costs`, probabilities that do not sum
        to 1, a row that got an arm it could not get, negative costs.

    Examples
    --------
    >>> log = logged_trial([3.0, 1.0], treatment=["call", "none"], arms=["none", "call"],
    ...                    propensity={"none": 0.5, "call": 0.5}, costs={"call": 0.25})
    >>> log.effect_scores()
    array([[ 6.],
           [-2.]])
    """
    outcome = np.asarray(y, dtype=np.float64)
    arm = arm_codes(treatment, arms)
    if outcome.shape != arm.shape or outcome.ndim != 1 or not len(outcome):
        raise DataError(f"y has shape {outcome.shape} and treatment {arm.shape}; give both one value a row")
    refuse_gaps("outcome", outcome)
    probability = _propensities(propensity, arms, arm)
    cost = _by_arm("costs", {arms[0]: 0.0, **(dict.fromkeys(arms, 0.0) if costs is None else costs)}, arms, len(arm))
    if (cost < 0.0).any():
        row, k = np.argwhere(cost < 0.0)[0]
        raise DataError(f"costs: arm {arms[k]!r} costs {cost[row, k]} at row {row}; a cost must not be negative")
    return LoggedTrial(tuple(arms), arm, outcome, probability, cost)


def arm_weights(policy: npt.ArrayLike | pd.DataFrame, *, arms: Sequence[str], rows: int) -> Float64:
    """Return the probability with which a policy gives each arm to each row, (rows, K + 1).

    Parameters
    ----------
    policy
        (n,) names of the arms given, or (n, K + 1) probabilities: an array in the order of `arms`, or a DataFrame
        with a column an arm, in any order.

    Raises
    ------
    DataError
        Another shape, unknown arms, gaps, negative probabilities, or rows that do not sum to 1.

    Examples
    --------
    >>> arm_weights(["call", "none"], arms=["none", "call"], rows=2)
    array([[0., 1.],
           [1., 0.]])
    """
    if isinstance(policy, pd.DataFrame):
        if set(policy.columns) != set(arms) or not policy.columns.is_unique:
            raise DataError(f"policy has the columns {list(policy.columns)}; give one for each of the arms "
                            f"{list(arms)}")
        policy = policy[list(arms)].to_numpy(dtype=np.float64)
    given = np.asarray(policy)
    if given.shape not in ((rows,), (rows, len(arms))):
        raise DataError(f"policy has shape {given.shape}; give an arm's name for each of {rows} rows, or probabilities "
                        f"of shape ({rows}, {len(arms)})")
    if given.ndim == 1:
        return np.asarray(np.eye(len(arms))[arm_codes(given, arms)], dtype=np.float64)
    weights = given.astype(np.float64)
    refuse_gaps("policy", weights)
    _refuse_no_distribution("policy", weights)
    return weights


def _propensities(propensity: Propensity, arms: Sequence[str], arm: Codes) -> Float64:
    probability = _by_arm("propensity", propensity, arms, len(arm))
    _refuse_no_distribution("propensity", probability)
    never = np.flatnonzero(probability[np.arange(len(arm)), arm] <= 0.0)
    if len(never):
        raise DataError(f"propensity: row {never[0]} got arm {arms[arm[never[0]]]!r} with probability 0 "
                        f"({len(never)} such rows); correct the probabilities, or leave out the rows")
    return probability


def _refuse_no_distribution(what: str, table: Float64) -> None:
    if (table < 0.0).any():
        row, k = np.argwhere(table < 0.0)[0]
        raise DataError(f"{what} of row {row}, arm {k}, is {table[row, k]}; probabilities must not be negative")
    total = table.sum(axis=1)
    off = np.flatnonzero(np.abs(total - 1.0) > _ROUNDING)
    if len(off):
        raise DataError(f"{what} sums to {total[off[0]]:.9g} at row {off[0]} ({len(off)} such rows); over the arms of "
                        "a row it must sum to 1")


def _by_arm(what: str, given: Mapping[str, float | npt.ArrayLike], arms: Sequence[str], rows: int) -> Float64:
    unknown = [name for name in given if name not in arms]
    if unknown:
        near = difflib.get_close_matches(unknown[0], arms, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the arms are {list(arms)}"
        raise DataError(f"{what}: {unknown[0]!r} is no arm; {hint}")
    missing = [name for name in arms if name not in given]
    if missing:
        raise DataError(f"{what}: arm {missing[0]!r} is missing; give one for each of the arms {list(arms)}")
    table = np.empty((rows, len(arms)))
    for k, name in enumerate(arms):
        column = np.asarray(given[name], dtype=np.float64)
        if column.shape not in ((), (rows,)):
            raise DataError(f"{what}: arm {name!r} has shape {column.shape}; give one number, or one for each of "
                            f"{rows} rows")
        table[:, k] = column
    refuse_gaps(what, table)
    return table
