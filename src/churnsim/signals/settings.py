"""Settings of what the operator sees and when."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import NonNegative, Positive, Settings, Share


class DataQuality(Settings):
    """How dirty the operator's table is; all shares 0: as clean as its systems can be."""

    missing_share: Share
    """Share of missing cells in the columns of CRM and app that nobody depends on daily."""
    outlier_share: Share
    """Share of wild values among the months of usage, minutes and bills."""
    outlier_factor: Positive
    """Factor on a wild value."""
    late_share: Share
    """Share of subscribers whose histories arrive a month late."""
    duplicate_share: Share
    """Share of subscribers that stand twice in the snapshot of ``churnsim simulate``."""


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
    silent_days: Annotated[float, Field(strict=True, ge=0.0, le=360.0)]
    """Days without activity after which a subscriber who pays in advance counts as gone. Until then who left stands
    in the table of the active, without use; 0: every departure is seen at once."""
    data_quality: DataQuality
    """Missing, wild, late and repeated data."""
