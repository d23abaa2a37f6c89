"""A test for each trap of causalml that is known, as a user of the adapter would fall into it."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from learner_trials import ARMS, FORESTS, META, PROPENSITY, confounded, fit_trial, fitted, trial

from churnsim.uplift import learners, learners_kinds
from churnsim.uplift.learners import fit
from churnsim.uplift.learners_kinds import forest_weights, ridge, small_trees
from churnsim.uplift.scores import cross_fit_outcomes, doubly_robust_scores

SOURCES = Path(learners.__file__).parents[1]
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
EVERY = (*META, *FORESTS)


def pehe(found: Any, true: np.ndarray) -> float:
    """Return the root mean squared error of effects."""
    return float(np.sqrt(((np.asarray(found) - true) ** 2).mean()))


class Recorder:
    """Stands where causalml stands and keeps what it was given; positional arguments fail."""

    def __init__(self, groups: tuple[int, ...] = (1, 2)) -> None:
        self.t_groups = np.array(groups)
        self.model_c = None
        self.models = self.models_t = self.models_tau = dict.fromkeys(groups, ())
        self.models_tau_c = self.models_tau_t = self.models
        self.given: dict[str, Any] = {}
        self.draws: list[float] = []

    def fit(self, **given: Any) -> None:
        self.given = given
        self.draws.append(np.random.random())


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    stand_in = Recorder()
    monkeypatch.setattr(learners, "unfitted", lambda *args, **named: stand_in)
    return stand_in


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learners_kinds, "FOREST_TREES", 3)


@contextmanager
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Keep causalml's objects that are made meanwhile."""
    kept: list[Any] = []
    build = learners.unfitted

    def watched(*args: Any, **named: Any) -> Any:
        kept.append(build(*args, **named))
        return kept[-1]

    monkeypatch.setattr(learners, "unfitted", watched)
    yield kept


# p=None on a randomised trial: .001 and .999


@pytest.mark.filterwarnings("ignore")
def test_without_propensities_causalml_is_far_off_and_ours_is_not() -> None:
    data = trial(2_000)
    theirs = learners._causalml("meta").BaseDRRegressor(learner=ridge(), control_name="none")
    theirs.fit(X=data.X.to_numpy(), treatment=data.treatment, y=data.y, seed=5)
    assert min(p.min() for p in theirs.propensity.values()) == 0.001
    alphabetical = theirs.predict(X=data.X.to_numpy())
    ours = fit_trial("dr_ridge", data).predict(data.X)
    assert pehe(alphabetical[:, ::-1], data.effects) > 5 * pehe(ours, data.effects)


@pytest.mark.parametrize("kind", META)
def test_keywords_seed_and_propensities_reach_causalml(recorder: Recorder, kind: str) -> None:
    """`p` is P(arm | arm or control), for each arm but control; positional fit(X, t, y) would flip at 1.0."""
    fit_trial(kind, trial(600), seed=77)
    given = recorder.given
    assert set(given) == {"X", "treatment", "y", "p"} | ({"seed"} if kind.startswith("dr_") else set())
    assert given.get("seed", 77) == 77
    assert set(given["p"]) == {1, 2}
    np.testing.assert_allclose(given["p"][1], np.full(600, 0.3 / 0.8))
    np.testing.assert_allclose(given["p"][2], np.full(600, 0.2 / 0.7))


def test_each_row_may_have_propensities_of_its_own(recorder: Recorder) -> None:
    case = confounded(600, seed=3)
    fit("x_ridge", case.X, case.y, treatment=case.treatment, arms=ARMS, propensity=case.propensity, seed=1)
    none, upgrade = case.propensity["none"], case.propensity["upgrade"]
    np.testing.assert_allclose(recorder.given["p"][1], upgrade / (upgrade + none))


