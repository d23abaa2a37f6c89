"""Contracts run down, end, and are sometimes signed again."""

from __future__ import annotations

import numpy as np

from churnsim.core.columns import Subscribers
from churnsim.core.draws import stream
from churnsim.lifecycle.drivers.base import Driver, Month

EVENTS = stream("lifecycle.contract")


def step(base: Subscribers, month: Month) -> None:
    """A contract in its last month ends with the month or is renewed for the same length."""
    u_renew, _, _, _ = month.lanes(EVENTS)
    left = base["contract_left_months"]
    renewed = (left == 1) & (u_renew < np.float32(month.settings.contract.renewal_prob))
    after = np.where(renewed, base["contract_length_months"], np.maximum(left - 1, 0))
    base["contract_left_months"] = np.where(base["join_month"] <= month.number, after, left)


DRIVER = Driver("contract", ("contract_left_months", "contract_length_months", "join_month"),
                ("contract_left_months",), step)
