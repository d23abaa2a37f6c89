"""Settings of the population: a synthetic base, or an operator's table and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from churnsim.config.base import Amount, NonNegative, Number, Positive, PositiveCount, Settings, Share


class CustomerTypeTraits(Settings):
    """What distinguishes one kind of account."""

    share: Share
    """Share of accounts."""
    lines_mean: Positive
    """Mean number of lines (geometric from 1)."""
    price_per_line_amount: Amount
    """Median monthly fee a line."""
    prepaid_share: Share
    """Share that pays in advance and has no contract."""
    tenure_mean_months: Positive
    """Mean months since joining at the start (exponential)."""


class Traits(Settings):
    """Distributions of what a subscriber is; used for synthetic bases and to impute what a table lacks."""

    regions: Annotated[int, Field(strict=True, ge=1, le=128)]
    """Number of sales regions, equally likely; at most 128, the codes of an int8 column."""
    customer_types: dict[str, CustomerTypeTraits]
    """One entry for each kind of account."""
    migrant_share: Share
    """Share of migrant households among individuals."""
    price_log_sd: NonNegative
    """Standard deviation of the log of the fee a line."""
    price_log_by_price_sensitivity: Number
    """Change of the log of the fee a line per standard deviation of price sensitivity."""
    contract_length_months_shares: dict[int, Share]
    """Shares of contract lengths (months; 0 none) among those who pay after use."""
    in_later_contract_share: Share
    """Share of subscribers past their first contract who signed another one."""
    usage_median_gb: Positive
    """Median data used a line and month."""
    usage_log_sd: NonNegative
    """Standard deviation of the log of usual usage."""
    allowance_ratio: Positive
    """Data included in a plan over the account's usual usage, median."""
    contactable_share: Share
    """Share with complete contact details."""
    call_consent_share: Share
    """Share that may be called."""
    sms_consent_share: Share
    """Share that may be sent messages."""
    habit_log_sd: NonNegative
    """Standard deviation of the log of answer and read habits."""
    responsiveness_log_sd: NonNegative
    """Standard deviation of the log of responsiveness; its mean is 1."""
    attention_mean: Share
    """Mean attention to the market."""
    satisfaction_mean: Number
    """Mean satisfaction (0 to 100)."""
    satisfaction_sd: NonNegative
    """Standard deviation of satisfaction between subscribers."""
    responsiveness_by_price_sensitivity: Number
    """Change of log responsiveness per standard deviation of price sensitivity."""


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
    from churnsim.population.columns import CUSTOMER_TYPES

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
    lengths = traits.contract_length_months_shares
    if abs(sum(lengths.values()) - 1.0) > 1e-9:
        yield (*at, "contract_length_months_shares"), f"shares add to {sum(lengths.values()):.6g}; make them add to 1"
    if any(not 0 <= length <= 60 for length in lengths):
        yield (*at, "contract_length_months_shares"), "contract lengths must lie between 0 and 60 months"
