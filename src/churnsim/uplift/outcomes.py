"""What learners learn on: staying, months of margin, net value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.uplift.trial import CONTROL, Trial

Float64 = npt.NDArray[np.float64]

NET_VALUE = "net_value"
MARGIN_MONTHS = "margin_months"
STAYED = "stayed"


def outcomes(trial: Trial, months_after: Float64) -> dict[str, Float64]:
    """Return every outcome of a trial, (n,) each.

    ``stayed``: 1 if active when the outcome months end. ``margin_months``: discounted months active, those expected
    after the outcome months included. ``net_value``: an amount, the change of net value; revenue less cost to serve
    less offer cost as billed in the outcome months, and for who stayed the same expected after them (months at the
    margin of the last bills, less what of the accepted offer still falls due); less what all these months would have
    brought at the margin known beforehand. That is the same whatever the arm, so that effects are those on the net
    value itself; without it, what is large about some accounts would drown what offers change. All discounted to the
    assignment; without the cost of contacts.

    Parameters
    ----------
    months_after
        (n,) discounted months expected after the outcome months of who stayed.
    """
    later = months_after * trial.margin_after_amount - trial.offer_cost_after_amount
    # All of the outcome months: those of whoever stayed throughout.
    all_months = trial.margin_months.max(initial=0.0) + months_after
    return {STAYED: trial.stayed.astype(np.float64),
            MARGIN_MONTHS: trial.margin_months + trial.stayed * months_after,
            NET_VALUE: trial.net_margin_amount + trial.stayed * later - trial.margin_amount * all_months}


def learned_outcomes(trial: Trial, months_after: Float64) -> dict[str, Float64]:
    """Return what learners are shown: of ``net_value`` the part before the planned cost of the accepted offer, (n,).

    That cost is known, and plans take it off for those expected to accept. Were it learned with the rest, shrinking
    the effect for its uncertainty would shrink the cost too.
    """
    found = outcomes(trial, months_after)
    took = np.flatnonzero(trial.accepted & (trial.assigned != CONTROL))
    offer = np.array([trial.offers.index(name) for name in trial.assigned[took]], dtype=np.int64)
    found[NET_VALUE][took] += trial.offer_cost_amount[took, offer]
    return found
