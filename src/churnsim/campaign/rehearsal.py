"""Rehearsals: the contact centre works a list under draws that are not the world's, with what the operator knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from churnsim.campaign.settings import CampaignSettings
from churnsim.campaign.tickets import Tickets
from churnsim.campaign.wave import Assignment, make_orders
from churnsim.capacity.log import ContactLog
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import CapacitySettings
from churnsim.capacity.work import Channels, work
from churnsim.core.clock import HOURS_PER_MONTH
from churnsim.core.draws import Key, make_key, stream, uniform
from churnsim.core.money import CENTS
from churnsim.offers.table import OfferTable
from churnsim.policy.choice import Choice, Rehearsed
from churnsim.policy.plan import Plan
from churnsim.signals.observe import Observed

Float64 = npt.NDArray[np.float64]

COMPLAINT = stream("campaign.rehearsal.complaint")
OPENED = stream("campaign.rehearsal.opened")
# Draws of a replicate's rehearsals do not meet those of the next.
DRAWS = 1000
COMPLAINED = "complaints_rising"


@dataclass(frozen=True)
class Rehearsal:
    """A centre to try lists in: callable as :data:`churnsim.policy.choice.Rehearse`.

    Whom it reaches when comes from habits of answering in the operator's table, its own draws, and the very centre
    that will work the list: dispatch, retries, callers, and as many complaint tickets as there were lately. It is given
    nothing that only the simulator knows, nor the world's key.

    Attributes
    ----------
    plan
        What the operator knows; its rows are those of the operator's table.
    observe
        Reads the operator's table, when a list is first tried.
    assign
        Makes the centre's assignment of a list.
    seed, replicate
        Of the experiment: for keys apart from the world's.
    month
        Of the campaign.
    release_days
        From its start to the release of the orders.
    """

    plan: Plan
    observe: Callable[[], Observed]
    assign: Callable[[Choice], Assignment]
    seed: int
    replicate: int
    month: int
    release_days: float
    campaign: CampaignSettings
    channels: Channels
    capacity: CapacitySettings
    offers: OfferTable

    @cached_property
    def table(self) -> Observed:
        """The operator's table."""
        return self.observe()

    def __call__(self, choice: Choice, draw: int) -> Rehearsed:
        """Let the centre work a list.

        Parameters
        ----------
        choice
            The list.
        draw
            Number of the rehearsal, 0 to 999; in the same one, a subscriber called at the same hour gives the same
            answer whatever the list.

        Returns
        -------
        Rehearsed
            `reach` is the chance that a subscriber is reached before deciding to leave: 0 for who is not reached, and
            ``exp(-loss rate x months from release to contact)`` for who is.
        """
        reach, cost = np.zeros(len(choice.arm)), np.zeros(len(choice.arm))
        assignment = self.assign(choice)
        if len(assignment):
            row = assignment.row
            orders = make_orders(assignment, self.table, channels=self.channels, offers=self.offers, month=self.month,
                                 release_days=self.release_days, deadline_days=self.campaign.deadline_days)
            orders = replace(orders, accept_prob=self.plan.accept[row, choice.arm[row]])
            key = make_key(seed=self.seed, replicate=self.replicate * DRAWS + draw, purpose="rehearsal")
            log = self._work(orders, key)
            months = (log.outcomes.contact_hours - orders.release_hours) / HOURS_PER_MONTH
            # Never reached is at infinity, where nothing is lost of a subscriber with a rate of 0.
            reach[row] = np.where(log.outcomes.reached, np.exp(-orders.loss_rate_monthly * np.where(
                log.outcomes.reached, months, 0.0)), 0.0)
            cost[row] = np.bincount(log.attempts.order_id, log.attempts.cost_cents,
                                    minlength=len(orders))[orders.order_id] / CENTS
        return Rehearsed(reach, cost)

    def _work(self, orders: Orders, key: Key) -> ContactLog:
        tickets = self._tickets(key)
        if tickets is None:
            return work(orders, channels=self.channels, capacity=self.capacity, key=key, month=self.month)
        log, _ = tickets.work_beside(orders, channels=self.channels, capacity=self.capacity, key=key, month=self.month)
        return log

    def _tickets(self, key: Key) -> Tickets | None:
        """Return tickets drawn at the rate at which subscribers complained lately; None if a centre works none."""
        settings = self.campaign.tickets
        if settings.channel is None:
            return None
        ids, rate = self.plan.ids, float(np.mean(self.plan.flags[COMPLAINED])) if len(self.plan.ids) else 0.0
        row = np.flatnonzero(uniform(key, COMPLAINT, ids, month=self.month) < rate)
        opened = HOURS_PER_MONTH * (self.month + uniform(key, OPENED, ids[row], month=self.month).astype(np.float64))
        return Tickets(settings, row, ids[row], opened, np.full(len(row), np.inf))
