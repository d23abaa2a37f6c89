"""A past campaign on a list by risk: who was listed, what the log shows, and what can be learned from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from small_world import small_world

from churnsim.campaign.pilot import Enrolled, contact, enrol, run_pilot
from churnsim.campaign.pilot_design import assign
from churnsim.campaign.pilot_history import listing_probabilities
from churnsim.campaign.pilot_outcomes import follow
from churnsim.campaign.settings import PilotSettings, RiskList
from churnsim.core.draws import make_key
from churnsim.experiment.world import World
from churnsim.lifecycle.treatment import contacts
from churnsim.signals.observe import features
from churnsim.uplift.propensity import cross_fit_propensity
from churnsim.uplift.trial import CONTROL, Trial

TRIES = ("gift", "call", "pack")


def settings(**changes: Any) -> PilotSettings:
    return PilotSettings.model_validate(
        {"size": 9, "start_month": 2, "outcome_months": 6, "control_share": 0.4, "channel": "call", **changes})


def chances(rule: RiskList, score: Any, *, lost: Any = None, back: Any = (False, False, False), **changes: Any
            ) -> np.ndarray:
    n = len(score)
    return listing_probabilities(settings(**changes), rule, score=np.array(score), dissatisfaction=np.arange(n) * 1.0,
                                 lost=np.zeros(n, bool) if lost is None else np.array(lost), tries=TRIES,
                                 for_lost=np.array(back))


# Chances by hand


def test_log_odds_go_up_by_the_strength_for_a_standard_deviation() -> None:
    rule = RiskList(kind="risk_list", listed_share=0.3, strength=2.0)
    score = expit(np.array([-4.0, -3.0, -2.0, -1.0]))
    listed = 1.0 - chances(rule, score)[:, 0]
    assert listed.mean() == pytest.approx(0.3, abs=1e-9)
    assert np.diff(logit(listed)) == pytest.approx(np.full(3, 2.0 / np.std([-4.0, -3.0, -2.0, -1.0])))
    hidden = RiskList(kind="risk_list", listed_share=0.3, strength=0.0, unobserved_strength=1.0)
    assert np.diff(logit(1.0 - chances(hidden, score)[:, 0])) == pytest.approx(np.full(3, 1.0 / np.std(np.arange(4))))
    anybody = RiskList(kind="risk_list", listed_share=0.3, strength=0.0)
    assert chances(anybody, score) == pytest.approx(np.tile([0.7, 0.1, 0.1, 0.1], (4, 1)))


def test_the_listed_share_the_offers_for_their_kind() -> None:
    rule = RiskList(kind="risk_list", listed_share=0.4, strength=0.0)
    shares = {"control": 0.2, "gift": 0.2, "call": 0.4, "pack": 0.2}
    found = chances(rule, [0.1, 0.2, 0.3], lost=[False, True, False], back=(False, False, True), shares=shares)
    assert found == pytest.approx(np.array([[0.6, 0.4 / 3, 0.8 / 3, 0.0], [0.6, 0.0, 0.0, 0.4],
                                            [0.6, 0.4 / 3, 0.8 / 3, 0.0]]))
    # Who has left and can be offered nothing is not listed.
    assert chances(rule, [0.1, 0.2], lost=[False, True])[1].tolist() == [1.0, 0.0, 0.0, 0.0]


# In the world


def history_world(*, size: int = 9000, **rule: Any) -> World:
    targeting = json.dumps({"kind": "risk_list", "listed_share": 0.3, **rule}) if rule else "{kind: random}"
    return small_world(f"pilot.size={size}", "campaign.offers=[discount_30]", f"pilot.targeting={targeting}",
                       "offers.discount_30.acceptance.base_prob=0.95")


def log_of(world: World) -> Trial:
    e = world.experiment
    return run_pilot(world.pilot_population(), e.pilot, tries=e.campaign.offers, engine=world.engine,
                     signals=e.signals, channels=e.channels, capacity=e.capacity, rate_annual=0.1)


def enrolled_in(world: World) -> Enrolled:
    e = world.experiment
    return enrol(world.pilot_population(), e.pilot, tries=e.campaign.offers, engine=world.engine, signals=e.signals,
                 channels=e.channels)


@dataclass(frozen=True)
class Truth:
    """Who would stay unlisted and listed, of those eligible, and the mean effect of being listed."""

    stayed: np.ndarray
    eligible: np.ndarray
    effect: float

    def estimate(self, arm: np.ndarray, prob: np.ndarray) -> float:
        """Return the difference of the arms' means, rows weighted by one over their chance."""
        means = []
        for code in (0, 1):
            rows = self.eligible & (arm == code)
            means.append(np.average(self.stayed[rows, code], weights=1.0 / prob[rows, code]))
        return float(means[1] - means[0])


