"""The offers of an experiment as arrays, in config order; code 0 means no offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.offers.settings import Offers

CUSTOMER_TYPE_CODES = {"individual": 0, "family": 1, "enterprise_small": 2, "enterprise_large": 3}
PAYMENT_CODES = {"postpaid": 0, "prepaid": 1}


Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class OfferTable:
    """Offers as arrays of length 1 + number of offers; row 0 is "no offer".

    Attributes
    ----------
    names
        Names of the offers; offer `names[k]` has code `k + 1`.
    log_multipliers
        (1 + offers, causes) float32: log of the hazard multipliers at responsiveness 1.
    settings
        What the offers say; every other array holds the setting of its name.
    """

    settings: Offers
    names: tuple[str, ...]
    discount_share: npt.NDArray[np.float32]
    discount_months: npt.NDArray[np.int8]
    direct_cost_per_line_amount: npt.NDArray[np.float64]
    contract_months_added: npt.NDArray[np.int16]
    effect_months: npt.NDArray[np.int8]
    complaint_relief: npt.NDArray[np.float32]
    satisfaction_points: npt.NDArray[np.float32]
    log_multipliers: npt.NDArray[np.float32]

    def code(self, name: str) -> int:
        """Return the code of an offer, from 1."""
        return self.names.index(name) + 1

    def eligible(self, name: str, base: Subscribers) -> npt.NDArray[np.bool_]:
        """Return who may be given the offer, (n,) bool, from observed columns alone."""
        rule = self.settings[name].eligibility
        return (
            np.isin(base["customer_type"], [CUSTOMER_TYPE_CODES[k] for k in rule.customer_types])
            & np.isin(base["payment"], [PAYMENT_CODES[k] for k in rule.payments])
            & (base["contract_left_months"] <= rule.max_contract_left_months)
            & (base["tenure_months"] >= rule.min_tenure_months)
        )


def offer_table(offers: Offers, *, causes: tuple[str, ...]) -> OfferTable:
    """Return the offers as arrays; `causes` gives the order of the hazard multipliers."""

    def column(field: str, dtype: type[Scalar]) -> npt.NDArray[Scalar]:
        return np.array([0, *(getattr(offer, field) for offer in offers.values())], dtype=dtype)

    log_multipliers = np.zeros((1 + len(offers), len(causes)), np.float32)
    for row, offer in enumerate(offers.values(), start=1):
        for cause, factor in offer.hazard_multipliers.items():
            log_multipliers[row, causes.index(cause)] = np.log(factor)
    return OfferTable(
        settings=offers,
        names=tuple(offers),
        discount_share=column("discount_share", np.float32),
        discount_months=column("discount_months", np.int8),
        direct_cost_per_line_amount=column("direct_cost_per_line_amount", np.float64),
        contract_months_added=column("contract_months_added", np.int16),
        effect_months=column("effect_months", np.int8),
        complaint_relief=column("complaint_relief", np.float32),
        satisfaction_points=column("satisfaction_points", np.float32),
        log_multipliers=log_multipliers,
    )
