"""Effects per subscriber and arm, learned from a randomised trial: the one door to causalml.

What causalml decides in silence is decided here in the open: assignment probabilities are always handed over,
effect columns come back in the order of the config instead of the alphabet, and numpy's global random state
is set for each call and put back after it. Learners are for processes, not threads: calls from several
threads wait for each other.
"""

from __future__ import annotations

import difflib
import logging
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from churnsim.errors import ConfigError, DataError
from churnsim.signals.linear import RowwiseLogistic, RowwiseRidge
from churnsim.uplift.linear_effects import LinearEffects, doubly_robust_effects, two_model_effects

Float64 = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

LEARNERS: tuple[str, ...] = ("t_logistic", "t_ridge", "s_lightgbm", "x_lightgbm", "dr_ridge")

# The doubly robust learner fits each arm on thirds of its rows; far fewer rows could leave a third empty.
MIN_ROWS_PER_ARM = 30

_one_at_a_time = threading.RLock()


@dataclass(frozen=True)
class FittedLearner:
    """A learner after its fit; it can be pickled and sent to another process.

    Attributes
    ----------
    arms
        (K,) treatment arms in the order of the config, control left out.
    columns
        Features, in the order of the fit.
    """

    arms: tuple[str, ...]
    columns: tuple[str, ...]
    _model: Any = field(repr=False)
    _share_against_control: Mapping[str, float] = field(repr=False)
    _seed: int = field(repr=False)

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the effect of each arm against control on each subscriber, in units of the outcome.

        Parameters
        ----------
        X
            (n,) rows with at least the features of the fit, in any order; n may be 0.

        Returns
        -------
        pandas.DataFrame
            (n, K), the index of `X`, one column an arm.

        Raises
        ------
        DataError
            A feature is missing, not a number, or not finite.
        """
        missing = [name for name in self.columns if name not in X.columns]
        if missing:
            raise DataError(f"features lack column {missing[0]!r}, which the learner was fitted on; add it")
        matrix = feature_matrix(X.loc[:, list(self.columns)])
        if not len(matrix):
            return pd.DataFrame(columns=list(self.arms), index=X.index, dtype=np.float64)
        if isinstance(self._model, LinearEffects):
            return pd.DataFrame(self._model.predict(matrix), index=X.index, columns=list(self.arms))
        with _isolated(self._seed):
            effects = self._model.predict(
                X=matrix, p=_by_row(self._share_against_control, len(matrix)), verbose=False
            )
        groups = [str(group) for group in self._model.t_groups]
        assert sorted(groups) == sorted(self.arms), f"causalml fitted {groups}, asked for {self.arms}"
        in_config_order = np.asarray(effects, dtype=np.float64)[:, [groups.index(arm) for arm in self.arms]]
        return pd.DataFrame(in_config_order, index=X.index, columns=list(self.arms))


def fit(
    kind: str,
    X: pd.DataFrame,
    y: npt.ArrayLike,
    *,
    treatment: npt.ArrayLike,
    arms: Sequence[str],
    propensity: Mapping[str, float],
    seed: int,
) -> FittedLearner:
    """Learn the effect of each arm against control from a randomised trial.

    `t_*`: one outcome model an arm, subtracted. `s_*`: one model an arm with assignment as a feature. `x_*`:
    effects imputed with the other arm's model (Künzel et al. 2019, doi 10.1073/pnas.1804597116). `dr_*`:
    regression of cross-fitted doubly robust scores (Kennedy 2023, doi 10.1214/23-EJS2157). Trees have at most
    8 leaves of at least 200 rows: larger ones lose to a constant at the size of a pilot.

    Parameters
    ----------
    kind
        One of `LEARNERS`; `t_logistic` wants a 0/1 outcome.
    X
        (n,) rows of numeric features without gaps; rows in a fixed order (by id) give fixed folds.
    y
        (n,) outcome: 0/1, or an amount.
    treatment
        (n,) name of the arm each row was assigned.
    arms
        Names of all arms, control first.
    propensity
        Probability of assignment per arm, control included; they sum to one.
    seed
        0 to 2**31 - 1.

    Raises
    ------
    ConfigError
        Unknown `kind`, repeated or too few arms, a seed out of range.
    DataError
        Propensities that are not probabilities of `arms`, an unknown arm or one with fewer than
        `MIN_ROWS_PER_ARM` rows, gaps in features or outcome, an outcome `t_logistic` cannot fit.
    """
    if kind not in LEARNERS:
        near = difflib.get_close_matches(kind, LEARNERS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Choose one of {', '.join(LEARNERS)}."
        raise ConfigError(f"uplift learner {kind!r} is unknown. {hint}")
    if not 0 <= seed < 2**31:
        raise ConfigError(f"uplift learner seed {seed} is out of range; give one from 0 to 2**31 - 1")
    matrix, outcome, codes = trial_arrays(X, y, treatment=treatment, arms=arms)
    shares = propensity_by_arm(propensity, arms)
    if kind == "t_logistic":
        _refuse_non_binary(outcome, codes, arms)
    against_control = {
        arm: float(share / (share + shares[0])) for arm, share in zip(arms[1:], shares[1:], strict=True)
    }
    with _isolated(seed):
        model = _unfitted(kind, control=arms[0], seed=seed)
        extra = {"seed": seed} if kind == "dr_ridge" else {}
        model.fit(
            X=matrix,
            treatment=np.asarray(arms)[codes],
            y=outcome,
            p=_by_row(against_control, len(matrix)),
            **extra,
        )
    predicts = _what_predicts(kind, model, arms[1:])
    return FittedLearner(tuple(arms[1:]), tuple(X.columns), predicts, against_control, seed)


def feature_matrix(X: pd.DataFrame) -> Float64:
    """Return the features as (n, columns) floats, refusing text and gaps.

    Raises
    ------
    DataError
        A column is not numeric or appears twice, or a value is missing or infinite.
    """
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise DataError(f"features hold column {twice!r} twice; drop one of them")
    for name in X.columns:
        if not pd.api.types.is_numeric_dtype(X[name].dtype):
            raise DataError(f"feature {name!r} is of type {X[name].dtype}; encode it as numbers")
    matrix = X.to_numpy(dtype=np.float64, na_value=np.nan)
    gaps = np.argwhere(~np.isfinite(matrix))
    if len(gaps):
        row, column = gaps[0]
        raise DataError(
            f"feature {X.columns[column]!r} is {matrix[row, column]} at row {row} (index {X.index[row]!r}), "
            f"the first of {len(gaps)} such values; fill or drop them before fitting"
        )
    return matrix


def trial_arrays(
    X: pd.DataFrame, y: npt.ArrayLike, *, treatment: npt.ArrayLike, arms: Sequence[str]
) -> tuple[Float64, Float64, Codes]:
    """Return a checked trial: features (n, columns), outcome (n,), each row's position in `arms` (n,).

    Raises
    ------
    ConfigError
        Arms are repeated or fewer than two.
    DataError
        Lengths differ, a value is missing, an arm is unknown or has fewer than `MIN_ROWS_PER_ARM` rows.
    """
    matrix = feature_matrix(X)
    outcome = np.asarray(y, dtype=np.float64)
    if outcome.shape != (len(matrix),):
        raise DataError(f"outcome has shape {outcome.shape} for {len(matrix)} rows; give one value a row")
    refuse_gaps("outcome", outcome)
    codes = arm_codes(treatment, arms)
    if codes.shape != outcome.shape:
        raise DataError(f"treatment has shape {codes.shape} for {len(matrix)} rows; give one arm a row")
    for arm, rows in zip(arms, np.bincount(codes, minlength=len(arms)), strict=True):
        if rows < MIN_ROWS_PER_ARM:
            raise DataError(
                f"arm {arm!r} has {rows} rows in the trial; assign at least {MIN_ROWS_PER_ARM}, or drop it"
            )
    return matrix, outcome, codes


def refuse_gaps(name: str, values: Float64) -> None:
    """Raise a DataError that shows the first missing or infinite value of an array by its row."""
    gaps = np.argwhere(~np.isfinite(values))
    if len(gaps):
        raise DataError(
            f"{name} is {values[tuple(gaps[0])]} at row {gaps[0][0]}, the first of {len(gaps)} such values; "
            "leave out those rows"
        )


def arm_codes(treatment: npt.ArrayLike, arms: Sequence[str]) -> Codes:
    """Return the position in `arms` of each assigned arm.

    Raises
    ------
    ConfigError
        Arms are repeated or fewer than two.
    DataError
        A row names an arm that is not in `arms`.

    >>> arm_codes(["call", "none"], ["none", "gift", "call"])
    array([2, 0])
    """
    if len(arms) < 2 or len(set(arms)) < len(arms):
        raise ConfigError(f"arms are {list(arms)}; name a control and at least one other arm, each once")
    names = np.asarray(treatment).astype(str)
    codes = np.asarray(pd.Index(list(arms)).get_indexer(pd.Index(names)), dtype=np.int64)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        raise DataError(
            f"treatment is {str(names[unknown[0]])!r} at row {unknown[0]}, not among the arms {list(arms)}; "
            "add the arm or leave out the row"
        )
    return codes


def propensity_by_arm(propensity: Mapping[str, float], arms: Sequence[str]) -> Float64:
    """Return the assignment probabilities in the order of `arms`.

    Raises
    ------
    DataError
        An arm has none, an unknown arm has one, one is not above 0, or they do not sum to one (within 1e-9).

    >>> propensity_by_arm({"call": 0.25, "none": 0.75}, ["none", "call"])
    array([0.75, 0.25])
    """
    if set(propensity) != set(arms):
        raise DataError(
            f"propensity is given for {sorted(propensity)}; give one for each of the arms {list(arms)}"
        )
    shares = np.array([propensity[arm] for arm in arms], dtype=np.float64)
    for arm, share in zip(arms, shares, strict=True):
        if not share > 0.0:
            raise DataError(f"propensity of arm {arm!r} is {share}; give a share above 0, or drop the arm")
    if abs(shares.sum() - 1.0) > 1e-9:
        raise DataError(f"propensity sums to {shares.sum():.9g} over the arms {list(arms)}; it must sum to 1")
    return shares


def ridge() -> Pipeline:
    """Return an unfitted ridge regression on standardised features; constant columns weigh nothing."""
    return make_pipeline(StandardScaler(), RowwiseRidge(alpha=1.0))


def _refuse_non_binary(outcome: Float64, codes: Codes, arms: Sequence[str]) -> None:
    other = outcome[(outcome != 0.0) & (outcome != 1.0)]
    if len(other):
        raise DataError(
            f"t_logistic wants an outcome of 0 and 1, found {other[0]}; use 't_ridge' for amounts"
        )
    for code, arm in enumerate(arms):
        seen = np.unique(outcome[codes == code])
        if len(seen) < 2:
            raise DataError(
                f"t_logistic wants both outcomes in each arm; arm {arm!r} has only {seen[0]:.0f}; "
                "use 't_ridge' or a larger pilot"
            )


def _by_row(share_by_arm: Mapping[str, float], rows: int) -> dict[str, Float64]:
    return {arm: np.full(rows, share) for arm, share in share_by_arm.items()}


@contextmanager
def _isolated(seed: int) -> Iterator[None]:
    """Run causalml with a global numpy state of its own, its progress notes off, one thread at a time."""
    logger = logging.getLogger("causalml")
    with _one_at_a_time:
        state, level = np.random.get_state(), logger.level
        np.random.seed(seed)
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            np.random.set_state(state)
            logger.setLevel(level)


def _meta_learners() -> Any:
    """Import causalml, kept from restyling matplotlib and from passing on its imports' deprecations."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        from causalml.inference import meta
    return meta


