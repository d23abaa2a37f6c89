"""What a ranking policy takes from a pilot; apart from the models, whose libraries take seconds to load."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BestCampaign:
    """The offer and depth that did best on the pilot for one ranking, with its value there a subscriber."""

    offer: str
    depth_share: float
    value_amount: float


def campaign_name(kind: str, learner: str) -> str:
    """Return the name under which the best campaign of a ranking by a learner's effects is known."""
    return f"{kind}.{learner}"
