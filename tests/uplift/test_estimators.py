"""Estimators of one's own: found, given seed and options, checked, and refused with the reason."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learner_trials import ARMS, ATE, PROPENSITY, fit_trial, fitted, trial

from churnsim.errors import ConfigError, DataError
from churnsim.uplift.estimators import base_model, check_estimators, estimator_digests
from churnsim.uplift.settings import Learner, check_learner

MINE = '''
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, Ridge


class Mine(Ridge):
    pass


class Chance(LogisticRegression):
    pass


class Plain:
    """No scikit-learn, with a seed."""

    def __init__(self, random_state, shift=0.0):
        self.random_state, self.shift = random_state, shift

    def fit(self, X, y):
        self.mean = y.mean() + self.shift

    def predict(self, X):
        return np.full((len(X), 1), self.mean)


class Means:
    """A learner of effects: differences of weighted means."""

    def __init__(self, answer="table", random_state=None):
        self.answer, self.random_state = answer, random_state

    def fit(self, X, y, *, treatment, propensity):
        assert X.index.equals(y.index) and X.index.equals(treatment.index) and X.index.equals(propensity.index)
        mean = {arm: np.average(y[treatment == arm], weights=1 / propensity.loc[treatment == arm, arm])
                for arm in propensity.columns}
        self.arms = list(propensity.columns[1:])
        self.effects = [mean[arm] - mean[propensity.columns[0]] for arm in self.arms]

    def predict(self, X):
        array = np.tile(self.effects, (len(X), 1))
        table = pd.DataFrame(array, X.index, columns=self.arms)
        return {"table": table[self.arms[::-1]], "array": array, "wide": array[:, :1], "named": table.add_prefix("to_"),
                "index": table.reset_index(drop=True), "gaps": table * np.nan, "text": table.astype(str) + "x"
                }[self.answer]


class Fails:
    def fit(self, X, y):
        raise ValueError("too few dimensions")

    def predict(self, X):
        return 0


def function():
    pass
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def own(kind: str, folder: Path, estimator: str, **options: Any) -> Any:
    return fit_trial(kind, trial(), estimator=estimator, options=options, folder=folder)


@pytest.mark.parametrize("letter", ["t", "s", "x", "dr"])
def test_a_ridge_of_ones_own_is_ridge(letter: str, folder: Path) -> None:
    """Without standardisation, which features of one scale hardly notice."""
    X = trial().X
    effects = own(f"{letter}_own", folder, "mine:Mine", alpha=1.0).predict(X)
    np.testing.assert_allclose(effects, fitted(f"{letter}_ridge").predict(X), atol=2e-3)


def test_weights_reach_an_estimator_and_an_installed_one_is_found(folder: Path) -> None:
    X = trial().X
    effects = own("r_own", folder, "sklearn.linear_model:Ridge").predict(X)
    np.testing.assert_allclose(effects, fitted("r_ridge").predict(X), atol=2e-3)


@pytest.mark.parametrize("kind", ["t_own", "s_own"])
def test_a_classifier_tells_chances(kind: str, folder: Path) -> None:
    effects = own(kind, folder, "mine:Chance").predict(trial().X)
    assert np.abs(effects.mean() - ATE).max() < 0.05
    if kind == "t_own":
        np.testing.assert_allclose(effects, fitted("t_logistic").predict(trial().X), atol=2e-3)


@pytest.mark.parametrize("answer", ["table", "array"])
def test_a_learner_of_effects(answer: str, folder: Path) -> None:
    data = trial()
    mean = {arm: data.y[data.treatment == arm].mean() for arm in ARMS}
    effects = own("own", folder, "mine:Means", answer=answer).predict(data.X)
    assert effects.index.equals(data.X.index) and list(effects.columns) == ["upgrade", "discount"]
    np.testing.assert_allclose(effects, np.tile([mean["upgrade"] - mean["none"], mean["discount"] - mean["none"]],
                                                (len(data.X), 1)))


def test_seed_options_and_one_thread_are_given(folder: Path) -> None:
    for options, threads in (({}, 1), ({"n_jobs": 2}, 2)):
        trees = base_model("t_own", "lightgbm:LGBMRegressor", folder=folder, options=options, seed=7).model
        assert (trees.random_state, trees.n_jobs) == (7, threads)
    forest = base_model("t_own", "sklearn.ensemble:RandomForestRegressor", folder=folder, options={"max_depth": 2},
                        seed=7).model
    assert (forest.random_state, forest.max_depth, forest.n_jobs) == (7, 2, None)
    assert own("own", folder, "mine:Means")._effects.learner.random_state == 5
    plain = own("t_own", folder, "mine:Plain", shift=1.0)
    assert plain._effects.control.model.random_state == 5
    control = trial().y[trial().treatment == "none"].mean()
    assert plain._effects.control.model.mean == pytest.approx(control + 1.0)


def test_another_process_loads_the_file_again(folder: Path) -> None:
    learner, X = own("t_own", folder, "mine:Mine"), trial().X.iloc[:5]
    (folder / "case.bin").write_bytes(pickle.dumps((learner, X, learner.predict(X))))
    script = """
import pathlib, pickle, sys
learner, X, effects = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
assert learner.predict(X).equals(effects)
assert "causalml" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-P", "-c", script, folder / "case.bin"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_digests_change_with_the_file(folder: Path) -> None:
    learners = {"a": Learner(kind="t_own", outcome="stayed", estimator="mine:Mine"),
                "b": Learner(kind="t_ridge", outcome="stayed")}
    first = estimator_digests(learners, folder)
    assert list(first) == ["a"] and len(first["a"]) == 64
    (folder / "mine.py").write_text(MINE + "# more\n")
    assert estimator_digests(learners, folder)["a"] != first["a"]


