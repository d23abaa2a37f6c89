"""Effects per subscriber and arm, learned from a trial: the one door to causalml.

What causalml decides in silence is decided here in the open: assignment probabilities are always handed over, arms
are numbered in the order of the config, so that effects come back in it and names mean nothing, and numpy's global
random state is set for each call and put back after it. Learners are for processes, not threads: calls from several
threads wait for each other.
"""

from __future__ import annotations

import difflib
import logging
import pickle
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from churnsim.config.paths import dotted
from churnsim.errors import ConfigError, DataError
from churnsim.uplift.estimators import OwnEffects, OwnModel, base_model, fit_own_effects, load_estimator
from churnsim.uplift.learners_budget import call_within
from churnsim.uplift.learners_data import (
    Codes,
    Float64,
    Propensity,
    feature_matrix,
    propensity_by_row,
    trial_arrays,
)
from churnsim.uplift.learners_effects import Effects, ForestEffects, meta_effects
from churnsim.uplift.learners_kinds import FORESTS, arm_shares, forest_weights, unfitted
from churnsim.uplift.settings import BINARY_KINDS, Learner, LearnerKind, check_estimator

LEARNERS: tuple[str, ...] = get_args(LearnerKind)

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
    _effects: Effects | OwnEffects = field(repr=False)
    _seed: int = field(repr=False)
    _estimator: tuple[str, Path] | None = field(default=None, repr=False)

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
            A feature is missing, not a number, or not finite; an estimator of one's own fails or predicts no
            finite numbers.
        """
        missing = [name for name in self.columns if name not in X.columns]
        if missing:
            raise DataError(f"features lack column {missing[0]!r}, which the learner was fitted on; add it")
        matrix = feature_matrix(X.loc[:, list(self.columns)])
        if not len(matrix):
            return pd.DataFrame(columns=list(self.arms), index=X.index, dtype=np.float64)
        with _isolated(self._seed):
            if isinstance(self._effects, OwnEffects):
                found = self._effects.predict(pd.DataFrame(matrix, X.index, columns=list(self.columns)))
            else:
                found = self._effects.predict(matrix)
        return pd.DataFrame(found, index=X.index, columns=list(self.arms))

    def __getstate__(self) -> dict[str, Any]:
        """Pack the models, so that what they need can be imported before they are unpacked."""
        if self._estimator is not None:
            load_estimator(*self._estimator)
        return {**self.__dict__, "_effects": (isinstance(self._effects, ForestEffects), pickle.dumps(self._effects))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Import what the models need, and unpack them."""
        is_forest, packed = state["_effects"]
        if state["_estimator"] is not None:
            load_estimator(*state["_estimator"])
        if is_forest:
            _causalml("tree")
        self.__dict__.update({**state, "_effects": pickle.loads(packed)})


