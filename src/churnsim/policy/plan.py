"""What a policy may know: arms, who may get them, planned reach and cost, and the operator's predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.uplift.best import BestCampaign

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ROWS = ("ids", "allowed", "reach", "contact_cost", "accept", "offer_cost", "risk", "margin")


@dataclass(frozen=True)
class Arm:
    """An offer made through a channel."""

    offer: str
    offer_code: int
    channel: str

    @property
    def name(self) -> str:
        """Name for tables, such as "discount_30 by call"."""
        return f"{self.offer} by {self.channel}"


@dataclass(frozen=True)
class Plan:
    """The plan's knowledge of the decision base, one row a subscriber active at the start of the month.

    Attributes
    ----------
    ids
        (n,) int64.
    arms
        (A,) offers by channels.
    allowed
        (n, A): eligible for the offer, contactable, with consent.
    reach, contact_cost
        (n, A): planned probability and cost of contact, with no regard for queues.
    accept, offer_cost
        (n, A): predicted acceptance given contact; planned cost on acceptance.
    risk, margin
        (n,): predicted chance of leaving; monthly margin.
    months
        learner -> (n, A): discounted months of margin that a contact keeps.
    best
        Ranking -> the offer and depth that did best on the pilot.
    pilot_channel
        Channel of the pilot, which the ranking policies use.
    listable
        How many subscribers may be given each arm where the plan holds a shortlist of them only; else None.
    """

    ids: npt.NDArray[np.int64]
    arms: tuple[Arm, ...]
    allowed: Flags
    reach: Float64
    contact_cost: Float64
    accept: Float64
    offer_cost: Float64
    risk: Float64
    margin: Float64
    months: Mapping[str, Float64]
    best: Mapping[str, BestCampaign]
    pilot_channel: str
    listable: tuple[int, ...] | None = None

    @property
    def planned_cost(self) -> Float64:
        """Expected planned spend of giving each arm, (n, A)."""
        return self.contact_cost + self.reach * self.accept * self.offer_cost

    def planned_value(self, learner: str) -> Float64:
        """Learned net value of each arm, (n, A): reach x (margin kept - accepted offers) - contacts."""
        kept = self.margin[:, None] * self.months[learner]
        return self.reach * (kept - self.accept * self.offer_cost) - self.contact_cost

    def take(self, rows: npt.NDArray[np.int64]) -> Plan:
        """Return the plan of some rows as a shortlist, which keeps how many there were."""
        fields: dict[str, Any] = {name: getattr(self, name)[rows] for name in ROWS}
        return replace(self, **fields, months={name: values[rows] for name, values in self.months.items()},
                       listable=self.may_be_listed())

    @staticmethod
    def concat(plans: Sequence[Plan]) -> Plan:
        """Return the plan of several shortlists of one campaign, in order."""
        fields: dict[str, Any] = {name: np.concatenate([getattr(plan, name) for plan in plans]) for name in ROWS}
        months = {name: np.concatenate([plan.months[name] for plan in plans]) for name in plans[0].months}
        counts = np.sum([plan.may_be_listed() for plan in plans], axis=0)
        return replace(plans[0], **fields, months=months, listable=tuple(counts.tolist()))

    def may_be_listed(self) -> tuple[int, ...]:
        """Return how many subscribers may be given each arm."""
        return self.listable or tuple(self.allowed.sum(axis=0).tolist())

    def arm(self, offer: str, channel: str) -> int:
        """Return the position of an arm."""
        return next(k for k, arm in enumerate(self.arms) if (arm.offer, arm.channel) == (offer, channel))
