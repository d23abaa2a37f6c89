"""Contracts run down and end on a day of the month, then go on free or are signed again; a notice comes before."""

from __future__ import annotations

import numpy as np

from churnsim.core.draws import stream
from churnsim.lifecycle.block import Block, Draws, Float64, Ids, Month
from churnsim.lifecycle.driver import Change, Driver
from churnsim.lifecycle.settings import Contract as Settings

DAY = stream("lifecycle.contract_day")
RENEWAL = stream("lifecycle.contract")
LONG_AGO = 127


class Contract:
    """Contracts of a block."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def ends(self, block: Block, month: Month, draws: Draws) -> tuple[Ids, Float64]:
        """Return whose contract ends this month, on the account's own day of the month."""
        return self._on_the_day(block, month, draws, left=1)

    def end(self, block: Block, rows: Ids, hits: Ids, month: Month, draws: Draws) -> None:
        """Renew for the same length or go on without a contract, unless it was extended meanwhile."""
        rows = rows[block["contract_left_months"][rows] == 1]
        renewed = draws.uniform(RENEWAL, rows) < self.settings.renewal_prob
        block["contract_left_months"][rows] = np.where(renewed, block["contract_length_months"][rows] + 1, 0)
        block["contract_ended_months"][rows[~renewed]] = 0
        self._charge(block, rows, to_come=1)

    def notices(self, block: Block, month: Month, draws: Draws) -> tuple[Ids, Float64]:
        """Return who is told a month before the contract ends, on the day on which it will."""
        return self._on_the_day(block, month, draws, left=2)

    def notice(self, block: Block, rows: Ids, hits: Ids, month: Month, draws: Draws) -> None:
        """Wake the inattentive, unless the contract was extended meanwhile."""
        rows = rows[block["contract_left_months"][rows] == 2]
        woken = np.float32(self.settings.notice_wake) * (np.float32(1.0) - block["attention"][rows])
        block["wake"][rows] = np.maximum(block["wake"][rows], woken)

    def step(self, block: Block, month: Month, draws: Draws) -> None:
        """A month has passed, of the contract or since it ended: the fee for leaving is that of the months left."""
        left = block["contract_left_months"]
        left -= (left > 0) & (block["join_month"] <= month.number)
        ended = block["contract_ended_months"]
        ended += ended < LONG_AGO
        ended[left > 0] = LONG_AGO
        self._charge(block, slice(None), to_come=0)

    def _on_the_day(self, block: Block, month: Month, draws: Draws, *, left: int) -> tuple[Ids, Float64]:
        rows = np.flatnonzero((block["contract_left_months"] == left) & (block["join_month"] <= month.number))
        return rows, draws.uniform(DAY, rows, month=0)

    def _charge(self, block: Block, rows: Ids | slice, *, to_come: int) -> None:
        """Set the fee for leaving: a share of the fees left; `to_come` months of them are still to be counted down."""
        left = np.maximum(block["contract_left_months"][rows] - to_come, 0).astype(np.float32)
        fee = np.float32(self.settings.termination_fee_share) * block["plan_price_amount"][rows]
        block["termination_fee_amount"][rows] = fee * left

    def driver(self) -> Driver:
        """Return the driver."""
        own = ("contract_left_months", "contract_ended_months", "termination_fee_amount")
        columns = (*own, "contract_length_months", "join_month", "plan_price_amount")
        notice = Change("contract_notice", ("contract_left_months", "join_month", "attention", "wake"), ("wake",),
                        self.notices, self.notice)
        end = Change("contract_end", columns, own, self.ends, self.end)
        return Driver(
            "contract", self.step, reads=("contract_ended_months", "contract_left_months", "join_month",
                                                 "plan_price_amount"), writes=own,
            streams=(DAY, RENEWAL), after=("leaving",), changes=(notice, end) if self.settings.notice_wake else (end,))
