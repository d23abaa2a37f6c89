"""Some days or weeks a subscriber looks for another operator: most voluntary leaving falls into them.

A search starts on a day and ends on a day, perhaps of a later month. Two changes turn the covariate `shopping` on and
off, so that hazards are high while it lasts and no longer.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.clock import DAYS_PER_MONTH
from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.core.smooth import exp_scalar, logit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Float64, Ids, Month
from churnsim.lifecycle.covariates import columns_read, weighted_sum
from churnsim.lifecycle.driver import Change, Driver
from churnsim.lifecycle.settings import LifecycleSettings

EVENTS = stream("lifecycle.shopping")
DAY = stream("lifecycle.shopping_day")
LENGTH = stream("lifecycle.shopping_length")


def step(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    """A search may start on a day of the month, unless one runs; clicks and requests are likelier in its months.

    At the month's start `shopping` is 1 for those whose search goes on; the month's changes move it from there.
    `shopping_days` are the days of the month that will have been spent looking.
    """
    s = settings.shopping
    u_shop, u_click, u_port = draws.lanes(EVENTS, 3)
    log_odds = weighted_sum(s.log_odds, block, intercept=logit(s.base_prob))
    starts = np.empty(len(block), np.bool_)
    _look(month.number, u_shop, log_odds, block["join_month"], block["shopping_until"], block["shopping"], starts)
    rows = np.flatnonzero(starts)
    begin = draws.uniform(DAY, rows)
    lasts = -np.log(draws.uniform(LENGTH, rows)) * (s.days_mean / DAYS_PER_MONTH)
    block["shopping_until"][rows] = month.number + begin + lasts
    since = np.zeros(len(block), np.float32)
    since[rows] = begin
    _leave_traces(month.number, u_click, u_port, starts, since, block["attention"],
                  np.float32(logit(s.ad_click_prob)), np.float32(logit(s.ad_click_prob_otherwise)),
                  np.float32(s.ad_click_log_odds_attention), np.float32(s.porting_request_prob),
                  np.float32(settings.service.stock_persistence), block["shopping"], block["shopping_until"],
                  block["shopping_days"], block["ad_click_stock"], block["porting_request"])


@njit
def _look(month: int, u_shop: Float32, log_odds: Float32, join_month: Array, until: Float32, shopping: Array,
          starts: Array) -> None:
    one = np.float32(1.0)
    for j in range(u_shop.shape[0]):
        goes_on = until[j] > month
        begins = u_shop[j] * (one + exp_scalar(-log_odds[j])) < one
        shopping[j] = 1 if goes_on else 0
        starts[j] = begins & (not goes_on) & (join_month[j] <= month)


@njit
def _leave_traces(month: int, u_click: Float32, u_port: Float32, starts: Array, since: Float32, attention: Float32,
                  usual: np.float32, otherwise: np.float32, per_attention: np.float32, asks_prob: np.float32,
                  keep: np.float32, shopping: Array, until: Float32, days: Float32, clicks: Float32, asks: Array
                  ) -> None:
    zero, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    for j in range(clicks.shape[0]):
        looks = starts[j] | (shopping[j] == 1)
        part = max(min(until[j] - np.float32(month), one) - since[j], zero)
        odds = (usual if looks else otherwise) + per_attention * (attention[j] - half)
        clicked = one if u_click[j] * (one + exp_scalar(-odds)) < one else zero
        clicks[j] = keep * clicks[j] + clicked
        asks[j] = 1 if looks & (u_port[j] < asks_prob) else 0
        days[j] = np.float32(DAYS_PER_MONTH) * part if looks else zero


def _starting(block: Block, month: Month, draws: Draws) -> tuple[Ids, Float64]:
    """Return whose search starts this month, and when."""
    rows = np.flatnonzero((block["shopping_days"] > 0) & (block["shopping"] == 0))
    return rows, draws.uniform(DAY, rows)


def _start(block: Block, rows: Ids, hits: Ids, month: Month, draws: Draws) -> None:
    block["shopping"][rows] = 1


def _ending(block: Block, month: Month, draws: Draws) -> tuple[Ids, Float64]:
    """Return whose search ends this month, and when: not before it started, whatever rounding says."""
    until = block["shopping_until"]
    rows = np.flatnonzero((until > month.number) & (until < month.number + 1) & (block["shopping_days"] > 0))
    time = until[rows].astype(np.float64) - month.number
    fresh = np.flatnonzero(block["shopping"][rows] == 0)
    time[fresh] = np.maximum(time[fresh], draws.uniform(DAY, rows[fresh]))
    return rows, time


def _end(block: Block, rows: Ids, hits: Ids, month: Month, draws: Draws) -> None:
    block["shopping"][rows] = 0


def driver(settings: LifecycleSettings) -> Driver:
    """Return the driver."""
    columns = ("shopping", "shopping_until", "shopping_days")
    return Driver("shopping", partial(step, settings),
                  reads=("ad_click_stock", "attention", "join_month", *columns,
                         *columns_read(settings.shopping.log_odds)),
                  writes=(*columns, "ad_click_stock", "porting_request"), streams=(EVENTS, DAY, LENGTH),
                  changes=(Change("search_start", columns, ("shopping",), _starting, _start),
                           Change("search_end", columns, ("shopping",), _ending, _end)))
