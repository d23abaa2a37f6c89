"""Estimators of the user's own, named by import path: base models of meta-learners, and learners of effects.

A base model is a class in the style of scikit-learn: `fit(X, y)` and `predict(X)` on arrays, or `predict_proba(X)` of a
classifier. A learner of effects is a class as :class:`EffectLearner`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import has_fit_parameter

from churnsim.config.named_class import class_digest, load_class, told
from churnsim.errors import ChurnsimError, ConfigError, DataError
from churnsim.uplift.settings import Learner

Float64 = npt.NDArray[np.float64]

# Kinds whose base model learns effects, which are amounts; and the one that weighs rows.
EFFECTS_BY = ("x_own", "r_own", "dr_own")
WEIGHTED = "r_own"


class EffectLearner(Protocol):
    """A class that an experiment file may name as estimator of a learner of kind own.

    If it has a parameter `random_state`, it is given the seed.
    """

    def fit(self, X: pd.DataFrame, y: pd.Series, *, treatment: pd.Series, propensity: pd.DataFrame) -> Any:
        """Learn from a trial.

        Parameters
        ----------
        X
            (n, features) numbers without gaps.
        y
            (n,) outcome.
        treatment
            (n,) name of the arm of each row.
        propensity
            (n, K + 1) probability of each arm for each row; columns are the arms' names, control first.
        """
        ...

    def predict(self, X: pd.DataFrame) -> pd.DataFrame | Float64:
        """Return the effect of each arm against control, (n, K): columns named by arm, or in the order of the arms."""
        ...


@dataclass(frozen=True)
class OwnEffects:
    """A fitted learner of effects of the user's own, whose answers are checked."""

    learner: EffectLearner
    named: str
    arms: tuple[str, ...]

    def predict(self, X: pd.DataFrame) -> Float64:
        """Return the effect of each arm on each row, (n, K), in the order of `arms`."""
        with _blamed(self.named, "predict"):
            found = self.learner.predict(X)
        if isinstance(found, pd.DataFrame):
            if sorted(map(str, found.columns)) != sorted(self.arms):
                raise DataError(f"predict() of {self.named} returns columns {list(found.columns)}; return one for each "
                                f"of the arms {list(self.arms)}")
            if not found.index.equals(X.index):
                raise DataError(f"predict() of {self.named} returns rows of another index; keep that of X")
            found = found[list(self.arms)].to_numpy()
        return _numbers(found, self.named, (len(X), len(self.arms)))


class OwnModel(BaseEstimator):  # type: ignore[misc]
    """A base model of the user's own as meta-learners use it: a number a row, of a classifier the chance of 1.

    Parameters
    ----------
    model
        The user's object.
    named
        Its import path, for messages.
    """

    def __init__(self, model: Any, named: str) -> None:
        self.model = model
        self.named = named

    @property
    def classifies(self) -> bool:
        """Whether it learns outcomes of 0 and 1, as classifiers do."""
        return hasattr(self.model, "predict_proba")

    def fit(self, X: Float64, y: Float64, sample_weight: Float64 | None = None) -> OwnModel:
        """Fit the user's object."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        with _blamed(self.named, "fit"):
            self.model.fit(X, y.astype(np.int64) if self.classifies else y, **weights)
        return self

    def predict(self, X: Float64) -> Float64:
        """Return the expected outcome of each row, (n,)."""
        with _blamed(self.named, "predict"):
            found = self.model.predict_proba(X) if self.classifies else self.model.predict(X)
        return _numbers(found, self.named, (len(X), 2))[:, 1] if self.classifies else \
            _numbers(found, self.named, (len(X), 1))[:, 0]


def base_model(kind: str, named: str, *, folder: Path, options: Mapping[str, Any], seed: int) -> OwnModel:
    """Return the unfitted base model of a meta-learner.

    Raises
    ------
    ConfigError
        There is no such class, its options are wrong, or it is none for this kind of learner.
    """
    made = OwnModel(_make(named, folder, options, seed), named)
    if made.classifies and kind in EFFECTS_BY:
        raise ConfigError(f"{kind} fits effects, which are amounts, and {named} is a classifier; name a regressor, or "
                          "use t_own or s_own")
    if kind == WEIGHTED and not has_fit_parameter(made.model, "sample_weight"):
        raise ConfigError(f"{kind} weighs rows, and fit() of {named} takes no sample_weight; add it, or use dr_own")
    return made


def fit_own_effects(X: pd.DataFrame, y: Float64, *, treatment: npt.NDArray[np.str_], propensity: Float64,
                    arms: Sequence[str], named: str, folder: Path, options: Mapping[str, Any], seed: int) -> OwnEffects:
    """Return a learner of effects of the user's own, fitted; `propensity` is (n, arms)."""
    learner = _make(named, folder, options, seed)
    with _blamed(named, "fit"):
        learner.fit(X, pd.Series(y, X.index, name="outcome"), treatment=pd.Series(treatment, X.index, name="arm"),
                    propensity=pd.DataFrame(propensity, X.index, columns=list(arms)))
    return OwnEffects(learner, named, tuple(arms[1:]))


