"""Usage moves around its usual level; the bill is the fee plus what goes over the allowance."""

from __future__ import annotations

import numpy as np

from churnsim.core.columns import Subscribers
from churnsim.core.draws import stream
from churnsim.core.smooth import exp32
from churnsim.lifecycle.drivers.base import Driver, Month
from churnsim.population.columns import STATES

NOISE = stream("lifecycle.usage")
SUSPENDED = STATES.index("suspended")


def step(base: Subscribers, month: Month) -> None:
    """log(usage / usual) is autoregressive; its innovation sums four uniforms, scaled to unit variance."""
    s = month.settings.usage
    a, b, c, d = month.lanes(NOISE)
    noise = (a + b + c + d - np.float32(2.0)) * np.float32(np.sqrt(3.0))
    deviation = np.float32(s.persistence) * base["usage_deviation"] + np.float32(s.noise_log_sd) * noise
    base["usage_deviation"] = deviation
    suspended = base["state"] == SUSPENDED
    usage = exp32(base["usage_level"] + deviation)
    usage[base["shopping"] == 1] *= np.float32(s.shopping_factor)
    usage[suspended] = 0.0
    over = np.maximum(usage - base["allowance_gb"], np.float32(0.0))
    bill = base["plan_price_amount"] + np.float32(s.overage_price_per_gb) * over
    bill[suspended] *= np.float32(month.settings.suspension.fee_share)
    base.lag("usage_gb", month=month.number, months_ago=0)[...] = usage
    base.lag("bill_amount", month=month.number, months_ago=0)[...] = bill


DRIVER = Driver("usage", ("usage_level", "usage_deviation", "shopping", "state", "allowance_gb",
                          "plan_price_amount"),
                ("usage_deviation", "usage_gb", "bill_amount"), step)
