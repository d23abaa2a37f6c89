"""What falls due at the month's start, and whether the subscriber is there to pay it."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.compiled import njit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Float64, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import CostToServe


def step(cost: CostToServe, block: Block, month: Month, draws: Draws) -> None:
    """Revenue is the bill; a running retention discount takes its share of the fee, if it is still owed.

    Those who came back after it was given do not owe it. Calls, visits and tickets of a month are posted with its
    bill, whether or not the subscriber stays to its end.
    """
    services = np.array([cost.hotline_call_amount, cost.shop_visit_amount, cost.ticket_amount], np.float32)
    _charge(month.number, block["join_month"], block["departure_time"], block["decision_time"],
            block["active_next_prob"], block["given_time"], block["given_prob"], block.ago("bill_amount", 0),
            block["lines"], block["plan_price_amount"], block["discount_share"], np.float32(cost.fixed_amount),
            np.float32(cost.share_of_revenue), block["active"], block["active_prob"], block["billed"],
            block["billed_prob"], block["revenue"], block["cost_to_serve"], block["discount"],
            block["discount_left_months"], block["accepted"], block["newcomer_discount_share"],
            block["newcomer_discount_left_months"], block["substitution_cost_amount"], block["unowed"],
            block["unowed_prob"])
    _serve(services, block["hotline"], block["shop_visit"], block["complaint"], block["cost_to_serve"])


@njit
def _charge(month: int, join_month: Array, departure: Float64, decision: Float64, present_prob: Float64,
            given_time: Float64, given_prob: Float64, bill: Float32, lines: Array, fee: Float32, share: Float32,
            per_line: np.float32, per_revenue: np.float32, active: Array, active_prob: Float64, billed: Array,
            billed_prob: Float64, revenue: Float32, cost: Float32, discount: Float32, left: Array, accepted: Array,
            newcomer_share: Float32, newcomer_left: Array, new_line: Float32, unowed: Array, unowed_prob: Float64
            ) -> None:
    for j in range(bill.shape[0]):
        joined = join_month[j] <= month
        active[j] = joined & (departure[j] > month)
        active_prob[j] = present_prob[j] if joined else 0.0
        billed[j] = joined & (departure[j] > month) & (decision[j] > given_time[j]) & (not unowed[j])
        billed_prob[j] = min(active_prob[j] - unowed_prob[j], given_prob[j])
    # Three short loops: the compiler does not vectorise one over all these arrays.
    for j in range(bill.shape[0]):
        waived = newcomer_share[j] * min(fee[j], bill[j]) if newcomer_left[j] > 0 else np.float32(0.0)
        revenue[j] = bill[j] - waived
        cost[j] = per_line * np.float32(lines[j]) + per_revenue * bill[j] + new_line[j]
    for j in range(bill.shape[0]):
        runs = left[j] > 0
        discount[j] = share[j] * min(fee[j], bill[j]) if runs else np.float32(0.0)
        left[j] -= np.int8(runs)
        accepted[j] = 0


@njit
def _serve(amounts: Float32, called: Array, visited: Array, complained: Array, cost: Float32) -> None:
    call, visit, ticket = amounts[0], amounts[1], amounts[2]
    for j in range(cost.shape[0]):
        cost[j] += call * np.float32(called[j]) + visit * np.float32(visited[j]) + ticket * np.float32(complained[j])


def start(block: Block) -> None:
    """A discount that runs when the run starts is due whoever gave it."""
    block["given_time"] = -np.inf
    block["given_prob"] = 1.0


def driver(cost: CostToServe) -> Driver:
    """Return the driver."""
    return Driver("billing", partial(step, cost),
                  reads=("join_month", "departure_time", "decision_time", "active_next_prob", "given_time",
                         "given_prob", "bill_amount", "lines", "plan_price_amount", "discount_share",
                         "discount_left_months", "newcomer_discount_share", "newcomer_discount_left_months",
                         "substitution_cost_amount", "hotline", "shop_visit", "complaint", "unowed", "unowed_prob"),
                  writes=("active", "active_prob", "billed", "billed_prob", "revenue", "cost_to_serve", "discount",
                          "discount_left_months", "accepted"),
                  start=start, owns="offers", after=("usage",))
