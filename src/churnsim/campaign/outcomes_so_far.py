"""A month's draws as rows of a trial, once their outcome is read: earlier than a pilot's, the rest filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from churnsim.campaign.money import monthly_margin
from churnsim.campaign.pilot import Enrolled, read_out
from churnsim.campaign.pilot_outcomes import planned_after
from churnsim.campaign.settings import PilotSettings, RandomTargeting
from churnsim.capacity.settings import CapacitySettings
from churnsim.capacity.work import Channels
from churnsim.core.clock import discount_factor
from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key, stream, uniform
from churnsim.lifecycle.default import Lifecycle
from churnsim.signals.observe import CHURNED, observe
from churnsim.signals.settings import SignalsSettings
from churnsim.uplift.models import Models
from churnsim.uplift.trial import Trial

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LATER = stream("campaign.outcomes.later")


@dataclass(frozen=True)
class Draw:
    """Those of a month whose outcome will be learned from; all are left alone until then.

    Attributes
    ----------
    month
        In which they were drawn.
    base
        As they were when it started.
    option
        (k,) what each was to get: 0 nothing, else 1 + the position of the offer.
    prob
        (k, 1 + K) chance of each option; None: not known.
    eligible
        (k, K) who could be given each offer.
    contact_time, accepted
        (k,) what came of it: part of the month gone at the contact, infinite without; code of the accepted offer.
    """

    month: int
    base: Subscribers
    option: Int64
    prob: Float64 | None
    eligible: Flags
    contact_time: Float64
    accepted: npt.NDArray[np.int8]


def read_draw(draw: Draw, pilot: PilotSettings, models: Models, *, months: int, tries: Sequence[str],
              engine: Lifecycle, signals: SignalsSettings, channels: Channels, capacity: CapacitySettings,
              rate_annual: float) -> Trial:
    """Return what the books show `months` after a draw, in the form of a pilot with its longer outcome months.

    Since nothing else is offered to them meanwhile, they are stepped apart from the base, through the same draws.

    Parameters
    ----------
    pilot
        Channel and outcome months of the trial that the rows are to stand beside.
    models
        Fitted on it: at what rate subscribers leave.
    """
    settings = pilot.model_copy(update={"start_month": draw.month, "outcome_months": months, "holdout_share": 0.0,
                                        "targeting": RandomTargeting()})
    table = observe(draw.base, month=draw.month, settings=signals, key=engine.key)
    prob = np.zeros((len(draw.option), 1 + len(tries))) if draw.prob is None else draw.prob
    enrolled = Enrolled(draw.base.copy(), table, monthly_margin(table, engine.settings.cost_to_serve),
                        table["state"] == CHURNED, draw.eligible, prob,
                        np.array([engine.offers.settings[name].brings_back for name in tries]))
    trial = read_out(enrolled, draw.option, draw.contact_time, draw.accepted, settings, tries=tries, engine=engine,
                     signals=signals, channels=channels, capacity=capacity, rate_annual=rate_annual)
    if draw.prob is None:
        trial = replace(trial, propensity_by_arm=None)
    after = planned_after(table, engine.offers, tries, months=pilot.outcome_months, rate_annual=rate_annual)
    own = after[np.arange(len(draw.option)), np.maximum(draw.option - 1, 0)]
    stay = models.stay_monthly(models.risk_of(trial))
    return filled_in(trial, stay, months=months, until=pilot.outcome_months, rate_annual=rate_annual,
                     cost_after=np.where(trial.accepted, own, 0.0), key=engine.key, month=draw.month)


def filled_in(trial: Trial, stay: Float64, *, months: int, until: int, rate_annual: float, cost_after: Float64,
              key: Key, month: int) -> Trial:
    """Return a trial read after `months` as one read after `until`: one keyed draw a subscriber of who still leaves.

    Parameters
    ----------
    stay
        (n,) chance to stay each further month, whatever the arm.
    cost_after
        (n,) planned cost of the accepted offer that falls due later than `until` months after it.
    month
        Of the draw.
    """
    if months == until:
        return trial
    u = uniform(key, LATER, trial.X.index.to_numpy(np.int64), month=month)
    more = np.floor(np.log(u) / np.log(np.clip(stay, 1e-9, 1.0 - 1e-9)))
    worth = np.cumsum([0.0, *(discount_factor(m, rate_annual=rate_annual) for m in range(months, until))])
    active = np.minimum(more + 1.0, until - months).astype(np.int64)
    added = np.where(trial.stayed, worth[active], 0.0)
    due = (trial.offer_cost_after_amount - cost_after) * added / worth[-1]
    return replace(trial, stayed=trial.stayed & (more >= until - months), margin_months=trial.margin_months + added,
                   net_margin_amount=trial.net_margin_amount + added * trial.margin_after_amount - due,
                   offer_cost_after_amount=cost_after)
