"""What is learned from a pilot, on simulated trials whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from made_trials import (
    KEY,
    MONTHS,
    OFFERS,
    RATE,
    STAY,
    VALUE,
    fitted,
    made_trial,
    months,
    predictions,
)

from churnsim.core.draws import Key, integer_seed
from churnsim.errors import DataError
from churnsim.uplift.learned import Learned
from churnsim.uplift.learners import fit
from churnsim.uplift.models import RANKINGS, Models
from churnsim.uplift.scores import shrink
from churnsim.uplift.trial import CONTROL, Trial


@pytest.fixture(scope="module")
def trial() -> Trial:
    return made_trial()


def test_months_after_by_hand() -> None:
    models = Models.__new__(Models)
    models.churn = SimpleNamespace(horizon_months=3)  # type: ignore[assignment]
    models.base_rate = 0.2
    models._outcome_months, models._horizon, models._rate = 2, 5, 0.21
    # Monthly rates 0.1 and 0: stay (0.1 + 0.2) / 2 less than 1, and 0.9.
    found = models.months_after(np.array([0.271, 0.0]))
    discount = [1.21 ** (-month / 12) for month in (2, 3, 4)]
    expected = [sum(d * stay**k for k, d in enumerate(discount)) for stay in (0.85, 0.9)]
    assert found == pytest.approx(expected, rel=1e-12)


def test_planted_effect_on_staying_comes_back(trial: Trial) -> None:
    """Per contact a planted effect of assignment of 0.10 is 0.10 / 0.6; 4 standard errors, false alarm 1.3e-4."""
    models = fitted(trial, STAY, shrink=False)
    found = predictions(models, trial)
    kept = sum((1 + RATE) ** (-month / 12) for month in range(MONTHS)) / 2 + models.months_after(found.risk)
    effect = (months(found, "stay") * 0.6 / kept[:, None]).mean(axis=0)
    report = models.report.set_index("offer")
    for k, (offer, planted) in enumerate(zip(OFFERS, (0.10, 0.0), strict=True)):
        error = report.loc[offer, "effect_se"]
        assert effect[k] == pytest.approx(planted, abs=4 * error), offer
        assert report.loc[offer, "effect_of_assignment"] == pytest.approx(planted, abs=4 * error), offer
    assert 4 * report.loc["call", "effect_se"] < 0.06


def test_months_of_a_staying_learner_by_hand(trial: Trial) -> None:
    """Effect of assignment over reach, times half the pilot's months and those expected after it."""
    models = fitted(trial, STAY, shrink=False)
    found = predictions(models, trial)
    rows = trial.rows_for("call")
    learner = fit(
        "t_logistic",
        trial.X.iloc[rows],
        trial.stayed[rows].astype(float),
        treatment=trial.assigned[rows],
        arms=(CONTROL, "call"),
        propensity={CONTROL: 0.5, "call": 0.5},
        seed=integer_seed(KEY),
    )
    half = sum((1 + RATE) ** (-month / 12) for month in range(MONTHS)) / 2
    expected = learner.predict(trial.X)["call"].to_numpy() / 0.6 * (half + models.months_after(found.risk))
    assert months(found, "stay")[:, 0] == pytest.approx(expected, rel=1e-9)


def test_planted_effect_on_margin_comes_back(trial: Trial) -> None:
    """Staying is worth three more months of the pilot and those expected after it."""
    models = fitted(trial, VALUE, shrink=False)
    found = predictions(models, trial)
    worth = 3.0 + models.months_after(found.risk)
    report = models.report.set_index("offer")
    for k, (offer, planted) in enumerate(zip(OFFERS, (0.10, 0.0), strict=True)):
        # The planted effect is the same for all, so the mean effect is planted x mean worth.
        assert 0.6 * months(found, "value")[:, k].mean() == pytest.approx(
            planted * worth.mean(), abs=4 * report.loc[offer, "effect_se"]
        ), offer