def load_estimator(named: str, folder: Path) -> type[Any]:
    """Return the class that `named` (module:Class) names, from a file in `folder` or an installed package.

    Raises
    ------
    ConfigError
        There is none, or it has no methods `fit` and `predict`.
    """
    return load_class(named, folder, suits=_is_estimator,
                      must_be="is no estimator: it must be a class with methods `fit` and `predict`")


def check_estimators(learners: Mapping[str, Learner], folder: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield why estimators of learners cannot be had, as (path below `learners`, message)."""
    for name, learner in learners.items():
        if learner.estimator is None:
            continue
        try:
            if learner.kind == "own":
                _make(learner.estimator, folder, learner.options, 0)
            else:
                base_model(learner.kind, learner.estimator, folder=folder, options=learner.options, seed=0)
        except ConfigError as error:
            yield (name, "estimator"), str(error)


def estimator_digests(learners: Mapping[str, Learner], folder: Path) -> dict[str, str]:
    """Return the sha256 of the file of each learner's estimator, by the learner's name; only of those that name one."""
    return {name: class_digest(learner.estimator, folder) for name, learner in learners.items()
            if learner.estimator is not None}


def _is_estimator(found: Any) -> bool:
    return isinstance(found, type) and all(callable(getattr(found, method, None)) for method in ("fit", "predict"))


def _make(named: str, folder: Path, options: Mapping[str, Any], seed: int) -> Any:
    """Return the object with its options, the seed, and one thread, as far as it has such parameters."""
    wanted = load_estimator(named, folder)
    try:
        if hasattr(wanted, "set_params"):
            made = wanted(**options)
            return made.set_params(**_ours(made.get_params(), wanted, options, seed))
        known = {name: each.default for name, each in inspect.signature(wanted).parameters.items()}
        return wanted(**options, **_ours(known, wanted, options, seed))
    except Exception as error:
        raise ConfigError(f"{named} cannot be made ({told(error)}); correct its options or the class") from error


def _ours(known: Mapping[str, Any], wanted: type[Any], options: Mapping[str, Any], seed: int) -> dict[str, int]:
    ours = {name: seed for name in known if name.rpartition("__")[2] == "random_state"}
    # scikit-learn's None is one thread, and some of its classes complain of a number; elsewhere it is all cores.
    if "n_jobs" in known and "n_jobs" not in options and (
            known["n_jobs"] is not None or not wanted.__init__.__module__.startswith("sklearn.")):
        ours["n_jobs"] = 1
    return ours


def _numbers(found: Any, named: str, shape: tuple[int, int]) -> Float64:
    """Return predictions as an array of that shape, refusing others and gaps; one column may be given flat."""
    with _blamed(named, "predict"):
        values = np.asarray(found, dtype=np.float64)
    if shape[1] == 1 and values.shape == shape[:1]:
        values = values[:, None]
    if values.shape != shape:
        wanted = shape[:1] if shape[1] == 1 else shape
        raise DataError(f"predictions of {named} have shape {values.shape}; return {wanted}")
    gaps = np.argwhere(~np.isfinite(values))
    if len(gaps):
        raise DataError(f"{named} predicts {values[tuple(gaps[0])]} for row {gaps[0][0]}, the first of {len(gaps)} "
                        "such values; return finite numbers")
    return values


@contextmanager
def _blamed(named: str, method: str) -> Iterator[None]:
    try:
        yield
    except ChurnsimError:
        raise
    except Exception as error:
        raise DataError(f"{method}() of {named} failed ({told(error)}); correct the class or its options") from error
