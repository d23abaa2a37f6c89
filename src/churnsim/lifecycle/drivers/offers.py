"""Contacts and accepted offers act within the month; at its end they fade."""

from __future__ import annotations

import numpy as np

from churnsim.lifecycle.block import Block, Draws, Float64, Ids, Month
from churnsim.lifecycle.driver import Change, Driver
from churnsim.lifecycle.settings import Contact
from churnsim.lifecycle.treatment import apply, fade, nobody
from churnsim.offers.table import OfferTable

NOBODY = nobody()


class Offers:
    """What the treatment table does to a block."""

    def __init__(self, table: OfferTable, contact: Contact) -> None:
        self.table = table
        self.contact = contact

    def when(self, block: Block, month: Month, draws: Draws) -> tuple[Ids, Float64]:
        """Return the contacts of the run's first month."""
        treatment = block.treatment if month.first and block.treatment is not None else NOBODY
        return treatment.row, treatment.time

    def act(self, block: Block, rows: Ids, hits: Ids, month: Month, draws: Draws) -> None:
        """Apply contacts and what was accepted in them."""
        assert block.treatment is not None
        code = block.treatment.accepted[hits]
        apply(block, rows, code, offers=self.table, contact=self.contact)
        block["accepted"][rows] = np.maximum(block["accepted"][rows], code)

    def step(self, block: Block, month: Month, draws: Draws) -> None:
        """Remember when a discount was given, and let discounts, shocks and effects run down."""
        if month.first and block.treatment is not None:
            given = np.flatnonzero(self.table.discount_months[block.treatment.accepted] > 0)
            rows = block.treatment.row[given]
            block["given_time"][rows] = month.number + block.treatment.time[given]
            block["given_prob"][rows] = block["undecided_prob"][rows]
        fade(block, contact=self.contact)

    def driver(self) -> Driver:
        """Return the driver."""
        touched = ("wake", "satisfaction", "complaint_stock", "fault_stock", "contract_left_months",
                   "discount_share", "discount_left_months", "discount_shock", "offer_code", "offer_left_months",
                   "accepted")
        return Driver(
            "offers", self.step, reads=("undecided_prob", "discount_share", "discount_left_months"),
            writes=("given_time", "given_prob", "discount_shock", "discount_share", "wake", "offer_left_months"),
            changes=(Change("contact", ("payment", "attention", *touched), touched, self.when, self.act),))
