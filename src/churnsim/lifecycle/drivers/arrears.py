"""Bills are missed and arrears cleared."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.core.smooth import logistic32, logit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import LifecycleSettings
from churnsim.population.categories import PAYMENTS

MOST = 12
POSTPAID = PAYMENTS.index("postpaid")
EVENTS = stream("lifecycle.arrears")


def step(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    """Arrears are cleared with `cure_prob` or grow by a missed bill; good standing is lost rarely."""
    s = settings.arrears
    u_miss, u_cure = draws.lanes(EVENTS, 2)
    miss_prob = logistic32(logit(s.miss_prob) + np.array([0.0, s.miss_log_odds_prepaid]))
    _pay(u_miss, u_cure, block["payment"], block["join_month"], month.number, miss_prob, np.float32(s.cure_prob),
         block["arrears_months"])


@njit
def _pay(u_miss: Float32, u_cure: Float32, payment: Array, join_month: Array, month: int, miss_prob: Float32,
         cure_prob: np.float32, behind: Array) -> None:
    postpaid, prepaid = miss_prob[0], miss_prob[1]
    for j in range(behind.shape[0]):
        misses = u_miss[j] < (postpaid if payment[j] == POSTPAID else prepaid)
        missed = np.int8(1) if (join_month[j] <= month) & misses else np.int8(0)
        late = np.int8(0) if u_cure[j] < cure_prob else np.int8(min(behind[j], MOST - 1) + 1)
        behind[j] = late if behind[j] > 0 else missed


def driver(settings: LifecycleSettings) -> Driver:
    """Return the driver."""
    return Driver("arrears", partial(step, settings), reads=("payment", "arrears_months", "join_month"),
                  writes=("arrears_months",), streams=(EVENTS,))
