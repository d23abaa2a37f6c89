"""Scores by hand, their properties, and worlds whose true effects are known."""

from __future__ import annotations

from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learner_trials import confounded

from churnsim.errors import ConfigError, DataError
from churnsim.uplift.learners import fit
from churnsim.uplift.scores import (
    calibrate,
    cross_fit_effects,
    cross_fit_outcomes,
    doubly_robust_scores,
    minimum_detectable_effect,
    shrink,
)

ARMS = ("none", "upgrade", "discount")
PROPENSITY = {"none": 0.4, "upgrade": 0.3, "discount": 0.3}
ATE = np.array([1.0, -0.5])


def trial(rows: int, seed: int) -> SimpleNamespace:
    """Outcomes curved in a feature that the ridge models take for straight; effects 1 + 2a and -0.5 + b."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.uniform(-1, 1, (rows, 3)), columns=["a", "b", "c"])
    effects = np.column_stack([ATE[0] + 2 * X["a"], ATE[1] + X["b"]])
    arm = rng.choice(3, rows, p=list(PROPENSITY.values()))
    y = 3 * X["c"].to_numpy() ** 2 + np.column_stack([np.zeros(rows), effects])[range(rows), arm]
    return SimpleNamespace(
        X=X,
        y=y + rng.normal(size=rows),
        treatment=np.array(ARMS)[arm],
        effects=effects,
        noise=rng.normal(size=(rows, 2)),
    )


def scores(data: SimpleNamespace, *, folds: int = 2) -> np.ndarray:
    expected = cross_fit_outcomes(data.X, data.y, treatment=data.treatment, arms=ARMS, folds=folds, seed=4)
    return doubly_robust_scores(
        data.y, treatment=data.treatment, arms=ARMS, propensity=PROPENSITY, outcome_by_arm=expected
    )


@cache
def large() -> SimpleNamespace:
    data = trial(6_000, seed=21)
    data.scores = scores(data)
    return data


def test_doubly_robust_scores_by_hand() -> None:
    found = doubly_robust_scores(
        [5.0, 5.0, 5.0],
        treatment=["none", "upgrade", "discount"],
        arms=ARMS,
        propensity={"none": 0.5, "upgrade": 0.25, "discount": 0.25},
        outcome_by_arm=np.tile([1.0, 2.0, 4.0], (3, 1)),
    )
    # none: (5 - 1) / .5 = 8 off both arms; upgrade: (5 - 2) / .25 = 12; discount: (5 - 4) / .25 = 4.
    np.testing.assert_allclose(found, [[1 - 8, 3 - 8], [1 + 12, 3], [1, 3 + 4]])


@given(shift=st.floats(-100, 100), scale=st.floats(0.1, 10), seed=st.integers(0, 1_000))
def test_scores_ignore_the_level_and_follow_the_unit(shift: float, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, expected = rng.normal(size=40), rng.normal(size=(40, 3))
    score = partial(doubly_robust_scores, treatment=rng.choice(ARMS, 40), arms=ARMS, propensity=PROPENSITY)
    plain = score(y, outcome_by_arm=expected)
    moved = score(shift + scale * y, outcome_by_arm=shift + scale * expected)
    np.testing.assert_allclose(moved, scale * plain, atol=1e-9 * (1 + abs(shift)))


def test_average_score_is_unbiased_and_its_interval_covers() -> None:
    """200 trials of 300. False alarms: 1.3e-4 for the two means (4 s.e.), 3e-3 for the two coverages."""
    estimates, ses = [], []
    for seed in range(200):
        found = scores(trial(300, seed))
        estimates.append(found.mean(axis=0))
        ses.append(found.std(axis=0, ddof=1) / np.sqrt(300))
    error = np.array(estimates) - ATE
    assert (np.abs(error.mean(axis=0)) < 4 * error.std(axis=0, ddof=1) / np.sqrt(200)).all()
    covered = (np.abs(error) < 1.96 * np.array(ses)).mean(axis=0)
    assert ((covered > 0.90) & (covered < 0.99)).all()


def test_scores_with_a_propensity_for_each_row_by_hand() -> None:
    found = doubly_robust_scores(
        [5.0, 5.0],
        treatment=["call", "call"],
        arms=["none", "call"],
        propensity={"none": np.array([0.5, 0.75]), "call": np.array([0.5, 0.25])},
        outcome_by_arm=np.tile([1.0, 2.0], (2, 1)),
    )
    # (5 - 2) / .5 = 6 and (5 - 2) / .25 = 12 beside the expected 2 - 1.
    np.testing.assert_allclose(found, [[1 + 6], [1 + 12]])


def test_right_propensities_unbias_a_confounded_campaign_and_naive_ones_do_not() -> None:
    """60 campaigns of 300. False alarms: 1.3e-4 for the two means (4 s.e.)."""
    errors: dict[str, list[np.ndarray]] = {"propensity": [], "naive": []}
    for seed in range(60):
        case = confounded(300, seed)
        known = {"treatment": case.treatment, "arms": ARMS}
        expected = cross_fit_outcomes(case.X, case.y, folds=2, seed=4, **known)
        for name, found in errors.items():
            score = doubly_robust_scores(case.y, propensity=getattr(case, name), outcome_by_arm=expected, **known)
            found.append(score.mean(axis=0) - ATE)
    for name, found in errors.items():
        z = np.mean(found, axis=0) / (np.std(found, axis=0, ddof=1) / np.sqrt(60))
        assert (np.abs(z) < 4).all() if name == "propensity" else (z < -10).all()


def test_outcome_predictions_never_see_their_own_row() -> None:
    data = trial(300, seed=1)
    plain = cross_fit_outcomes(data.X, data.y, treatment=data.treatment, arms=ARMS, folds=3, seed=4)
    odd = data.y.copy()
    odd[17] += 1e6
    other = cross_fit_outcomes(data.X, odd, treatment=data.treatment, arms=ARMS, folds=3, seed=4)
    np.testing.assert_array_equal(plain[17], other[17])
    assert np.abs(plain - other).max() > 1_000


class Watcher:
    """A learner that predicts the difference of means it was fitted on, and knows which rows it saw."""

    def __init__(self) -> None:
        self.seen: list[set[int]] = []
        self.asked: list[set[int]] = []
        self.counts: list[dict[str, int]] = []
        self.seeds: list[int] = []
        self.propensities: list[Any] = []

    def __call__(
        self, X: pd.DataFrame, y: np.ndarray, /, *, treatment: Any, arms: Any, propensity: Any, seed: int
    ) -> Any:
        self.seen.append(set(X.index))
        self.counts.append(pd.Series(treatment).value_counts().to_dict())
        self.seeds.append(seed)
        self.propensities.append(propensity)
        effects = [y[treatment == arm].mean() - y[treatment == arms[0]].mean() for arm in arms[1:]]

        def predict(rows: pd.DataFrame) -> pd.DataFrame:
            self.asked.append(set(rows.index))
            return pd.DataFrame(np.tile(effects, (len(rows), 1)), index=rows.index, columns=list(arms[1:]))

        return SimpleNamespace(predict=predict)


def cross_fit(fit_fn: Any, data: SimpleNamespace, *, folds: int = 3, seed: int = 4) -> np.ndarray:
    return cross_fit_effects(
        fit_fn,
        data.X,
        data.y,
        treatment=data.treatment,
        arms=ARMS,
        propensity=PROPENSITY,
        folds=folds,
        seed=seed,
    )


def test_effects_are_predicted_by_learners_that_never_saw_the_row() -> None:
    data, watcher = trial(300, seed=2), Watcher()
    cross_fit(watcher, data)
    assert all(not seen & asked for seen, asked in zip(watcher.seen, watcher.asked, strict=True))
    assert sorted(row for asked in watcher.asked for row in asked) == list(range(300))
    rows = pd.Series(data.treatment).value_counts()
    for counts in watcher.counts:
        assert all(abs(counts[arm] - rows[arm] * 2 / 3) < 1 for arm in ARMS)
    assert len(set(watcher.seeds)) == 3
    again = Watcher()
    cross_fit(again, data)
    assert (again.seen, again.seeds) == (watcher.seen, watcher.seeds)


def test_folds_take_their_rows_of_propensities_along() -> None:
    data, watcher = trial(300, seed=2), Watcher()
    chance = np.linspace(0.1, 0.5, 300)
    propensity = {"none": 0.4, "upgrade": chance, "discount": 0.6 - chance}
    cross_fit_effects(watcher, data.X, data.y, treatment=data.treatment, arms=ARMS, propensity=propensity, folds=3,
                      seed=4)
    for seen, chances in zip(watcher.seen, watcher.propensities, strict=True):
        assert chances["none"] == 0.4
        assert np.array_equal(chances["upgrade"], chance[sorted(seen)])
    with pytest.raises(DataError, match=r"propensity of arm 'upgrade' has shape \(3,\) for 300 rows"):
        cross_fit_effects(watcher, data.X, data.y, treatment=data.treatment, arms=ARMS, folds=3, seed=4,
                          propensity=propensity | {"upgrade": np.ones(3)})


def test_folds_do_not_mirror_their_own_average() -> None:
    """Left alone, predicting each fold of three with the average of the others has a slope near minus two."""
    data = trial(300, seed=2)
    found = calibrate(cross_fit(Watcher(), data), scores(data, folds=3))
    assert found.slope.tolist() == [0.0, 0.0] and np.isinf(found.slope_se).all()
    assert shrink(np.array([[7.0, 7.0]]), found)[0] == pytest.approx(found.shrink * found.ate)


def test_calibration_by_hand() -> None:
    effects = np.array([[0.0], [2.0], [0.0], [2.0]])
    found = calibrate(effects, np.array([[1.0], [2.0], [1.0], [4.0]]))
    # Residuals 0, -1, 0, 1 on centred effects -1, 1, -1, 1: HC1 variance 2 / 4^2 * 4 / 2 = .25.
    assert (found.ate[0], found.slope[0], found.slope_se[0]) == pytest.approx((2.0, 1.0, 0.5))
    assert found.ate_se[0] == pytest.approx(np.sqrt(2 / 4))
    assert found.shrink[0] == pytest.approx(1 - 0.5 / 4)
    assert found.kept_slope[0] == pytest.approx(0.75)
    # Anchored at the mean effect of the trial, 1, not of the rows asked for.
    assert shrink(np.array([[2.0], [5.0]]), found)[:, 0] == pytest.approx([1.75 + 0.75, 1.75 + 3.0])


@pytest.mark.parametrize(("blown_up", "slope"), [(1.0, 1.0), (2.0, 0.5), (0.5, 2.0), (-1.0, -1.0)])
def test_slope_of_the_truth_is_one_over_its_exaggeration(blown_up: float, slope: float) -> None:
    """False alarms: 6e-5 a number (4 standard errors)."""
    data = large()
    found = calibrate(blown_up * data.effects, data.scores)
    assert (np.abs(found.slope - slope) < 4 * found.slope_se).all()
    assert (found.slope_se < 0.2 / abs(blown_up)).all()
    assert (np.abs(found.ate - data.effects.mean(axis=0)) < 4 * found.ate_se).all()
    assert ((found.kept_slope == 0.0) == (blown_up < 0)).all()
    assert (found.kept_slope <= 1.0).all()


def test_slope_of_noise_is_zero_and_little_of_it_is_kept() -> None:
    """False alarms: 6e-5 a number (4 standard errors)."""
    data = large()
    found = calibrate(data.noise, data.scores)
    assert (np.abs(found.slope) < 4 * found.slope_se).all()
    assert (found.kept_slope < 0.1).all()


def test_shrunk_scores_of_a_learner_beat_its_raw_effects_and_the_average() -> None:
    data, fresh = trial(600, seed=31), trial(4_000, seed=32)
    fit_ridge = partial(fit, "t_ridge")
    found = calibrate(cross_fit(fit_ridge, data), scores(data, folds=3))
    learner = fit_ridge(data.X, data.y, treatment=data.treatment, arms=ARMS, propensity=PROPENSITY, seed=1)
    raw = learner.predict(fresh.X).to_numpy()
    assert (np.abs(found.slope - 1) < 4 * found.slope_se).all()
    assert ((shrink(raw, found) - fresh.effects) ** 2).mean() < fresh.effects.var(axis=0).mean()


@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100))
def test_shrinking_never_widens_and_follows_the_unit(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    effects, pseudo = rng.normal(size=(30, 2)), rng.normal(0.2, 1, size=(30, 2))
    found = calibrate(effects, pseudo)
    kept = shrink(effects, found)
    assert ((found.shrink >= 0) & (found.shrink <= 1)).all()
    assert (kept.std(axis=0) <= effects.std(axis=0) * (1 + 1e-12)).all()
    assert (np.abs(kept.mean(axis=0)) <= np.abs(found.ate) * (1 + 1e-12) + 1e-15).all()
    rescaled = shrink(scale * effects, calibrate(scale * effects, scale * pseudo))
    np.testing.assert_allclose(rescaled, scale * kept, rtol=1e-9, atol=1e-12)


def test_an_average_within_one_standard_error_is_dropped() -> None:
    pseudo = np.array([[-1.0], [1.0], [1.0], [-0.5]])
    found = calibrate(np.ones((4, 1)), pseudo)
    assert found.shrink[0] == 0.0
    assert shrink(np.ones((2, 1)), found)[:, 0].tolist() == [0.0, 0.0]
    zero = calibrate(np.zeros((3, 1)), np.zeros((3, 1)))
    assert (zero.ate[0], zero.shrink[0], zero.slope[0]) == (0.0, 0.0, 0.0)


def test_minimum_detectable_effect_by_hand() -> None:
    # 1.959964 + .841621 = 2.801585 standard errors; events to a share .1 have sd .3.
    found = minimum_detectable_effect(0.3, n_arm=400, n_control=1_600)
    assert found == pytest.approx(2.801585 * 0.3 * np.sqrt(1 / 400 + 1 / 1_600), rel=1e-6)


def test_minimum_detectable_effect_is_found_with_the_stated_power() -> None:
    """2,000 trials; false alarms: 6e-5 (4 standard errors of a share of .9)."""
    rng = np.random.default_rng(3)
    effect = minimum_detectable_effect(1.0, n_arm=50, n_control=150, alpha=0.1, power=0.9)
    difference = rng.normal(effect, np.sqrt(1 / 50 + 1 / 150), size=2_000)
    share = (np.abs(difference) / np.sqrt(1 / 50 + 1 / 150) > 1.6448536).mean()
    assert abs(share - 0.9) < 4 * np.sqrt(0.09 / 2_000)


def test_refusals_say_what_and_where() -> None:
    data = trial(300, seed=1)
    known = {"treatment": data.treatment, "arms": ARMS}
    with pytest.raises(ConfigError, match="folds is 1; give 2 or more"):
        cross_fit_outcomes(data.X, data.y, folds=1, seed=1, **known)
    with pytest.raises(DataError, match=r"outcome_by_arm \(300, 2\); for 300 rows and 3 arms give"):
        doubly_robust_scores(data.y, propensity=PROPENSITY, outcome_by_arm=np.zeros((300, 2)), **known)
    gap = np.zeros((300, 3))
    gap[8, 1] = np.nan
    with pytest.raises(DataError, match="outcome_by_arm is nan at row 8, the first of 1 such values"):
        doubly_robust_scores(data.y, propensity=PROPENSITY, outcome_by_arm=gap, **known)
    with pytest.raises(DataError, match=r"effects have shape \(9, 2\) and scores \(9, 1\)"):
        calibrate(np.zeros((9, 2)), np.zeros((9, 1)))
    with pytest.raises(DataError, match="effects is nan at row 8"):
        calibrate(gap, np.zeros((300, 3)))
    with pytest.raises(ConfigError, match=r"n_arm=0, .*counts at least 1"):
        minimum_detectable_effect(1.0, n_arm=0, n_control=10)
