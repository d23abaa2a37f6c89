"""Contracts run down and end on a day of the month, then go on free or are signed again."""

from __future__ import annotations

import numpy as np

from churnsim.core.draws import stream
from churnsim.lifecycle.block import Block, Draws, Float64, Ids, Month
from churnsim.lifecycle.driver import Change, Driver
from churnsim.lifecycle.settings import Contract as Settings

DAY = stream("lifecycle.contract_day")
RENEWAL = stream("lifecycle.contract")


class Contract:
    """Contracts of a block."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def when(self, block: Block, month: Month, draws: Draws) -> tuple[Ids, Float64]:
        """Return whose contract ends this month, on the account's own day of the month."""
        rows = np.flatnonzero((block["contract_left_months"] == 1) & (block["join_month"] <= month.number))
        return rows, draws.uniform(DAY, rows, month=0)

    def act(self, block: Block, rows: Ids, hits: Ids, month: Month, draws: Draws) -> None:
        """Renew for the same length or go on without a contract, unless it was extended meanwhile."""
        rows = rows[block["contract_left_months"][rows] == 1]
        renewed = draws.uniform(RENEWAL, rows) < self.settings.renewal_prob
        block["contract_left_months"][rows] = np.where(renewed, block["contract_length_months"][rows] + 1, 0)

    def step(self, block: Block, month: Month, draws: Draws) -> None:
        """A month of the contract has passed."""
        left = block["contract_left_months"]
        left -= (left > 0) & (block["join_month"] <= month.number)

    def driver(self) -> Driver:
        """Return the driver."""
        columns = ("contract_left_months", "contract_length_months", "join_month")
        return Driver("contract", self.step, reads=("contract_left_months", "join_month"),
                      writes=("contract_left_months",), streams=(DAY, RENEWAL), after=("leaving",),
                      changes=(Change("contract_end", columns, ("contract_left_months",), self.when, self.act),))
