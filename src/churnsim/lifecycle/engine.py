"""Months pass: blocks of subscribers, and their twins under other treatments, through the same draws.

A block goes through all its months before the next one is taken. Nothing here couples subscribers: a result
for an id never depends on which other ids are run, nor on blocks or threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from churnsim.core.clock import days_to_months
from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key
from churnsim.lifecycle.covariates import Surroundings, covariate_matrix
from churnsim.lifecycle.drivers.base import Month, check_drivers
from churnsim.lifecycle.drivers.order import BEGIN, END
from churnsim.lifecycle.hazards import HazardTable, decide, survive
from churnsim.lifecycle.market import Market
from churnsim.lifecycle.settings import LifecycleSettings
from churnsim.lifecycle.treatment import Treatment, apply, bill_discount, fade
from churnsim.offers.table import OfferTable
from churnsim.population.columns import SCHEMA

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

BLOCK = 16_384


@dataclass(frozen=True)
class BlockMonth:
    """What one month did to one block in one arm; arrays are (rows,) and valid during the call only.

    Attributes
    ----------
    arm
        Position of the arm in the run.
    low, high
        Rows of the run's base that the block covers.
    month
        Calendar month.
    base
        The block after the month.
    revenue, cost_to_serve, discount
        Amounts due at the start of the month if the subscriber is active then.
    active, active_prob
        Whether it is, and the probability given everything but the clocks of leaving.
    undecided, undecided_prob
        The same for "has not decided to leave" at the time of the contact; month start where there is none.
    billed, billed_prob
        The same for "the discount falls due": active, and undecided at the contact that gave it.
    accepted
        Offer code accepted this month.
    hazard
        Total monthly hazard of leaving at the end of the month.
    """

    arm: int
    low: int
    high: int
    month: int
    base: Subscribers
    revenue: Float32
    cost_to_serve: Float32
    discount: Float32
    active: npt.NDArray[np.bool_]
    active_prob: Float64
    undecided: npt.NDArray[np.bool_]
    undecided_prob: Float64
    billed: npt.NDArray[np.bool_]
    billed_prob: Float64
    accepted: npt.NDArray[np.int8]
    hazard: Float32


Observer = Callable[[BlockMonth], None]
ArmInput: TypeAlias = tuple[Subscribers, Treatment | None]


class _Arm:
    """One arm of a block: its columns, its survival so far, and when its discounts were given.

    A discount is given to those who are undecided at `given_time`; `given_prob` is the chance of it.
    """

    def __init__(self, number: int, base: Subscribers, treatment: Treatment | None, start: int) -> None:
        n = len(base)
        self.number = number
        self.base = base
        self.treatment = treatment
        self.hazard = np.where(base["decision_time"] < start, np.inf, 0.0)
        self.active_prob = (base["departure_time"] > start).astype(np.float64)
        self.undecided_prob = np.empty(n)
        self.given_time = np.full(n, -np.inf)
        self.given_prob = np.ones(n)


class Engine:
    """The lifecycle of an experiment under one key.

    Parameters
    ----------
    lifecycle
        Settings.
    market
        Market state for every calendar month the engine will be asked for.
    offers
        The offer table; its causes must be those of `lifecycle`, in order.
    key
        Every draw depends on it.
    """

    def __init__(self, lifecycle: LifecycleSettings, market: Market, offers: OfferTable, *, key: Key) -> None:
        check_drivers((*BEGIN, *END), SCHEMA)
        self.settings = lifecycle
        self.offers = offers
        self.key = key
        self.table = HazardTable(lifecycle.causes)
        self.market = market
        if (made_for := offers.log_multipliers.shape[1]) != len(self.table.causes):
            raise ValueError(f"the offer table is made for {made_for} causes, the lifecycle has "
                             f"{len(self.table.causes)}; give offer_table the causes of the lifecycle")
        self.notice = days_to_months(lifecycle.notice_days)

    def surroundings(self, base: Subscribers, month: int) -> Surroundings:
        """Return the market as the subscribers of `base` meet it in `month`."""
        region = base["region"]
        return Surroundings(month, self.market.promotion[month][region], self.market.network[month][region],
                            float(self.market.season[month]))

    def run(self, arms: Sequence[ArmInput], *, start: int, months: int, observe: Observer | None = None,
            realise: bool = True, block: int = BLOCK, threads: int = 1) -> None:
        """Let `months` months pass from `start`, changing the bases in place.

        Parameters
        ----------
        arms
            Bases of the same ids in the same order, each with its treatment in month `start` (None: nobody is
            contacted). Arms share every draw: they are twins.
        observe
            Called after every block and month of every arm; from several threads if `threads` > 1.
        realise
            False: nobody leaves; only probabilities are carried (for expectations).
        """
        n = len(arms[0][0])
        bounds = [(low, min(low + block, n)) for low in range(0, n, block)]

        def one(bound: tuple[int, int]) -> None:
            self._run_block(arms, bound, start, months, observe, realise)

        if threads == 1:
            for bound in bounds:
                one(bound)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(one, bounds))

    def _run_block(self, arms: Sequence[ArmInput], bound: tuple[int, int], start: int, months: int,
                   observe: Observer | None, realise: bool) -> None:
        low, high = bound
        states = [
            _Arm(k, base.view(low, high), None if treatment is None else treatment.view(low, high), start)
            for k, (base, treatment) in enumerate(arms)]
        for number in range(start, start + months):
            around = self.surroundings(states[0].base, number)
            month = Month(self.settings, around, states[0].base.ids, self.key)
            clocks: dict[int, Float64] = {}
            for arm in states:
                result = self._month(arm, month, clocks, bound, start, realise)
                if observe is not None:
                    observe(result)

    def _month(self, arm: _Arm, month: Month, clocks: dict[int, Float64], bound: tuple[int, int], start: int,
               realise: bool) -> BlockMonth:
        base, number = arm.base, month.number
        joined = base["join_month"] <= number
        active = joined & (base["departure_time"] > number)
        active_prob = arm.active_prob * joined
        billed = active & (base["decision_time"] > arm.given_time)
        billed_prob = np.minimum(active_prob, arm.given_prob)
        for driver in BEGIN:
            driver.step(base, month)
        revenue = base.lag("bill_amount", month=number, months_ago=0).copy()
        discount = bill_discount(base, revenue)
        serve = self.settings.cost_to_serve
        per_line = np.float32(serve.fixed_amount) * base["lines"]
        cost = (per_line + np.float32(serve.share_of_revenue) * revenue).astype(np.float32, copy=False)
        before = self._hazards(base, month.around, joined)
        # Without a contact the hazard "changes" to itself at the month's start.
        change, after, accepted = np.zeros(len(base)), before, np.zeros(len(base), np.int8)
        treatment = arm.treatment if number == start else None
        if treatment is not None and np.isfinite(treatment.contact_time).any():
            apply(base, treatment, offers=self.offers, contact=self.settings.contact)
            after = self._hazards(base, month.around, joined)
            change = np.where(np.isfinite(treatment.contact_time), treatment.contact_time, 0.0)
            accepted = treatment.accepted
        active_next = np.empty(len(base))
        survive(before, after, change, self.notice, arm.hazard, arm.undecided_prob, active_next)
        if realise:
            self._leave(base, before, after, change, month, clocks, joined)
        undecided = base["decision_time"] > number + change
        if treatment is not None:
            given = self.offers.discount_months[accepted] > 0
            arm.given_time = np.where(given, number + change, -np.inf)
            arm.given_prob = np.where(given, arm.undecided_prob, 1.0)
        for driver in END:
            driver.step(base, month)
        fade(base, contact=self.settings.contact)
        arm.active_prob = active_next
        return BlockMonth(arm.number, *bound, number, base, revenue, cost, discount, active, active_prob,
                          undecided, arm.undecided_prob, billed, billed_prob, accepted, after.sum(axis=0))

    def _hazards(self, base: Subscribers, around: Surroundings, joined: npt.NDArray[np.bool_]) -> Float32:
        hazards = self.table.hazards(
            covariate_matrix(self.table.covariates, base, around), offer_code=base["offer_code"],
            offer_left=base["offer_left_months"], responsiveness=base["responsiveness"],
            log_multipliers=self.offers.log_multipliers)
        if not joined.all():
            hazards *= joined
        return hazards

    def _leave(self, base: Subscribers, before: Float32, after: Float32, change: Float64, month: Month,
               clocks: dict[int, Float64], joined: npt.NDArray[np.bool_]) -> None:
        """Let the clocks decide who resolves to leave this month, for which cause and when service ends."""
        time, winner = decide(self.table, before, after, change, ids=base.ids, month=month.number,
                              key=self.key, clocks=clocks)
        leaves = joined & np.isinf(base["decision_time"]) & np.isfinite(time)
        base["decision_time"][leaves] = month.number + time[leaves]
        base["departure_time"][leaves] = month.number + time[leaves] + self.notice
        base["cause"][leaves] = winner[leaves]
