"""What falls due at the month's start, and whether the subscriber is there to pay it."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.lifecycle.block import Block, Draws, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import CostToServe


def step(cost: CostToServe, block: Block, month: Month, draws: Draws) -> None:
    """Revenue is the bill; a running retention discount takes its share of the fee, if it is still owed."""
    joined = block["join_month"] <= month.number
    active = joined & (block["departure_time"] > month.number)
    block["active"] = active
    block["active_prob"] = block["active_next_prob"] * joined
    block["billed"] = active & (block["decision_time"] > block["given_time"])
    block["billed_prob"] = np.minimum(block["active_prob"], block["given_prob"])
    bill = block.ago("bill_amount", 0)
    block["revenue"] = bill
    per_line = np.float32(cost.fixed_amount) * block["lines"]
    block["cost_to_serve"] = per_line + np.float32(cost.share_of_revenue) * bill
    running = np.flatnonzero(block["discount_left_months"] > 0)
    fee = np.minimum(block["plan_price_amount"][running], bill[running])
    block["discount"] = 0.0
    block["discount"][running] = block["discount_share"][running] * fee
    block["discount_left_months"][running] -= 1
    block["accepted"] = 0


def start(block: Block) -> None:
    """A discount that runs when the run starts is due whoever gave it."""
    block["given_time"] = -np.inf
    block["given_prob"] = 1.0


def driver(cost: CostToServe) -> Driver:
    """Return the driver."""
    return Driver("billing", partial(step, cost),
                  reads=("join_month", "departure_time", "decision_time", "active_next_prob", "given_time",
                         "given_prob", "bill_amount", "lines", "plan_price_amount", "discount_share",
                         "discount_left_months"),
                  writes=("active", "active_prob", "billed", "billed_prob", "revenue", "cost_to_serve", "discount",
                          "discount_left_months", "accepted"),
                  start=start, owns="offers", after=("usage",))