def fit(
    kind: str,
    X: pd.DataFrame,
    y: npt.ArrayLike,
    *,
    treatment: npt.ArrayLike,
    arms: Sequence[str],
    propensity: Propensity,
    seed: int,
    estimator: str | None = None,
    options: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    most_seconds: float | None = None,
) -> FittedLearner:
    """Learn the effect of each arm against control from a trial, or from a campaign whose targeting is known.

    `t_*`: one outcome model an arm, subtracted. `s_*`: one model an arm with assignment as a feature; a ridge model
    gives everybody the same effect. `x_*`: effects imputed with the other arm's model (Künzel et al. 2019, doi
    10.1073/pnas.1804597116), weighted with the trial's mean propensity. `r_*`: residuals of the outcome on those of
    assignment (Nie and Wager 2021, doi 10.1093/biomet/asaa076). `dr_*`: regression of cross-fitted doubly robust scores
    (Kennedy 2023, doi 10.1214/23-EJS2157). Boosted trees are small (`learners_kinds.small_trees`).
    `uplift_forest` (Rzepakowski and Jaroszewicz 2012, doi 10.1007/s10115-011-0434-0) and `causal_forest` (Athey and
    Imbens 2016, doi 10.1073/pnas.1510489113): 50 trees of 8 leaves, weighted by 1 / propensity where it differs between
    rows. `t_*` and `s_*` make no use of propensities.

    Parameters
    ----------
    kind
        One of `LEARNERS`; `t_logistic` and `uplift_forest` want a 0/1 outcome.
    X
        (n,) rows of numeric features without gaps; rows in a fixed order (by id) give fixed folds.
    y
        (n,) outcome: 0/1, or an amount.
    treatment
        (n,) name of the arm each row was assigned.
    arms
        Names of all arms, control first.
    propensity
        Probability of assignment per arm, control included: one for all rows, or (n,). They sum to one in each row.
    seed
        0 to 2**31 - 1; estimators of one's own that have a parameter `random_state` are given it.
    estimator, options, folder
        For kinds that end in own: the class as module:Class, its keyword arguments, and the folder in which modules
        are looked for first (None: the current one).
    most_seconds
        Longest wall time of the fit, which then runs in a process of its own; None: any time, in this process.

    Raises
    ------
    ConfigError
        Unknown `kind`, repeated or too few arms, a seed out of range, an estimator that cannot be had or that this
        kind does not take.
    DataError
        Propensities that are not probabilities of `arms`, an unknown arm or one with fewer than
        `MIN_ROWS_PER_ARM` rows, gaps in features or outcome, an outcome that the kind cannot fit; the fit took too
        long, or an estimator of one's own failed.
    """
    own = _checked_estimator(kind, estimator, options, folder, seed)
    matrix, outcome, codes = trial_arrays(X, y, treatment=treatment, arms=arms)
    shares = propensity_by_row(propensity, arms, rows=len(matrix))
    if kind in BINARY_KINDS or (own is not None and own.classifies):
        _refuse_non_binary(kind, outcome, codes, arms)
    names, place = np.asarray(arms)[codes], (estimator, (folder or Path()).absolute()) if estimator else None
    if most_seconds is not None:
        arguments = {"kind": kind, "X": X, "y": outcome, "treatment": names, "arms": tuple(arms),
                     "propensity": dict(propensity), "seed": seed, "estimator": estimator, "options": options,
                     "folder": place and place[1]}
        return _fit_within(most_seconds, arguments)
    effects: Effects | OwnEffects
    with _isolated(seed), threadpool_limits(1):
        if place and kind == "own":
            table = pd.DataFrame(matrix, X.index, columns=X.columns)
            effects = fit_own_effects(table, outcome, treatment=names, propensity=shares, arms=arms, named=place[0],
                                      folder=place[1], options=options or {}, seed=seed)
        elif kind in FORESTS:
            effects = _fit_forest(kind, matrix, outcome, codes, shares=shares, seed=seed)
        else:
            effects = _fit_meta(kind, matrix, outcome, codes, shares=shares, seed=seed, own=own)
    return FittedLearner(tuple(arms[1:]), tuple(X.columns), effects, seed, place)


def _fit_within(seconds: float, arguments: dict[str, Any]) -> FittedLearner:
    """Fit in a process of its own, which is ended after some seconds."""
    kind, estimator = arguments["kind"], arguments["estimator"]
    late = (f"uplift learner {kind}{f' with {estimator}' if estimator else ''}: the fit of {len(arguments['X'])} rows "
            f"took longer than most_seconds ({seconds:g}) and was ended; allow more seconds, or take fewer rows or a "
            "faster kind (dr_ridge)")
    found: FittedLearner = call_within(seconds, fit, arguments, prepare=partial(_prepare, kind), late=late)
    return found


