"""The market around the subscribers: competitors, networks, own promotions and prices, season, arrivals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.core.clock import MONTHS_PER_YEAR
from churnsim.core.draws import Key, normal, stream, uniform
from churnsim.lifecycle.market_settings import Competitor, MarketSettings, NewcomerPromotion, PriceMove
from churnsim.population.categories import BRAND_TIERS, USAGE_SCENARIOS

NETWORK = stream("market.network")
CELLS = stream("market.cells")
NEWCOMERS = stream("market.newcomers")
# Cells of one region are numbered apart from those of another, however many there are.
CELL_SHIFT = 16

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Market:
    """Market state for calendar months 0 to `months` - 1.

    Attributes
    ----------
    promotion
        (months, regions, usage scenarios) float32: how strongly competitors' promotions pull.
    network
        (months, cells) float32: quality of every cell in standard deviations, mean 0; the cells of region r are
        r x cells a region and on.
    mended_share
        (months, cells) float32: share of the faults that predictive maintenance mends before they are felt.
    newcomer_promotion
        (months,) float32: strength of the operator's own promotion for new lines.
    season
        (months,) float32: cosine over the year.
    price_factor
        (months, brand tiers) float32: list prices against those of the start.
    newcomer_terms
        What a line taken anew gets and costs.
    """

    promotion: Float32
    network: Float32
    mended_share: Float32
    newcomer_promotion: Float32
    season: Float32
    price_factor: Float32
    newcomer_terms: NewcomerPromotion


def make_market(settings: MarketSettings, *, regions: int, cells_per_region: int, months: int, key: Key,
                past: Market | None = None, past_months: int = 0) -> Market:
    """Draw the market; a month's state never depends on how many months, regions or cells are asked for.

    A competitor's promotion runs in a region and month with its chance, whatever the others do. Quality is
    autoregressive of order one with variance 1 from the first month on, in its regional and its cells' own part.

    Parameters
    ----------
    past, past_months
        The first `past_months` months are those of `past`: what follows is another future of the same market.
    """
    promotion = np.zeros((months, regions, len(USAGE_SCENARIOS)), np.float32)
    network = np.zeros((months, regions * cells_per_region), np.float32)
    newcomers = np.zeros(months, np.float32)
    if past is not None:
        promotion[:past_months] = past.promotion[:past_months]
        network[:past_months] = past.network[:past_months]
        newcomers[:past_months] = past.newcomer_promotion[:past_months]
    for month in range(past_months, months):
        promotion[month] = _promotions(settings.competitors, regions, month=month, key=key)
        shock = _shocks(settings.network.region_share, regions, cells_per_region, month=month, key=key)
        keep = settings.network.persistence if month > 0 else 0.0
        network[month] = keep * network[month - 1] + np.sqrt(1.0 - keep**2) * shock
        runs = uniform(key, NEWCOMERS, np.zeros(1, np.int64), month=month)[0] < settings.newcomer_promotion.start_prob
        newcomers[month] = settings.newcomer_promotion.strength * runs
    loaded = network < settings.network.load_warning_points
    mended = np.float32(settings.network.predictive_share) * loaded
    season = settings.season_amplitude * _year(settings, np.arange(months), peak=settings.season_peak_month)
    return Market(promotion, network, mended, newcomers, season.astype(np.float32),
                  _prices(settings.price_moves, months=months), settings.newcomer_promotion)


def _promotions(competitors: dict[str, Competitor], regions: int, *, month: int, key: Key) -> Float64:
    """Return (regions, usage scenarios): sum over competitors of running x strength x pull."""
    total = np.zeros((regions, len(USAGE_SCENARIOS)))
    for name, rival in competitors.items():
        source = stream(f"market.promotion.{name}")
        runs = uniform(key, source, np.arange(regions, dtype=np.int64), month=month) < rival.start_prob
        pull = np.array([rival.scenario_pull.get(scenario, rival.pull) for scenario in USAGE_SCENARIOS])
        total += rival.strength * runs[:, None] * pull
    return total


def _shocks(region_share: float, regions: int, cells_per_region: int, *, month: int, key: Key) -> Float64:
    """Return (cells,) standard normals; those of a region's cells have correlation `region_share`."""
    region = np.arange(regions, dtype=np.int64)
    cell = (region[:, None] << CELL_SHIFT) + np.arange(cells_per_region)
    common = normal(key, NETWORK, region, month=month)
    own = normal(key, CELLS, cell.ravel(), month=month)
    own *= np.sqrt(1.0 - region_share)
    own += np.sqrt(region_share) * np.repeat(common, cells_per_region)
    return own


def _prices(moves: tuple[PriceMove, ...], *, months: int) -> Float32:
    factor = np.ones((months, len(BRAND_TIERS)))
    for move in moves:
        factor[move.month:, [BRAND_TIERS.index(tier) for tier in move.brand_tiers]] *= 1.0 + move.change_share
    return factor.astype(np.float32)


def _year(settings: MarketSettings, month: npt.ArrayLike, *, peak: int) -> Float64:
    """Return the cosine over the year in calendar months: 1 in month `peak` of the year."""
    phase = np.asarray(month) + settings.start_month_of_year - peak
    wave: Float64 = np.cos(2.0 * np.pi * phase / MONTHS_PER_YEAR)
    return wave


def arrivals(settings: MarketSettings, *, month: int, base_size: int) -> int:
    """Return how many join in a calendar month.

    Parameters
    ----------
    base_size
        Subscribers at the start.

    Returns
    -------
    int
        `arrivals_share_monthly` of the base, on the mean over a year, more in its peak month and less half a year
        from it.
    """
    swing = settings.arrivals_season_amplitude * float(_year(settings, month, peak=settings.arrivals_peak_month))
    return round(settings.arrivals_share_monthly * base_size * (1.0 + swing))
