"""Effects of linear learners, against causalml's own predict."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.uplift import learners
from churnsim.uplift.learners import FittedLearner, fit
from churnsim.uplift.linear_effects import LinearEffects

KINDS = ("t_logistic", "t_ridge", "dr_ridge")
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


def fitted(kind: str) -> FittedLearner:
    third = dict.fromkeys(ARMS, 1 / 3)
    return fit(kind, X, Y, treatment=TREATMENT, arms=ARMS, propensity=third, seed=3)


LEARNERS = {kind: fitted(kind) for kind in KINDS}


def test_effects_by_hand() -> None:
    """Two arms: the mean of 1, 2 and 6, and 5, less 0.5 without."""
    found = LinearEffects(((Constant(1.0), Constant(2.0), Constant(6.0)), (Constant(5.0),)), Constant(0.5))
    assert found.predict(np.zeros((2, 1))).tolist() == [[2.5, 4.5]] * 2
    assert LinearEffects(((Constant(1.0), Constant(2.0)),)).predict(np.zeros((1, 1))).tolist() == [[1.5]]


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_those_of_causalml_to_the_last_bit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    build = learners._unfitted

    def watched(kind: str, *, control: str, seed: int) -> Any:
        made.append(build(kind, control=control, seed=seed))
        return made[-1]

    monkeypatch.setattr(learners, "_unfitted", watched)
    effects = fitted(kind).predict(X)
    theirs = made[0].predict(X=X.to_numpy(), verbose=False)
    # causalml's columns are in the order of the alphabet.
    assert np.array_equal(effects[["discount", "upgrade"]].to_numpy(), theirs)
    assert effects.to_numpy().std(axis=0).min() > 0.0


@given(first=st.integers(0, ROWS - 1), count=st.integers(1, 40))
def test_a_row_has_the_same_effect_with_any_rows_beside_it(first: int, count: int) -> None:
    for learner in LEARNERS.values():
        alone = learner.predict(X.iloc[first:first + count])
        pd.testing.assert_frame_equal(alone, learner.predict(X).iloc[first:first + count], check_exact=True)


def test_another_process_reads_them_without_causalml(tmp_path: Path) -> None:
    (tmp_path / "learners.bin").write_bytes(pickle.dumps(LEARNERS))
    script = """
import pathlib, pickle, sys
import numpy as np, pandas as pd
learners = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
X = pd.DataFrame(np.ones((2, 7)), columns=list("abcdefg"))
assert all(learner.predict(X).shape == (2, 2) for learner in learners.values())
assert "causalml" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "learners.bin"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
