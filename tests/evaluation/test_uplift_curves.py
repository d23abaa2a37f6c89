"""Gain curves by hand, against causalml, true ones, and those estimated from many small trials."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn_trials import COSTS, draw
from hypothesis import given
from hypothesis import strategies as st

from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.logged_trial import logged_trial
from churnsim.evaluation.ranking import Ranking, rank_by, rank_path
from churnsim.evaluation.uplift_curves import area_between, compare_rankings, gain_curve, qini_by_arm
from churnsim.policy.allocate import budget_path

# Three people, arms A and B (arXiv 2306.11979, the toy of its reference text).
EFFECTS, PRICES = [[30, 10], [40, 50], [10, 55]], [[3, 6]] * 3


def curve_of(effects, ranking, by, at):
    return gain_curve(effects, ranking, by=by, at=at, draws=0)


def test_the_path_of_three_people_by_hand() -> None:
    path = rank_path(budget_path(EFFECTS, PRICES))
    found = curve_of(EFFECTS, path, "spend", np.array([0, 1.5, 3, 6, 9, 12, 15, 99]) / 3)
    assert (3 * found["gain"]).tolist() == pytest.approx([0, 20, 40, 70, 97.5, 125, 135, 135])
    assert (3 * found["targeted"]).tolist() == pytest.approx([0, 0.5, 1, 2, 2.5, 3, 3, 3])
    assert (3 * found["spend"]).tolist() == pytest.approx([0, 1.5, 3, 6, 9, 12, 15, 15])
    # Per head: the second person's step from A to B adds nobody, and is taken with the last one added.
    assert (3 * curve_of(EFFECTS, path, "targeted", [0, 1 / 3, 2 / 3, 1])["gain"]).tolist() == pytest.approx(
        [0, 40, 70, 135])


def test_a_list_of_one_arm_each_by_hand() -> None:
    # By score: the third with B (55 for 6), the first with A (30 for 3); the second is left out.
    ranking = rank_by([0.5, 0.9, 0.7], arm=[0, -1, 1], cost=[3, np.nan, 6])
    found = curve_of(EFFECTS, ranking, "targeted", [0, 1 / 3, 0.5, 2 / 3, 1])
    assert (3 * found["gain"]).tolist() == pytest.approx([0, 55, 70, 85, 85])
    assert (3 * found["spend"]).tolist() == pytest.approx([0, 6, 7.5, 9, 9])


def test_the_default_depths_run_from_nobody_to_everybody() -> None:
    found = gain_curve([1.0, -2.0, 3.0], rank_by([3, 2, 1]), by="targeted", points=4, draws=20)
    assert found["targeted"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert found["gain"].tolist() == pytest.approx([0, 1 / 3, -1 / 3, 2 / 3])
    first = found.iloc[0]
    assert (first["gain"], first["standard_error"], first["low"], first["high"]) == (0, 0, 0, 0)


def test_equal_scores_are_taken_together_whatever_the_order_of_rows() -> None:
    effects = np.array([5.0, 1.0, 3.0, 0.0])
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        found = curve_of(effects[order], rank_by(np.array([0.9, 0.2, 0.2, 0.2])[order]), "targeted", [0.25, 0.5, 0.75])
        assert (4 * found["gain"]).tolist() == pytest.approx([5, 5 + 4 / 3, 5 + 8 / 3])


def test_what_costs_nothing_is_gained_at_once() -> None:
    found = curve_of([2.0, 4.0], rank_by([2, 1], cost=[0, 1]), "spend", [0, 0.5])
    assert found["gain"].tolist() == [1.0, 3.0]


def test_an_empty_list_gains_nothing() -> None:
    found = gain_curve([2.0, 4.0], rank_by([2, 1], arm=-1), by="spend", draws=5)
    assert not found.to_numpy().any()


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(-10, 10)), min_size=2, max_size=30))
def test_the_true_effect_ranks_best(pairs: list[tuple[float, float]]) -> None:
    effects, score = np.array(pairs).T
    for by in ("targeted", "spend"):
        gap = area_between(effects, rank_by(effects), rank_by(score), by=by, draws=0)
        assert gap.value >= -1e-9
        assert np.isnan(gap.standard_error)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=30), st.randoms())
def test_the_whole_list_gains_the_average_effect(effects: list[float], shuffle) -> None:
    score = list(range(len(effects)))
    shuffle.shuffle(score)
    end = curve_of(effects, rank_by(score), "targeted", [1.0])["gain"].iloc[0]
    assert end == pytest.approx(np.mean(effects), abs=1e-9)


def test_qini_by_hand() -> None:
    # Effects 3, 1, -1 in the right order: heights 0, 1, 4/3, 1 at thirds; area (.5 + 1 + 4/3 + .5) / 3 - 1/2 = 11/18.
    right = pd.DataFrame({"call": [0.3, 0.2, 0.1], "gift": [0.3, 0.2, 0.1]})
    found = qini_by_arm([[3, -1], [1, 1], [-1, 3]], right, draws=0)
    area = (0.5 * (0 + 1) + 0.5 * (1 + 4 / 3) + 0.5 * (4 / 3 + 1)) / 3
    assert found.loc["call", "qini"] == pytest.approx(area - 0.5)
    assert found.loc["gift", "qini"] == pytest.approx(-(area - 0.5))
    assert found["average_effect"].tolist() == [1.0, 1.0]


def test_area_between_by_hand() -> None:
    # Up to half of them: right order 0, 1, 7/6 at 0, 1/3, 1/2; wrong order 0, -1/3, -1/6.
    effects = [3.0, 1.0, -1.0]
    gap = area_between(effects, rank_by([3, 2, 1]), rank_by([1, 2, 3]), by="targeted", upto=0.5, draws=0)
    right = (1 / 3 * 0.5 + 1 / 6 * (1 + 7 / 6) / 2) / 0.5
    wrong = (1 / 3 * -1 / 6 + 1 / 6 * (-1 / 3 - 1 / 6) / 2) / 0.5
    assert gap.value == pytest.approx(right - wrong)
    # Past the end of a list its gain stays: thirds of 3 and 0 gained by a list of one and by an empty one.
    one, none = rank_by([3, 2, 1], arm=[0, -1, -1]), rank_by([3, 2, 1], arm=-1)
    gap = area_between(effects, one, none, by="targeted", upto=1.0, draws=0)
    assert gap.value == pytest.approx(1 / 3 * 0.5 + 2 / 3 * 1)


@cache
def causalml_metrics() -> Any:
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        from causalml import metrics
    return metrics


def test_gain_and_qini_are_those_of_causalml_where_it_has_them() -> None:
    """One arm, no cost, all rows ranked, no ties: true effects to the last digit, a trial's within its noise."""
    metrics = causalml_metrics()
    rng = np.random.default_rng(6)
    n = 2000
    tau, w = rng.normal(0.3, 1.0, n), rng.integers(0, 2, n)
    score = tau + rng.normal(0, 1, n)
    ranking = rank_by(score)
    depths = np.arange(n + 1) / n
    theirs = metrics.get_cumgain(pd.DataFrame({"model": score, "tau": tau}))["model"].to_numpy()
    np.testing.assert_allclose(n * curve_of(tau, ranking, "targeted", depths)["gain"], theirs, atol=1e-9)
    y = 1.0 + tau * w + rng.normal(0, 1, n)
    log = logged_trial(y, treatment=np.where(w, "call", "none"), arms=["none", "call"],
                       propensity={"none": 0.5, "call": 0.5})
    scores = log.effect_scores(np.tile([y[w == 0].mean(), y[w == 1].mean()], (n, 1)))
    theirs = metrics.get_cumgain(pd.DataFrame({"model": score, "y": y, "w": w}))["model"].to_numpy()
    ours = gain_curve(scores, ranking, by="targeted", at=depths[::100], draws=50)
    # Theirs compares means in each part of the list: another estimate of the same gain, less than an error apart, and
    # the same for the whole list, where the predictions are those means.
    assert (np.abs(ours["gain"] - theirs[::100] / n) <= 0.6 * ours["standard_error"])[:-1].all()
    assert n * ours["gain"].iloc[-1] == pytest.approx(theirs[-1])
    # Their Qini coefficient is that area over the total gain.
    area = metrics.auuc_score(pd.DataFrame({"model": score, "tau": tau}), normalize=True)["model"] * tau.mean()
    found = qini_by_arm(tau, pd.DataFrame({"call": score}), draws=0).loc["call", "qini"]
    assert found == pytest.approx(area - tau.mean() / 2, abs=2e-3)


