"""What a policy may know: arms, who may get them, planned reach and cost, and the operator's predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.policy.choices import Choices, choices
from churnsim.uplift.best import BestCampaign

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ROWS = ("ids", "allowed", "reach", "contact_cost", "minutes", "accept", "offer_cost", "risk", "margin", "segment")
NAMED = ("effects", "kept", "flags", "table")


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
    minutes
        (n, A): expected staff minutes of giving each arm; messages, of channels that send them.
    accept, offer_cost
        (n, A): predicted acceptance given contact; planned cost on acceptance.
    risk, margin
        (n,): predicted chance of leaving; monthly margin.
    segment
        (n,): position of the segment in ``campaign.limits.segments``, -1 for none.
    effects
        learner -> (n, A): effect of a contact in units of the learner's outcome.
    kept
        learner -> (n, A): discounted margin that a contact keeps, before the cost of the offer.
    flags
        warning rule -> (n,) bool: whom it flags.
    best
        Ranking -> the offer and depth that did best on the pilot.
    pilot_channel
        Channel of the pilot, which the ranking policies use.
    listable
        How many subscribers may be given each arm where the plan holds a shortlist of them only; else None.
    table
        Column -> (n,): what the operator's table says in everyday units (:mod:`churnsim.signals.readable`); empty in
        plans of a simulation.
    """

    ids: npt.NDArray[np.int64]
    arms: tuple[Arm, ...]
    allowed: Flags
    reach: Float64
    contact_cost: Float64
    minutes: Float64
    accept: Float64
    offer_cost: Float64
    risk: Float64
    margin: Float64
    segment: npt.NDArray[np.int32]
    effects: Mapping[str, Float64]
    kept: Mapping[str, Float64]
    flags: Mapping[str, Flags]
    best: Mapping[str, BestCampaign]
    pilot_channel: str
    listable: tuple[int, ...] | None = None
    table: Mapping[str, Float64] = field(default_factory=dict)

    @property
    def planned_cost(self) -> Float64:
        """Expected planned spend of giving each arm, (n, A)."""
        return self.contact_cost + self.reach * self.accept * self.offer_cost

    def planned_value(self, learner: str) -> Float64:
        """Learned net value of each arm, (n, A): reach x (margin kept - accepted offers) - contacts."""
        return self.reach * (self.kept[learner] - self.accept * self.offer_cost) - self.contact_cost

    def choices(self, value: Float64) -> Choices:
        """Return who may be given which arm, what it is worth (n, A), costs and takes of staff."""
        return choices(value, self.planned_cost, effort=self.minutes, allowed=self.allowed, segment=self.segment)

    def take(self, rows: npt.NDArray[np.int64]) -> Plan:
        """Return the plan of some rows as a shortlist, which keeps how many there were."""
        fields: dict[str, Any] = {name: getattr(self, name)[rows] for name in ROWS}
        named: dict[str, Any] = {name: {key: values[rows] for key, values in getattr(self, name).items()}
                                 for name in NAMED}
        return replace(self, **fields, **named, listable=self.may_be_listed())

    @staticmethod
    def concat(plans: Sequence[Plan]) -> Plan:
        """Return the plan of several shortlists of one campaign, in order."""
        fields: dict[str, Any] = {name: np.concatenate([getattr(plan, name) for plan in plans]) for name in ROWS}
        named: dict[str, Any] = {
            name: {key: np.concatenate([getattr(plan, name)[key] for plan in plans]) for key in getattr(plans[0], name)}
            for name in NAMED}
        counts = np.sum([plan.may_be_listed() for plan in plans], axis=0)
        return replace(plans[0], **fields, **named, listable=tuple(counts.tolist()))

    def may_be_listed(self) -> tuple[int, ...]:
        """Return how many subscribers may be given each arm."""
        return self.listable or tuple(self.allowed.sum(axis=0).tolist())

    def arm(self, offer: str, channel: str) -> int:
        """Return the position of an arm."""
        return next(k for k, arm in enumerate(self.arms) if (arm.offer, arm.channel) == (offer, channel))