def test_the_x_learner_predicts_with_the_shares_that_it_was_fitted_with() -> None:
    case = confounded(600, seed=3)
    by_row = fit("x_ridge", case.X, case.y, treatment=case.treatment, arms=ARMS, propensity=case.propensity, seed=1)
    none, discount = case.propensity["none"], case.propensity["discount"]
    assert by_row._effects.arm_share[1] == (discount / (discount + none)).mean()
    alike = {arm: np.full(12_000, share) for arm, share in PROPENSITY.items()}
    pd.testing.assert_frame_equal(fit_trial("x_ridge", trial(), propensity=alike).predict(trial().X),
                                  fitted("x_ridge").predict(trial().X), check_exact=True)


# Standard errors, costs, curves, metrics


def test_what_causalml_gets_wrong_is_used_nowhere() -> None:
    """R-learner's standard error by n, costs by wrong arms, curves that take a column called tau for the truth."""
    banned = ("estimate_ate", "get_treatment_costs", "causalml.metrics", "auuc_score", "qini_score", "return_ci")
    for path in SOURCES.rglob("*.py"):
        assert not [name for name in banned if name in path.read_text()], path


# The order of columns, and shapes


def test_columns_follow_the_config_and_not_the_alphabet() -> None:
    data = trial(2_000)
    theirs = learners._causalml("meta").BaseTRegressor(learner=ridge(), control_name="none")
    theirs.fit(X=data.X.to_numpy(), treatment=data.treatment, y=data.y)
    assert [str(group) for group in theirs.t_groups] == ["discount", "upgrade"]
    alphabetical = theirs.predict(X=data.X.to_numpy())
    effects = fit_trial("t_ridge", data).predict(data.X)
    assert list(effects.columns) == ["upgrade", "discount"]
    assert np.array_equal(effects.to_numpy(), alphabetical[:, ::-1])
    assert effects["upgrade"].mean() > 0.0 > effects["discount"].mean()


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("kind", ["r_ridge", "x_lightgbm", "dr_ridge", *FORESTS])
def test_names_of_arms_mean_nothing(kind: str) -> None:
    """In the order of the alphabet, against it, and numbers, whose text sorts otherwise than they do: the same bits."""
    data = trial(2_000)
    found = []
    for names in (("a", "b", "c"), ("z", "y", "x"), ("10", "9", "1")):
        of = dict(zip(ARMS, names, strict=True))
        learner = fit(kind, data.X, data.y, treatment=[of[arm] for arm in data.treatment], arms=names, seed=5,
                      propensity={of[arm]: share for arm, share in PROPENSITY.items()})
        assert list(learner.predict(data.X).columns) == list(names[1:])
        found.append(learner.predict(data.X).to_numpy())
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])
    assert found[0][:, 0].mean() > 0.0 > found[0][:, 1].mean()


def test_other_groups_than_the_arms_are_an_assertion(recorder: Recorder) -> None:
    recorder.t_groups = np.array([0, 2])
    with pytest.raises(AssertionError, match=r"causalml fitted \[0 2\], asked for \[1, 2\]"):
        fit_trial("x_lightgbm", trial(600))


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("kind", FORESTS)
def test_forests_give_effects_of_arms_with_text_names(kind: str) -> None:
    """A tree gives chances with control, a forest effects, and the causal forest refuses names of arms."""
    data = trial(3_000)
    tree = learners._causalml("tree")
    if kind == "uplift_forest":
        alone = tree.UpliftTreeClassifier(control_name="none", max_depth=2, min_samples_leaf=200, random_state=1)
        alone.fit(X=data.X.to_numpy(), treatment=data.treatment, y=data.y)
        chances = np.asarray(alone.predict(X=data.X.to_numpy()))
        assert chances.shape == (3_000, 3) and chances.min() >= 0.0
    else:
        forest = tree.CausalRandomForestRegressor(n_estimators=1)
        with pytest.raises(AssertionError, match="Control group level 0 not found"):
            forest.fit(X=data.X.to_numpy(), treatment=data.treatment, y=data.y)
    effects = fit_trial(kind, data).predict(data.X)
    assert effects.shape == (3_000, 2) and list(effects.columns) == ["upgrade", "discount"]
    assert np.abs(effects.mean() - [0.1, -0.05]).max() < 0.08
    two = data.treatment != "upgrade"
    alone = fit(kind, data.X[two], data.y[two], treatment=data.treatment[two], arms=("none", "discount"),
                propensity={"none": 5 / 7, "discount": 2 / 7}, seed=1)
    assert alone._effects.predict(data.X.to_numpy()).shape == (3_000, 1)
    assert -0.15 < alone.predict(data.X)["discount"].mean() < 0.03