@pytest.fixture(scope="module")
def truth() -> Truth:
    world = history_world()
    e, enrolled = world.experiment, enrolled_in(world)
    n, stayed = len(enrolled.base), []
    for arm in (0, 1):
        wave = contact(enrolled, np.full(n, arm), e.pilot, tries=e.campaign.offers, engine=world.engine,
                       signals=e.signals, channels=e.channels, capacity=e.capacity)
        time, accepted = np.full(n, np.inf), np.zeros(n, np.int8)
        time[wave.assignment.row], accepted[wave.assignment.row] = wave.contact_time, wave.accepted
        base = enrolled.base.copy()
        follow(base, contacts(time, accepted), world.engine, e.pilot, rate_annual=0.1, horizon=3)
        stayed.append(base["departure_time"] > 8)
    both, eligible = np.column_stack(stayed), enrolled.eligible[:, 0]
    return Truth(both, eligible, float((both[eligible, 1].astype(float) - both[eligible, 0]).mean()))


def drawn(enrolled: Enrolled, draws: int) -> list[np.ndarray]:
    """Return the arms of the same campaign under several keys."""
    return [assign(enrolled.prob, enrolled.table.ids, key=make_key(seed=seed, replicate=0), month=2)
            for seed in range(draws)]


def estimated(enrolled: Enrolled, truth: Truth, arm: np.ndarray) -> np.ndarray:
    """Return the chances that a model of the log gives."""
    rows, prob = truth.eligible, np.full((len(arm), 2), 0.5)
    found = cross_fit_propensity(features(enrolled.table)[rows], np.array([CONTROL, "offer"])[arm[rows]],
                                 arms=(CONTROL, "offer"), folds=3, seed=1, clip=0.01)
    prob[rows] = np.column_stack([found[CONTROL], found["offer"]])
    return prob


def test_the_design_weights_recover_the_effect_that_the_naive_comparison_misses(truth: Truth) -> None:
    """Over 60 draws of one list the weighted mean is that of the twins; 4 standard errors, false alarm 6e-5."""
    enrolled = enrolled_in(history_world(strength=1.2))
    arms = drawn(enrolled, 60)
    weighted = np.array([truth.estimate(arm, enrolled.prob) for arm in arms])
    naive = np.array([truth.estimate(arm, np.full((len(arm), 2), 0.5)) for arm in arms])
    error = weighted.std(ddof=1) / np.sqrt(len(arms))
    assert weighted.mean() == pytest.approx(truth.effect, abs=4 * error) and 4 * error < 0.01
    # Those at risk are listed: the offer looks as if it drove people away.
    assert naive.mean() < truth.effect - 0.02 and truth.effect > 0.0 > naive.mean()


def test_adjusting_repairs_what_the_log_shows_and_no_more(truth: Truth) -> None:
    """Mean of 6 draws each; the bias left by adjusting, against that of the naive comparison."""
    bias = {}
    for name, rule in {"observed": {"strength": 1.2}, "hidden": {"strength": 0.0, "unobserved_strength": 2.0}}.items():
        enrolled = enrolled_in(history_world(**rule))
        arms = drawn(enrolled, 6)
        naive = np.mean([truth.estimate(arm, np.full((len(arm), 2), 0.5)) for arm in arms])
        adjusted = np.mean([truth.estimate(arm, estimated(enrolled, truth, arm)) for arm in arms])
        bias[name] = naive - truth.effect, adjusted - truth.effect
    assert bias["observed"][0] < -0.02 and abs(bias["observed"][1]) < 0.4 * abs(bias["observed"][0])
    assert bias["hidden"][0] < -0.02 and bias["hidden"][1] < 0.6 * bias["hidden"][0]


def test_the_log_is_what_an_operator_has() -> None:
    world = history_world(strength=1.5)
    log, prob = log_of(world), enrolled_in(world).prob
    assert log.propensity_by_arm is None and log.propensity("discount_30") is None
    assert not any(name.startswith("propensity") for name in log.frame().columns)
    assert "satisfaction" not in log.X.columns and not log.reached_only
    listed = log.assigned != CONTROL
    # 4 standard errors of a share: false alarm 6e-5.
    assert listed.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / len(listed)))
    assert prob[listed, 1].mean() > prob[~listed, 1].mean() + 0.1
    assert log.stayed[listed].mean() < log.stayed[~listed].mean()


def test_a_log_of_the_reached_has_lost_the_others() -> None:
    whole, reached = log_of(history_world(strength=1.5)), log_of(history_world(strength=1.5, logged="reached"))
    assert reached.reached_only and reached.reached[reached.assigned != CONTROL].all()
    kept = (whole.assigned == CONTROL) | whole.reached
    assert 0.1 < (~kept).mean() < 0.2
    assert np.array_equal(reached.X.index, whole.X.index[kept]) and np.array_equal(reached.stayed, whole.stayed[kept])
    assert np.array_equal(reached.offer_cost_amount, whole.offer_cost_amount[kept])


@pytest.mark.parametrize("changes", [
    {"strength": 0.5}, {"listed_share": 0.2}, {"unobserved_strength": 1.0}, {"logged": "reached"}], ids=str)
def test_every_key_of_a_past_campaign_changes_its_log(changes: dict[str, Any]) -> None:
    usual = {"strength": 1.5, "listed_share": 0.3}
    before, after = (log_of(history_world(size=1200, **rule)) for rule in (usual, usual | changes))
    assert not np.array_equal(before.assigned, after.assigned)