@dataclass(frozen=True)
class LearnerFit:
    """:func:`fit` with everything that the settings of a learner say.

    Parameters
    ----------
    learner
        Settings.
    folder
        Folder of the experiment file, whose modules are found first.
    """

    learner: Learner
    folder: Path = Path()

    def __call__(self, X: pd.DataFrame, y: npt.ArrayLike, /, *, treatment: npt.ArrayLike, arms: Sequence[str],
                 propensity: Propensity, seed: int) -> FittedLearner:
        """Return the fitted learner."""
        given = self.learner
        return fit(given.kind, X, y, treatment=treatment, arms=arms, propensity=propensity, seed=seed,
                   estimator=given.estimator, options=given.options, folder=self.folder,
                   most_seconds=given.most_seconds)


def _checked_estimator(kind: str, estimator: str | None, options: Mapping[str, Any] | None, folder: Path | None,
                       seed: int) -> OwnModel | None:
    """Return the base model of kinds that have one of the user's own, refusing what does not fit together."""
    if kind not in LEARNERS:
        near = difflib.get_close_matches(kind, LEARNERS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Choose one of {', '.join(LEARNERS)}."
        raise ConfigError(f"uplift learner {kind!r} is unknown. {hint}")
    if not 0 <= seed < 2**31:
        raise ConfigError(f"uplift learner seed {seed} is out of range; give one from 0 to 2**31 - 1")
    for path, message in check_estimator(kind, estimator, options or {}):
        raise ConfigError(f"uplift learner {kind}: {dotted(path)}: {message}")
    if estimator is None or kind == "own":
        return None
    return base_model(kind, estimator, folder=folder or Path(), options=options or {}, seed=seed)


def _refuse_non_binary(kind: str, outcome: Float64, codes: Codes, arms: Sequence[str]) -> None:
    other = outcome[(outcome != 0.0) & (outcome != 1.0)]
    if len(other):
        raise DataError(f"{kind} wants an outcome of 0 and 1, found {other[0]}; use 't_ridge' for amounts")
    for code, arm in enumerate(arms):
        seen = np.unique(outcome[codes == code])
        if len(seen) < 2:
            raise DataError(
                f"{kind} wants both outcomes in each arm; arm {arm!r} has only {seen[0]:.0f}; "
                "use 't_ridge' or a larger pilot"
            )


def _fit_meta(kind: str, matrix: Float64, outcome: Float64, codes: Codes, *, shares: Float64, seed: int,
              own: OwnModel | None) -> Effects:
    letter = kind.partition("_")[0]
    by_row, means = arm_shares(shares)
    model = unfitted(kind, _causalml("meta"), seed=seed, rows=len(matrix), own=own)
    extra = {"seed": seed} if letter == "dr" else {}
    model.fit(X=matrix, treatment=codes, y=outcome, p=by_row, **extra)
    assert list(model.t_groups) == list(by_row), f"causalml fitted {model.t_groups}, asked for {list(by_row)}"
    return meta_effects(letter, model, arm_share=means)


def _fit_forest(kind: str, matrix: Float64, outcome: Float64, codes: Codes, *, shares: Float64, seed: int) -> Effects:
    forest = unfitted(kind, _causalml("tree"), seed=seed, rows=len(matrix))
    forest.fit(X=matrix, treatment=codes, y=outcome, sample_weight=forest_weights(shares, codes))
    return ForestEffects(forest)


def _prepare(kind: str) -> None:
    """Import what a fit of this kind needs."""
    if kind != "own":
        _causalml("tree" if kind in FORESTS else "meta")


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


def _causalml(part: str) -> ModuleType:
    """Import a part of causalml, kept from restyling matplotlib and from passing on its imports' deprecations."""
    import matplotlib

    # What forests import complains in the log that a package for citations is not installed.
    citations = logging.getLogger("duecredit")
    level = citations.level
    citations.setLevel(logging.CRITICAL)
    with matplotlib.rc_context(), warnings.catch_warnings():
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        if part == "tree":
            from causalml.inference import tree as found
        else:
            from causalml.inference import meta as found
    citations.setLevel(level)
    return found  # type: ignore[no-any-return]
