"""Settings of the campaign month and of the pilot before it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import Amount, Number, Positive, PositiveCount, Settings, Share


class TicketSettings(Settings):
    """Complaint tickets of the campaign month, worked by agents who work the campaign's orders too."""

    channel: str | None = None
    """Live channel whose teams work the tickets, one answered attempt each; null: hours to resolution are drawn,
    and no campaign delays a ticket."""
    value_amount: Amount = 20.0
    """Value of a ticket for dispatch, beside the priority that a policy gives its orders [assumption]."""
    deadline_hours: Positive = 24.0
    """Hours from a complaint after which its ticket counts as late; it is worked all the same. Dispatch by deadline
    goes by it."""


class SegmentLimit(Settings):
    """Subscribers of a kind, and how many of them a list holds."""

    by: dict[str, str]
    """Column -> value that a subscriber must have, all of them (customer_type, region, locality, payment,
    usage_scenario, acquisition_channel, building_access)."""
    least: Annotated[int, Field(strict=True, ge=0)] = 0
    """At least so many on the list."""
    most: Annotated[int, Field(strict=True, ge=0)] | None = None
    """At most so many; null: no bound."""


class ContactLimit(Settings):
    """How often a subscriber may be contacted."""

    most: Annotated[int, Field(strict=True, ge=1, le=1000)]
    """At most so many contacts ..."""
    days: Annotated[float, Field(strict=True, gt=0.0, le=3600.0)]
    """... in any stretch of so many days. A contact is a call answered or a message read."""


class CampaignLimits(Settings):
    """What every list keeps to, beside money and staff."""

    holdout_share: Annotated[float, Field(strict=True, ge=0.0, lt=1.0)] = 0.0
    """Share of subscribers, drawn at random, whom nobody may list."""
    cool_off_months: Annotated[int, Field(strict=True, ge=0, le=120)] = 0
    """Months since the last accepted offer before a subscriber is listed again; an offer's own cool-off may be
    longer."""
    contacts: ContactLimit | None = None
    """For policies that make a list every month; null: no bound."""
    segments: dict[str, SegmentLimit] = Field(default_factory=dict)
    """Segments by name; a subscriber belongs to the first that fits."""


class CampaignSettings(Settings):
    """One wave: a budget, the channels it may use, and a deadline."""

    budget_amount: Amount
    """Expected planned spend of a budgeted policy: contacts, and offers to those expected to accept."""
    offers: tuple[str, ...]
    """Offers that the pilot tries and plans may use; the others of the catalogue stay out."""
    channels: tuple[str, ...]
    """Channels that plans may use."""
    lost_months: Annotated[int, Field(strict=True, ge=0, le=60)] = 0
    """Those who left within so many months may be listed too, for offers that bring back; 0: only those whom the
    operator counts as active."""
    deadline_days: Annotated[float, Field(strict=True, gt=0.0, le=30.0)]
    """Days from the start of the campaign month after which an order is not worked any more."""
    tickets: TicketSettings = TicketSettings()
    limits: CampaignLimits = CampaignLimits()


MARGIN_TIER = "margin_tier"
STRATA = ("customer_type", "usage_scenario", "region", "locality", "payment", "acquisition_channel", "building_access",
          "brand_tier", "value_tier", MARGIN_TIER)


class StratumShares(Settings):
    """Other shares for some of the pilot's subscribers."""

    where: Annotated[dict[str, str | int], Field(min_length=1)]
    """Column of pilot.strata -> value that a subscriber must have, all of them: {customer_type: family}."""
    shares: dict[str, Share]
    """Arm -> share, control included; they sum to 1."""


class RandomTargeting(Settings):
    """Who is offered what was drawn at random, and the log says with which chance."""

    kind: Literal["random"] = "random"
    """A randomised pilot."""


class RiskList(Settings):
    """A past campaign on a list of subscribers at risk; nobody wrote down how likely each was to be listed."""

    kind: Literal["risk_list"]
    """A historical campaign."""
    listed_share: Annotated[float, Field(strict=True, gt=0.0, lt=1.0)]
    """Share of subscribers on the list; they share the offers as in pilot.shares, equally if that is null."""
    strength: Number
    """Log-odds of being listed for one standard deviation of the churn score (the log-odds that a churn model of
    signals.churn_model gives, fitted on the month before); 0: whatever the score."""
    unobserved_strength: Number = 0.0
    """The same for one standard deviation of dissatisfaction, which the log does not show: no adjustment repairs it."""
    logged: Literal["all", "reached"] = "all"
    """"all": the log names everybody on the list. "reached": only those who were reached; the others are lost from
    the log, neither listed nor control."""


Targeting = Annotated[RandomTargeting | RiskList, Field(discriminator="kind")]


class PilotSettings(Settings):
    """A trial on subscribers of its own, delivered with as much staff as it takes."""

    size: PositiveCount
    """Subscribers in the pilot."""
    start_month: Annotated[int, Field(strict=True, ge=0)]
    """Calendar month in which the arms are assigned and contacted."""
    outcome_months: Annotated[int, Field(strict=True, ge=1, le=36)]
    """Months after which outcomes are read; they end no later than the campaign month starts."""
    control_share: Share
    """Share assigned to no contact; the offers share the rest equally."""
    shares: dict[str, Share] | None = None
    """Arm -> share, "control" and every offer of campaign.offers, summing to 1; null: by control_share. Where an offer
    cannot be assigned, because some are for those who have left, the other offers share its part."""
    strata: Annotated[tuple[str, ...], Field(max_length=6)] = ()
    """Columns whose groups are each assigned in the exact shares: customer_type, usage_scenario, region, locality,
    payment, acquisition_channel, building_access, brand_tier, value_tier, or margin_tier (low, mid and high thirds of
    the pilot's subscribers by monthly margin). None: everybody is drawn alone."""
    stratum_shares: tuple[StratumShares, ...] = ()
    """Other shares for some groups of the strata; a subscriber goes by the first that fits."""
    holdout_share: Annotated[float, Field(strict=True, ge=0.0, lt=1.0)] = 0.0
    """Share of the pilot's subscribers from whom nothing is learned: policies are valued on them."""
    targeting: Targeting = RandomTargeting()
    """How offers found their subscribers: a randomised pilot, or a past campaign of the operator."""
    channel: str
    """Channel through which the pilot's offers are made."""
