"""Effects of meta-learners without causalml: the fitted models that they are made of, and no others.

causalml's own predict asks models whose answers it then leaves, two of three for a doubly robust learner, and what
holds one of its objects cannot be read in another process before causalml is imported, which takes seconds. The effects
are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


class Effects(Protocol):
    """What tells effects."""

    def predict(self, X: Float64) -> Float64:
        """Return the effect of each arm on each row of (n, features), (n, K), in the order of the config."""
        ...


@dataclass(frozen=True)
class DifferenceEffects:
    """What models say of each arm, on average, less what one says of control.

    Attributes
    ----------
    by_arm
        (K,) fitted models of each arm; a classifier tells the chance of its second class.
    control
        Of outcomes without treatment; None where those of the arms are of effects already.
    """

    by_arm: tuple[tuple[Any, ...], ...]
    control: Any = None

    def predict(self, X: Float64) -> Float64:
        """Return the effect of each arm on each row of (n, features), (n, K)."""
        without = 0.0 if self.control is None else _expected(self.control, X)
        return np.column_stack([np.mean([_expected(model, X) for model in models], axis=0) - without
                                for models in self.by_arm])


@dataclass(frozen=True)
class SwitchedEffects:
    """What each arm's model says with its first feature, the arm, at 1 less what it says with it at 0."""

    by_arm: tuple[Any, ...]

    def predict(self, X: Float64) -> Float64:
        """Return the effect of each arm on each row of (n, features), (n, K)."""
        off, on = (np.column_stack([np.full(len(X), arm), X]) for arm in (0.0, 1.0))
        return np.column_stack([_expected(model, on) - _expected(model, off) for model in self.by_arm])


@dataclass(frozen=True)
class BlendedEffects:
    """Effects imputed to control and to the treated, weighted by the chance of treatment and its complement.

    Attributes
    ----------
    on_control, on_treated
        (K,) models of effects.
    arm_share
        (K,) P(arm | arm or control): one number for all rows, the mean of the trial's.
    """

    on_control: tuple[Any, ...]
    on_treated: tuple[Any, ...]
    arm_share: tuple[float, ...]

    def predict(self, X: Float64) -> Float64:
        """Return the effect of each arm on each row of (n, features), (n, K)."""
        return np.column_stack([
            share * _expected(control, X) + (1.0 - share) * _expected(treated, X)
            for control, treated, share in zip(self.on_control, self.on_treated, self.arm_share, strict=True)])


@dataclass(frozen=True)
class ForestEffects:
    """What a forest says."""

    forest: Any

    def predict(self, X: Float64) -> Float64:
        """Return the effect of each arm on each row of (n, features), (n, K)."""
        # With one arm the causal forest leaves its second axis out.
        return np.asarray(self.forest.predict(X), dtype=np.float64).reshape(len(X), -1)


def meta_effects(letter: str, learner: Any, *, arm_share: Sequence[float]) -> Effects:
    """Return the effects of causalml's fitted meta-learner.

    Parameters
    ----------
    letter
        "t", "s", "x", "r" or "dr".
    learner
        causalml's object, whose models are held by arm: 1 to K.
    arm_share
        (K,) P(arm | arm or control), which "x" needs.
    """
    arms = range(1, len(arm_share) + 1)
    if letter == "t":
        return DifferenceEffects(tuple((learner.models_t[arm],) for arm in arms), learner.model_c)
    if letter == "s":
        return SwitchedEffects(tuple(learner.models[arm] for arm in arms))
    if letter == "x":
        return BlendedEffects(tuple(learner.models_tau_c[arm] for arm in arms),
                              tuple(learner.models_tau_t[arm] for arm in arms), tuple(arm_share))
    found = [learner.models_tau[arm] for arm in arms]
    return DifferenceEffects(tuple(tuple(models) if letter == "dr" else (models,) for models in found))


def _expected(model: Any, X: Float64) -> Float64:
    found = model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)
    return np.asarray(found, dtype=np.float64)
