"""Each trap of causalml that concerns these learners, a known truth, and the refusals."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnsim.errors import ConfigError, DataError
from churnsim.uplift import learners
from churnsim.uplift.learners import LEARNERS, FittedLearner, fit

# Alphabetical order (discount, none, upgrade) differs from the order of the config in every place.
ARMS = ("none", "upgrade", "discount")
PROPENSITY = {"none": 0.5, "upgrade": 0.3, "discount": 0.2}
ATE = np.array([0.10, -0.05])
TREES = ("s_lightgbm", "x_lightgbm")


@dataclass(frozen=True)
class Trial:
    X: pd.DataFrame
    y: np.ndarray
    treatment: np.ndarray
    effects: np.ndarray


@cache
def trial(rows: int = 12_000, seed: int = 11) -> Trial:
    """A randomised trial with a 0/1 outcome whose effects are linear in two of four features."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.uniform(-1, 1, (rows, 4)), columns=["a", "b", "c", "d"]).assign(constant=1.0)
    X.index = pd.Index(rng.permutation(rows) + 1_000, name="subscriber")
    effects = np.column_stack([ATE[0] + 0.15 * X["a"], ATE[1] + 0.20 * X["b"]])
    arm = rng.choice(3, rows, p=list(PROPENSITY.values()))
    stay_prob = 0.5 + 0.2 * X["c"].to_numpy() + np.column_stack([np.zeros(rows), effects])[range(rows), arm]
    return Trial(X, (rng.random(rows) < stay_prob).astype(float), np.array(ARMS)[arm], effects)


def fit_trial(kind: str, data: Trial, *, seed: int = 5) -> FittedLearner:
    return fit(kind, data.X, data.y, treatment=data.treatment, arms=ARMS, propensity=PROPENSITY, seed=seed)


@cache
def fitted(kind: str) -> FittedLearner:
    return fit_trial(kind, trial())


class Recorder:
    """Stands where causalml stands and keeps what it was given; positional arguments fail.

    Of linear learners its models are read, and it is asked no more; trees ask it.
    """

    def __init__(self, groups: tuple[str, ...] = ("discount", "upgrade")) -> None:
        self.t_groups = np.array(groups)
        self.model_c = None
        self.models_t = self.models_tau = dict.fromkeys(groups, ())
        self.given: list[dict[str, Any]] = []
        self.draws: list[float] = []

    def fit(self, **given: Any) -> None:
        self.given.append(given)
        self.draws.append(np.random.random())

    def predict(self, **given: Any) -> np.ndarray:
        self.given.append(given)
        self.draws.append(np.random.random())
        return np.tile(np.arange(1.0, 1.0 + len(self.t_groups)), (len(given["X"]), 1))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    stand_in = Recorder()
    monkeypatch.setattr(learners, "_unfitted", lambda kind, *, control, seed: stand_in)
    return stand_in


@pytest.mark.parametrize("kind", LEARNERS)
def test_finds_the_true_effects_in_config_order(kind: str) -> None:
    """False alarms: below 1e-4 a check on average effects (4 standard errors)."""
    fresh = trial(seed=12)
    effects = fitted(kind).predict(fresh.X)
    assert list(effects.columns) == ["upgrade", "discount"]
    assert effects.index.equals(fresh.X.index)
    rows = pd.Series(trial().treatment).value_counts()
    for k, arm in enumerate(ARMS[1:]):
        se = 0.5 * np.sqrt(1 / rows[arm] + 1 / rows["none"])
        assert abs(effects[arm].mean() - ATE[k]) < 4 * se
        assert np.corrcoef(effects[arm], fresh.effects[:, k])[0, 1] > 0.7


def test_columns_follow_the_groups_causalml_names(recorder: Recorder) -> None:
    effects = fit_trial("x_lightgbm", trial()).predict(trial().X.iloc[:2])
    assert effects.to_dict("list") == {"upgrade": [2.0, 2.0], "discount": [1.0, 1.0]}


def test_groups_other_than_the_arms_are_an_assertion(recorder: Recorder) -> None:
    recorder.t_groups = np.array(["discount", "none"])
    with pytest.raises(AssertionError, match=r"causalml fitted \['discount', 'none'\], asked for"):
        fit_trial("x_lightgbm", trial()).predict(trial().X)


@pytest.mark.parametrize("kind", LEARNERS)
def test_keywords_propensities_and_seed_reach_causalml(recorder: Recorder, kind: str) -> None:
    data = trial()
    learner = fit_trial(kind, data, seed=77)
    asked = [(recorder.given[0], len(data.X))]
    if kind in TREES:
        learner.predict(data.X.iloc[:3])
        asked.append((recorder.given[1], 3))
    at_fit = recorder.given[0]
    assert set(at_fit) == {"X", "treatment", "y", "p"} | ({"seed"} if kind == "dr_ridge" else set())
    assert at_fit.get("seed", 77) == 77
    for given, rows in asked:
        assert set(given["p"]) == {"upgrade", "discount"}
        np.testing.assert_allclose(given["p"]["upgrade"], np.full(rows, 0.3 / 0.8))
        np.testing.assert_allclose(given["p"]["discount"], np.full(rows, 0.2 / 0.7))


