"""Settings of the campaign month and of the pilot before it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from churnsim.config.base import Amount, Positive, PositiveCount, Settings, Share


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


class PilotSettings(Settings):
    """A randomised trial on subscribers of its own, delivered with as much staff as it takes."""

    size: PositiveCount
    """Subscribers in the pilot."""
    start_month: Annotated[int, Field(strict=True, ge=0)]
    """Calendar month in which the arms are assigned and contacted."""
    outcome_months: Annotated[int, Field(strict=True, ge=1, le=36)]
    """Months after which outcomes are read; they end no later than the campaign month starts."""
    control_share: Share
    """Share assigned to no contact; the offers share the rest equally."""
    channel: str
    """Channel through which the pilot's offers are made."""
