"""Some months a subscriber looks for another operator: most voluntary leaving falls into them."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.core.smooth import exp_scalar, logit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Month
from churnsim.lifecycle.covariates import columns_read, weighted_sum
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import LifecycleSettings

EVENTS = stream("lifecycle.shopping")


def step(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    """Shopping is drawn from its triggers; competitors' advertisements are clicked more while it lasts."""
    s = settings.shopping
    u_shop, u_click = draws.lanes(EVENTS, 2)
    log_odds = weighted_sum(s.log_odds, block, intercept=logit(s.base_prob))
    _shop(u_shop, u_click, log_odds, block["attention"], np.float32(logit(s.ad_click_prob)),
          np.float32(logit(s.ad_click_prob_otherwise)), np.float32(s.ad_click_log_odds_attention),
          np.float32(settings.service.stock_persistence), block["shopping"], block["ad_click_stock"])


@njit
def _shop(u_shop: Float32, u_click: Float32, log_odds: Float32, attention: Float32, usual: np.float32,
          otherwise: np.float32, per_attention: np.float32, keep: np.float32, shopping: Array, clicks: Float32
          ) -> None:
    zero, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    for j in range(clicks.shape[0]):
        shops = u_shop[j] * (one + exp_scalar(-log_odds[j])) < one
        odds = (usual if shops else otherwise) + per_attention * (attention[j] - half)
        clicked = one if u_click[j] * (one + exp_scalar(-odds)) < one else zero
        shopping[j] = 1 if shops else 0
        clicks[j] = keep * clicks[j] + clicked


def driver(settings: LifecycleSettings) -> Driver:
    """Return the driver."""
    return Driver("shopping", partial(step, settings),
                  reads=("ad_click_stock", "attention", *columns_read(settings.shopping.log_odds)),
                  writes=("shopping", "ad_click_stock"), streams=(EVENTS,))
