"""Settings of the population: a synthetic base, or an operator's table and what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field

from churnsim.config.base import Amount, NonNegative, Number, Positive, PositiveCount, Settings, Share
from churnsim.population.categories import ACQUISITION_CHANNELS, BRAND_TIERS, CUSTOMER_TYPES, NEEDS, USAGE_SCENARIOS

Path = tuple[str | int, ...]


class CustomerTypeTraits(Settings):
    """What distinguishes one kind of account."""

    share: Share
    """Share of accounts."""
    lines_mean: Positive
    """Mean number of lines (geometric from 1)."""
    price_per_line_amount: Amount
    """Median monthly fee a line of an account of price sensitivity 0, in the scenario of shift 0 and a brand tier of
    factor 1. It is not the median of the kind: tiers and scenarios move that."""
    prepaid_share: Share
    """Share that pays in advance and has no contract, in the scenario and locality of log-odds 0."""
    tenure_mean_months: Positive
    """Mean months since joining at the start (exponential), in the scenario and locality of factor 1."""
    broadband_share: Share
    """Share with fixed broadband in the bundle."""
    smart_home_share: Share
    """Share of those with broadband that has a smart home too."""
    contract_length_months_shares: dict[int, Share]
    """Shares of contract lengths (months; 0 none) among those who pay after use."""


class ScenarioTraits(Settings):
    """What distinguishes those who use the network in one way."""

    shares: dict[str, Share]
    """Share of accounts by kind of account; the shares of each kind add to 1 over the scenarios."""
    usage_log: Number = 0.0
    """Shift of the log of usual data use."""
    voice_log: Number = 0.0
    """Shift of the log of usual minutes."""
    price_log: Number = 0.0
    """Shift of the log of the fee a line."""
    prepaid_log_odds: Number = 0.0
    """Shift of the log-odds of paying in advance."""
    migrant_log_odds: Number = 0.0
    """Shift of the log-odds of being a migrant household."""
    tenure_factor: Positive = 1.0
    """Factor on mean tenure at the start."""
    app_factor: Positive = 1.0
    """Factor on the habit of opening the app."""
    price_sensitivity: Number = 0.0
    """Shift of price sensitivity, standard deviations."""
    technology_sensitivity: Number = 0.0
    """Shift of technology sensitivity, standard deviations."""
    needs: dict[str, Share] = Field(default_factory=dict)
    """Share that has each need; the rest has none."""


class Traits(Settings):
    """Distributions of what a subscriber is; used for synthetic bases and to impute what a table lacks."""

    regions: Annotated[int, Field(strict=True, ge=1, le=128)]
    """Number of sales regions, equally likely; at most 128, the codes of an int8 column."""
    cells_per_region: Annotated[int, Field(strict=True, ge=1, le=250)]
    """Network cells of a region, equally likely."""
    customer_types: dict[str, CustomerTypeTraits]
    """One entry for each kind of account."""
    usage_scenarios: dict[str, ScenarioTraits]
    """One entry for each usage scenario."""
    migrant_share: Share
    """Share of migrant households among individuals, in the scenario of log-odds 0."""
    migrant_prepaid_log_odds: Number
    """Shift of the log-odds of paying in advance of migrant households."""
    migrant_tenure_factor: Positive
    """Factor on the mean tenure of migrant households at the start."""
    shared_building_share: Share
    """Share of accounts in buildings that another operator's lines reach too."""
    acquisition_channel_shares: dict[str, Share]
    """Share of accounts by where they were sold, of local accounts that pay after use; among migrants and those who
    pay in advance the odds of a social dealer are twice as high."""
    brand_tier_shares: dict[str, Share]
    """Share of accounts by brand tier, over all scenarios."""
    brand_tier_price_factors: dict[str, Positive]
    """Factor on the fee by brand tier."""
    brand_tier_by_price_sensitivity: Annotated[float, Field(strict=True, ge=-1.0, le=1.0)]
    """Correlation, within a scenario, of price sensitivity with the normal rank that the brand tier is cut from."""
    price_log_sd: NonNegative
    """Standard deviation of the log of the fee a line within a brand tier."""
    price_log_by_price_sensitivity: Number
    """Change of the log of the fee a line per standard deviation of price sensitivity, within a brand tier."""
    in_later_contract_share: Share
    """Share of subscribers past their first contract who signed another one."""
    usage_median_gb: Positive
    """Median data used a line and month, in the scenario of shift 0."""
    usage_log_sd: NonNegative
    """Standard deviation of the log of usual usage."""
    voice_median_minutes: Positive
    """Median minutes called a line and month, in the scenario of shift 0."""
    voice_log_sd: NonNegative
    """Standard deviation of the log of usual minutes."""
    allowance_ratio: Positive
    """Data included in a plan over the account's usual usage, median."""
    device_age_mean_months: Positive
    """Mean age of the main device (exponential)."""
    contactable_share: Share
    """Share with complete contact details."""
    call_consent_share: Share
    """Share that may be called."""
    sms_consent_share: Share
    """Share that may be sent messages."""
    app_consent_share: Share
    """Share that may be sent notices in the app."""
    habit_log_sd: NonNegative
    """Standard deviation of the log of answer, read and app habits."""
    responsiveness_log_sd: NonNegative
    """Standard deviation of the log of responsiveness; its mean is 1."""
    responsiveness_by_price_sensitivity: Number
    """Change of log responsiveness per standard deviation of price sensitivity."""
    responsiveness_by_attention: Number
    """Change of log responsiveness from no attention to full attention to the market; below 0, those most at risk
    respond least."""
    attention_mean: Share
    """Mean attention to the market."""
    satisfaction_mean: Number
    """Mean satisfaction (0 to 100, before values outside are moved to the bounds)."""
    satisfaction_sd: NonNegative
    """Standard deviation of satisfaction between subscribers."""
    attitude_by_satisfaction: Annotated[float, Field(strict=True, ge=-1.0, le=1.0)]
    """Correlation of attitude with usual satisfaction."""
    inertia_by_tenure: Number
    """Change of inertia (standard deviations) per unit of the log of (1 + tenure in years); it is 0 on average at two
    years."""
    residual_need_mean: Annotated[float, Field(strict=True, gt=0.0, lt=1.0)]
    """Mean residual need."""
    need_met_share: Share
    """Share of those with a need whose need the plan meets. Who has a smart home has that need met."""