# What is refused

CONFIG = {
    "nothing there": ("t_own", "nowhere:Mine", {}, r"no module 'nowhere' in .*, and none is installed; correct the"),
    "no such class": ("t_own", "mine:Mean", {}, r"module 'mine' has no 'Mean'\. Did you mean 'Means'\?"),
    "a function": ("t_own", "mine:function", {}, r"mine:function is no estimator: it must be a class with methods "
                   "`fit` and `predict`"),
    "options": ("t_own", "mine:Mine", {"alfa": 1}, r"mine:Mine cannot be made \(TypeError: .*'alfa'.*; correct its"),
    "a classifier of effects": ("x_own", "mine:Chance", {}, r"x_own fits effects, which are amounts, and mine:Chance "
                                "is a classifier; name a regressor, or use t_own or s_own"),
    "no weights": ("r_own", "mine:Plain", {}, r"r_own weighs rows, and fit\(\) of mine:Plain takes no sample_weight; "
                   "add it, or use dr_own"),
}


@pytest.mark.parametrize("case", CONFIG)
def test_refused_when_checked_and_when_fitted(case: str, folder: Path) -> None:
    kind, estimator, options, message = CONFIG[case]
    with pytest.raises(ConfigError, match=message):
        own(kind, folder, estimator, **options)
    learner = Learner(kind=kind, outcome="stayed", estimator=estimator, options=options)
    (found,) = check_estimators({"mine": learner}, folder)
    assert found[0] == ("mine", "estimator")
    with pytest.raises(ConfigError, match=message):
        raise ConfigError(found[1])


def test_nothing_is_said_of_estimators_that_can_be_had(folder: Path) -> None:
    learners = {"a": Learner(kind="x_own", outcome="stayed", estimator="mine:Mine", options={"alpha": 2.0}),
                "b": Learner(kind="own", outcome="stayed", estimator="mine:Means"),
                "c": Learner(kind="t_ridge", outcome="stayed")}
    assert list(check_estimators(learners, folder)) == []


DATA = {
    "fails": ("t_own", "mine:Fails", {}, r"fit\(\) of mine:Fails failed \(ValueError: too few dimensions, mine.py line "
              r"\d+\); correct the class or its options"),
    "shape": ("own", "mine:Means", {"answer": "wide"}, r"predictions of mine:Means have shape \(12000, 1\); return "
              r"\(12000, 2\)"),
    "names": ("own", "mine:Means", {"answer": "named"}, r"predict\(\) of mine:Means returns columns \['to_upgrade', "
              r"'to_discount'\]; return one for each of the arms \['upgrade', 'discount'\]"),
    "index": ("own", "mine:Means", {"answer": "index"}, r"predict\(\) of mine:Means returns rows of another index; "
              "keep that of X"),
    "gaps": ("own", "mine:Means", {"answer": "gaps"}, r"mine:Means predicts nan for row 0, the first of 24000 such "
             "values; return finite numbers"),
    "text": ("own", "mine:Means", {"answer": "text"}, r"predict\(\) of mine:Means failed \(ValueError: could not conv"),
    "no end": ("t_own", "mine:Plain", {"shift": np.inf}, r"mine:Plain predicts inf for row 0, the first of 12000 such"),
}


@pytest.mark.parametrize("case", DATA)
def test_what_estimators_do_is_checked(case: str, folder: Path) -> None:
    kind, estimator, options, message = DATA[case]
    with pytest.raises(DataError, match=message):
        own(kind, folder, estimator, **options).predict(trial().X)


def test_a_classifier_wants_outcomes_of_0_and_1(folder: Path) -> None:
    data = trial(600)
    with pytest.raises(DataError, match=r"t_own wants an outcome of 0 and 1, found 2\.0"):
        fit_trial("t_own", type(data)(data.X, data.y * 2, data.treatment, data.effects), estimator="mine:Chance",
                  folder=folder, propensity=PROPENSITY)


SETTINGS = {
    "none": (dict(kind="dr_own"), "estimator", "dr_own needs a class of your own; name it as module:Class"),
    "not wanted": (dict(kind="dr_ridge", estimator="a:B"), "estimator", "dr_ridge brings its own model (got a:B); use "
                   "a kind that ends in own, or take it out"),
    "options alone": (dict(kind="dr_ridge", options={"alpha": 1}), "options", "these are of an estimator, and none is "
                      "named; take them out"),
    "a seed": (dict(kind="own", estimator="a:B", options={"random_state": 1}), "options", "the estimator is given "
               "the experiment's seed; take it out"),
    "amounts": (dict(kind="uplift_forest", outcome="net_value"), "outcome", "uplift_forest learns 0/1 outcomes only; "
                "use stayed (got net_value)"),
    "months": (dict(kind="t_logistic", outcome="margin_months"), "outcome", "t_logistic learns 0/1 outcomes only; use "
               "stayed (got margin_months)"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_do_not_fit_together(case: str) -> None:
    given, key, message = SETTINGS[case]
    ((path, text),) = check_learner(Learner(**{"outcome": "stayed", **given}))
    assert (path[0], text) == (key, message)


def test_settings_that_fit_together() -> None:
    for given in (dict(kind="own", estimator="a:B", options={"x": 1}), dict(kind="causal_forest", outcome="net_value"),
                  dict(kind="uplift_forest", most_seconds=10.0)):
        assert list(check_learner(Learner(**{"outcome": "stayed", **given}))) == []
