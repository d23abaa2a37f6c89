"""The market as each subscriber meets it this month."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.compiled import njit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.market import Market


def step(market: Market, block: Block, month: Month, draws: Draws) -> None:
    """Promotions and network quality are those of the subscriber's region."""
    show(market, block)


def show(market: Market, block: Block) -> None:
    """Fill the columns of the market for the block's month."""
    month = block.month.number
    _look(block["region"], market.promotion[month], market.network[month], market.season[month],
          block["promotion"], block["network"], block["season"])


@njit
def _look(region: Array, promotions: Float32, networks: Float32, now: np.float32, promotion: Float32,
          network: Float32, season: Float32) -> None:
    for j in range(region.shape[0]):
        promotion[j] = promotions[region[j]]
        network[j] = networks[region[j]]
        season[j] = now


def driver(market: Market) -> Driver:
    """Return the driver of a market."""
    return Driver("market", partial(step, market), reads=("region",), writes=("promotion", "network", "season"))