TRIALS, ROWS, DRAWS = 150, 300, 50


@cache
def simulated() -> dict[str, np.ndarray]:
    """Return estimates, standard errors and covered or not of a cost curve, a Qini and a gap, by what is estimated."""
    rng = np.random.default_rng(7)
    large = draw(200_000, np.random.default_rng(8))
    truth = measures(large, large.effects, draws=0, seed=0)
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in truth}
    for seed in range(TRIALS):
        drawn = draw(ROWS, rng)
        for name, found in measures(drawn, drawn.log.effect_scores(drawn.mean + 0.5), draws=DRAWS, seed=seed).items():
            low, high = found[2:]
            rows[name].append((found[0] - truth[name][0], found[1], low <= truth[name][0] <= high))
    return {name: np.array(each, dtype=float) for name, each in rows.items()}


def measures(drawn, effects, *, draws, seed) -> dict[str, tuple[float, ...]]:
    """Return value, error and limits; rankings are functions of the features alone."""
    x, z = drawn.X["x"].to_numpy(), drawn.X["z"].to_numpy()
    costs = np.tile(list(COSTS.values()), (len(x), 1))
    path = rank_path(budget_path(np.column_stack([1 + 2 * x, 1.5 - x]), costs))
    by_z = rank_by(z, arm=0, cost=costs[:, 0])
    curve = gain_curve(effects, path, by="spend", at=[0.3], draws=draws, seed=seed)
    qini = qini_by_arm(effects[:, :1], pd.DataFrame({"call": x + z}), draws=draws, seed=seed)
    gap = area_between(effects, path, by_z, by="spend", upto=0.4, draws=draws, seed=seed)
    columns = ["standard_error", "low", "high"]
    return {"curve": tuple(curve.loc[0, ["gain", *columns]]), "qini": tuple(qini.loc["call", ["qini", *columns]]),
            "gap": (gap.value, gap.standard_error, gap.low, gap.high)}