def test_weights_of_forests_by_hand() -> None:
    """Chances of the arms that the rows got are .5, .25 and .5: weights 2, 4 and 2, of mean 1."""
    shares = np.array([[0.5, 0.5], [0.75, 0.25], [0.5, 0.5]])
    np.testing.assert_allclose(forest_weights(shares, np.array([0, 1, 1])), [0.75, 1.5, 0.75])
    assert forest_weights(shares[[0, 2]], np.array([0, 1])) is None


@pytest.mark.usefixtures("few_trees")
def test_a_forest_weighs_by_propensity() -> None:
    """Six standard errors of a comparison of weighted means apart; the truth is within four (6e-5 false alarms)."""
    case = confounded(3_000, seed=5)
    weighed, naive = (fit("causal_forest", case.X, case.y, treatment=case.treatment, arms=ARMS, propensity=propensity,
                          seed=1).predict(case.X).mean().to_numpy() for propensity in (case.propensity, case.naive))
    se = 2.0 * np.sqrt(2 / 700)
    assert (np.abs(weighed - case.effects.mean(axis=0)) < 4 * se).all()
    assert (naive < weighed - 0.3).all()


# Seeds and global state


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("kind", EVERY)
def test_same_seed_same_bits_whatever_numpy_did_between(kind: str) -> None:
    data = trial(3_000)
    first = fit_trial(kind, data).predict(data.X)
    np.random.seed(3)
    np.random.random(1_000)
    before = np.random.get_state()
    again = fit_trial(kind, data).predict(data.X)
    after = np.random.get_state()
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert before[2] == after[2] and np.array_equal(before[1], after[1])


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("kind", ["r_ridge", "dr_ridge", *FORESTS])
def test_another_seed_is_another_fit(kind: str) -> None:
    data = trial(3_000)
    assert not fit_trial(kind, data, seed=6).predict(data.X).equals(fit_trial(kind, data, seed=7).predict(data.X))


def test_global_state_is_seeded_for_each_call_and_put_back_after_a_failure(recorder: Recorder) -> None:
    for _ in range(2):
        np.random.random(5)
        fit_trial("x_lightgbm", trial(600), seed=9)
    np.random.seed(9)
    assert recorder.draws == [np.random.random()] * 2
    before = np.random.get_state()
    recorder.t_groups = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        fit_trial("x_lightgbm", trial(600))
    assert np.array_equal(before[1], np.random.get_state()[1]) and before[2] == np.random.get_state()[2]


# Threads and processes