class TableImport(Settings):
    """An operator's table and the file that says which of its columns is what."""

    path: str
    """CSV, gzipped CSV or Parquet; relative to the experiment file."""
    mapping: str
    """YAML mapping file; relative to the experiment file."""


class PopulationSettings(Settings):
    """The subscribers that campaigns are judged on."""

    size: PositiveCount | None = None
    """Subscribers at the start. With a table: a random subset of so many rows; none means all rows."""
    table: TableImport | None = None
    """Start from an operator's table instead of a synthetic base."""
    traits: Traits = Field(...)
    """Distributions for what is not in a table."""


def check_population(population: PopulationSettings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield cross-reference findings as (key path, message)."""
    if population.size is None and population.table is None:
        yield ("population", "size"), "needed when there is no population.table; give the number of subscribers"
    traits = population.traits
    at = ("population", "traits")
    kinds = traits.customer_types
    for name in CUSTOMER_TYPES:
        if name not in kinds:
            yield (*at, "customer_types"), f"{name} is missing; give its traits"
    for name in kinds:
        if name not in CUSTOMER_TYPES:
            yield (*at, "customer_types", name), f"no such kind; there are {', '.join(CUSTOMER_TYPES)}"
    if abs(sum(kind.share for kind in kinds.values()) - 1.0) > 1e-9:
        yield (*at, "customer_types"), f"shares add to {sum(k.share for k in kinds.values()):.6g}; make them add to 1"
    for name, kind in kinds.items():
        if kind.lines_mean < 1.0:
            yield (*at, "customer_types", name, "lines_mean"), f"must be at least 1 (got {kind.lines_mean})"
    for name, kind in kinds.items():
        lengths = kind.contract_length_months_shares
        where = (*at, "customer_types", name, "contract_length_months_shares")
        yield from _adds_to_one(where, lengths.values())
        if any(not 0 <= length <= 60 for length in lengths):
            yield where, "contract lengths must lie between 0 and 60 months"
    yield from _check_scenarios(traits)
    for key, wanted in (("acquisition_channel_shares", ACQUISITION_CHANNELS), ("brand_tier_shares", BRAND_TIERS),
                        ("brand_tier_price_factors", BRAND_TIERS)):
        yield from _check_names((*at, key), getattr(traits, key), wanted)
        if key.endswith("_shares"):
            yield from _adds_to_one((*at, key), getattr(traits, key).values())


def _check_scenarios(traits: Traits) -> Iterator[tuple[Path, str]]:
    at = ("population", "traits", "usage_scenarios")
    yield from _check_names(at, traits.usage_scenarios, USAGE_SCENARIOS)
    for name, scenario in traits.usage_scenarios.items():
        for kind in scenario.shares:
            if kind not in CUSTOMER_TYPES:
                yield (*at, name, "shares", kind), f"no such kind; there are {', '.join(CUSTOMER_TYPES)}"
        for need in scenario.needs:
            if need not in NEEDS[1:]:
                yield (*at, name, "needs", need), f"no such need; there are {', '.join(NEEDS[1:])}"
        if (total := sum(scenario.needs.values())) > 1.0 + 1e-9:
            yield (*at, name, "needs"), f"shares add to {total:.6g}; make them add to at most 1"
    for kind in CUSTOMER_TYPES:
        total = sum(scenario.shares.get(kind, 0.0) for scenario in traits.usage_scenarios.values())
        if abs(total - 1.0) > 1e-9:
            yield at, f"shares of {kind} add to {total:.6g} over the scenarios; make them add to 1"


def _check_names(at: Path, found: Iterable[str], wanted: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    names = list(found)
    for name in wanted:
        if name not in names:
            yield at, f"{name} is missing; add it"
    for name in names:
        if name not in wanted:
            yield (*at, name), f"no such name; there are {', '.join(wanted)}"


def _adds_to_one(at: Path, shares: Iterable[float]) -> Iterator[tuple[Path, str]]:
    if abs((total := sum(shares)) - 1.0) > 1e-9:
        yield at, f"shares add to {total:.6g}; make them add to 1"