def _unfitted(kind: str, *, control: str, seed: int) -> Any:
    meta = _meta_learners()
    if kind == "t_logistic":
        # Newton reaches the optimum itself, so the result does not hang on a stopping rule.
        logistic = make_pipeline(
            StandardScaler(), RowwiseLogistic(solver="newton-cholesky", random_state=seed)
        )
        return meta.BaseTClassifier(learner=logistic, control_name=control)
    if kind == "t_ridge":
        return meta.BaseTRegressor(learner=ridge(), control_name=control)
    if kind == "s_lightgbm":
        return meta.BaseSRegressor(learner=_small_trees(seed), control_name=control)
    if kind == "x_lightgbm":
        return meta.BaseXRegressor(learner=_small_trees(seed), control_name=control)
    return meta.BaseDRRegressor(learner=ridge(), control_name=control)


def _what_predicts(kind: str, model: Any, arms: Sequence[str]) -> Any:
    """Return what tells effects: of linear learners the regressions they are made of, else causalml's model."""
    if kind == "dr_ridge":
        return doubly_robust_effects(model, arms)
    return two_model_effects(model, arms) if kind in ("t_logistic", "t_ridge") else model


def _small_trees(seed: int) -> Any:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(
        n_estimators=100,
        learning_rate=0.05,
        num_leaves=8,
        min_child_samples=200,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        # More than one thread is an order of magnitude slower wherever the cores are shared.
        n_jobs=1,
        verbosity=-1,
    )
