"""The pilot: a trial on subscribers of its own, months before the campaign, or a past campaign in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.campaign.money import monthly_margin, offer_cost
from churnsim.campaign.pilot_design import assign, design_probabilities, held_out, strata_codes
from churnsim.campaign.pilot_history import listing_probabilities, score_last_month
from churnsim.campaign.pilot_outcomes import Followed, follow, planned_after
from churnsim.campaign.settings import PilotSettings, RiskList
from churnsim.campaign.wave import Assignment, Wave, run_wave
from churnsim.capacity.plan import PlannedReach, planned_reach
from churnsim.capacity.settings import CapacitySettings
from churnsim.capacity.work import Channels
from churnsim.core.columns import Subscribers
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.treatment import contacts
from churnsim.signals.observe import CHURNED, Observed, features, listed_rows, observe
from churnsim.signals.settings import SignalsSettings
from churnsim.uplift.trial import CONTROL, Trial

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def may_contact(table: Observed, kind: str) -> Flags:
    """Return whom a channel of a kind ("live", "automatic", "batch") may contact: contactable, with consent, (n,) bool.

    A machine that talks needs the consent to calls.
    """
    consent = table["sms_consent"] if kind == "batch" else table["call_consent"]
    return np.asarray((table["contactable"] == 1) & (consent == 1))


@dataclass(frozen=True)
class Enrolled:
    """The pilot's subscribers when arms are assigned.

    Attributes
    ----------
    base
        As they are.
    table
        As the operator sees them.
    margin, lost
        (n,) monthly margin; who has left, as far as the operator knows.
    eligible
        (n, K) who could be given each offer.
    prob
        (n, K + 1) chance of every arm, control first: known to the simulator, in a past campaign to nobody else.
    for_lost
        (K,) which offers are for those who have left.
    """

    base: Subscribers
    table: Observed
    margin: Float64
    lost: Flags
    eligible: Flags
    prob: Float64
    for_lost: Flags

    def arms(self, settings: PilotSettings, engine: Lifecycle) -> Int64:
        """Draw the arm of each, (n,), 0 for control."""
        strata = None
        if settings.strata:
            strata = strata_codes(settings.strata, self.table, margin=self.margin, lost=self.lost)
        return assign(self.prob, self.table.ids, key=engine.key, month=settings.start_month, strata=strata)


def enrol(base: Subscribers, settings: PilotSettings, *, tries: Sequence[str], engine: Lifecycle,
          signals: SignalsSettings, channels: Channels, lost_months: int = 0) -> Enrolled:
    """Let the months before the pilot pass, and return who takes part, with the chance of every arm.

    Parameters
    ----------
    base, tries, lost_months
        As in :func:`run_pilot`.
    """
    rule, month = settings.targeting, settings.start_month
    score = None
    if isinstance(rule, RiskList):
        engine.run([(base, None)], start=0, months=month - 1)
        score = score_last_month(base, engine=engine, signals=signals, month=month)
    else:
        engine.run([(base, None)], start=0, months=month)
    base = base.take(listed_rows(base, month=month, silent_days=signals.silent_days, lost_months=lost_months))
    base = base.take(np.flatnonzero(may_contact(Observed(base, month), channels[settings.channel].kind)))
    table = observe(base, month=month, settings=signals, key=engine.key)
    lost = table["state"] == CHURNED
    margin = monthly_margin(table, engine.settings.cost_to_serve)
    for_lost = np.array([engine.offers.settings[name].brings_back for name in tries])
    if isinstance(rule, RiskList):
        assert score is not None
        prob = listing_probabilities(settings, rule, score=score.predict(features(table)),
                                     dissatisfaction=-base["satisfaction"].astype(np.float64), lost=lost, tries=tries,
                                     for_lost=for_lost)
    else:
        prob = design_probabilities(settings, table, margin=margin, lost=lost, tries=tries, for_lost=for_lost)
    eligible = np.column_stack([engine.offers.eligible(name, table, month=month) for name in tries])
    return Enrolled(base, table, margin, lost, eligible, prob, for_lost)


def contact(enrolled: Enrolled, arm: Int64, settings: PilotSettings, *, tries: Sequence[str], engine: Lifecycle,
            signals: SignalsSettings, channels: Channels, capacity: CapacitySettings) -> Wave:
    """Offer each its arm (n,), 0 for none; with as much staff as it takes.

    Who is not eligible for the offer of its arm is not contacted.
    """
    offered = np.flatnonzero((arm > 0) & enrolled.eligible[np.arange(len(arm)), np.maximum(arm - 1, 0)])
    code = np.array([engine.offers.code(name) for name in tries], np.int64)[arm[offered] - 1]
    assignment = Assignment(offered, code, np.full(len(offered), settings.channel),
                            np.zeros(len(offered)), np.zeros(len(offered)))
    return run_wave(assignment, enrolled.base, engine=engine, channels=channels, capacity=capacity,
                    offers=engine.offers, month=settings.start_month, release_days=signals.list_delay_days,
                    deadline_days=30.0, unlimited=True)


def run_pilot(base: Subscribers, settings: PilotSettings, *, tries: Sequence[str], engine: Lifecycle,
              signals: SignalsSettings, channels: Channels, capacity: CapacitySettings, rate_annual: float,
              lost_months: int = 0) -> Trial:
    """Assign, contact and follow the pilot's subscribers, and return the table of the trial.

    Parameters
    ----------
    base
        The pilot's subscribers at month 0; changed.
    tries
        Names of the offers, an arm each.
    rate_annual
        Discount rate of outcomes in money and months, and of planned offer cost.
    lost_months
        Those who left within so many months take part too: they are assigned offers that bring back, the others the
        others.

    Returns
    -------
    Trial
        Of a past campaign (pilot.targeting) without the chances of assignment, which nobody wrote down, and, where
        only those reached were logged, without the others who were listed.
    """
    enrolled = enrol(base, settings, tries=tries, engine=engine, signals=signals, channels=channels,
                     lost_months=lost_months)
    arm = enrolled.arms(settings, engine)
    wave = contact(enrolled, arm, settings, tries=tries, engine=engine, signals=signals, channels=channels,
                   capacity=capacity)
    n = len(arm)
    contact_time, accepted = np.full(n, np.inf), np.zeros(n, np.int8)
    contact_time[wave.assignment.row], accepted[wave.assignment.row] = wave.contact_time, wave.accepted
    trial = read_out(enrolled, arm, contact_time, accepted, settings, tries=tries, engine=engine, signals=signals,
                     channels=channels, capacity=capacity, rate_annual=rate_annual)
    rule = settings.targeting
    if isinstance(rule, RiskList) and rule.logged == "reached":
        return trial.take(np.flatnonzero((arm == 0) | trial.reached))
    return trial


def read_out(enrolled: Enrolled, arm: Int64, contact_time: Float64, accepted: npt.NDArray[np.int8],
             settings: PilotSettings, *, tries: Sequence[str], engine: Lifecycle, signals: SignalsSettings,
             channels: Channels, capacity: CapacitySettings, rate_annual: float) -> Trial:
    """Let the outcome months pass, and return the table of the trial; ``enrolled.base`` is changed.

    Parameters
    ----------
    arm
        (n,) what each was assigned, 0 for control.
    contact_time, accepted
        (n,) part of the month gone at the contact, infinite without; code of the offer accepted.
    """
    followed = follow(enrolled.base, contacts(contact_time, accepted), engine, settings, rate_annual=rate_annual,
                      horizon=signals.risk_horizon_months)
    plan = _planned(enrolled.table, settings, channels, capacity)
    return _table(enrolled, arm, np.isfinite(contact_time), accepted, followed, plan, settings=settings, tries=tries,
                  engine=engine, rate_annual=rate_annual)


def _planned(table: Observed, settings: PilotSettings, channels: Channels, capacity: CapacitySettings) -> PlannedReach:
    channel = channels[settings.channel]
    habit = table["read_habit" if channel.kind == "batch" else "answer_habit"].astype(np.float64)
    return planned_reach(channel, habit, capacity=capacity, name=settings.channel)


def _table(enrolled: Enrolled, arm: Int64, reached: Flags, accepted: npt.NDArray[np.int8], followed: Followed,
           plan: PlannedReach, *, settings: PilotSettings, tries: Sequence[str], engine: Lifecycle, rate_annual: float
           ) -> Trial:
    """Return what stands in the operator's books when the outcome months are over."""
    table, month, rule = enrolled.table, settings.start_month, settings.targeting
    accepts = (accepted > 0) & ~followed.decided_late
    cost = offer_cost(table, engine.offers, tries, rate_annual=rate_annual)
    after = planned_after(table, engine.offers, tries, months=settings.outcome_months, rate_annual=rate_annual)
    own = np.maximum(arm - 1, 0)
    return Trial(
        offers=tuple(tries), X=features(table), assigned=np.array((CONTROL, *tries))[arm],
        propensity_by_arm=None if isinstance(rule, RiskList) else enrolled.prob, eligible=enrolled.eligible,
        reached=reached, accepted=accepts, planned_reach=plan.reach,
        stayed=enrolled.base["departure_time"] > month + settings.outcome_months, left_early=followed.left_early,
        margin_months=followed.margin_months, margin_amount=enrolled.margin,
        net_margin_amount=followed.net_margin_amount, margin_after_amount=followed.margin_after_amount,
        offer_cost_after_amount=np.where(accepts, after[np.arange(len(arm)), own], 0.0), offer_cost_amount=cost,
        contact_cost_amount=plan.cost_amount, lost=enrolled.lost,
        for_lost=tuple(np.array(tries)[enrolled.for_lost].tolist()),
        holdout=held_out(table.ids, share=settings.holdout_share, key=engine.key, month=month),
        reached_only=isinstance(rule, RiskList) and rule.logged == "reached")