@pytest.mark.parametrize("kind", LEARNERS)
def test_same_seed_same_bits_whatever_numpy_did_between(kind: str) -> None:
    head = trial().X.iloc[:500]
    first = fitted(kind).predict(head)
    np.random.seed(3)
    np.random.random(1_000)
    before = np.random.get_state()
    again = fit_trial(kind, trial()).predict(head)
    after = np.random.get_state()
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert before[2] == after[2] and np.array_equal(before[1], after[1])


def test_global_state_is_seeded_for_each_call_and_put_back_after_a_failure(recorder: Recorder) -> None:
    for _ in range(2):
        np.random.random(5)
        fit_trial("x_lightgbm", trial(), seed=9).predict(trial().X)
    np.random.seed(9)
    assert recorder.draws == [np.random.random()] * 4
    before = np.random.get_state()
    recorder.t_groups = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        fit_trial("x_lightgbm", trial()).predict(trial().X)
    assert np.array_equal(before[1], np.random.get_state()[1]) and before[2] == np.random.get_state()[2]


def test_learners_are_never_inside_causalml_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = [0], [0]

    class Slow(Recorder):
        def fit(self, **given: Any) -> None:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.05)
            inside[0] -= 1

    monkeypatch.setattr(learners, "_unfitted", lambda kind, *, control, seed: Slow())
    threads = [threading.Thread(target=fit_trial, args=("t_ridge", trial())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


@pytest.mark.parametrize("kind", TREES)
def test_trees_are_small_and_use_one_thread(kind: str) -> None:
    model = fitted(kind)._model
    tree_model = model.models["upgrade"] if kind == "s_lightgbm" else model.models_mu_t["upgrade"]
    assert tree_model.get_params()["n_jobs"] == 1
    nodes = tree_model.booster_.trees_to_dataframe()
    leaves = nodes[nodes["left_child"].isna()]
    assert leaves["count"].min() >= 200
    assert 2 <= leaves.groupby("tree_index").size().max() <= 8


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_column_that_never_varied_in_the_trial_weighs_nothing(kind: str) -> None:
    head = trial().X.iloc[:200]
    same = fitted(kind).predict(head)
    pd.testing.assert_frame_equal(same, fitted(kind).predict(head.assign(constant=50.0)), check_exact=True)


@pytest.mark.parametrize("kind", ["t_logistic", "t_ridge", "dr_ridge"])
def test_units_of_a_feature_do_not_matter(kind: str) -> None:
    data = trial(2_000)
    scaled = Trial(data.X.assign(a=data.X["a"] * 1e6), data.y, data.treatment, data.effects)
    effects, same = (fit_trial(kind, case).predict(case.X) for case in (data, scaled))
    np.testing.assert_allclose(effects, same, atol=1e-8)


def test_causalml_comes_late_and_leaves_matplotlib_and_warnings_alone() -> None:
    """A process of its own: other tests have imported causalml already. Warnings are errors in it."""
    script = """
import sys, warnings
from churnsim.uplift import learners
assert "causalml" not in sys.modules and "matplotlib" not in sys.modules
import matplotlib
before, filters = dict(matplotlib.rcParams), list(warnings.filters)
assert learners._meta_learners().BaseTLearner
assert "causalml" in sys.modules
assert {k for k in before if before[k] != matplotlib.rcParams[k]} == set()
assert warnings.filters == filters
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_progress_messages_of_causalml_are_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, logger="causalml")
    fit_trial("dr_ridge", trial(2_000)).predict(trial(2_000).X)
    assert [record.name for record in caplog.records if record.name == "causalml"] == []
    assert logging.getLogger("causalml").level == logging.INFO


def test_predict_takes_columns_by_name_and_no_rows_at_all() -> None:
    learner, X = fitted("t_logistic"), trial().X.iloc[:50]
    turned = X[X.columns[::-1]].assign(unused="text")
    pd.testing.assert_frame_equal(learner.predict(X), learner.predict(turned), check_exact=True)
    nobody = learner.predict(X.iloc[:0])
    assert nobody.shape == (0, 2) and list(nobody.columns) == ["upgrade", "discount"]
    with pytest.raises(DataError, match=r"lack column 'b', which the learner was fitted on; add it"):
        learner.predict(X.drop(columns="b"))


def test_a_fitted_learner_travels_to_another_process() -> None:
    X = trial().X.iloc[:20]
    copy = pickle.loads(pickle.dumps(fitted("x_lightgbm")))
    pd.testing.assert_frame_equal(copy.predict(X), fitted("x_lightgbm").predict(X), check_exact=True)


def test_one_arm_against_control() -> None:
    data = trial()
    pair = data.treatment != "discount"
    learner = fit(
        "dr_ridge",
        data.X[pair],
        data.y[pair],
        treatment=data.treatment[pair],
        arms=["none", "upgrade"],
        propensity={"none": 0.625, "upgrade": 0.375},
        seed=1,
    )
    effects = learner.predict(data.X)
    assert learner.arms == ("upgrade",)
    assert abs(effects["upgrade"].mean() - 0.10) < 4 * 0.5 * np.sqrt(1 / 3_600 + 1 / 6_000)


def changed(**changes: Any) -> dict[str, Any]:
    data = trial(600)
    case = {
        "kind": "t_ridge",
        "X": data.X,
        "y": data.y,
        "treatment": data.treatment,
        "arms": ARMS,
        "propensity": PROPENSITY,
        "seed": 1,
    }
    return case | changes


def with_value(table: pd.DataFrame, row: int, column: str, value: float) -> pd.DataFrame:
    table = table.copy()
    table.iloc[row, list(table.columns).index(column)] = value
    return table


CONFIG_REFUSALS = [
    ({"kind": "x_lightgmb"}, r"learner 'x_lightgmb' is unknown. Did you mean 'x_lightgbm'\?"),
    (
        {"kind": "zzz"},
        r"'zzz' is unknown. Choose one of t_logistic, t_ridge, s_lightgbm, x_lightgbm, dr_ridge",
    ),
    ({"seed": 2**31}, r"seed 2147483648 is out of range; give one from 0 to"),
    ({"arms": ("none",)}, r"arms are \['none'\]; name a control and at least one other"),
    ({"arms": ("none", "upgrade", "upgrade")}, r"arms are .*, each once"),
]


@pytest.mark.parametrize(("changes", "message"), CONFIG_REFUSALS)
def test_refuses_a_wrong_config(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(**changed(**changes))


DATA = trial(600)
DATA_REFUSALS = [
    ({"propensity": {"none": 0.5, "upgrade": 0.3}}, r"given for \['none', 'upgrade'\]; give one for each"),
    ({"propensity": PROPENSITY | {"gift": 0.0}}, r"propensity is given for \['discount', 'gift'"),
    ({"propensity": PROPENSITY | {"none": 0.6}}, r"sums to 1.1 over the arms .*; it must sum to 1"),
    (
        {"propensity": {"none": 0.8, "upgrade": 0.2, "discount": 0.0}},
        r"'discount' is 0.0; give a share above 0",
    ),
    (
        {"propensity": {"none": 0.8, "upgrade": np.nan, "discount": 0.2}},
        r"'upgrade' is nan; give a share above 0",
    ),
    (
        {"treatment": np.where(DATA.treatment == "none", "nobody", DATA.treatment)},
        r"treatment is 'nobody' at row",
    ),
    (
        {"treatment": np.where(DATA.treatment == "discount", "none", DATA.treatment)},
        r"'discount' has 0 rows in",
    ),
    ({"treatment": DATA.treatment[:5]}, r"treatment has shape \(5,\) for 600 rows"),
    ({"y": DATA.y[:5]}, r"outcome has shape \(5,\) for 600 rows; give one value a row"),
    ({"y": np.where(np.arange(600) == 7, np.nan, DATA.y)}, r"outcome is nan at row 7, the first of 1 such"),
    ({"X": with_value(DATA.X, 3, "b", np.nan)}, rf"feature 'b' is nan at row 3 \(index .*{DATA.X.index[3]}"),
    ({"X": with_value(DATA.X, 4, "c", np.inf)}, r"feature 'c' is inf at row 4 .*; fill or drop them"),
    ({"X": DATA.X.assign(city="x")}, r"feature 'city' is of type str; encode it as numbers"),
    ({"X": pd.concat([DATA.X, DATA.X[["a"]]], axis=1)}, r"features hold column 'a' twice; drop one"),
    (
        {"kind": "t_logistic", "y": DATA.y * 2},
        r"t_logistic wants an outcome of 0 and 1, found 2.0; use 't_ridge'",
    ),
    (
        {"kind": "t_logistic", "y": np.where(DATA.treatment == "upgrade", 1.0, DATA.y)},
        r"arm 'upgrade' has only 1; use 't_ridge' or a larger pilot",
    ),
]


@pytest.mark.parametrize(("changes", "message"), DATA_REFUSALS)
def test_refuses_wrong_data(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(**changed(**changes))
