"""Values of policies by hand, against published forms, and against the truth of many small trials."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from drawn_trials import ARMS, COSTS, best_of, draw

from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.logged_trial import logged_trial
from churnsim.evaluation.off_policy import METHODS, change_with_reach, policy_value, policy_values, value_difference
from churnsim.uplift.scores import cross_fit_outcomes

TRIALS, ROWS = 400, 300
# Predictions that are wrong in level and shape, to show that the doubly robust estimate does not need them right.
WRONG = np.array([4.0, 8.0, 3.0])


def four_rows():
    return logged_trial([4.0, 1.0, 2.0, 0.0], treatment=["call", "none", "call", "none"], arms=["none", "call"],
                        propensity={"none": [0.5, 0.5, 0.75, 0.75], "call": [0.5, 0.5, 0.25, 0.25]},
                        costs={"call": 1.0})


def test_four_rows_by_hand() -> None:
    # Agree: row 0 (call, w = 2, net 3), row 1 (none, w = 2, net 1), row 3 (none, w = 4/3, net 0); row 2 gets none.
    log, policy = four_rows(), ["call", "none", "none", "none"]
    predicted = [[1.0, 2.0]] * 4
    found = {method: policy_value(log, policy, method=method,
                                  outcome_by_arm=predicted if method in ("dm", "dr") else None) for method in METHODS}
    assert found["ipw"].contribution.tolist() == [6, 2, 0, 0]
    assert found["ipw"].value == 2.0
    assert found["ipw"].standard_error == pytest.approx(np.sqrt((16 + 0 + 4 + 4) / 3 / 4))
    assert found["snipw"].value == pytest.approx(8 / (2 + 2 + 4 / 3))  # 1.5
    # Value 1.5 plus w (net - 1.5) / (4/3): 1.5 + 2 * 1.5 / (4/3), and so on.
    assert found["snipw"].contribution.tolist() == pytest.approx([3.75, 0.75, 1.5, 0.0])
    assert found["dm"].contribution.tolist() == [1, 1, 1, 1]
    # Row 0: 2 - 1 + 2 (4 - 2); row 1: 1 + 2 (1 - 1); row 2: 1; row 3: 1 + 4/3 (0 - 1).
    assert found["dr"].contribution.tolist() == pytest.approx([5, 1, 1, -1 / 3])
    assert found["dr"].spend == 0.25
    assert found["ipw"].effective_rows == pytest.approx((16 / 3) ** 2 / (4 + 4 + 16 / 9))


def test_inverse_propensity_is_the_profit_of_hitsch_misra_and_zhang() -> None:
    rng = np.random.default_rng(3)
    n, margin, c = 200, 7.0, 0.4
    y, w, d, e = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.integers(0, 2, n), rng.uniform(0.1, 0.9, n)
    log = logged_trial(margin * y, treatment=np.where(w, "mail", "none"), arms=["none", "mail"],
                       propensity={"none": 1 - e, "mail": e}, costs={"mail": c})
    published = np.sum(d * w * (margin * y - c) / e + (1 - d) * (1 - w) * margin * y / (1 - e))
    found = policy_value(log, np.where(d, "mail", "none"), method="ipw")
    assert n * found.value == pytest.approx(published)


def test_a_random_policy_is_the_mixture_of_its_parts() -> None:
    log, predicted = four_rows(), [[1.0, 2.0]] * 4
    for method in ("ipw", "dm", "dr"):
        given = predicted if method != "ipw" else None
        none, call, mixed = (policy_value(log, np.tile([1 - share, share], (4, 1)), method=method, outcome_by_arm=given)
                             for share in (0.0, 1.0, 0.25))
        assert mixed.value == pytest.approx(0.75 * none.value + 0.25 * call.value)
        assert mixed.spend == 0.25


def test_self_normalised_weights_do_not_mind_a_shift_of_the_outcome() -> None:
    log = four_rows()
    moved = logged_trial(log.outcome + 100, treatment=np.array(log.arms)[log.arm], arms=log.arms, costs={"call": 1.0},
                         propensity={"none": log.propensity[:, 0], "call": log.propensity[:, 1]})
    before, after = (policy_value(each, ["call"] * 4, method="snipw") for each in (log, moved))
    assert after.value == pytest.approx(before.value + 100)
    assert after.standard_error == pytest.approx(before.standard_error)


@cache
def simulated() -> dict[str, np.ndarray]:
    """Return estimate, standard error and covered or not of the value and of the difference from nobody, by method."""
    rng = np.random.default_rng(4)
    truth, nobody = true_values()
    rows: dict[str, list[tuple[float, ...]]] = {method: [] for method in ("ipw", "snipw", "dr", "dr_wrong", "gap")}
    for _ in range(TRIALS):
        drawn = draw(ROWS, rng)
        policy = best_of(drawn)
        # The learned predictions of a linear world, made without the row: here the truth plus an error of their own.
        near = drawn.mean + 0.3 * drawn.X["x"].to_numpy()[:, None]
        for method in ("ipw", "snipw", "dr", "dr_wrong"):
            given = {"dr": near, "dr_wrong": np.tile(WRONG, (ROWS, 1))}.get(method)
            found = policy_value(drawn.log, policy, method=method[:5].removesuffix("_wr"), outcome_by_arm=given)
            rows[method].append((found.value, found.standard_error, found.low <= truth <= found.high))
            if method == "dr":
                none = policy_value(drawn.log, np.full(ROWS, "none"), method="dr", outcome_by_arm=given)
                gap = value_difference(found, none)
                assert gap.low is not None and gap.high is not None
                rows["gap"].append((gap.mean, (gap.high - gap.low) / 3.93, gap.low <= truth - nobody <= gap.high))
    return {method: np.array(each, dtype=float) for method, each in rows.items()}


def true_values() -> tuple[float, float]:
    """Return the policy's true value and that of leaving all alone.

    x and z are uniform on (-1, 1). Call where x > .2 (share .4, mean x .6): 6 + 2z + 2x - .5 has mean 6.7. A gift where
    x <= .2 and z < 0 (share .3, mean x -.4, mean z -.5): 6.5 + 2z - x - 1 has mean 4.9. Nothing else (share .3, mean z
    .5): 6.
    """
    return 0.4 * 6.7 + 0.3 * 4.9 + 0.3 * 6.0, 5.0


@pytest.mark.parametrize("method", ["ipw", "snipw", "dr", "dr_wrong", "gap"])
def test_estimates_are_unbiased_and_their_errors_right(method: str) -> None:
    """Each of three checks of each method raises a false alarm once in 16,000 runs (4 standard errors); fixed seed.

    The self-normalised estimate is biased by the order of 1 / rows, a twentieth of its standard error here.
    """
    truth = true_values()[0] - (true_values()[1] if method == "gap" else 0.0)
    value, error, covered = simulated()[method].T
    assert abs(value.mean() - truth) < 4 * value.std(ddof=1) / np.sqrt(TRIALS)
    assert error.mean() / value.std(ddof=1) == pytest.approx(1.0, abs=4 / np.sqrt(2 * TRIALS))
    # Intervals of means of 300 rows with heavy weights cover a little less than 95 %.
    assert 0.94 - 4 * np.sqrt(0.05 * 0.95 / TRIALS) < covered.mean() < 0.95 + 4 * np.sqrt(0.05 * 0.95 / TRIALS)


def test_good_predictions_make_the_doubly_robust_estimate_sharper() -> None:
    found = simulated()
    spread = {method: each[:, 0].std() for method, each in found.items()}
    assert spread["dr"] < 0.8 * spread["snipw"] and spread["snipw"] < 0.5 * spread["ipw"]


def test_all_estimates_of_a_policy_with_predictions_learned_across_folds() -> None:
    drawn = draw(4000, np.random.default_rng(5))
    got = np.array(ARMS)[drawn.log.arm]
    predicted = cross_fit_outcomes(drawn.X, drawn.log.outcome, treatment=got, arms=ARMS, folds=3, seed=1)
    table = policy_values(drawn.log, best_of(drawn), outcome_by_arm=predicted)
    assert table.index.tolist() == list(METHODS)
    # A false alarm once in 16,000 runs a row, and the seed is fixed; the direct method's error leaves out its own.
    assert ((table["value"] - true_values()[0]).abs() < 4 * table["standard_error"]).all()
    assert table.loc["dr", "standard_error"] < table.loc["ipw", "standard_error"] / 2


@pytest.mark.parametrize(("arguments", "error", "said"), [
    ({"method": "ips"}, ConfigError, "method 'ips' is unknown; choose one of ipw, snipw, dm, dr"),
    ({"method": "dr"}, ConfigError, "method 'dr' needs outcome_by_arm"),
    ({"method": "ipw", "outcome_by_arm": [[1.0, 2.0]] * 4}, ConfigError, "method 'ipw' uses no outcome_by_arm"),
    ({"method": "dr", "outcome_by_arm": [[np.nan, 2.0]] * 4}, DataError, "outcome_by_arm is nan at row 0"),
    ({"method": "ipw", "budget": 0.5}, DataError, "it spends 1 on 4 rows, more than its budget of 0.5; cut the list"),
    ({"method": "ipw", "budget": np.nan}, DataError, "more than its budget of nan"),
    ({"method": "ipw", "least_propensity": 0.6}, DataError, r"overlap: arm 'none' is given to 1 of 4 rows \(25.0%\)"),
    ({"method": "ipw", "policy": ["none", "call", "none", "call"]}, DataError, "no row of the log got what the policy"),
])
def test_refusals(arguments, error, said) -> None:
    policy = arguments.pop("policy", ["call", "none", "none", "none"])
    with pytest.raises(error, match=said):
        policy_value(four_rows(), policy, **arguments)


def test_a_policy_may_spend_exactly_its_budget() -> None:
    log = logged_trial(np.ones(3), treatment=["call", "none", "none"], arms=["none", "call"],
                       propensity={"none": 0.5, "call": 0.5}, costs={"call": 0.1})
    assert 0.1 + 0.1 + 0.1 > 0.3
    assert policy_value(log, ["call"] * 3, method="ipw", budget=0.3).spend == pytest.approx(0.1)


def test_an_arm_nobody_got_is_refused_only_if_it_is_given() -> None:
    log = logged_trial([1.0, 2.0], treatment=["none", "call"], arms=ARMS, costs=COSTS,
                       propensity={"none": 0.5, "call": 0.25, "gift": 0.25})
    assert policy_value(log, ["none", "none"], method="ipw").value == 1.0
    with pytest.raises(DataError, match="arm 'gift' is given to 1 rows, but nobody in the log got it"):
        policy_value(log, ["gift", "none"], method="ipw")


def test_a_row_that_could_not_get_an_arm_is_no_obstacle_to_policies_that_respect_it() -> None:
    log = logged_trial([1.0, 2.0, 3.0], treatment=["none", "call", "none"], arms=["none", "call"],
                       propensity={"none": [0.5, 0.5, 1.0], "call": [0.5, 0.5, 0.0]})
    policy = pd.Series(["call", "call", "none"])
    assert policy_value(log, policy, method="ipw").value == pytest.approx((0 + 4 + 3) / 3)


def test_the_change_with_reach_by_hand() -> None:
    # Row 0 is called: score of the call 8, of none 0. Half the reach takes half its effect.
    found = change_with_reach(four_rows(), ["call", "none", "none", "none"], reach_ratio=[0.5])
    assert found.mean == -0.5 * 8 / 4
    same = change_with_reach(four_rows(), ["call"] * 4, reach_ratio=np.ones((4, 1)))
    assert (same.mean, same.low, same.high) == (0, 0, 0)


def test_a_trial_tells_the_value_at_other_staff_if_unanswered_attempts_do_nothing() -> None:
    """A trial that reaches 30 %, staff that reaches 60 %; at 4 standard errors, a false alarm once in 16,000 runs."""
    rng = np.random.default_rng(13)
    n = 40_000
    x, called, chance = rng.uniform(size=n), rng.integers(0, 2, n), rng.random(n)

    def outcome(reach: float) -> np.ndarray:
        return 2.0 + np.where(called & (chance < reach), 1.0 + x, 0.0) + rng.normal(0, 0.5, n)

    few, many = (logged_trial(outcome(reach), treatment=np.where(called, "call", "none"), arms=["none", "call"],
                              propensity={"none": 0.5, "call": 0.5}) for reach in (0.3, 0.6))
    policy = np.where(x > 0.5, "call", "none")
    change = change_with_reach(few, policy, reach_ratio=[2.0], outcome_by_arm=np.tile([2.0, 2.45], (n, 1)))
    # Half are called; 30 % more of them are reached, each worth 1.75.
    assert change.low is not None
    error = (change.mean - change.low) / 1.96
    assert abs(change.mean - 0.5 * 0.3 * 1.75) < 4 * error
    values = [policy_value(each, policy, method="dr", outcome_by_arm=np.tile([2.0, 2.45], (n, 1)))
              for each in (few, many)]
    gap = values[1].value - values[0].value
    assert abs(gap - change.mean) < 4 * np.hypot(error, values[0].standard_error + values[1].standard_error)


@pytest.mark.parametrize(("ratio", "said"), [
    ([0.5, 0.5], r"reach_ratio has shape \(2,\); give one value a row and arm after control, \(4, 1\), or one an arm"),
    ([-0.5], "reach_ratio has the value -0.5"),
    ([np.nan], "reach_ratio is nan at row 0"),
])
def test_bad_ratios_are_refused(ratio, said) -> None:
    with pytest.raises(DataError, match=said):
        change_with_reach(four_rows(), ["call"] * 4, reach_ratio=ratio)
