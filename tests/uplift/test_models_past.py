"""What is learned from a past campaign whose targeting was not random, on simulated ones whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_trials import OFFERS, STAY, fitted, made_trial, predictions
from scipy.special import expit

from churnsim.errors import DataError
from churnsim.uplift.trial import CONTROL, Trial

PLANTED = 0.12


def past(*, by_risk: float = 0.0, by_hidden: float = 0.0, reach: str = "alike", reached_only: bool = False,
         n: int = 12_000) -> Trial:
    """Return the log of a campaign in which a contact with either offer adds `PLANTED` to the chance of staying.

    Being listed goes by the feature "risk" and by a trait that the log does not show; both make leaving likelier. Of
    the listed 60 % are reached, or ("risk", "hidden") those who are likely to stay more often than others.
    """
    rng = np.random.default_rng(11)
    base = made_trial(n=n)
    risk, hidden = base.X["risk"].to_numpy(), rng.choice([-1.0, 1.0], n)
    listed = rng.random(n) < expit(by_risk * risk + by_hidden * hidden)
    code = np.where(listed, rng.integers(1, 3, n), 0)
    answers = {"alike": np.full(n, 0.6), "risk": 0.6 - 0.35 * risk, "hidden": 0.6 - 0.3 * hidden}[reach]
    reached = listed & (rng.random(n) < answers)
    stayed = rng.random(n) < 0.6 - 0.15 * risk - 0.1 * hidden + PLANTED * reached
    log = replace(base, assigned=np.array((CONTROL, *OFFERS))[code], propensity_by_arm=None, reached=reached,
                  accepted=reached & (rng.random(n) < 0.5), stayed=stayed, left_early=~stayed & (rng.random(n) < 0.5))
    return replace(log.take(np.flatnonzero(~listed | reached)), reached_only=True) if reached_only else log


def off(log: Trial, how: str, *, column: str = "tau_contact") -> tuple[float, float]:
    """Return by how much the effect of a contact is missed, mean of both offers, and its standard error."""
    report = fitted(log, STAY, propensity=how).report
    per_contact = (report["effect_se"] / report["effect_of_assignment"] * report["tau_contact"]).abs()
    return float(report[column].mean() - PLANTED), float(np.sqrt((per_contact**2).mean() / 2))


def test_a_list_by_risk_makes_offers_look_bad_and_adjusting_repairs_it() -> None:
    """4 standard errors (of two offers that share their control: an upper bound), false alarm below 6e-5."""
    log = past(by_risk=1.5)
    naive, _ = off(log, "ignored")
    adjusted, error = off(log, "auto")
    assert naive < -0.08 and adjusted == pytest.approx(0.0, abs=4 * np.sqrt(2) * error)
    assert 4 * np.sqrt(2) * error < 0.09


def test_what_the_log_does_not_show_stays() -> None:
    log = past(by_hidden=0.7)
    naive, _ = off(log, "ignored")
    adjusted, _ = off(log, "auto")
    assert naive < -0.08 and adjusted < -0.08


def test_both_leave_the_hidden_part() -> None:
    log = past(by_risk=1.5, by_hidden=0.7)
    naive, adjusted = (off(log, how)[0] for how in ("ignored", "auto"))
    assert naive < adjusted - 0.06 and adjusted < -0.06


def test_records_of_the_reached_flatter_offers_where_stayers_answer() -> None:
    """Answering goes by the feature: repaired. By what the log does not show: not."""
    seen, hidden = (past(reach=reach, reached_only=True) for reach in ("risk", "hidden"))
    naive, repaired = (off(seen, how)[0] for how in ("ignored", "auto"))
    _, error = off(seen, "auto")
    assert naive > 0.02 and repaired == pytest.approx(0.0, abs=4 * np.sqrt(2) * error)
    # Of the reached three in four stay likelier by 0.1, of control every other: 0.05.
    for how in ("ignored", "auto"):
        missed, error = off(hidden, how)
        assert missed == pytest.approx(0.05, abs=4 * np.sqrt(2) * error) and missed > 0.025


def test_a_log_of_the_reached_shows_effects_of_contacts_and_reach_is_not_taken_out_again() -> None:
    whole, reached = past(), past(reached_only=True)
    found = {name: predictions(fitted(log, STAY, shrink=False), whole).effects["stay"]
             for name, log in (("whole", whole), ("reached", reached))}
    report = fitted(reached, STAY).report
    assert (report["reached_share"] == 1.0).all()
    assert report["effect_of_assignment"].to_numpy() == pytest.approx(0.6 * report["tau_contact"].to_numpy())
    for effects in found.values():
        assert effects.tau_assign == pytest.approx(0.6 * effects.tau_contact)
    # Both say what was planted, in months of margin; some 4 standard errors.
    worth = (found["whole"].months * 20.0).mean()
    for effects in found.values():
        assert effects.tau_contact.mean() / worth == pytest.approx(PLANTED, abs=0.06)


def test_where_the_list_is_the_risk_itself_nothing_can_be_learned() -> None:
    with pytest.raises(DataError, match="no overlap: arm 'control' has a propensity outside") as caught:
        fitted(past(by_risk=30.0), STAY)
    assert "run a randomised pilot" in str(caught.value)
