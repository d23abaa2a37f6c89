"""Learners of every kind find a known truth, their fits may take so long and no longer, and what they refuse."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from learner_trials import ARMS, ATE, META, PROPENSITY, Trial, fit_trial, fitted, trial

from churnsim.errors import ConfigError, DataError
from churnsim.uplift import learners_kinds
from churnsim.uplift.learners import LearnerFit, fit
from churnsim.uplift.settings import Learner

FLAT = ("s_ridge",)


@pytest.mark.parametrize("kind", META)
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
        if kind in FLAT:
            assert np.ptp(effects[arm]) < 1e-9
        else:
            assert np.corrcoef(effects[arm], fresh.effects[:, k])[0, 1] > 0.7


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["uplift_forest", "causal_forest"])
def test_forests_find_the_true_effects(kind: str) -> None:
    """False alarms: below 1e-4 a check on average effects (4 standard errors)."""
    test_finds_the_true_effects_in_config_order(kind)


@pytest.mark.parametrize("kind", META)
def test_a_column_that_never_varied_in_the_trial_weighs_nothing(kind: str) -> None:
    head = trial().X.iloc[:200]
    same = fitted(kind).predict(head)
    pd.testing.assert_frame_equal(same, fitted(kind).predict(head.assign(constant=50.0)), check_exact=True)


@pytest.mark.parametrize("kind", [kind for kind in META if not kind.endswith("lightgbm")])
def test_units_of_a_feature_do_not_matter(kind: str) -> None:
    data = trial(2_000)
    scaled = Trial(data.X.assign(a=data.X["a"] * 1e6), data.y, data.treatment, data.effects)
    effects, same = (fit_trial(kind, case).predict(case.X) for case in (data, scaled))
    np.testing.assert_allclose(effects, same, atol=1e-8)


def test_progress_messages_of_causalml_are_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, logger="causalml")
    fit_trial("r_ridge", trial(2_000)).predict(trial(2_000).X)
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


def test_settings_say_everything_that_a_fit_takes(tmp_path: Path) -> None:
    data = trial(600)
    (tmp_path / "flat.py").write_text("from sklearn.linear_model import Ridge\nclass Flat(Ridge):\n    pass\n")
    learner = Learner(kind="t_own", outcome="stayed", estimator="flat:Flat", options={"alpha": 1e9})
    found = LearnerFit(learner, tmp_path)(data.X, data.y, treatment=data.treatment, arms=ARMS, propensity=PROPENSITY,
                                          seed=1)
    means = [data.y[data.treatment == arm].mean() for arm in ARMS]
    np.testing.assert_allclose(found.predict(data.X), np.tile([means[1] - means[0], means[2] - means[0]], (600, 1)),
                               atol=1e-5)


# Other processes


@pytest.mark.parametrize("kind", ["x_lightgbm", "causal_forest"])
def test_a_fitted_learner_travels_to_another_process(kind: str, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """It does so without causalml, but for forests, whose import must leave matplotlib alone."""
    monkeypatch.setattr(learners_kinds, "FOREST_TREES", 2)
    X = trial(2_000).X.iloc[:20]
    learner = fit_trial(kind, trial(2_000))
    (tmp_path / "case.bin").write_bytes(pickle.dumps((learner, X, learner.predict(X))))
    script = """
import matplotlib, pathlib, pickle, sys
import pandas as pd
before = dict(matplotlib.rcParams)
learner, X, effects = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
pd.testing.assert_frame_equal(learner.predict(X), effects, check_exact=True)
assert ("causalml" in sys.modules) == (sys.argv[2] == "causal_forest")
assert dict(matplotlib.rcParams) == before
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, tmp_path / "case.bin", kind],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


# What is refused


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


def with_chance(row: int, arm: str, value: float) -> dict[str, np.ndarray]:
    chances = {name: np.full(600, share) for name, share in PROPENSITY.items()}
    chances[arm][row] = value
    return chances


CONFIG_REFUSALS = [
    ({"kind": "x_lightgmb"}, r"learner 'x_lightgmb' is unknown. Did you mean 'x_lightgbm'\?"),
    ({"kind": "zzz"}, r"'zzz' is unknown. Choose one of t_logistic, t_ridge, .*, causal_forest, own\."),
    ({"seed": 2**31}, r"seed 2147483648 is out of range; give one from 0 to"),
    ({"arms": ("none",)}, r"arms are \['none'\]; name a control and at least one other"),
    ({"arms": ("none", "upgrade", "upgrade")}, r"arms are .*, each once"),
    ({"kind": "own"}, r"learner own: estimator: own needs a class of your own; name it as module:Class"),
    ({"estimator": "a:B"}, r"learner t_ridge: estimator: t_ridge brings its own model \(got a:B\)"),
]


@pytest.mark.parametrize(("changes", "message"), CONFIG_REFUSALS)
def test_refuses_a_wrong_config(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(**changed(**changes))


DATA = trial(600)
DATA_REFUSALS = [
    ({"propensity": {"none": 0.5, "upgrade": 0.3}}, r"given for \['none', 'upgrade'\]; give one for each"),
    ({"propensity": PROPENSITY | {"gift": 0.0}}, r"propensity is given for \['discount', 'gift'"),
    ({"propensity": PROPENSITY | {"none": 0.6}}, r"sums to 1.1 over the arms \[[^]]*\]; it must sum to 1"),
    (
        {"propensity": {"none": 0.8, "upgrade": 0.2, "discount": 0.0}},
        r"'discount' is 0.0; give a share above 0, or drop the arm",
    ),
    (
        {"propensity": {"none": 0.8, "upgrade": np.nan, "discount": 0.2}},
        r"'upgrade' is nan; give a share above 0",
    ),
    ({"propensity": with_chance(4, "none", 0.6)}, r"sums to 1.1 over .* at row 4, the first of 1 such rows; it must"),
    (
        {"propensity": with_chance(4, "discount", np.nan)},
        r"'discount' is nan at row 4, the first of 1 such rows; give a share above 0, or leave out the rows",
    ),
    ({"propensity": PROPENSITY | {"none": np.full(5, 0.5)}}, r"'none' has shape \(5,\) for 600 rows; give one number"),
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
        {"kind": "uplift_forest", "y": np.where(DATA.treatment == "upgrade", 1.0, DATA.y)},
        r"uplift_forest wants both outcomes in each arm; arm 'upgrade' has only 1; use 't_ridge' or a larger pilot",
    ),
]


@pytest.mark.parametrize(("changes", "message"), DATA_REFUSALS)
def test_refuses_wrong_data(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(**changed(**changes))