@pytest.mark.parametrize("name", ["curve", "qini", "gap"])
def test_estimated_curves_are_unbiased_and_their_intervals_cover(name: str) -> None:
    """Three checks each raise a false alarm once in 16,000 runs (4 standard errors); the seed is fixed."""
    error, claimed, covered = simulated()[name].T
    spread = error.std(ddof=1)
    assert abs(error.mean()) < 4 * spread / np.sqrt(TRIALS)
    assert claimed.mean() / spread == pytest.approx(1.0, abs=4 / np.sqrt(2 * TRIALS))
    # 50 draws give a t-like interval with normal limits: 94 % rather than 95 %.
    assert abs(covered.mean() - 0.94) < 4 * np.sqrt(0.05 * 0.95 / TRIALS)


def test_pairing_removes_what_both_rankings_share() -> None:
    drawn = draw(2000, np.random.default_rng(9))
    scores, x = drawn.log.effect_scores(), drawn.X["x"]
    near = rank_by(x), rank_by(x + 0.02 * drawn.X["z"])
    paired = area_between(scores, *near, by="targeted")
    table = compare_rankings(scores, {"x": near[0], "near_x": near[1]}, against="x", by="targeted")
    assert paired.standard_error < 0.2 * table["standard_error"].min()
    assert table.loc["near_x", "difference"] == pytest.approx(-paired.value)
    assert table.loc["near_x", "low"] == pytest.approx(-paired.high)


