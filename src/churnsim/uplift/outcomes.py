"""What learners learn on: staying, months of margin, net value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.uplift.trial import Trial

Float64 = npt.NDArray[np.float64]

NET_VALUE = "net_value"
MARGIN_MONTHS = "margin_months"
STAYED = "stayed"


def outcomes(trial: Trial, months_after: Float64) -> dict[str, Float64]:
    """Return every outcome of a trial, (n,) each.

    ``stayed``: 1 if active when the outcome months end. ``margin_months``: discounted months active, those expected
    after the outcome months included. ``net_value``: an amount; revenue less cost to serve less offer cost as billed in
    the outcome months, and for who stayed the same expected after them: months at the margin of the last bills, less
    what of the accepted offer still falls due. All discounted to the assignment; without the cost of contacts.

    Parameters
    ----------
    months_after
        (n,) discounted months expected after the outcome months of who stayed.
    """
    later = months_after * trial.margin_after_amount - trial.offer_cost_after_amount
    return {STAYED: trial.stayed.astype(np.float64),
            MARGIN_MONTHS: trial.margin_months + trial.stayed * months_after,
            NET_VALUE: trial.net_margin_amount + trial.stayed * later}
