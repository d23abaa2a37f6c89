"""The market around the subscribers: promotions and network quality by region and month, season."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.core.clock import MONTHS_PER_YEAR
from churnsim.core.draws import Key, normal, stream, uniform
from churnsim.lifecycle.market_settings import MarketSettings

PROMOTION = stream("market.promotion")
NETWORK = stream("market.network")


@dataclass(frozen=True)
class Market:
    """Market state for calendar months 0 to `months` - 1.

    Attributes
    ----------
    promotion
        (months, regions) float32: strength of competitors' promotions.
    network
        (months, regions) float32: quality in standard deviations, mean 0.
    season
        (months,) float32: cosine over the year.
    """

    promotion: npt.NDArray[np.float32]
    network: npt.NDArray[np.float32]
    season: npt.NDArray[np.float32]


def make_market(settings: MarketSettings, *, regions: int, months: int, key: Key,
                past: Market | None = None, past_months: int = 0) -> Market:
    """Draw the market; a month's state never depends on how many months are asked for.

    Quality is autoregressive of order one with variance 1 from the first month on.

    Parameters
    ----------
    past, past_months
        The first `past_months` months are those of `past`: what follows is another future of the same market.
    """
    ids = np.arange(regions, dtype=np.int64)
    promotion = np.empty((months, regions), np.float32)
    network = np.empty((months, regions), np.float32)
    keep = settings.network.persistence
    fresh = np.sqrt(1.0 - keep**2)
    if past is not None:
        promotion[:past_months] = past.promotion[:past_months]
        network[:past_months] = past.network[:past_months]
    for month in range(past_months, months):
        rival = next(iter(settings.competitors.values()))
        runs = uniform(key, PROMOTION, ids, month=month) < rival.start_prob
        promotion[month] = rival.strength * rival.pull * runs
        shock = normal(key, NETWORK, ids, month=month)
        network[month] = shock if month == 0 else keep * network[month - 1] + fresh * shock
    phase = np.arange(months) + settings.start_month_of_year - settings.season_peak_month
    season = settings.season_amplitude * np.cos(2.0 * np.pi * phase / MONTHS_PER_YEAR)
    return Market(promotion, network, season.astype(np.float32))