def test_the_report_counts_the_trial(trial: Trial) -> None:
    report = fitted(trial, VALUE | STAY).report
    assert list(zip(report["learner"], report["offer"], strict=True)) == [
        (learner, offer) for learner in ("value", "stay") for offer in OFFERS
    ]
    row = report.iloc[0]
    call, control = trial.assigned == "call", trial.assigned == CONTROL
    assert (row["n_offer"], row["n_control"]) == (call.sum(), control.sum())
    assert (row["left_offer"], row["left_control"]) == ((call & ~trial.stayed).sum(), (control & ~trial.stayed).sum())
    assert row["reached_share"] == pytest.approx(trial.reached[call].mean())
    assert row["minimum_detectable_effect"] > 0.0 and row["kind"] == "dr_ridge"


def test_shrinking_draws_an_absent_effect_to_nothing(trial: Trial) -> None:
    raw, shrunk = (months(predictions(fitted(trial, STAY, shrink=flag), trial), "stay") for flag in (False, True))
    assert np.abs(shrunk[:, 1]).mean() < 0.7 * np.abs(raw[:, 1]).mean()
    assert shrunk[:, 0].mean() > 0.8 * raw[:, 0].mean()


def test_what_keeps_nothing_of_its_spread_is_the_average_and_asks_no_learner(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = fitted(trial)
    learned = models._learned["value"]["call"]
    raw = learned.fitted.predict(trial.X).to_numpy()
    nothing = replace(learned.calibration, slope=np.zeros(1))
    unasked: Any = object()
    models._learned["value"] = dict.fromkeys(OFFERS, Learned(unasked, nothing, np.zeros(0)))
    found = months(predictions(models, trial), "value")
    assert np.array_equal(found[:, :1], shrink(raw, nothing) / 0.6) and found[0, 0] > 0.0
    models.settings = models.settings.model_copy(update={"shrink": False})
    with pytest.raises(AttributeError, match="predict"):
        predictions(models, trial)


@pytest.mark.parametrize("rows", [1, 7, 4000])
def test_predictions_of_rows_do_not_hang_on_the_rows_beside_them(trial: Trial, rows: int) -> None:
    models = fitted(trial, VALUE | STAY)
    whole, few = predictions(models, trial), slice(50, 50 + rows)
    part = predictions(models, trial, few)
    assert np.array_equal(part.risk, whole.risk[few]) and np.array_equal(part.accept, whole.accept[few])
    for name in ("value", "stay"):
        assert np.array_equal(months(part, name), months(whole, name)[few])


def test_effects_are_divided_by_reach_but_never_by_less_than_the_floor(trial: Trial) -> None:
    models = fitted(trial, VALUE, min_reach_prob=0.3)
    few = slice(3)
    at = {
        reach: months(predictions(models, replace(trial, planned_reach=np.full(len(trial.X), reach)), few), "value")
        for reach in (0.05, 0.3, 0.6)
    }
    assert np.array_equal(at[0.05], at[0.3])
    assert at[0.6] == pytest.approx(at[0.3] / 2.0)


def test_acceptance_is_learned_where_there_are_enough_of_both(trial: Trial) -> None:
    reached = (trial.assigned == "call") & trial.reached
    prob = np.where(trial.X["risk"] > 0, 0.8, 0.2)
    accepted = reached & (np.random.default_rng(1).random(len(prob)) < prob)
    few = np.flatnonzero((trial.assigned == "gift") & trial.reached)[:7]
    accepted[few] = True
    models = fitted(replace(trial, accepted=accepted), STAY)
    found = predictions(models, trial).accept
    assert found[:, 0].mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(reached.sum()))
    assert found[trial.X["risk"] > 0.5, 0].mean() > 0.7 and found[trial.X["risk"] < -0.5, 0].mean() < 0.3
    share = 7 / ((trial.assigned == "gift") & trial.reached).sum()
    assert found[:, 1] == pytest.approx(np.full(len(found), share))


