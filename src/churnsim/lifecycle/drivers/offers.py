"""Contacts and accepted offers act within the month; at its end they fade."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.compiled import njit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Float64, Ids, Month
from churnsim.lifecycle.driver import Change, Driver
from churnsim.lifecycle.settings import Contact
from churnsim.lifecycle.treatment import Treatment, apply, fade, nobody
from churnsim.offers.table import OfferTable

NOBODY = nobody()

MET = ("wake", "satisfaction", "contact_stock")
CHANGED = ("plan_price_amount", "allowance_gb", "broadband", "smart_home", "device_age_months", "need_met",
           "contract_left_months", "lock_in_amount", "lock_in_left_months", "state")
STARTED = ("complaint_stock", "fault_stock", "discount_share", "discount_left_months", "discount_shock",
           "habituation", "offer_code", "offer_left_months", "months_since_offer", "accepted")
FADING = ("discount_shock", "discount_share", "wake", "offer_left_months", "contact_stock", "habituation",
          "months_since_offer", "lock_in_amount", "lock_in_left_months")


class Offers:
    """What the treatment table does to a block."""

    def __init__(self, table: OfferTable, contact: Contact) -> None:
        self.table = table
        self.contact = contact
        # Those that cost something after the contact, which is owed to whom they were given.
        self._runs_on = (table.discount_months > 0) | (table.monthly_cost_amount > 0.0)

    def when(self, block: Block, month: Month, draws: Draws) -> tuple[Ids, Float64]:
        """Return the contacts of the run's first month that move somebody."""
        treatment = block.treatment if month.first and block.treatment is not None else NOBODY
        some = self._moving(block, treatment)
        return treatment.row[some], treatment.time[some]

    def act(self, block: Block, rows: Ids, hits: Ids, month: Month, draws: Draws) -> None:
        """Apply contacts and what was accepted in them."""
        assert block.treatment is not None
        code = block.treatment.accepted[self._moving(block, block.treatment)[hits]]
        # An offer to come back does nothing to those on the network.
        code = np.where(self.table.brings_back[code] == block["lost"][rows], code, np.int8(0))
        apply(block, rows, code, offers=self.table, contact=self.contact)
        block["accepted"][rows] = np.maximum(block["accepted"][rows], code)

    def _moving(self, block: Block, treatment: Treatment) -> Ids:
        """Return the positions of contacts that are not in vain.

        Who had decided before the run is moved by none but an offer taken to come back: any other change would come to
        money after a return.
        """
        lost = block["lost"][treatment.row]
        undecided = block["decision_time"][treatment.row] >= block.month.number
        return np.flatnonzero(np.where(lost, self.table.brings_back[treatment.accepted], undecided))

    def step(self, block: Block, month: Month, draws: Draws) -> None:
        """Remember when an offer was given, and let discounts, shocks and effects run down."""
        if month.first and block.treatment is not None:
            taken, made = block["accepted"][block.treatment.row], block.treatment.accepted
            given = np.flatnonzero(self._runs_on[made] & (taken == made))
            rows = block.treatment.row[given]
            block["given_time"][rows] = month.number + block.treatment.time[given]
            block["given_prob"][rows] = block["undecided_prob"][rows]
        fade(block, contact=self.contact)

    def driver(self) -> Driver:
        """Return the driver."""
        touched = (*MET, *CHANGED, *STARTED)
        reads = ("payment", "attention", "inertia", "attitude", "lines", "need", "lost", "decision_time", *touched)
        return Driver("offers", self.step, reads=("accepted", "undecided_prob", "discount_left_months", *FADING),
                      writes=("given_time", "given_prob", *FADING),
                      changes=(Change("contact", reads, touched, self.when, self.act),))


def upkeep_driver(table: OfferTable) -> Driver:
    """Return the driver of what offers in effect cost at the month's start."""
    return Driver("upkeep", partial(_upkeep, table.monthly_cost_amount), reads=("offer_code", "offer_left_months"),
                  writes=("upkeep",))


def _upkeep(cost: Float32, block: Block, month: Month, draws: Draws) -> None:
    _charge(cost, block["offer_code"], block["offer_left_months"], block["upkeep"])


@njit
def _charge(cost: Float32, code: Array, left: Array, upkeep: Float32) -> None:
    for j in range(upkeep.shape[0]):
        upkeep[j] = cost[code[j]] if left[j] > 0 else np.float32(0.0)
