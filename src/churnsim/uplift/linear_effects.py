"""Effects of linear learners without causalml: the fitted regressions that they are made of, and no others.

causalml's own predict asks regressions whose answers it then leaves, two of three for a doubly robust learner, and what
holds one of its objects cannot be read in another process before causalml is imported, which takes seconds. The effects
are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LinearEffects:
    """What regressions say of each arm, on average, less what one says of control.

    Attributes
    ----------
    by_arm
        (K,) fitted regressions of each arm; a classifier tells the chance of its second class.
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


def doubly_robust_effects(learner: Any, arms: Sequence[str]) -> LinearEffects:
    """Return the effects of causalml's doubly robust learner: regressions of scores, one a fold."""
    return LinearEffects(tuple(tuple(learner.models_tau[arm]) for arm in arms))


def two_model_effects(learner: Any, arms: Sequence[str]) -> LinearEffects:
    """Return the effects of causalml's learner of one model an arm."""
    return LinearEffects(tuple((learner.models_t[arm],) for arm in arms), learner.model_c)


def _expected(model: Any, X: Float64) -> Float64:
    found = model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)
    return np.asarray(found, dtype=np.float64)
