"""Settings of the market around the subscribers: competitors, networks, prices, seasons, word of mouth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import Amount, NonNegative, Number, Prob, Settings, Share
from churnsim.population.categories import USAGE_SCENARIOS

BrandTier = Literal["budget", "standard", "premium"]
CalendarMonth = Annotated[int, Field(strict=True, ge=0, le=600)]
MonthOfYear = Annotated[int, Field(strict=True, ge=1, le=12)]


class Competitor(Settings):
    """A competitor, whose promotions run in some regions and months."""

    start_prob: Prob
    """Chance that its promotion runs in a region in a month."""
    strength: NonNegative
    """What its running promotion adds to covariate ``promotion`` of an account that it pulls by 1."""
    pull: NonNegative
    """Pull on a usage scenario that is not named below."""
    scenario_pull: dict[str, NonNegative] = Field(default_factory=dict)
    """Pull by usage scenario: virtual operators draw the young, bundled content draws families."""


class Network(Settings):
    """Network quality by cell: mean-reverting, in standard deviations; and faults before they are felt."""

    persistence: Share
    """Share of last month's quality that remains."""
    region_share: Share
    """Part of the variance that all cells of a region have in common."""
    load_warning_points: Number
    """Quality (standard deviations) below which a cell counts as loaded; predictive maintenance looks there."""
    predictive_share: Share
    """Share of the faults in loaded cells that are mended before a subscriber feels them."""


class NewcomerPromotion(Settings):
    """The operator's own promotions for new lines, which draw its old customers too."""

    start_prob: Prob
    """Chance that one runs in a month."""
    strength: NonNegative
    """Value of covariate ``newcomer_promotion`` while one runs."""
    discount_share: Share
    """Share of the fee waived on a line taken anew under it."""
    discount_months: Annotated[int, Field(strict=True, ge=0, le=60)]
    """Months of that discount."""
    dealer_commission_amount: Amount
    """Commission paid for a line taken anew."""


class PriceMove(Settings):
    """A change of list prices."""

    month: CalendarMonth
    """Calendar month from whose bill on it holds."""
    change_share: Annotated[float, Field(strict=True, gt=-1.0, le=10.0)]
    """Change of the fee, a share of it; below 0 a cut."""
    brand_tiers: tuple[BrandTier, ...] = ("budget", "standard", "premium")
    """Brand tiers that it concerns."""


class WordOfMouth(Settings):
    """Subscribers tell the others of their community how content they are. It couples subscribers."""

    community_size: Annotated[int, Field(strict=True, ge=2, le=16_384)]
    """Accounts of consecutive ids that hear from each other."""
    unhappy_tells: NonNegative
    """How many others an unhappy subscriber tells in a month."""
    happy_tells: NonNegative
    """How many others a happy one tells in a month."""
    unhappy_below_points: Number
    """Satisfaction below which a subscriber counts as unhappy."""
    happy_from_points: Number
    """Satisfaction from which on one counts as happy."""
    points_per_tale: Number
    """Points of satisfaction that one bad tale heard takes, and one good tale gives."""


class MarketSettings(Settings):
    """The world around the subscribers."""

    competitors: dict[str, Competitor]
    """Competitors by name; null takes one of the preset out."""
    network: Network
    newcomer_promotion: NewcomerPromotion
    price_moves: tuple[PriceMove, ...] = ()
    """Changes of list prices, in any order."""
    season_amplitude: NonNegative
    """Amplitude of covariate ``season``, a cosine over the year."""
    season_peak_month: MonthOfYear
    """Month of the year in which covariate ``season`` is highest."""
    arrivals_share_monthly: Share
    """New subscribers a month, share of the base at the start, mean over a year. In ``churnsim run`` the last ones
    join before the campaign month, in ``churnsim simulate`` before the last month."""
    arrivals_season_amplitude: Share
    """Largest excess of a month's arrivals over the mean, share of the mean."""
    arrivals_peak_month: MonthOfYear
    """Month of the year with most arrivals (campus season, new housing)."""
    start_month_of_year: MonthOfYear
    """Month of the year in which the simulation starts (its first day)."""
    word_of_mouth: WordOfMouth | None = None
    """Off if absent."""


def check_market(market: MarketSettings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield cross-reference findings as (key path, message)."""
    for name, competitor in market.competitors.items():
        for scenario in competitor.scenario_pull:
            if scenario not in USAGE_SCENARIOS:
                yield (("market", "competitors", name, "scenario_pull", scenario),
                       f"no such usage scenario; there are {', '.join(USAGE_SCENARIOS)}")
    promotion = market.newcomer_promotion
    if (promotion.discount_share > 0) != (promotion.discount_months > 0):
        yield (("market", "newcomer_promotion", "discount_share"),
               "a discount needs both discount_share and discount_months above 0 "
               f"(got {promotion.discount_share} and {promotion.discount_months})")
    talk = market.word_of_mouth
    if talk is not None and talk.happy_from_points < talk.unhappy_below_points:
        yield (("market", "word_of_mouth", "happy_from_points"),
               f"must not be below unhappy_below_points ({talk.unhappy_below_points}; got {talk.happy_from_points})")
