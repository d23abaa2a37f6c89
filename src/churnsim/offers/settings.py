"""Settings of the offers: what each changes, for whom, at what cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import Amount, Count, NonNegative, Number, Prob, Settings, Share

CustomerType = Literal["individual", "family", "enterprise_small", "enterprise_large"]
Payment = Literal["postpaid", "prepaid"]
Months = Annotated[int, Field(strict=True, ge=0, le=120)]
MOST_OFFERS = 100


class Eligibility(Settings):
    """Who may be given an offer, by what the operator can see."""

    customer_types: tuple[CustomerType, ...] = (
        "individual", "family", "enterprise_small", "enterprise_large")
    """Kinds of account that may have it."""
    payments: tuple[Payment, ...] = ("postpaid", "prepaid")
    """Ways of paying that may have it."""
    max_contract_left_months: Months = 120
    """At most so many months left on the contract."""
    min_tenure_months: Count = 0
    """At least so many months since joining."""


class Acceptance(Settings):
    """How likely a subscriber who was contacted takes the offer: a logistic model."""

    base_prob: Prob
    """Probability when every covariate below is zero and the channel's factor is one."""
    coefficients: dict[str, Number] = Field(default_factory=dict)
    """Log-odds per unit of a covariate of the lifecycle (see the reference of covariates)."""


class Offer(Settings):
    """An offer: price effect, direct cost, contract, effect on the causes of leaving, acceptance."""

    discount_share: Share = 0.0
    """Share of the monthly fee that is waived."""
    discount_months: Months = 0
    """Number of bills the discount lasts, from the bill after acceptance."""
    direct_cost_per_line_amount: Amount = 0.0
    """Device, content, commission or gift, a line of the account: due on acceptance."""
    contract_months_added: Months = 0
    """Months added to the contract on acceptance."""
    effect_months: Months = 0
    """How long the hazard multipliers act after the month of acceptance."""
    hazard_multipliers: dict[str, NonNegative] = Field(default_factory=dict)
    """Factor on the monthly hazard of a cause, for a subscriber of responsiveness 1; it acts as
    ``multiplier ** responsiveness``."""
    complaint_relief: Share = 0.0
    """Share of the complaint and fault stocks that acceptance clears."""
    satisfaction_points: Number = 0.0
    """Points added to satisfaction on acceptance (scale 0 to 100)."""
    eligibility: Eligibility = Eligibility()
    acceptance: Acceptance


Offers = dict[str, Offer]


def check_offers(offers: Offers, *, causes: tuple[str, ...], covariates: tuple[str, ...]
                 ) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield cross-reference findings as (key path, message)."""
    if len(offers) > MOST_OFFERS:
        yield ("offers",), f"at most {MOST_OFFERS} offers (got {len(offers)}); take some out"
    for name, offer in offers.items():
        for cause, factor in offer.hazard_multipliers.items():
            if cause not in causes:
                yield (("offers", name, "hazard_multipliers", cause),
                       f"no such cause; lifecycle.causes has {', '.join(causes)}")
            elif factor == 0.0:
                yield (("offers", name, "hazard_multipliers", cause),
                       "must be above 0 (got 0.0); use 0.01 for 'almost never'")
        for covariate in offer.acceptance.coefficients:
            if covariate not in covariates:
                yield (("offers", name, "acceptance", "coefficients", covariate),
                       f"no such covariate; there are {', '.join(covariates)}")
        if (offer.discount_share > 0) != (offer.discount_months > 0):
            yield (("offers", name, "discount_share"),
                   "a discount needs both discount_share and discount_months above 0 "
                   f"(got {offer.discount_share} and {offer.discount_months})")
        if offer.hazard_multipliers and offer.effect_months == 0:
            yield (("offers", name, "effect_months"),
                   "hazard_multipliers act for effect_months; set it above 0 (got 0)")
        if not 0.0 < offer.acceptance.base_prob < 1.0:
            yield (("offers", name, "acceptance", "base_prob"),
                   f"must lie strictly between 0 and 1 (got {offer.acceptance.base_prob})")
