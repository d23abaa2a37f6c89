"""Scores of a log by hand, against the learners' own, and what a log is refused for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnsim.errors import DataError
from churnsim.evaluation.logged_trial import arm_weights, logged_trial
from churnsim.uplift.scores import doubly_robust_scores

ARMS = ["none", "call", "gift"]
THIRDS = dict.fromkeys(ARMS, 1 / 3)
Y = [4.0, 1.0, 2.0]
GOT = ["call", "none", "gift"]


def log(**changes):
    return logged_trial(**({"y": Y, "treatment": GOT, "arms": ARMS, "propensity": THIRDS} | changes))


def test_scores_by_hand() -> None:
    # Row 0 got a call: 4 / (1/2) for it, 0 for the others. With predictions 1, 3, 2 it is 3 + (4 - 3) * 2.
    found = log(propensity={"none": [0.25, 0.5, 0.25], "call": [0.5, 0.25, 0.25], "gift": [0.25, 0.25, 0.5]})
    assert found.arm_scores().tolist() == [[0, 8, 0], [2, 0, 0], [0, 0, 4]]
    assert found.arm_scores([[1, 3, 2]] * 3).tolist() == [[1, 5, 2], [1, 3, 2], [1, 3, 2]]
    assert found.effect_scores([[1, 3, 2]] * 3).tolist() == [[4, 1], [2, 1], [2, 1]]


def test_effect_scores_are_those_of_the_learners() -> None:
    rng = np.random.default_rng(1)
    y, got, m = rng.normal(size=50), rng.choice(ARMS, 50), rng.normal(size=(50, 3))
    y[:3], got[:3] = Y, GOT
    shares = {"none": 0.5, "call": 0.3, "gift": 0.2}
    ours = log(y=y, treatment=got, propensity=shares).effect_scores(m)
    theirs = doubly_robust_scores(y, treatment=got, arms=ARMS, propensity=shares, outcome_by_arm=m)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_without_predictions_the_scores_are_the_response_transformation() -> None:
    # Gubela et al. (2020): Z = Y (W - p) / (p (1 - p)).
    rng = np.random.default_rng(2)
    y, w, p = rng.gamma(2.0, size=40), rng.integers(0, 2, 40), rng.uniform(0.2, 0.8, 40)
    found = logged_trial(y, treatment=np.where(w, "mail", "none"), arms=["none", "mail"],
                         propensity={"none": 1 - p, "mail": p})
    np.testing.assert_allclose(found.effect_scores()[:, 0], y * (w - p) / (p * (1 - p)), rtol=1e-12)


def test_a_policy_comes_as_names_probabilities_or_a_table() -> None:
    by_name = arm_weights(["gift", "none"], arms=ARMS, rows=2)
    assert by_name.tolist() == [[0, 0, 1], [1, 0, 0]]
    table = pd.DataFrame(by_name[:, [2, 0, 1]], columns=["gift", "none", "call"])
    assert arm_weights(table, arms=ARMS, rows=2).tolist() == by_name.tolist()
    assert arm_weights(by_name, arms=ARMS, rows=2).tolist() == by_name.tolist()


@pytest.mark.parametrize(("changes", "said"), [
    ({"costs": {"cal": 1.0, "gift": 1.0}}, "costs: 'cal' is no arm; did you mean 'call'"),
    ({"costs": {"call": 1.0, "gift": 1.0, "tulip": 1.0}}, "costs: 'tulip' is no arm; the arms are"),
    ({"costs": {"call": 1.0}}, "costs: arm 'gift' is missing"),
    ({"costs": {"call": 1.0, "gift": -1.0}}, "costs: arm 'gift' costs -1.0 at row 0; a cost must not be negative"),
    ({"costs": {"call": 1.0, "gift": [1.0]}}, r"costs: arm 'gift' has shape \(1,\); give one number, or one for each"),
    ({"costs": {"call": 1.0, "gift": [1.0, np.nan, 1.0]}}, "costs is nan at row 1"),
    ({"propensity": {"none": 0.5, "call": 0.5}}, "propensity: arm 'gift' is missing"),
    ({"propensity": {"none": 0.5, "call": 0.25, "gift": 0.2}}, r"propensity sums to 0.95 at row 0 \(3 such rows\)"),
    ({"propensity": {"none": 0.5, "call": 0.75, "gift": -0.25}}, "propensity of row 0, arm 2, is -0.25"),
    ({"propensity": {"none": 0.5, "call": [0, 0.25, 0], "gift": [0.5, 0.25, 0.5]}},
     "propensity: row 0 got arm 'call' with probability 0"),
    ({"propensity": {"none": np.nan, "call": 0.25, "gift": 0.2}}, "propensity is nan at row 0"),
    ({"y": [1.0, np.nan, 2.0]}, "outcome is nan at row 1"),
    ({"y": [1.0, 2.0]}, r"y has shape \(2,\) and treatment \(3,\); give both one value a row"),
    ({"y": [], "treatment": []}, r"y has shape \(0,\) and treatment \(0,\)"),
    ({"treatment": ["call", "none", "tulip"]}, "treatment is 'tulip' at row 2, not among the arms"),
])
def test_a_bad_log_is_refused(changes, said) -> None:
    with pytest.raises(DataError, match=said):
        log(**changes)


@pytest.mark.parametrize(("policy", "said"), [
    (["call"], r"policy has shape \(1,\); give an arm's name for each of 3 rows"),
    (["call", "tulip", "none"], "'tulip' at row 1, not among the arms"),
    ([[1.0, 0.0, 0.1]] * 3, r"policy sums to 1.1 at row 0 \(3 such rows\)"),
    ([[1.0, 0.5, -0.5]] * 3, "policy of row 0, arm 2, is -0.5; probabilities must not be negative"),
    ([[1.0, np.nan, 0.0]] * 3, "policy is nan at row 0"),
    (pd.DataFrame({"none": [1.0] * 3, "call": [0.0] * 3}), r"policy has the columns \['none', 'call'\]"),
])
def test_a_bad_policy_is_refused(policy, said) -> None:
    with pytest.raises(DataError, match=said):
        arm_weights(policy, arms=ARMS, rows=3)


def test_bad_predictions_are_refused() -> None:
    with pytest.raises(DataError, match=r"outcome_by_arm has shape \(3, 2\); give one value a row and arm: \(3, 3\)"):
        log().arm_scores(np.zeros((3, 2)))
    with pytest.raises(DataError, match="outcome_by_arm is nan at row 0"):
        log().arm_scores(np.full((3, 3), np.nan))


def test_no_overlap_is_refused() -> None:
    thin = log(propensity={"none": [0.5, 0.5, 0.499], "call": [0.499, 0.25, 0.001], "gift": [0.001, 0.25, 0.5]})
    said = (r"overlap: arm 'call' is given to 1 of 3 rows \(33.3%\) that had got it with probability below 0.01 "
            r"\(the first is row 2 with 0.001")
    with pytest.raises(DataError, match=said):
        thin.effect_scores()
    assert thin.effect_scores(least_propensity=0.001).shape == (3, 2)
    with pytest.raises(DataError, match="arm 'gift' is given to 3 rows, but nobody in the log got it"):
        log(treatment=["call", "none", "none"]).effect_scores()
