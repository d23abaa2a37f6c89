"""Effects of meta-learners, against causalml's own predict."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learner_trials import META

from churnsim.uplift import learners
from churnsim.uplift.learners import FittedLearner, fit
from churnsim.uplift.learners_effects import BlendedEffects, DifferenceEffects, SwitchedEffects

ARMS = ("none", "upgrade", "discount")
RNG = np.random.default_rng(4)
ROWS = 3000
X = pd.DataFrame(RNG.normal(size=(ROWS, 7)), columns=list("abcdefg"))
TREATMENT = np.array(ARMS)[RNG.integers(0, 3, ROWS)]
Y = (RNG.random(ROWS) < 0.5 + 0.1 * (TREATMENT == "upgrade") + 0.1 * np.tanh(X["a"])).astype(float)


class Constant:
    """Stands where a fitted regression stands."""

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, X: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.full(len(X), self.value)


class FirstTimes(Constant):
    """Says so many times the first feature."""

    def predict(self, X: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return self.value * X[:, 0]


def fitted(kind: str) -> FittedLearner:
    third = dict.fromkeys(ARMS, 1 / 3)
    return fit(kind, X, Y, treatment=TREATMENT, arms=ARMS, propensity=third, seed=3)


def test_effects_by_hand() -> None:
    """Two arms: the mean of 1, 2 and 6, and 5, less 0.5 without; 7 and -1 by a switch; a quarter of 4 and 3/4 of 8."""
    found = DifferenceEffects(((Constant(1.0), Constant(2.0), Constant(6.0)), (Constant(5.0),)), Constant(0.5))
    assert found.predict(np.zeros((2, 1))).tolist() == [[2.5, 4.5]] * 2
    assert DifferenceEffects(((Constant(1.0), Constant(2.0)),)).predict(np.zeros((1, 1))).tolist() == [[1.5]]
    assert SwitchedEffects((FirstTimes(7.0), FirstTimes(-1.0))).predict(np.full((1, 1), 9.0)).tolist() == [[7.0, -1.0]]
    blended = BlendedEffects((Constant(4.0),), (Constant(8.0),), (0.25,))
    assert blended.predict(np.zeros((1, 1))).tolist() == [[7.0]]


@pytest.mark.parametrize("kind", META)
def test_they_are_those_of_causalml_to_the_last_bit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    build = learners.unfitted

    def watched(*args: object, **named: object) -> object:
        made.append(build(*args, **named))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(learners, "unfitted", watched)
    effects = fitted(kind).predict(X)
    half = {arm: np.full(ROWS, (1 / 3) / (1 / 3 + 1 / 3)) for arm in (1, 2)}
    assert np.array_equal(effects.to_numpy(), made[0].predict(X=X.to_numpy(), p=half))
    assert effects.to_numpy().std(axis=0).min() > 0.0 or kind == "s_ridge"


@pytest.mark.parametrize("kind", [kind for kind in META if not kind.endswith("lightgbm")])
def test_a_row_has_the_same_effect_with_any_rows_beside_it(kind: str) -> None:
    learner = fitted(kind)
    whole = learner.predict(X)

    @given(first=st.integers(0, ROWS - 1), count=st.integers(1, 40))
    def alone(first: int, count: int) -> None:
        part = slice(first, first + count)
        pd.testing.assert_frame_equal(learner.predict(X.iloc[part]), whole.iloc[part], check_exact=True)

    alone()