def test_learners_are_never_inside_causalml_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = [0], [0]

    class Slow(Recorder):
        def fit(self, **given: Any) -> None:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.05)
            inside[0] -= 1

    monkeypatch.setattr(learners, "unfitted", lambda *args, **named: Slow())
    threads = [threading.Thread(target=fit_trial, args=("t_ridge", trial(600))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_everything_runs_in_one_thread_and_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with made(monkeypatch) as kept:
        for kind in ("t_lightgbm", "s_lightgbm", "x_lightgbm", "r_lightgbm", "dr_lightgbm"):
            fit_trial(kind, trial(600))
    assert [model.learner.get_params()["n_jobs"] for model in kept] == [1] * 5
    # By itself the R-learner starts a process a core.
    assert kept[3].cv_n_jobs == 1
    for kind in FORESTS:
        forest = learners_kinds.unfitted(kind, learners._causalml("tree"), seed=1, rows=600)
        assert forest.n_jobs == 1


def test_causalml_comes_late_and_leaves_matplotlib_and_warnings_alone() -> None:
    """A process of its own: other tests have imported causalml already. Warnings are errors in it."""
    script = """
import sys, warnings
from churnsim.uplift import learners, propensity, scores
assert "causalml" not in sys.modules and "matplotlib" not in sys.modules and "lightgbm" not in sys.modules
import matplotlib
before, filters = dict(matplotlib.rcParams), list(warnings.filters)
assert learners._causalml("meta").BaseTLearner
assert learners._causalml("tree").CausalRandomForestRegressor
assert "causalml" in sys.modules
assert {k for k in before if before[k] != matplotlib.rcParams[k]} == set()
assert warnings.filters == filters
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


# Trees that are too large


@pytest.mark.parametrize("kind", ["s_lightgbm", "x_lightgbm"])
def test_trees_are_small(kind: str) -> None:
    effects = fitted(kind)._effects
    model = effects.by_arm[0] if kind == "s_lightgbm" else effects.on_control[0]
    nodes = model.booster_.trees_to_dataframe()
    leaves = nodes[nodes["left_child"].isna()]
    assert leaves["count"].min() >= 200
    assert 2 <= leaves.groupby("tree_index").size().max() <= 8


def test_trees_grow_with_the_rows() -> None:
    leaves = [small_trees(1, rows=rows).get_params()["num_leaves"] for rows in (500, 100_000, 200_000, 10**6)]
    assert leaves == [8, 8, 16, 31]


@pytest.mark.usefixtures("few_trees")
def test_trees_of_forests_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    with made(monkeypatch) as kept:
        for kind in FORESTS:
            fit_trial(kind, trial(3_000))
    for forest in kept:
        for tree in forest.estimators_:
            assert 2 <= (tree.tree_.children_left == -1).sum() <= 8


# Known truths


@pytest.mark.parametrize(("kind", "low", "high"), [("t_logistic", 0.038, 0.058), ("dr_ridge", 0.046, 0.066)])
def test_errors_of_effects_are_those_of_the_reference(kind: str, low: float, high: float,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """Three arms, 20 features, 20,000 rows: PEHE .048 and .056 in the reference, .01 to either side allowed."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    from learner_run import ARMS, PROPENSITY, trial

    data, fresh = trial(20_000, seed=1), trial(20_000, seed=2)
    learner = fit(kind, data.X, data.y, treatment=data.treatment, arms=ARMS, propensity=PROPENSITY, seed=3)
    found = pehe(learner.predict(fresh.X), fresh.effects)
    assert low < found < high
    assert found < pehe(fresh.effects.mean(axis=0), fresh.effects) - 0.03


def test_right_propensities_repair_what_a_naive_learner_makes_of_a_confounded_campaign() -> None:
    """False alarms: 2.5e-4 for the two effects within 4 standard errors of the scores."""
    case = confounded(6_000, seed=8)
    known = {"treatment": case.treatment, "arms": ARMS}
    expected = cross_fit_outcomes(case.X, case.y, folds=3, seed=1, **known)
    scores = doubly_robust_scores(case.y, propensity=case.propensity, outcome_by_arm=expected, **known)
    se = scores.std(axis=0, ddof=1) / np.sqrt(len(scores))
    true = case.effects.mean(axis=0)

    def error(kind: str, propensity: Any) -> np.ndarray:
        learner = fit(kind, case.X, case.y, propensity=propensity, seed=1, **known)
        return learner.predict(case.X).mean().to_numpy() - true

    assert (np.abs(error("dr_ridge", case.propensity)) < 4 * se).all()
    for kind in ("t_ridge", "dr_ridge"):
        assert (error(kind, case.naive) < -6 * se).all()


def test_signatures_of_causalml_are_as_they_were() -> None:
    """What the adapter leans on in 0.18: where seeds and propensities go in."""
    meta = learners._causalml("meta")
    assert "seed" in inspect.signature(meta.BaseDRRegressor.fit).parameters
    assert {"random_state", "cv_n_jobs"} <= set(inspect.signature(meta.BaseRLearner).parameters)
    assert "cv_n_jobs" not in inspect.signature(meta.BaseRRegressor).parameters
    for name in "TSXR":
        learner = getattr(meta, f"Base{name}Learner")
        assert {"X", "treatment", "y", "p"} <= set(inspect.signature(learner.fit).parameters)


