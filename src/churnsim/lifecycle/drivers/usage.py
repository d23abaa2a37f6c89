"""Usage moves around its usual level; the bill is the fee plus what goes over the allowance."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from churnsim.core.clock import DAYS_PER_MONTH
from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.core.smooth import exp_scalar, log_scalar
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import LifecycleSettings
from churnsim.population.categories import STATES

NOISE = stream("lifecycle.usage")
IDLE = stream("lifecycle.idle")
SUSPENDED = STATES.index("suspended")
LEAST_BILL = np.float32(0.01)
# Below the logarithm of every uniform: with it no month is idle.
NEVER = -100.0
# Stands for a shopping_factor of 0, which leaves nothing.
LEAST_FACTOR = 1e-3


def step(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    """Data, minutes and bill of the month.

    ``log(usage) = level + deviation - growth - idle``: the deviation is autoregressive, its innovation a sum of four
    uniforms scaled to unit variance; growth is what a new subscriber has yet to grow; idle months fall by an
    exponential. Minutes follow a share of all three. Days spent looking for another operator take traffic away: those
    of the month before, or of this month if the search is already on, whichever are more. What a whole month of it
    leaves is u ** ((1 - m) / m) of the traffic, u uniform: `shopping_factor` m on average, little for some.
    """
    s = settings.usage
    growth = np.array([s.growth_log, -1.0 / s.growth_months], np.float32)
    idle = np.array([s.idle_log_depth, math.log(s.idle_prob) if s.idle_prob > 0.0 else NEVER], np.float32)
    u_idle, u_leak = draws.lanes(IDLE, 2)
    power = (1.0 - s.shopping_factor) / max(s.shopping_factor, LEAST_FACTOR)
    _move(draws.lanes(NOISE), u_idle, block["tenure_months"], growth, idle, np.float32(s.persistence),
          np.float32(s.noise_log_sd), block["usage_deviation"], swing := np.empty(len(block), np.float32))
    _use(swing, u_leak, block["usage_level"], block["voice_level"], block["shopping"], block["shopping_until"],
         block["shopping_days"], block["state"], np.float32(month.number), np.float32(power),
         np.float32(s.voice_share_of_deviation), block.ago("usage_gb", 0), block.ago("voice_minutes", 0))
    _bill(block["state"], block["allowance_gb"], block["plan_price_amount"], np.float32(s.overage_price_per_gb),
          np.float32(settings.suspension.fee_share), block.ago("usage_gb", 0), block["overage_amount"],
          block.ago("bill_amount", 0))
    block["bill_shock"] = bill_shock(block)


@njit
def _move(lanes: Float32, u_idle: Float32, tenure: Array, growth: Float32, idle: Float32, persistence: np.float32,
          log_sd: np.float32, deviation: Float32, swing: Float32) -> None:
    a, b, c, d = lanes[0], lanes[1], lanes[2], lanes[3]
    growth_log, growth_rate = growth[0], growth[1]
    depth, log_prob = idle[0], idle[1]
    two, scale, zero = np.float32(2.0), np.float32(np.sqrt(3.0)), np.float32(0.0)
    for j in range(swing.shape[0]):
        noise = (a[j] + b[j] + c[j] + d[j] - two) * scale
        deviation[j] = persistence * deviation[j] + log_sd * noise
        # u / prob is uniform where u < prob: one draw tells whether and how far.
        fall = depth * max(log_prob - log_scalar(u_idle[j]), zero)
        ungrown = growth_log * exp_scalar(growth_rate * np.float32(tenure[j]))
        swing[j] = deviation[j] - ungrown - fall


@njit
def _use(swing: Float32, u_leak: Float32, level: Float32, voice_level: Float32, shopping: Array, until: Float32,
         days: Float32, state: Array, now: np.float32, power: np.float32, voice_share: np.float32, usage: Float32,
         minutes: Float32) -> None:
    zero, one, per_day = np.float32(0.0), np.float32(1.0), np.float32(1.0 / DAYS_PER_MONTH)
    for j in range(usage.shape[0]):
        ahead = min(max(until[j] - now, zero), one) if shopping[j] == 1 else zero
        looked = min(max(days[j] * per_day, ahead), one)
        stays = one
        if looked > zero:
            stays = one - looked * (one - exp_scalar(power * log_scalar(u_leak[j])))
        stays = zero if state[j] == SUSPENDED else stays
        usage[j] = stays * exp_scalar(level[j] + swing[j])
        minutes[j] = stays * exp_scalar(voice_level[j] + voice_share * swing[j])


@njit
def _bill(state: Array, allowance: Float32, fee: Float32, price: np.float32, fee_share: np.float32, usage: Float32,
          overage: Float32, bill: Float32) -> None:
    for j in range(bill.shape[0]):
        over = price * max(usage[j] - allowance[j], np.float32(0.0))
        overage[j] = over
        bill[j] = fee[j] * fee_share if state[j] == SUSPENDED else fee[j] + over


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
                  reads=("usage_level", "voice_level", "usage_deviation", "tenure_months", "shopping", "shopping_until",
                         "shopping_days", "state", "allowance_gb", "plan_price_amount", "bill_amount"),
                  writes=("usage_deviation", "usage_gb", "voice_minutes", "bill_amount", "overage_amount",
                          "bill_shock"), streams=(NOISE, IDLE))
