"""Bills are missed and arrears cleared."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.draws import stream
from churnsim.core.smooth import logistic32, logit
from churnsim.lifecycle.block import Block, Draws, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import LifecycleSettings
from churnsim.population.columns import PAYMENTS

POSTPAID = PAYMENTS.index("postpaid")
EVENTS = stream("lifecycle.arrears")


def step(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    """Arrears are cleared with `cure_prob` or grow by a missed bill; good standing is lost rarely."""
    s = settings.arrears
    u_miss, u_cure = draws.lanes(EVENTS, 2)
    behind = block["arrears_months"]
    postpaid, prepaid = logistic32(logit(s.miss_prob) + np.array([0.0, s.miss_log_odds_prepaid]))
    miss_prob = np.where(block["payment"] == POSTPAID, postpaid, prepaid)
    missed = (block["join_month"] <= month.number) & (u_miss < miss_prob)
    late = np.flatnonzero(behind)
    grown = np.where(u_cure[late] < np.float32(s.cure_prob), 0, np.minimum(behind[late] + 1, 12))
    behind[...] = missed
    behind[late] = grown


def driver(settings: LifecycleSettings) -> Driver:
    """Return the driver."""
    return Driver("arrears", partial(step, settings), reads=("payment", "arrears_months", "join_month"),
                  writes=("arrears_months",), streams=(EVENTS,))
