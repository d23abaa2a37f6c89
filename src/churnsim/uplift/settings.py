"""Settings of the effects learned from the pilot."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import Settings


class Learner(Settings):
    """One uplift learner and the outcome it learns on."""

    kind: Literal["t_logistic", "t_ridge", "x_lightgbm", "dr_ridge"]
    """Meta-learner and base model, through causalml."""
    outcome: Literal["stayed", "margin_months"]
    """"stayed": active when the pilot's outcome months end (only this one for t_logistic). "margin_months":
    months of margin kept, those expected after the pilot included; it multiplies the monthly margin."""


class UpliftSettings(Settings):
    """Learners, and how their scores are made honest."""

    learners: dict[str, Learner]
    """Learners by name; policies name one."""
    folds: Annotated[int, Field(strict=True, ge=2, le=20)]
    """Folds of the cross-fitting that calibrates scores."""
    shrink: bool
    """True: effects are calibrated on held-out folds and shrunk for their uncertainty. False: as learned."""
    min_reach_prob: Annotated[float, Field(strict=True, gt=0.0, le=1.0)]
    """Effects of being assigned are divided by the predicted chance of contact, at least this."""
