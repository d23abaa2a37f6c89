"""Settings of what counts as value and how it is estimated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import Amount, NonNegative, Settings


class EvaluationSettings(Settings):
    """Horizon, discounting and intervals."""

    horizon_months: Annotated[int, Field(strict=True, ge=1, le=240)]
    """Months from the campaign month on over which money counts."""
    discount_rate_annual: NonNegative
    """Annual discount rate; amounts are discounted to the start of the campaign month."""
    terminal_value: Literal["none", "residual"]
    """"residual": margin after the horizon of those still active, on a line of its own that net value leaves
    out: a perpetuity at each subscriber's last margin and hazard."""
    acquisition_cost_amount: Amount = 0.0
    """What winning an account in the place of one that left would cost. What it saves stands on a line of its own,
    acquisition_cost_avoided, that net value leaves out; 0 is off."""
    inner_draws: Annotated[int, Field(strict=True, ge=1, le=1000)]
    """Futures over which the expected effect of an offer is averaged."""
    confidence: Annotated[float, Field(strict=True, gt=0.0, lt=1.0)]
    """Confidence of every interval."""
