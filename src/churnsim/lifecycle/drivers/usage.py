"""Usage moves around its usual level; the bill is the fee plus what goes over the allowance."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.core.smooth import exp_scalar, log_scalar
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import LifecycleSettings
from churnsim.population.categories import STATES

NOISE = stream("lifecycle.usage")
SUSPENDED = STATES.index("suspended")
LEAST_BILL = np.float32(0.01)


def step(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    """log(usage / usual) is autoregressive; its innovation sums four uniforms, scaled to unit variance."""
    s = settings.usage
    a, b, c, d = draws.lanes(NOISE)
    _use(a, b, c, d, block["usage_level"], block["shopping"], block["state"], block["allowance_gb"],
         block["plan_price_amount"], np.float32(s.persistence), np.float32(s.noise_log_sd),
         np.float32(s.shopping_factor), np.float32(s.overage_price_per_gb),
         np.float32(settings.suspension.fee_share), block["usage_deviation"], block.ago("usage_gb", 0),
         block.ago("bill_amount", 0))
    block["bill_shock"] = bill_shock(block)


@njit
def _use(a: Float32, b: Float32, c: Float32, d: Float32, level: Float32, shopping: Array, state: Array,
         allowance: Float32, fee: Float32, persistence: np.float32, log_sd: np.float32, factor: np.float32,
         price: np.float32, fee_share: np.float32, deviation: Float32, usage: Float32, bill: Float32) -> None:
    two, scale = np.float32(2.0), np.float32(np.sqrt(3.0))
    zero, one = np.float32(0.0), np.float32(1.0)
    for j in range(usage.shape[0]):
        noise = (a[j] + b[j] + c[j] + d[j] - two) * scale
        deviation[j] = persistence * deviation[j] + log_sd * noise
        used = exp_scalar(level[j] + deviation[j]) * (factor if shopping[j] == 1 else one)
        paused = state[j] == SUSPENDED
        used = zero if paused else used
        due = fee[j] + price * max(used - allowance[j], zero)
        usage[j] = used
        bill[j] = due * fee_share if paused else due


def bill_shock(block: Block) -> Float32:
    """Return the log of the bill over the mean of the three before, held within 0 and 2, (n,) float32."""
    shock = np.empty(len(block), np.float32)
    now, one, two, three = (block.ago("bill_amount", months) for months in range(4))
    _shock(now, one, two, three, shock)
    return shock


@njit
def _shock(now: Float32, one: Float32, two: Float32, three: Float32, shock: Float32) -> None:
    for j in range(shock.shape[0]):
        before = (one[j] + two[j] + three[j]) / np.float32(3)
        log_ratio = log_scalar(max(now[j], LEAST_BILL) / max(before, LEAST_BILL))
        shock[j] = min(max(log_ratio, np.float32(0.0)), np.float32(2.0))


def driver(settings: LifecycleSettings) -> Driver:
    """Return the driver."""
    return Driver("usage", partial(step, settings),
                  reads=("usage_level", "usage_deviation", "shopping", "state", "allowance_gb",
                         "plan_price_amount", "bill_amount"),
                  writes=("usage_deviation", "usage_gb", "bill_amount", "bill_shock"), streams=(NOISE,))
