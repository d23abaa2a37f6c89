"""The table of a trial: rows that tell about an offer, their chances, the holdout and what is stored of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churnsim.uplift.trial import CONTROL, Trial

PROB = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.8, 0.0, 0.2]])


def small() -> Trial:
    n = 5
    return Trial(
        offers=("call", "gift"),
        X=pd.DataFrame({"age": np.arange(n) * 1.0}, index=pd.Index(np.arange(n) + 10, name="subscriber")),
        assigned=np.array([CONTROL, "call", "gift", "call", CONTROL]),
        propensity_by_arm=PROB,
        eligible=np.array([[1, 1], [1, 1], [1, 1], [0, 1], [0, 1]], bool),
        reached=np.array([0, 1, 1, 0, 0], bool),
        accepted=np.array([0, 1, 0, 0, 0], bool),
        planned_reach=np.full(n, 0.6),
        stayed=np.array([1, 1, 0, 1, 0], bool),
        left_early=np.zeros(n, bool),
        margin_months=np.arange(n) * 1.0,
        margin_amount=np.arange(n) * 2.0,
        net_margin_amount=np.arange(n) * 3.0,
        margin_after_amount=np.arange(n) * 4.0,
        offer_cost_after_amount=np.zeros(n),
        offer_cost_amount=np.arange(2 * n).reshape(n, 2) * 1.0,
        contact_cost_amount=np.ones(n),
    )


def test_rows_and_their_chances_given_that_they_tell() -> None:
    trial = small()
    assert trial.rows_for("call").tolist() == [0, 1] and trial.rows_for("gift").tolist() == [0, 2, 4]
    found = trial.propensity("call")
    assert found is not None
    assert found[CONTROL] == pytest.approx([0.5 / 0.8, 0.5]) and found["call"] == pytest.approx([0.3 / 0.8, 0.5])
    alike = trial.take(np.array([0, 2, 3])).propensity("gift")
    assert alike == {CONTROL: 0.5 / 0.7, "gift": 0.2 / 0.7} and isinstance(alike["gift"], float)
    assert replace(trial, propensity_by_arm=None).propensity("call") is None


def test_the_holdout_is_left_out_of_what_is_learned_from() -> None:
    trial = small()
    assert trial.to_learn_from() is trial
    held = replace(trial, holdout=np.array([1, 0, 0, 1, 0], bool), lost=np.array([0, 0, 0, 0, 1], bool))
    rest = held.to_learn_from()
    assert rest.X.index.tolist() == [11, 12, 14] and rest.assigned.tolist() == ["call", "gift", CONTROL]
    assert rest.propensity_by_arm is not None and np.array_equal(rest.propensity_by_arm, PROB[[1, 2, 4]])
    assert rest.here.tolist() == [True, True, False] and rest.offer_cost_amount.tolist() == [[2, 3], [4, 5], [8, 9]]


def test_the_frame_holds_what_an_evaluation_needs() -> None:
    frame = small().frame()
    assert frame.index.tolist() == [10, 11, 12, 13, 14] and frame["assigned"].tolist() == small().assigned.tolist()
    arms = ["propensity.control", "propensity.call", "propensity.gift"]
    assert np.array_equal(frame[arms], PROB) and np.array_equal(frame["x.age"], small().X["age"])
    assert frame["eligible.call"].tolist() == [True, True, True, False, False]
    assert frame["offer_cost_amount.gift"].tolist() == [1, 3, 5, 7, 9]
    assert {"reached", "stayed", "net_margin_amount", "margin_after_amount"} <= set(frame.columns)
    assert "holdout" not in frame.columns
    hidden = replace(small(), propensity_by_arm=None).frame()
    assert not any(name.startswith("propensity") for name in hidden.columns)
