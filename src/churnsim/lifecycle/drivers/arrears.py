"""Bills are missed and arrears cleared."""

from __future__ import annotations

import numpy as np

from churnsim.core.columns import Subscribers
from churnsim.core.draws import stream
from churnsim.core.smooth import logistic32, logit
from churnsim.lifecycle.drivers.base import Driver, Month

EVENTS = stream("lifecycle.arrears")


def step(base: Subscribers, month: Month) -> None:
    """Arrears are cleared with `cure_prob` or grow by a missed bill; good standing is lost rarely."""
    s = month.settings.arrears
    u_miss, u_cure, _, _ = month.lanes(EVENTS)
    behind = base["arrears_months"]
    odds = np.float32(logit(s.miss_prob)) + np.float32(s.miss_log_odds_prepaid) * base["payment"]
    missed = (base["join_month"] <= month.number) & (u_miss < logistic32(odds))
    cured = u_cure < np.float32(s.cure_prob)
    base["arrears_months"] = np.where(behind > 0, np.where(cured, 0, np.minimum(behind + 1, 12)), missed)


DRIVER = Driver("arrears", ("payment", "arrears_months", "join_month"), ("arrears_months",), step)
