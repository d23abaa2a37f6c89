"""Net value, reach and the holdout: what the models make of a trial beside months of margin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_trials import OFFERS, STAY, VALUE, fitted, made_trial, predictions

from churnsim.uplift.outcomes import outcomes
from churnsim.uplift.settings import Learner
from churnsim.uplift.trial import CONTROL, Trial

NET = {"net": Learner(kind="dr_ridge", outcome="net_value")}


@pytest.fixture(scope="module")
def trial() -> Trial:
    return made_trial()


def test_outcomes_by_hand(trial: Trial) -> None:
    two = replace(trial.take(np.array([0, 1])), stayed=np.array([True, False]), margin_months=np.array([5.5, 2.0]),
                  margin_amount=np.array([20.0, 16.0]),
                  net_margin_amount=np.array([90.0, 30.0]), margin_after_amount=np.array([18.0, 20.0]),
                  offer_cost_after_amount=np.array([4.0, 4.0]))
    found = outcomes(two, np.array([10.0, 10.0]))
    assert found["stayed"].tolist() == [1.0, 0.0] and found["margin_months"].tolist() == [15.5, 2.0]
    # 90 in the books, ten more months at 18, less 4 that fall due, where 15.5 months at 20 were known; who left
    # owes and brings nothing more.
    assert found["net_value"].tolist() == [90.0 + 180.0 - 4.0 - 310.0, 30.0 - 248.0]


def test_what_accounts_are_worth_does_not_drown_what_offers_change(trial: Trial) -> None:
    """Margins between 20 and 2,000 that everybody goes on paying: the standard error is that of the small ones."""
    size = np.where(np.arange(len(trial.X)) % 50 == 0, 100.0, 1.0)
    stays = np.ones(len(size), bool)
    known = replace(trial, stayed=stays, margin_months=np.full(len(size), 6.0), margin_amount=20.0 * size,
                    margin_after_amount=20.0 * size, net_margin_amount=120.0 * size - trial.reached)
    months = np.full(len(size), 10.0)
    assert outcomes(known, months)["net_value"] == pytest.approx(-trial.reached.astype(float))


def test_planted_net_value_comes_back_with_offer_cost_counted_once(trial: Trial) -> None:
    """Staying is worth 60 in the trial and 20 a month after it; half of those reached accept an offer of 2."""
    models = fitted(trial, NET | VALUE, shrink=False)
    found = predictions(models, trial)
    worth = 60.0 + 20.0 * models.months_after(found.risk)
    report = models.report.set_index(["learner", "offer"])
    for k, (offer, planted) in enumerate(zip(OFFERS, (0.10, 0.0), strict=True)):
        # 4 standard errors each, two offers: false alarm 1.3e-4. In these books a contact costs 1, which is the offer
        # of 2 that half accept: before the cost of offers nothing is taken off.
        effect = planted * worth.mean()
        assert found.effects["net"].tau_assign[:, k].mean() == pytest.approx(
            effect, abs=4 * report.loc[("net", offer), "effect_se"])
    assert found.accept == pytest.approx(np.full(found.accept.shape, 0.5), abs=0.12)
    # Before offer cost, both learners say the same: books show 1 a contact, that is 2 for each who accepts.
    difference = (found.kept["net"] - found.kept["value"]).mean(axis=0)
    assert np.abs(difference).max() < 0.2 * found.kept["value"][:, 0].mean()


def test_money_of_an_amount_is_not_multiplied_by_margin(trial: Trial) -> None:
    models = fitted(trial, NET | STAY, shrink=False)
    doubled = replace(trial, margin_amount=2.0 * trial.margin_amount)
    one, two = predictions(models, trial), predictions(models, doubled)
    assert np.array_equal(one.kept["net"], two.kept["net"])
    assert two.kept["stay"] == pytest.approx(2.0 * one.kept["stay"])


def answered_by_risk(trial: Trial) -> Trial:
    """Return the trial with those at risk reached in 30 of 100, the others in 80; the plan says 60 for all."""
    chance = np.where(trial.X["risk"] > 0.0, 0.3, 0.8)
    reached = (trial.assigned != CONTROL) & (np.random.default_rng(8).random(len(chance)) < chance)
    return replace(trial, reached=reached, accepted=reached & trial.accepted)


def test_learned_reach_is_that_of_the_pilot(trial: Trial) -> None:
    odd = answered_by_risk(trial)
    planned, learned = (fitted(odd, STAY, shrink=False, reach=how) for how in ("planned", "learned"))
    before, after = predictions(planned, odd), predictions(learned, odd)
    assert np.array_equal(before.reach, odd.planned_reach)
    risky = (odd.X["risk"] > 0.3).to_numpy()
    assert after.reach[risky].mean() < 0.4 and after.reach[~risky].mean() > 0.6
    for found in (before, after):
        effects = found.effects["stay"]
        assert effects.tau_contact == pytest.approx(effects.tau_assign / found.reach[:, None])
    assert np.array_equal(before.effects["stay"].tau_assign, after.effects["stay"].tau_assign)


def test_responses_are_reported_with_their_calibration(trial: Trial) -> None:
    odd = answered_by_risk(trial)
    table = fitted(odd, STAY, reach="learned").responses.set_index(["response", "offer"])
    assert list(table.index) == [("accept", "call"), ("accept", "gift"), ("planned reach", ""), ("reach", "")]
    listed = odd.assigned != CONTROL
    row = table.loc[("reach", "")]
    assert (row["n"], row["yes"]) == (listed.sum(), odd.reached.sum())
    assert row["share"] == pytest.approx(odd.reached[listed].mean())
    # 4 standard errors of a share and of the slope: false alarm 1.3e-4.
    assert row["mean_predicted"] == pytest.approx(row["share"], abs=4 * np.sqrt(0.25 / listed.sum()))
    assert row["slope"] == pytest.approx(1.0, abs=4 * row["slope_se"]) and row["slope_se"] < 0.1
    # The same plan for everybody sorts nobody.
    assert np.isnan(table.loc[("planned reach", ""), "slope"])
    assert list(fitted(odd, STAY).responses["response"]) == ["accept", "accept", "planned reach"]


def test_effects_of_assignment_stay_where_unanswered_attempts_may_act(trial: Trial) -> None:
    reach = np.full((len(trial.X), 1), 0.3)
    for switch, moved in (("no_effect", 0.5), ("possible", 1.0)):
        found = predictions(fitted(trial, STAY, unanswered=switch), trial)
        _, kept = found.effects["stay"].through([0], reach=reach, accept=found.accept[:, :1])
        assert reach * kept == pytest.approx(moved * found.effects["stay"].tau_assign[:, :1])


def test_nothing_is_learned_from_the_holdout(trial: Trial) -> None:
    holdout = np.arange(len(trial.X)) % 4 == 0
    held = replace(trial, holdout=holdout)
    turned = replace(held, stayed=np.where(holdout, ~trial.stayed, trial.stayed),
                     reached=np.where(holdout, False, trial.reached))
    first, second = fitted(held, VALUE), fitted(turned, VALUE)
    assert first.report.equals(second.report) and first.best == second.best
    assert first.report["n_control"].tolist() == [((trial.assigned == CONTROL) & ~holdout).sum()] * 2


def test_a_ranking_by_effects_finds_the_half_that_gains() -> None:
    best = fitted(made_trial(targeted=True)).best
    for name in ("uplift.value", "profit_lift.value"):
        assert best[name].offer == "call" and 0.4 <= best[name].depth_share <= 0.6
        assert best[name].value_amount > 2.0 * max(best["random"].value_amount, 0.0)


def test_chances_that_differ_by_stratum_are_weighted_away() -> None:
    """Those at risk get offers four times as often as control; known chances repair what overall shares do not."""
    rng = np.random.default_rng(5)
    base = made_trial(n=12_000)
    risky = (base.X["risk"] > 0.0).to_numpy()
    prob = np.where(risky[:, None], [[0.2, 0.4, 0.4]], [[0.6, 0.2, 0.2]])
    code = (rng.random(len(prob))[:, None] > prob.cumsum(axis=1)[:, :2]).sum(axis=1)
    stayed = rng.random(len(prob)) < 0.75 - 0.15 * base.X["risk"].to_numpy() + np.array([0.0, 0.1, 0.0])[code]
    trial = replace(base, assigned=np.array((CONTROL, *OFFERS))[code], propensity_by_arm=prob, stayed=stayed,
                    left_early=~stayed & base.left_early)
    known, ignored = (fitted(trial, STAY, propensity=how).report.set_index("offer") for how in ("auto", "ignored"))
    for offer, planted in zip(OFFERS, (0.1, 0.0), strict=True):
        # 4 standard errors, two offers: false alarm 1.3e-4.
        assert known.loc[offer, "effect_of_assignment"] == pytest.approx(
            planted, abs=4 * known.loc[offer, "effect_se"])
        assert ignored.loc[offer, "effect_of_assignment"] < planted - 0.03


def test_shrinking_draws_the_margin_to_nothing_and_leaves_the_cost_of_offers_whole(trial: Trial) -> None:
    """Offers that do nothing and cost 40 where accepted: a plan expects to lose 40 an acceptance, shrunk or not."""
    rng = np.random.default_rng(9)
    took = trial.accepted & (trial.assigned != CONTROL)
    stays = rng.random(len(took)) < 0.8
    months = np.where(stays, 6.0, 3.0)
    idle = replace(trial, stayed=stays, left_early=~stays & trial.left_early,
                   margin_months=months, net_margin_amount=20.0 * months - 40.0 * took,
                   margin_amount=np.full(len(took), 20.0), margin_after_amount=np.full(len(took), 20.0),
                   offer_cost_after_amount=np.zeros(len(took)), offer_cost_amount=np.full((len(took), 2), 40.0))
    kept = predictions(fitted(idle, NET), idle).kept["net"]
    # Learned with the cost, an effect of -20 a contact that the plan did not take off would be drawn to 0 by shrinking.
    assert np.abs(kept.mean(axis=0)).max() < 5.0
