"""The market as each subscriber meets it this month."""

from __future__ import annotations

from functools import partial

from churnsim.core.compiled import njit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.market import Market

COLUMNS = ("promotion", "network", "mended_share", "season", "newcomer_promotion")


def step(market: Market, block: Block, month: Month, draws: Draws) -> None:
    """Promotions are those of region and usage scenario, network quality and maintenance those of the cell."""
    show(market, block)


def show(market: Market, block: Block) -> None:
    """Fill the columns of the market for the block's month."""
    month = block.month.number
    _look(block["region"], block["usage_scenario"], block["cell"], market.promotion[month], market.network[month],
          market.mended_share[month], block["promotion"], block["network"], block["mended_share"])
    block["season"] = market.season[month]
    block["newcomer_promotion"] = market.newcomer_promotion[month]


@njit
def _look(region: Array, scenario: Array, cell: Array, promotions: Float32, networks: Float32, mended_shares: Float32,
          promotion: Float32, network: Float32, mended_share: Float32) -> None:
    for j in range(region.shape[0]):
        promotion[j] = promotions[region[j], scenario[j]]
        network[j] = networks[cell[j]]
        mended_share[j] = mended_shares[cell[j]]


def driver(market: Market) -> Driver:
    """Return the driver of a market."""
    return Driver("market", partial(step, market), reads=("region", "usage_scenario", "cell"), writes=COLUMNS)