def test_best_campaign_is_the_planted_offer(trial: Trial) -> None:
    best = fitted(trial).best
    assert tuple(best) == (*RANKINGS, "uplift.value", "profit_lift.value")
    for ranking in best:
        assert best[ranking].offer == "call" and best[ranking].value_amount > 0.0
        # It pays with everybody: 0.1 x 14 months x 20 against less than 2.
        assert best[ranking].depth_share >= 0.8
    swapped = fitted(made_trial(effect=(0.0, 0.10))).best
    assert {campaign.offer for campaign in swapped.values()} == {"gift"}


def test_a_ranking_that_finds_those_who_gain_stops_there() -> None:
    best = fitted(made_trial(targeted=True)).best
    assert best["churn_risk"].offer == "call" and 0.4 <= best["churn_risk"].depth_share <= 0.6
    assert best["churn_risk"].value_amount > 2.0 * max(best["random"].value_amount, 0.0)


def test_best_value_by_hand(trial: Trial) -> None:
    """At depth 1 the value is the mean of score x margin less planned cost, whatever the order."""
    models = fitted(replace(trial, contact_cost_amount=np.full(len(trial.X), -1000.0)))
    for campaign in models.best.values():
        # A contact that pays 1000 makes everybody worth it: the rest is effect x margin - reach x accept x offer.
        assert campaign.depth_share == 1.0
        report = models.report.set_index("offer").loc[campaign.offer]
        rows = trial.rows_for(campaign.offer)
        accept = predictions(models, trial).accept[rows]
        spent = 0.6 * accept[:, OFFERS.index(campaign.offer)].mean() * 2.0
        assert campaign.value_amount == pytest.approx(report["effect_of_assignment"] * 20.0 + 1000.0 - spent, rel=1e-9)


def test_too_small_a_pilot_is_refused(trial: Trial) -> None:
    small = made_trial(n=300)
    smallest = min((small.assigned == arm).sum() for arm in (CONTROL, "call"))
    with pytest.raises(DataError) as caught:
        fitted(small)
    assert str(caught.value) == (
        f"pilot: {smallest} subscribers in the smaller arm for offer 'call', at least 200 "
        "are needed to learn its effects; enlarge pilot.size"
    )
    with pytest.raises(DataError) as caught:
        fitted(replace(trial, assigned=np.full(len(trial.X), "call")))
    assert str(caught.value) == ("pilot: nobody was assigned to control; enlarge pilot.size or pilot.control_share")


def test_same_seed_same_bits(trial: Trial) -> None:
    first, second, other = (fitted(trial, VALUE | STAY, key=key) for key in (KEY, KEY, Key(9, 9)))
    for name in ("value", "stay"):
        assert np.array_equal(months(predictions(first, trial), name), months(predictions(second, trial), name))
    pd.testing.assert_frame_equal(first.report, second.report, check_exact=True)
    assert first.best == second.best
    assert not first.report.equals(other.report)


def test_rankings_by_risk_are_judged_on_rows_their_model_did_not_see() -> None:
    """Leaving is noise: the riskiest by the model's own fit would seem to gain from an offer that does nothing."""
    rng = np.random.default_rng(3)
    n, columns = 3000, 25
    base = made_trial(n=n)
    noise = pd.DataFrame(rng.normal(size=(n, columns)), index=base.X.index, columns=[f"x{k}" for k in range(columns)])
    stayed = rng.random(n) < 0.8
    trial = replace(base, X=noise, stayed=stayed, left_early=~stayed, margin_months=np.where(stayed, 6.0, 3.0))
    models = fitted(trial, VALUE, churn_model="lightgbm")
    control = trial.assigned == CONTROL
    own, unseen = models.risk_of(trial), models.unseen_risk(trial)

    def left_among_riskiest(risk: npt.NDArray[np.float64]) -> float:
        top = np.flatnonzero(control)[np.argsort(-risk[control])[: int(control.sum()) // 10]]
        return float(trial.left_early[top].mean())

    # A fifth leave: 4 standard errors of the share among a tenth of the control group, false alarm 6e-5.
    error = np.sqrt(0.2 * 0.8 / (control.sum() // 10))
    assert left_among_riskiest(own) > 0.2 + 4 * error
    assert left_among_riskiest(unseen) == pytest.approx(0.2, abs=4 * error)
