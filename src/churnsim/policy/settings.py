"""Settings of the policies that are compared."""

from __future__ import annotations

from typing import Literal

from churnsim.config.base import Settings

Kind = Literal["none", "everyone", "everyone_capacity", "random", "churn_risk", "risk_value", "uplift_value",
               "oracle"]


class PolicySettings(Settings):
    """One policy; what a kind does not use is refused."""

    kind: Kind
    """none: an empty list. everyone: one offer to all who may be contacted, with as much staff as it takes.
    everyone_capacity: the same list in the real centre. random, churn_risk, risk_value: a ranking, with the
    offer, channel and depth that were best on the pilot. uplift_value: learned effect on margin less costs,
    over all offers and channels. oracle: the true expected effect under the same budget and reach."""
    offer: str | None = None
    """Offer of everyone and everyone_capacity."""
    channel: str | None = None
    """Channel of everyone and everyone_capacity."""
    learner: str | None = None
    """Learner of uplift_value."""


BUDGETED: tuple[Kind, ...] = ("random", "churn_risk", "risk_value", "uplift_value", "oracle")
"""Kinds whose list depends on the budget."""
