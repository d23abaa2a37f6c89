"""Tenure, contract and the fee for leaving early: a contract fits the tenure and what a table gives of it."""

from __future__ import annotations

import numpy as np

from churnsim.population.categories import PAYMENTS
from churnsim.population.drawing import Array, Drawer, Float64, pick
from churnsim.population.lookup import Lookup

PREPAID = PAYMENTS.index("prepaid")
MOST_TENURE_MONTHS = 600
LONG_AGO = 127


def draw_tenure(draw: Drawer, mean_months: Float64) -> None:
    """Fill tenure: exponential, whole months gone, at most 50 years."""
    draw.put("tenure_months", np.minimum(-np.log(draw.uniform("tenure_months")) * mean_months, MOST_TENURE_MONTHS))


def bound_by_table(draw: Drawer) -> Array:
    """Return who has a contract by the table, (n,) bool: months left on it, or a length."""
    found = np.zeros(len(draw.base), bool)
    for name in ("contract_length_months", "contract_left_months"):
        known = draw.known(name)
        if known is not None:
            found |= known > 0.0
    return found


def draw_contract(draw: Drawer, lookup: Lookup, *, termination_fee_share: float) -> None:
    """Fill contract length, months left and the fee for leaving now.

    In the first contract, what is left is the length less the tenure. Later ones were signed one after another by the
    share `in_later_contract_share`, the rest is out of contract. Where a table gives the months left but not the
    length, the length is drawn among those that are no shorter, or else is the months left.
    """
    base = draw.base
    prepaid = base["payment"] == PREPAID
    draw.put("contract_length_months", np.where(prepaid, 0, _lengths(draw, lookup)))
    length, tenure = (base[name].astype(np.int64) for name in ("contract_length_months", "tenure_months"))
    safe = np.maximum(length, 1)
    again = draw.uniform("contract_left_months") < lookup.traits.in_later_contract_share
    later = np.where(again, safe - tenure % safe, 0)
    draw.put("contract_left_months", np.where(length == 0, 0, np.where(tenure < length, length - tenure, later)))
    free = (length > 0) & (base["contract_left_months"] == 0) & (tenure - length < LONG_AGO - 1)
    # Of several contracts of the past the last one is taken to have been signed anew each time.
    base["contract_ended_months"] = np.where(free, 1 + (tenure - length) % safe, LONG_AGO)
    base["termination_fee_amount"] = (
        termination_fee_share * base["plan_price_amount"] * base["contract_left_months"])


def _lengths(draw: Drawer, lookup: Lookup) -> Array:
    lengths, shares = lookup.contract_lengths()
    kind, u = draw.base["customer_type"], draw.uniform("contract_length_months")
    left = draw.known("contract_left_months")
    if left is None:
        return np.asarray(lengths[pick(shares, u, kind)])
    left = np.nan_to_num(left)
    below = np.searchsorted(lengths, left, side="left")
    cumulated = np.concatenate([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)], axis=1)
    shorter = cumulated[kind, below] / cumulated[kind, -1]
    drawn = lengths[pick(shares, shorter + u * (1.0 - shorter), kind)]
    # Months left beyond every length of the kind are a length of their own.
    return np.maximum(drawn, left)
