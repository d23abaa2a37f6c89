"""Columns of the operator's table as a manager reads them: one number a subscriber, in units of everyday talk."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from churnsim.signals.observe import Observed

Float64 = npt.NDArray[np.float64]


def last_month(table: Observed, history: str) -> Float64:
    """Return a history's last full month, (n,)."""
    return table.lag(history, month=table.month, months_ago=1).astype(np.float64)


READABLE: Mapping[str, Callable[[Observed], Float64]] = {
    "tenure_months": lambda table: table["tenure_months"].astype(np.float64),
    "contract_left_months": lambda table: table["contract_left_months"].astype(np.float64),
    "bill_amount": lambda table: last_month(table, "bill_amount"),
    "usage_gb": lambda table: last_month(table, "usage_gb"),
    "complaint_stock": lambda table: table["complaint_stock"].astype(np.float64),
}
"""The columns by name; bill and usage are those of the last month."""
