"""Errors of effects by hand, calibration, regret against the budget path, and the four kinds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn_trials import draw
from hypothesis import given
from hypothesis import strategies as st

from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.effect_accuracy import (
    KINDS,
    effect_accuracy,
    effect_calibration,
    regret,
    subscriber_kinds,
)
from churnsim.policy.allocate import budget_path

TRUE, COSTS = np.array([[30, 10], [40, 50], [10, 55.0]]), np.array([[3, 6.0]] * 3)


def test_errors_by_hand() -> None:
    # call: errors -1, 0, -2, squares 1 + 0 + 4; the constant 2 errs by 1, 1, 2. gift: one value, so no order.
    predicted = pd.DataFrame({"call": [0.0, 1.0, 2.0], "gift": [1.0, 1.0, 1.0]})
    found = effect_accuracy(predicted, [[1.0, 0.0], [1.0, 1.0], [4.0, 2.0]])
    assert found.loc["call"].to_dict() == pytest.approx(
        {"mean_predicted": 1, "mean_true": 2, "pehe": np.sqrt(5 / 3), "constant_pehe": np.sqrt(2),
         "spearman": np.sqrt(3) / 2})
    assert found.loc["gift", "pehe"] == found.loc["gift", "constant_pehe"]
    assert np.isnan(found.loc["gift", "spearman"])


def test_calibration_by_hand() -> None:
    predicted = pd.DataFrame({"call": [0.4, 0.1, 0.2, 0.3]})
    found = effect_calibration(predicted, scores=[[4.0], [1.0], [3.0], [6.0]], true=[[0.5], [0.1], [0.1], [0.3]],
                               groups=2)
    assert found[["arm", "group", "rows"]].to_numpy().tolist() == [["call", 1, 2], ["call", 2, 2]]
    assert found[["predicted", "estimated", "true"]].to_numpy() == pytest.approx(
        np.array([[0.15, 2.0, 0.1], [0.35, 5.0, 0.4]]))
    # Scores 1 and 3: standard error 1, t(1; .975) = 12.7062.
    assert found.loc[0, ["low", "high"]].tolist() == pytest.approx([2 - 12.7062, 2 + 12.7062], abs=1e-4)


def test_equal_predictions_share_a_group_and_a_group_of_one_has_no_limits() -> None:
    found = effect_calibration(pd.DataFrame({"call": [0.5, 0.5, 0.5, 0.9]}), scores=np.ones((4, 1)), groups=4)
    assert found["rows"].tolist() == [3, 1]
    assert found["low"].isna().tolist() == [False, True]
    assert "true" not in found


def test_calibrated_effects_are_found_calibrated() -> None:
    """All 20 intervals of 99.9 % cover; a false alarm once in 50 runs of other seeds, and the seed is fixed."""
    drawn = draw(20_000, np.random.default_rng(12))
    predicted = pd.DataFrame(drawn.effects, columns=["call", "gift"])
    found = effect_calibration(predicted, scores=drawn.log.effect_scores(), true=drawn.effects, confidence=0.999)
    assert len(found) == 20
    assert found["true"].to_numpy() == pytest.approx(found["predicted"].to_numpy())
    assert ((found["low"] <= found["true"]) & (found["true"] <= found["high"])).all()
    doubled = effect_calibration(2 * predicted, scores=drawn.log.effect_scores(), confidence=0.999)
    assert not ((doubled["low"] <= doubled["predicted"]) & (doubled["predicted"] <= doubled["high"])).all()


def test_regret_by_hand() -> None:
    # Budget 12: the oracle takes B for the second and third, 105, or by value per money A, A, B: 30 + 40 + 55.
    found = regret([0, -1, 1], TRUE, cost=COSTS, budget=12)
    assert (found.value, found.oracle_value, found.regret, found.share_kept) == (85, 125, 40, 0.68)
    assert regret([-1, -1, -1], -TRUE).regret == 0.0
    assert np.isnan(regret([-1, -1, -1], -TRUE).share_kept)
    assert regret([0, 0, 0], -TRUE).regret == 80.0


@given(st.integers(0, 10_000), st.floats(0, 40))
def test_no_list_beats_the_oracle_by_more_than_its_gap(seed: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    true, cost = rng.normal(2, 5, (8, 3)), rng.uniform(0.5, 6, (8, 3))
    for predicted in (true, true + rng.normal(0, 5, true.shape), -true):
        found = regret(budget_path(predicted, cost).at(budget).arm, true, cost=cost, budget=budget)
        assert found.regret >= -found.oracle_gap - 1e-9
    assert regret(budget_path(true, cost).at(budget).arm, true, cost=cost, budget=budget).regret == pytest.approx(0)


def test_four_kinds_by_hand() -> None:
    found = subscriber_kinds([0.9, 0.5, 0.5, 0.1, 0.1, 0.3], [0.2, 0.02, 0.02001, -0.02, -0.1, 0.3], risk_threshold=0.5,
                             effect_threshold=0.02)
    assert found.frame["kind"].tolist() == ["persuadable", "lost_cause", "persuadable", "sure_thing", "do_not_disturb",
                                            "persuadable"]
    assert found.counts.index.tolist() == list(KINDS)
    assert found.counts["subscribers"].tolist() == [3, 1, 1, 1]
    assert found.counts["share"].sum() == pytest.approx(1)
    assert found.counts.loc["persuadable", "mean_risk"] == pytest.approx((0.9 + 0.5 + 0.3) / 3)


def test_a_kind_without_subscribers_is_counted_as_none() -> None:
    counts = subscriber_kinds([0.9], [0.2], risk_threshold=0.5, effect_threshold=0).counts
    assert counts["subscribers"].tolist() == [1, 0, 0, 0]
    assert np.isnan(counts.loc["do_not_disturb", "mean_effect"])


ONE = pd.DataFrame({"call": [1.0, 2.0]})


@pytest.mark.parametrize(("call", "error", "said"), [
    (lambda: effect_accuracy(ONE, [1.0, 2.0]), DataError, r"predicted has shape \(2, 1\) and true \(2,\)"),
    (lambda: effect_accuracy(ONE, [[1.0], [np.nan]]), DataError, "true is nan at row 1"),
    (lambda: effect_accuracy(ONE * np.nan, [[1.0], [2.0]]), DataError, "predicted is nan at row 0"),
    (lambda: effect_calibration(ONE), ConfigError, "calibration of effects: give scores, true effects or both"),
    (lambda: effect_calibration(ONE, true=[[1.0], [2.0]], groups=0), ConfigError, r"groups of at least 1 \(got 0\)"),
    (lambda: effect_calibration(ONE, scores=[[1.0], [np.inf]]), DataError, "scores is inf at row 1"),
    (lambda: regret([0, 0, 0], TRUE, cost=COSTS, budget=8.9), DataError,
     "chosen: the list spends 9, more than its budget of 8.9; cut it"),
    (lambda: regret([0, 2, 0], TRUE), DataError, "chosen has arms from 0 to 2; true_value has arms 0 to 1"),
    (lambda: regret([0, 1], TRUE), DataError, r"chosen is int64 of shape \(2,\), true_value of shape \(3, 2\)"),
    (lambda: regret([0.0, 1.0, 0.0], TRUE), DataError, "chosen is float64"),
    (lambda: regret([0, 1, 0], TRUE * np.nan), DataError, "true_value is nan at row 0"),
    (lambda: subscriber_kinds([0.5], [0.1], risk_threshold=1.0, effect_threshold=0), ConfigError,
     "risk_threshold must be between 0 and 1"),
    (lambda: subscriber_kinds([0.5], [0.1], risk_threshold=0.5, effect_threshold=-1), ConfigError,
     r"\(got 0.5 and -1\)"),
    (lambda: subscriber_kinds([1.5], [0.1], risk_threshold=0.5, effect_threshold=0), DataError,
     "risk runs from 1.5 to 1.5; give probabilities"),
    (lambda: subscriber_kinds([0.5], [0.1, 0.2], risk_threshold=0.5, effect_threshold=0), DataError,
     r"risk has shape \(1,\) and effect \(2,\)"),
    (lambda: subscriber_kinds([0.5], [np.nan], risk_threshold=0.5, effect_threshold=0), DataError,
     "effect is nan at row 0"),
])
def test_refusals(call, error, said) -> None:
    with pytest.raises(error, match=said):
        call()
