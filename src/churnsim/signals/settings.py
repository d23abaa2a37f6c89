"""Settings of what the operator sees and when."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import NonNegative, Settings


class SignalsSettings(Settings):
    """Features, the churn model, and the delay before a list can be worked."""

    churn_model: Literal["logistic", "lightgbm"]
    """Model of leaving within `risk_horizon_months`, fitted on the pilot's control arm."""
    risk_horizon_months: Annotated[int, Field(strict=True, ge=1, le=12)]
    """Months ahead that the churn model predicts; at most pilot.outcome_months."""
    list_delay_days: Annotated[float, Field(strict=True, ge=0.0, le=29.0)]
    """Days from the start of the campaign month until orders reach the contact centre: lists meet subscribers
    who have decided meanwhile."""
    usage_noise_log_sd: NonNegative
    """Standard deviation of the error of the usage that the operator's systems report (log)."""
