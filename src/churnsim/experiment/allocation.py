"""Who a policy lists, by segments that the trade thinks in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.columns import Subscribers
from churnsim.policy.plan import Arm
from churnsim.population.categories import CUSTOMER_TYPES, PAYMENTS, VALUE_TIERS

Int64 = npt.NDArray[np.int64]

TENURE_MONTHS = (0, 6, 12, 24, 60)
TENURES = ("under 6 months", "6 to 11 months", "12 to 23 months", "24 to 59 months", "60 months or more")
CONTRACTS = ("prepaid", "no contract", "ends within 3 months", "bound for longer")
ENDS_SOON_MONTHS = 3


def allocation(base: Subscribers, arm: Int64, arms: Sequence[Arm]) -> pd.DataFrame:
    """Return how many of each segment are in the base, and are listed for each arm.

    Parameters
    ----------
    base
        Who may be listed.
    arm
        (n,) position of each one's arm, -1 for leaving alone.
    arms
        The arms.

    Returns
    -------
    DataFrame
        A row a segment and arm: ``by``, ``segment``, ``subscribers`` (of the segment), ``arm``, ``listed``.
    """
    parts = []
    for by, (names, codes) in _segments(base).items():
        cell = codes.astype(np.int64) * (1 + len(arms)) + arm + 1
        counts = np.bincount(cell, minlength=len(names) * (1 + len(arms))).reshape(len(names), -1)
        parts.append(pd.DataFrame({
            "by": by, "segment": np.repeat(names, len(arms)), "subscribers": np.repeat(counts.sum(axis=1), len(arms)),
            "arm": np.tile([each.name for each in arms], len(names)), "listed": counts[:, 1:].ravel()}))
    return pd.concat(parts, ignore_index=True)


def _segments(base: Subscribers) -> dict[str, tuple[tuple[str, ...], npt.NDArray[np.integer]]]:
    left = base["contract_left_months"]
    contract = np.select([base["payment"] == PAYMENTS.index("prepaid"), left == 0, left <= ENDS_SOON_MONTHS],
                         [0, 1, 2], 3)
    tenure = np.searchsorted(TENURE_MONTHS[1:], base["tenure_months"], side="right")
    return {"value tier": (VALUE_TIERS, base["value_tier"]), "customer type": (CUSTOMER_TYPES, base["customer_type"]),
            "contract": (CONTRACTS, contract), "tenure": (TENURES, tenure)}