def test_a_comparison_says_who_wins() -> None:
    drawn = draw(2000, np.random.default_rng(10))
    scores, x = drawn.log.effect_scores(drawn.mean), drawn.X["x"]
    found = compare_rankings(scores, {"risk": rank_by(np.zeros(2000)), "right": rank_by(x), "wrong": rank_by(-x),
                                      "noise": rank_by(np.random.default_rng(11).random(2000))},
                             against="risk", by="targeted")
    assert found["verdict"].to_dict() == {"risk": "the reference", "right": "better", "wrong": "worse",
                                          "noise": "not told apart"}
    assert found.loc["right", "height"] - found.loc["risk", "height"] == pytest.approx(found.loc["right", "difference"])


def test_the_same_seed_gives_the_same_intervals_whatever_numpy_did_before() -> None:
    effects, ranking = [1.0, 5.0, -2.0, 0.5], rank_by([4, 3, 2, 1])
    first = gain_curve(effects, ranking, by="targeted", seed=3)
    np.random.default_rng().random(9)
    pd.testing.assert_frame_equal(first, gain_curve(effects, ranking, by="targeted", seed=3))
    assert not first.equals(gain_curve(effects, ranking, by="targeted", seed=4))


@pytest.mark.parametrize(("call", "error", "said"), [
    (lambda: gain_curve([1.0, 2.0], rank_by([1, 2]), by="money"), ConfigError,
     "by: 'money' is no depth; choose 'targeted' or 'spend'"),
    (lambda: gain_curve([1.0, 2.0], rank_by([1, 2]), by="spend", draws=1), ConfigError, "draws is 1; give 2 or more"),
    (lambda: gain_curve([1.0, 2.0], rank_by([1, 2]), by="spend", confidence=95), ConfigError, "confidence: must be"),
    (lambda: gain_curve([1.0, 2.0], rank_by([1, 2]), by="spend", at=[-1.0]), DataError, "at: depths must be a list"),
    (lambda: gain_curve([1.0, np.nan], rank_by([1, 2]), by="spend"), DataError, "effects is nan at row 1"),
    (lambda: gain_curve([], rank_by([1, 2]), by="spend"), DataError, r"effects have shape \(0, 1\)"),
    (lambda: gain_curve([1.0], rank_by([1, 2]), by="spend"), DataError, "the ranking is of 2 rows, effects have 1"),
    (lambda: gain_curve([1.0, 2.0], rank_by([1, 2], arm=1), by="spend"), DataError,
     "the ranking gives arm 1, but effects have arms 0 to 0"),
    (lambda: area_between([1.0, 2.0], rank_by([1, 2]), rank_by([1, 2], arm=-1), by="spend"), DataError,
     "upto: curves are compared over depths from 0 to 0.0; give a depth above 0"),
    (lambda: compare_rankings([1.0], {"a": rank_by([1.0])}, against="b", by="spend"), ConfigError,
     "against: 'b' is no ranking; choose one of a"),
    (lambda: qini_by_arm([[1.0, 2.0]], pd.DataFrame({"call": [1.0]})), DataError,
     r"effects have shape \(1, 2\) and predicted \(1, 1\)"),
    (lambda: rank_by([1.0, np.nan]), DataError, "score is nan at row 1"),
    (lambda: rank_by(1.0), DataError, r"score has shape \(\); give one value a row"),
    (lambda: rank_by([1.0, 2.0], cost=[1.0, -2.0]), DataError, "cost is -2.0 at row 1; it must not be negative"),
    (lambda: rank_by([1.0, 2.0], cost=[1.0, np.inf]), DataError, "cost is inf at row 0"),
    (lambda: rank_by([1.0, 2.0], arm=[0]), DataError, r"arm or cost has shape \(1,\); give one for all, or one for"),
])
def test_refusals(call, error, said) -> None:
    with pytest.raises(error, match=said):
        call()


def test_a_ranking_is_plain_arrays() -> None:
    ranking = rank_by([1, 2])
    assert isinstance(ranking, Ranking)
    assert ranking.place.tolist() == [0, 1]
    assert ranking.cost.tolist() == [1.0, 1.0]
