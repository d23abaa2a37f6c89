"""Balance and recharges of those who pay in advance."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.clock import DAYS_PER_MONTH
from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Ids, Month
from churnsim.lifecycle.chance import chance
from churnsim.lifecycle.covariates import columns_read
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import Recharge
from churnsim.population.categories import PAYMENTS, STATES

EVENTS = stream("lifecycle.recharge")
PREPAID = PAYMENTS.index("prepaid")
SUSPENDED = STATES.index("suspended")


def step(settings: Recharge, block: Block, month: Month, draws: Draws) -> None:
    """The month's bill is drawn from the balance, after a recharge where the balance does not cover the fee.

    A due recharge is made on a day of the month that is drawn, unless it is skipped; who pauses makes none. The
    balance never falls below zero: service goes on [assumption: small sums are topped up as they are used].
    """
    rows = np.flatnonzero((block["payment"] == PREPAID) & (block["join_month"] <= month.number))
    u_skip, u_day = draws.lanes(EVENTS, 2)
    block["recharged"] = False
    _recharge(rows, u_skip, u_day, chance(settings.skip_prob, settings.skip_log_odds, block, rows), block["state"],
              block["plan_price_amount"], block.ago("bill_amount", 0), np.float32(settings.fee_months),
              block["balance_amount"], block["recharge_days"], block["recharged"])


@njit
def _recharge(rows: Ids, u_skip: Float32, u_day: Float32, skip_prob: Float32, state: Array, fee: Float32,
              bill: Float32, fee_months: np.float32, balance: Float32, days: Float32, recharged: Array) -> None:
    zero, span = np.float32(0.0), np.float32(DAYS_PER_MONTH)
    for m in range(rows.shape[0]):
        j = rows[m]
        due = (balance[j] < fee[j]) & (state[j] != SUSPENDED)
        recharges = due & (u_skip[j] >= skip_prob[m])
        amount = fee_months * fee[j] if recharges else zero
        recharged[j] = recharges
        days[j] = span * (np.float32(1.0) - u_day[j]) if recharges else days[j] + span
        balance[j] = max(balance[j] + amount - bill[j], zero)


def driver(settings: Recharge) -> Driver:
    """Return the driver."""
    return Driver("recharge", partial(step, settings),
                  reads=tuple(dict.fromkeys(("payment", "join_month", "state", "plan_price_amount", "bill_amount",
                                             "balance_amount", "recharge_days",
                                             *columns_read(settings.skip_log_odds)))),
                  writes=("balance_amount", "recharge_days", "recharged"), streams=(EVENTS,), after=("usage",))
