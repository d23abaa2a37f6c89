"""The pilot: a randomised trial on subscribers of its own, months before the campaign."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from churnsim.campaign.money import monthly_margin, offer_cost
from churnsim.campaign.settings import PilotSettings
from churnsim.campaign.wave import Assignment, run_wave
from churnsim.capacity.plan import planned_reach
from churnsim.capacity.settings import CapacitySettings
from churnsim.capacity.work import Channels
from churnsim.core.clock import discount_factor
from churnsim.core.columns import Subscribers
from churnsim.core.draws import choice, stream
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.treatment import Treatment, contacts
from churnsim.signals.observe import CHURNED, Observed, features, listed_rows, observe
from churnsim.signals.settings import SignalsSettings
from churnsim.uplift.trial import CONTROL, Trial

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ASSIGNMENT = stream("campaign.pilot_arm")


def may_contact(table: Observed, kind: str) -> Flags:
    """Return whom a channel of a kind ("live", "automatic", "batch") may contact: contactable, with consent, (n,) bool.

    A machine that talks needs the consent to calls.
    """
    consent = table["sms_consent"] if kind == "batch" else table["call_consent"]
    return np.asarray((table["contactable"] == 1) & (consent == 1))


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
        Discount rate of the outcome "margin_months" and of planned offer cost.
    lost_months
        Those who left within so many months take part too: they are assigned offers that bring back, the others the
        others.
    """
    offers, month, channel = engine.offers, settings.start_month, channels[settings.channel]
    engine.run([(base, None)], start=0, months=month)
    base = base.take(listed_rows(base, month=month, silent_days=signals.silent_days, lost_months=lost_months))
    base = base.take(np.flatnonzero(may_contact(Observed(base, month), channel.kind)))
    table = observe(base, month=month, settings=signals, key=engine.key)
    lost = table["state"] == CHURNED
    back = np.array([offers.settings[name].brings_back for name in tries])
    arm = np.zeros(len(base), np.int64)
    for group, own in ((~lost, ~back), (lost, back)):
        arm_share = (1.0 - settings.control_share) / max(own.sum(), 1)
        shares = [settings.control_share, *[arm_share] * int(own.sum())] if own.any() else [1.0]
        codes = np.concatenate([[0], 1 + np.flatnonzero(own)])
        arm[group] = codes[choice(engine.key, ASSIGNMENT, base.ids[group], shares, month=month)]
    eligible = np.column_stack([offers.eligible(name, table, month=month) for name in tries])
    offered = np.flatnonzero((arm > 0) & eligible[np.arange(len(arm)), np.maximum(arm - 1, 0)])
    code = np.array([offers.code(name) for name in tries], np.int64)[arm[offered] - 1]
    assignment = Assignment(offered, code, np.full(len(offered), settings.channel),
                            np.zeros(len(offered)), np.zeros(len(offered)))
    wave = run_wave(assignment, base, engine=engine, channels=channels, capacity=capacity, offers=offers,
                    month=month, release_days=signals.list_delay_days, deadline_days=30.0, unlimited=True)
    contact_time, accepted = np.full(len(base), np.inf), np.zeros(len(base), np.int8)
    contact_time[offered], accepted[offered] = wave.contact_time, wave.accepted
    horizon = signals.risk_horizon_months
    margin_months, decided_late, left_early = _follow(base, contacts(contact_time, accepted), engine, settings,
                                                      rate_annual, horizon)
    habit = table["read_habit" if channel.kind == "batch" else "answer_habit"].astype(np.float64)
    plan = planned_reach(channel, habit, capacity=capacity, name=settings.channel)
    return Trial(
        offers=tuple(tries), X=features(table), assigned=np.array((CONTROL, *tries))[arm],
        control_share=settings.control_share, eligible=eligible, reached=np.isfinite(contact_time),
        accepted=(accepted > 0) & ~decided_late, planned_reach=plan.reach,
        stayed=base["departure_time"] > month + settings.outcome_months,
        left_early=left_early, margin_months=margin_months,
        margin_amount=monthly_margin(table, engine.settings.cost_to_serve),
        offer_cost_amount=offer_cost(table, offers, tries, rate_annual=rate_annual),
        contact_cost_amount=plan.cost_amount, lost=lost,
        for_lost=tuple(name for name in tries if offers.settings[name].brings_back))


def _follow(base: Subscribers, treatment: Treatment, engine: Lifecycle, settings: PilotSettings,
            rate_annual: float, horizon: int) -> tuple[Float64, Flags, Flags]:
    """Let the outcome months pass.

    Returns discounted months active, who had decided before the contact, and whose service ended within `horizon`
    months, coming back or not.
    """
    months = np.zeros(len(base))
    decided = np.zeros(len(base), bool)
    left = base["departure_time"] <= settings.start_month

    def count(block: Block) -> None:
        rows = slice(block.low, block.high)
        age = block.month.number - settings.start_month
        months[rows] += discount_factor(age, rate_annual=rate_annual) * block["active"]
        if age == 0:
            decided[rows] = ~block["undecided"]
        if age < horizon:
            left[rows] |= block["departure_time"] <= block.month.number + 1

    engine.run([(base, treatment)], start=settings.start_month, months=settings.outcome_months, observe=count)
    return months, decided, left
