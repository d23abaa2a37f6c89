"""A line is replaced by another of the same operator: apparent leaving, which costs a subsidy and loses nobody.

Internal substitution and churn-and-rejoin have hazards by the same table as the causes of leaving, but no clock that
ends the account: revenue goes on, less what the new line cost. At most one line of an account is replaced a month.
"""

from __future__ import annotations

import math

import numpy as np

from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.lifecycle.block import Block, Draws, Float32, Float64, Ids, Month
from churnsim.lifecycle.driver import Change, Driver
from churnsim.lifecycle.hazards import SLACK, HazardTable
from churnsim.lifecycle.market_settings import NewcomerPromotion
from churnsim.lifecycle.settings import LifecycleSettings
from churnsim.population.categories import PAYMENTS

EVENTS = stream("lifecycle.substitution")
POSTPAID = PAYMENTS.index("postpaid")
COLUMNS = ("newcomer_discount_share", "newcomer_discount_left_months", "substitution_cost_amount")


class Substitution:
    """Replaced lines of a block.

    Parameters
    ----------
    hazards
        Hazards of the apparent causes.
    terms
        What a line taken anew gets and costs.
    """

    def __init__(self, settings: LifecycleSettings, hazards: HazardTable, terms: NewcomerPromotion) -> None:
        self.hazards = hazards
        self.terms = terms
        names = list(settings.causes)
        causes = [settings.causes[name] for name in hazards.causes]
        self.codes = np.array([1 + names.index(name) for name in hazards.causes], np.int8)
        self.rejoins = np.array([cause.newcomer_terms for cause in causes])
        subsidy = np.array([cause.subsidy_amount for cause in causes])
        self.cost_amount = subsidy + self.rejoins * terms.dealer_commission_amount

    def step(self, block: Block, month: Month, draws: Draws) -> None:
        """Last month's new lines have been paid for; a month of the newcomers' discount has passed."""
        block["substituted"] = 0
        block["substitution_cost_amount"] = 0.0
        left = block["newcomer_discount_left_months"]
        left -= left > 0
        block["newcomer_discount_share"] *= left > 0

    def when(self, block: Block, month: Month, draws: Draws) -> tuple[Ids, Float64]:
        """Return whose line is replaced, and when: a clock runs through the hazards that the month starts with.

        An offer accepted in the month therefore acts on them from the next month on.
        """
        hazard = self.hazards.hazards(block).sum(axis=0)
        u = draws.lanes(EVENTS, 2)[0]
        # -log u >= 1 - u: few rows need the logarithm.
        near = (np.float32(1.0) - u <= hazard * SLACK) & (block["join_month"] <= month.number)
        rows = np.flatnonzero(near)
        time = _moments(u[rows], hazard[rows])
        return rows[time < 1.0], time[time < 1.0]

    def act(self, block: Block, rows: Ids, hits: Ids, month: Month, draws: Draws) -> None:
        """Replace a line: its cost falls due next month, the contract starts again, newcomers get their discount."""
        shares = np.cumsum(self.hazards.hazards(block.some(rows, self.hazards.reads)), axis=0)
        which = (draws.lanes(EVENTS, 2)[1][rows] * shares[-1] > shares[:-1]).sum(axis=0)
        block["substituted"][rows] = self.codes[which]
        block["substitution_cost_amount"][rows] = self.cost_amount[which]
        length = block["contract_length_months"][rows]
        again = (block["payment"][rows] == POSTPAID) & (length > 0)
        # Contracts end on the account's day of the month: the month of signing is a part of the first.
        block["contract_left_months"][rows[again]] = length[again] + 1
        promoted = rows[self.rejoins[which] & (block["newcomer_promotion"][rows] > 0.0)]
        block["newcomer_discount_share"][promoted] = self.terms.discount_share / block["lines"][promoted]
        block["newcomer_discount_left_months"][promoted] = self.terms.discount_months

    def driver(self) -> Driver:
        """Return the driver."""
        writes = ("substituted", *COLUMNS, "contract_left_months")
        reads = dict.fromkeys(("substituted", "join_month", "payment", "lines", "contract_length_months",
                               "newcomer_promotion", *self.hazards.reads))
        return Driver("substitution", self.step, reads=("newcomer_discount_left_months",),
                      writes=("substituted", *COLUMNS), streams=(EVENTS,), after=("billing",),
                      changes=(Change("new_line", tuple(reads), writes, self.when, self.act),))


@njit
def _moments(u: Float32, hazard: Float32) -> Float64:
    time = np.empty(u.shape[0])
    for j in range(u.shape[0]):
        time[j] = -math.log(np.float64(u[j])) / hazard[j]
    return time
