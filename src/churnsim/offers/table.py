"""The offers of an experiment as arrays, in config order; code 0 means no offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.offers.settings import (
    BrandTier,
    CustomerType,
    Locality,
    Need,
    Offer,
    Offers,
    Payment,
    State,
    UsageScenario,
)


def _codes(names: Any, first: int = 0) -> dict[str, int]:
    return {name: code for code, name in enumerate(get_args(names), start=first)}


# Population's codes, which the layer of offers stands below. Code 0 of a state is the prospect, of a need none.
CUSTOMER_TYPE_CODES = _codes(CustomerType)
PAYMENT_CODES = _codes(Payment)
USAGE_SCENARIO_CODES = _codes(UsageScenario)
BRAND_TIER_CODES = _codes(BrandTier)
LOCALITY_CODES = _codes(Locality)
STATE_CODES = _codes(State, 1)
NEED_CODES = _codes(Need, 1)
SUSPENDED = STATE_CODES["suspended"]
CHURNED = STATE_CODES["churned"]

Scalar = TypeVar("Scalar", bound=np.generic)
Flags = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True)
class OfferTable:
    """Offers as arrays of length 1 + number of offers; row 0 is "no offer".

    Attributes
    ----------
    settings
        What the offers say; every array not explained here holds the setting of its name.
    names
        Names of the offers; offer `names[k]` has code `k + 1`.
    discount_share, discount_months
        Of the discount, a ladder's included.
    adds_broadband, adds_smart_home, adds_device
        Whether `adds` names it.
    meets_needs
        (1 + offers, needs) bool, needs by their code; none is never met.
    log_multipliers
        (1 + offers, causes) float32: log of the hazard multipliers at responsiveness 1.
    """

    settings: Offers
    names: tuple[str, ...]
    discount_share: Float32
    discount_months: Int8
    price_change_share: Float32
    price_added_amount: Float32
    allowance_change_share: Float32
    direct_cost_per_line_amount: Float64
    direct_cost_amount: Float64
    monthly_cost_amount: Float32
    contract_months_added: npt.NDArray[np.int16]
    effect_months: Int8
    complaint_relief: Float32
    satisfaction_points: Float32
    lock_in_amount: Float32
    lock_in_months: Int8
    adds_broadband: Flags
    adds_smart_home: Flags
    adds_device: Flags
    meets_needs: Flags
    ticket_hours_factor: Float32
    return_factor: Float32
    suspends: Flags
    brings_back: Flags
    log_multipliers: Float32

    def code(self, name: str) -> int:
        """Return the code of an offer, from 1."""
        return self.names.index(name) + 1

    def direct_cost(self, code: Int8, lines: npt.NDArray[np.int16]) -> Float64:
        """Return what is due on acceptance beside discounts, (n,) amount, for accepted codes and lines."""
        return np.asarray(self.direct_cost_per_line_amount[code] * lines + self.direct_cost_amount[code])

    def eligible(self, name: str, base: Subscribers, *, month: int) -> Flags:
        """Return who may be given the offer at the start of `month`, (n,) bool, from observed columns alone."""
        rule = self.settings[name].eligibility
        bill = recent_bill(base, month=month)
        most = np.inf if rule.max_bill_amount is None else rule.max_bill_amount
        return np.asarray(
            _among(base["customer_type"], rule.customer_types, CUSTOMER_TYPE_CODES)
            & _among(base["payment"], rule.payments, PAYMENT_CODES)
            & _among(base["usage_scenario"], rule.usage_scenarios, USAGE_SCENARIO_CODES)
            & _among(base["state"], rule.states, STATE_CODES)
            & _among(base["brand_tier"], rule.brand_tiers, BRAND_TIER_CODES)
            & _among(base["locality"], rule.localities, LOCALITY_CODES)
            & (base["broadband"] >= int(rule.needs_broadband))
            & (base["contract_left_months"] <= rule.max_contract_left_months)
            & (base["spell_months"] >= rule.min_tenure_months) & (base["spell_months"] <= rule.max_tenure_months)
            & (bill >= rule.min_bill_amount) & (bill <= most)
            & (base["months_since_offer"] >= rule.cool_off_months))


def recent_bill(base: Subscribers, *, month: int) -> Float64:
    """Return the mean bill of the last three months, (n,); of who has left, the fee of the last plan."""
    bills = [base.lag("bill_amount", month=month, months_ago=ago) for ago in (1, 2, 3)]
    mean = np.mean(bills, axis=0, dtype=np.float64)
    return np.where(base["state"] == CHURNED, base["plan_price_amount"].astype(np.float64), mean)


def _among(values: npt.NDArray[Any], names: tuple[str, ...], codes: dict[str, int]) -> Flags:
    return np.isin(values, [codes[name] for name in names])


def offer_table(offers: Offers, *, causes: tuple[str, ...]) -> OfferTable:
    """Return the offers as arrays; `causes` gives the order of the hazard multipliers."""

    def column(of: Callable[[Offer], Any], dtype: type[Scalar], *, nothing: float = 0) -> npt.NDArray[Scalar]:
        return np.array([nothing, *(of(offer) for offer in offers.values())], dtype=dtype)

    log_multipliers = np.zeros((1 + len(offers), len(causes)), np.float32)
    meets = np.zeros((1 + len(offers), 1 + len(NEED_CODES)), np.bool_)
    for row, offer in enumerate(offers.values(), start=1):
        for cause, factor in offer.hazard_multipliers.items():
            log_multipliers[row, causes.index(cause)] = np.log(factor)
        meets[row, [NEED_CODES[need] for need in offer.meets_needs]] = True
    return OfferTable(
        settings=offers,
        names=tuple(offers),
        discount_share=column(lambda offer: offer.discount, np.float32),
        discount_months=column(lambda offer: offer.discounted_bills, np.int8),
        price_change_share=column(lambda offer: offer.price_change_share, np.float32),
        price_added_amount=column(lambda offer: offer.price_added_amount, np.float32),
        allowance_change_share=column(lambda offer: offer.allowance_change_share, np.float32),
        direct_cost_per_line_amount=column(lambda offer: offer.direct_cost_per_line_amount, np.float64),
        direct_cost_amount=column(lambda offer: offer.direct_cost_amount, np.float64),
        monthly_cost_amount=column(lambda offer: offer.monthly_cost_amount, np.float32),
        contract_months_added=column(lambda offer: offer.contract_months_added, np.int16),
        effect_months=column(lambda offer: offer.effect_months, np.int8),
        complaint_relief=column(lambda offer: offer.complaint_relief, np.float32),
        satisfaction_points=column(lambda offer: offer.satisfaction_points, np.float32),
        lock_in_amount=column(lambda offer: offer.lock_in_amount, np.float32),
        lock_in_months=column(lambda offer: offer.lock_in_months, np.int8),
        adds_broadband=column(lambda offer: "broadband" in offer.adds, np.bool_),
        adds_smart_home=column(lambda offer: "smart_home" in offer.adds, np.bool_),
        adds_device=column(lambda offer: "device" in offer.adds, np.bool_),
        meets_needs=meets,
        ticket_hours_factor=column(lambda offer: offer.ticket_hours_factor, np.float32, nothing=1),
        return_factor=column(lambda offer: offer.return_factor, np.float32, nothing=1),
        suspends=column(lambda offer: offer.suspends, np.bool_),
        brings_back=column(lambda offer: offer.brings_back, np.bool_),
        log_multipliers=log_multipliers,
    )
