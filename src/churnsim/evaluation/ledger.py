"""The ledger: every amount of every world, posted once in cents, and the identities that hold between them.

net value = saved margin - offer cost - contact cost, where with D = policy world minus reference world,
discounted: saved revenue = D revenue; saved margin = D (revenue - cost to serve); offer cost = D (retention
discount + direct offer cost, once or monthly); contact cost = D contact cost. Beside them, and in none of them:
D of the margin after the horizon, and - D of what replacing those who left costs.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.clock import discount_factor
from churnsim.core.money import to_cents
from churnsim.evaluation.settings import EvaluationSettings
from churnsim.lifecycle.block import Block
from churnsim.offers.table import OfferTable

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

KINDS = ("revenue", "cost_to_serve", "retention_discount", "direct_offer_cost", "contact_cost",
         "terminal_margin", "replacement_cost")
ESTIMATES = ("realised", "expected")
BASES = ("undiscounted", "discounted")
WORLDS = ("reference", "policy")
REVENUE, COST_TO_SERVE, DISCOUNT, DIRECT, CONTACT, TERMINAL, REPLACEMENT = range(7)
REALISED, EXPECTED = 0, 1
DISCOUNTED = 1
CHURN_MONTHS = 12


@dataclass
class WorldLedger:
    """The money of one world.

    Attributes
    ----------
    cents
        (kinds, estimates, 2, n) int64: sums over the horizon, undiscounted and discounted.
    monthly
        (months, kinds, estimates, 2) int64: sums over subscribers.
    still_active
        (estimates, n): active (or probability of it) `CHURN_MONTHS` after the campaign month, or in the
        horizon's last month if that is shorter.
    """

    cents: Int64
    monthly: Int64
    still_active: Float64


class Bookkeeper:
    """Posts the money of the arms of a run; give :meth:`observe` to the engine.

    Parameters
    ----------
    settings
        Horizon, discount rate, terminal value.
    start
        Calendar month of the campaign, to which amounts are discounted.
    n, arms
        Subscribers and arms of the run; arm 0 is the reference.
    contact_cents
        (n,) contact cost of each subscriber in the arms after the reference, due in the run's first month.
    first
        Months after `start` in which the run begins: 0, or more for a later wave of the campaign.
    """

    def __init__(self, settings: EvaluationSettings, offers: OfferTable, *, start: int, n: int, arms: int,
                 contact_cents: Int64 | None = None, first: int = 0) -> None:
        self.settings = settings
        self.offers = offers
        self.start = start
        self.first = first
        months = settings.horizon_months
        shape = (len(KINDS), len(ESTIMATES), len(BASES))
        self.worlds = [WorldLedger(np.zeros((*shape, n), np.int64), np.zeros((months, *shape), np.int64),
                                   np.ones((len(ESTIMATES), n))) for _ in range(arms)]
        self.offer_cost_to_stayers = np.zeros((arms, n), np.int64)
        self._reference_active = np.zeros(n, bool)
        self._before = np.zeros((arms, len(ESTIMATES), n))
        self._lock = threading.Lock()
        if contact_cents is not None:
            factor = discount_factor(first, rate_annual=settings.discount_rate_annual)
            due = np.stack([contact_cents, np.rint(contact_cents * factor).astype(np.int64)])
            for world in self.worlds[1:]:
                world.cents[CONTACT] += due
                world.monthly[first, CONTACT] += due.sum(axis=1)

    def observe(self, block: Block) -> None:
        """Post one month of one block of one arm."""
        age = block.month.number - self.start
        factor = discount_factor(age, rate_annual=self.settings.discount_rate_annual)
        rows = slice(block.low, block.high)
        active = (block["active"].astype(np.float64), block["active_prob"])
        undecided = (block["undecided"].astype(np.float64), block["undecided_prob"])
        billed = (block["billed"].astype(np.float64), block["billed_prob"])
        direct = self.offers.direct_cost(block["accepted"], block["lines"])
        posted = np.zeros((len(KINDS), len(ESTIMATES), len(BASES), block.high - block.low), np.int64)
        due = ((REVENUE, block["revenue"], active), (COST_TO_SERVE, block["cost_to_serve"], active),
               (DISCOUNT, block["discount"], billed), (DIRECT, direct, undecided), (DIRECT, block["upkeep"], billed))
        for kind, amount, weights in due:
            if kind in (DISCOUNT, DIRECT) and not amount.any():
                continue
            for estimate, weight in enumerate(weights):
                posted[kind, estimate] += to_cents(amount, weight), to_cents(amount, weight * factor)
        if age == self.settings.horizon_months - 1 and self.settings.terminal_value == "residual":
            self._post_terminal(posted, block, active, age)
        if self.settings.acquisition_cost_amount > 0.0:
            self._post_replacement(posted, block, active, age)
        world = self.worlds[block.arm]
        world.cents[..., rows] += posted
        if age == min(CHURN_MONTHS, self.settings.horizon_months - 1):
            world.still_active[:, rows] = active
        if block.arm == 0:
            self._reference_active[rows] = block["active"]
        cost = posted[DISCOUNT, REALISED, DISCOUNTED] + posted[DIRECT, REALISED, DISCOUNTED]
        self.offer_cost_to_stayers[block.arm, rows] += cost * self._reference_active[rows]
        with self._lock:
            world.monthly[age] += posted.sum(axis=-1)

    def _post_replacement(self, posted: Int64, block: Block, active: tuple[Float64, Float64], age: int) -> None:
        """Post what replacing those who left since the month before costs, less who came back."""
        before = self._before[block.arm, :, block.low:block.high]
        cost = np.float64(self.settings.acquisition_cost_amount)
        factor = discount_factor(age, rate_annual=self.settings.discount_rate_annual)
        for estimate, there in enumerate(active):
            if age > self.first:
                left = before[estimate] - there
                posted[REPLACEMENT, estimate] = to_cents(cost, left), to_cents(cost, left * factor)
            before[estimate] = there

    def _post_terminal(self, posted: Int64, block: Block, active: tuple[Float64, Float64], age: int
                       ) -> None:
        """Post the margin after the horizon: a perpetuity at the last margin and hazard."""
        stay = np.exp(-block["hazard"].astype(np.float64))
        step = discount_factor(1, rate_annual=self.settings.discount_rate_annual)
        months = stay / (1.0 - np.minimum(stay * step, 1.0 - 1e-6))
        amount = (block["revenue"].astype(np.float64) - block["cost_to_serve"]) * months
        factor = discount_factor(age + 1, rate_annual=self.settings.discount_rate_annual)
        for estimate, weight in enumerate(active):
            posted[TERMINAL, estimate] = to_cents(amount, weight), to_cents(amount, weight * factor)


def ledger_frame(ids: Int64, reference: WorldLedger, policy: WorldLedger) -> pd.DataFrame:
    """Return the ledger rows of both worlds for the given subscribers, zero rows left out.

    Columns: world, subscriber, kind, estimate, undiscounted_cents, discounted_cents.
    """
    parts = []
    for name, world in zip(WORLDS, (reference, policy), strict=True):
        kind, estimate, row = np.nonzero(world.cents.any(axis=2))
        parts.append(pd.DataFrame({
            "world": pd.Categorical.from_codes(np.full(len(row), WORLDS.index(name)), pd.Index(WORLDS)),
            "subscriber": ids[row],
            "kind": pd.Categorical.from_codes(kind, pd.Index(KINDS)),
            "estimate": pd.Categorical.from_codes(estimate, pd.Index(ESTIMATES)),
            "undiscounted_cents": world.cents[kind, estimate, 0, row],
            "discounted_cents": world.cents[kind, estimate, 1, row],
        }))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Money:
    """Discounted differences between a policy world and the reference, in cents, each an array or a sum."""

    saved_revenue: Int64
    saved_margin: Int64
    offer_cost: Int64
    contact_cost: Int64
    terminal_value: Int64
    acquisition_cost_avoided: Int64

    @property
    def net_value(self) -> Int64:
        """Saved margin less offer and contact cost; terminal value and acquisition cost avoided stand beside it."""
        return self.saved_margin - self.offer_cost - self.contact_cost


def compare_worlds(reference: WorldLedger, policy: WorldLedger, *, estimate: int) -> Money:
    """Return what the policy changed, per subscriber, (n,) cents each."""
    change = policy.cents[:, estimate, DISCOUNTED] - reference.cents[:, estimate, DISCOUNTED]
    return Money(change[REVENUE], change[REVENUE] - change[COST_TO_SERVE], change[DISCOUNT] + change[DIRECT],
                 change[CONTACT], change[TERMINAL], -change[REPLACEMENT])
