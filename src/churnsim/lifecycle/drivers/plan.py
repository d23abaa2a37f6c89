"""Plans, brands and lines change by the account's own wish; list prices move; the value of an account follows."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.core.smooth import exp_scalar, logit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Ids, Month
from churnsim.lifecycle.chance import chance
from churnsim.lifecycle.covariates import columns_read, weighted_sum
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.market import Market
from churnsim.lifecycle.settings import LifecycleSettings
from churnsim.population.categories import BRAND_TIERS, VALUE_TIERS

EVENTS = stream("lifecycle.plan")
LOW, MID, HIGH = range(len(VALUE_TIERS))
MOST_LINES = int(np.iinfo(np.int16).max)
# A move to low value counts as a fall from high value for so many months after the account was last of high value.
FALL_MONTHS = 12


def step(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    """What holds from the next bill on: another plan, brand or number of lines; and the value of this month's bills.

    Of the four uniforms the first decides whether the plan changes, the second whether to a cheaper one, the third
    whether the brand tier moves with it, the fourth whether a line is given up (below its chance) or added (above one
    less its chance). An account keeps its last line.
    """
    s = settings.plan
    u_change, u_down, u_tier, u_line = draws.lanes(EVENTS)
    changing, fewer, more = (np.empty(len(block), np.bool_) for _ in range(3))
    _draw(month.number, u_change, u_line, weighted_sum(s.change_log_odds, block, intercept=logit(s.change_prob)),
          weighted_sum(s.line_loss_log_odds, block, intercept=logit(s.line_loss_prob)),
          np.float32(1.0 - s.line_gain_prob), block["join_month"], block["lines"], changing, fewer, more)
    rows, losing, gaining = (np.flatnonzero(some) for some in (changing, fewer, more))
    block["plan_change"] = 0
    block["downgraded"] = False
    block["lines_lost"] = 0
    down = u_down[rows] < chance(s.down_prob, s.down_log_odds, block, rows)
    _fade(month.number, np.float32(settings.service.stock_persistence),
          np.float32(math.exp(-1.0 / s.need_decay_months)), block["join_month"], block["plan_change_stock"],
          block["residual_need"])
    _change_plans(block, rows, down, u_tier[rows] < np.float32(s.tier_move_prob), s.step_share)
    _change_lines(block, losing, -1)
    _change_lines(block, gaining, 1)
    _value(block.ago("bill_amount", 0), block.ago("bill_amount", 1), block.ago("bill_amount", 2),
           np.float32(s.low_value_amount), np.float32(s.high_value_amount), block["value_tier"],
           block["high_value_left_months"], block["value_fell"])


@njit
def _draw(month: int, u_change: Float32, u_line: Float32, change_log_odds: Float32, loss_log_odds: Float32,
          gains_above: np.float32, join_month: Array, lines: Array, changing: Array, fewer: Array, more: Array) -> None:
    one = np.float32(1.0)
    for j in range(changing.shape[0]):
        changes = u_change[j] < one / (one + exp_scalar(-change_log_odds[j]))
        changing[j] = changes & (join_month[j] <= month)
    for j in range(fewer.shape[0]):
        fewer[j] = u_line[j] < one / (one + exp_scalar(-loss_log_odds[j]))
    for j in range(fewer.shape[0]):
        several = (lines[j] > 1) & (join_month[j] <= month)
        more[j] = several & (not fewer[j]) & (u_line[j] > gains_above) & (lines[j] < MOST_LINES)
        fewer[j] = several & fewer[j]


@njit
def _fade(month: int, keep: np.float32, keep_need: np.float32, join_month: Array, stock: Float32, need: Float32
          ) -> None:
    for j in range(stock.shape[0]):
        stock[j] *= keep
    for j in range(need.shape[0]):
        need[j] *= keep_need if join_month[j] <= month else np.float32(1.0)


def _change_plans(block: Block, rows: Ids, down: Array, moves: Array, step_share: float) -> None:
    direction = np.where(down, -1, 1).astype(np.int8)
    factor = np.float32(1.0) + np.float32(step_share) * direction
    tier = block["brand_tier"][rows]
    moved = np.clip(tier + direction * moves, 0, len(BRAND_TIERS) - 1)
    block["plan_change"][rows] = direction
    block["plan_change_stock"][rows] += np.float32(1.0)
    block["plan_price_amount"][rows] *= factor
    block["allowance_gb"][rows] *= factor
    block["brand_tier"][rows] = moved
    block["downgraded"][rows] = moved < tier


def _change_lines(block: Block, rows: Ids, more: int) -> None:
    """Fee, allowance and usual use are those of all lines alike: they go with their number."""
    lines = block["lines"][rows]
    ratio = (lines + more) / lines
    block["lines"][rows] = lines + more
    block["lines_lost"][rows] = max(-more, 0)
    for name in ("plan_price_amount", "allowance_gb"):
        block[name][rows] *= ratio.astype(np.float32)
    for name in ("usage_level", "voice_level"):
        block[name][rows] += np.log(ratio)


@njit
def _value(now: Float32, one: Float32, two: Float32, low: np.float32, high: np.float32, tier: Array, left: Array,
           fell: Array) -> None:
    """Place accounts by the mean of three bills; mark a move to low value that follows a high one within a year.

    `left` counts down the months in which such a move counts; a fall ends the count, so that it is told once.
    """
    for j in range(tier.shape[0]):
        mean = (now[j] + one[j] + two[j]) / np.float32(3)
        place = HIGH if mean >= high else (LOW if mean < low else MID)
        falls = (place == LOW) & (tier[j] != LOW) & (left[j] > 0)
        rest = left[j] - 1 if left[j] > 0 else 0
        rest = 0 if falls else rest
        left[j] = FALL_MONTHS if place == HIGH else rest
        fell[j] = falls
        tier[j] = place


def driver(settings: LifecycleSettings) -> Driver:
    """Return the driver; it comes after leaving: what it changes holds from the next month on."""
    s = settings.plan
    changed = ("lines", "brand_tier", "plan_price_amount", "allowance_gb", "usage_level", "voice_level")
    return Driver("plan", partial(step, settings),
                  reads=tuple(dict.fromkeys((
                      "join_month", *changed, "bill_amount", "plan_change_stock", "residual_need", "value_tier",
                      "high_value_left_months", *columns_read(s.change_log_odds), *columns_read(s.down_log_odds),
                      *columns_read(s.line_loss_log_odds)))),
                  writes=(*changed, "plan_change_stock", "residual_need", "value_tier", "high_value_left_months",
                          "plan_change", "downgraded", "lines_lost", "value_fell"),
                  streams=(EVENTS,), after=("leaving",))


class Prices:
    """List prices of all plans of a brand tier move in the months of the market.

    Attributes
    ----------
    change
        (months, brand tiers) float32: factor on the fee from a month's bill on.
    """

    def __init__(self, market: Market) -> None:
        before = np.vstack([np.ones((1, len(BRAND_TIERS)), np.float32), market.price_factor[:-1]])
        self.change = market.price_factor / before

    def step(self, block: Block, month: Month, draws: Draws) -> None:
        """Those who have yet to join find the new prices too."""
        change = self.change[month.number]
        if (change != 1.0).any():
            block["plan_price_amount"] *= change[block["brand_tier"]]


def prices(market: Market) -> Driver:
    """Return the driver of price moves; listed before usage, it acts on the month's own bill."""
    return Driver("prices", Prices(market).step, reads=("brand_tier", "plan_price_amount"),
                  writes=("plan_price_amount",), owns="plan")
