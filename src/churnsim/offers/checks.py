"""What is wrong with offers beyond the ranges of their settings: contradictions, and what could have no effect."""

from __future__ import annotations

from collections.abc import Iterator

from churnsim.offers.settings import MOST_OFFERS, Acceptance, Eligibility, Offer, Offers

Path = tuple[str | int, ...]
Findings = Iterator[tuple[Path, str]]
LISTS = ("customer_types", "payments", "usage_scenarios", "states", "brand_tiers", "localities")


def check_offers(offers: Offers, *, causes: tuple[str, ...], covariates: tuple[str, ...], channels: tuple[str, ...]
                 ) -> Findings:
    """Yield findings as (key path, message).

    Parameters
    ----------
    causes, covariates, channels
        What the rest of the experiment has.
    """
    if len(offers) > MOST_OFFERS:
        yield ("offers",), f"at most {MOST_OFFERS} offers (got {len(offers)}); take some out"
    for name, offer in offers.items():
        found = (_effects(offer, causes), _discount(offer), _lasting(offer), _lock_in(offer), _bundle(offer),
                 _coming_back(offer), _eligibility(offer.eligibility),
                 _acceptance(offer.acceptance, covariates, channels))
        for part in found:
            for path, message in part:
                yield ("offers", name, *path), message


def _effects(offer: Offer, causes: tuple[str, ...]) -> Findings:
    for cause, factor in offer.hazard_multipliers.items():
        if cause not in causes:
            yield ("hazard_multipliers", cause), f"no such cause; lifecycle.causes has {', '.join(causes)}"
        elif factor == 0.0:
            yield ("hazard_multipliers", cause), "must be above 0 (got 0.0); use 0.01 for 'almost never'"


def _discount(offer: Offer) -> Findings:
    if offer.ladder is not None:
        if offer.discount_share or offer.discount_months:
            yield ("ladder",), "gives the discount; take discount_share and discount_months out"
        if offer.contract_months_added < 12:
            yield (("ladder",), "is counted by contract years added; contract_months_added must be at least 12 "
                   f"(got {offer.contract_months_added})")
        elif offer.ladder.form == "linear" and (share := offer.discount) > 1.0:
            yield (("ladder", "share_per_year"), f"the discount of {offer.contract_months_added // 12} years is above "
                   f"the fee ({share:.6g} of it); lower it or use the compounding form")
        if offer.ladder.share_per_year == 0.0:
            yield ("ladder", "share_per_year"), "gives no discount; raise it or take ladder out"
    elif (offer.discount_share > 0) != (offer.discount_months > 0):
        yield (("discount_share",), "a discount needs both discount_share and discount_months above 0 "
               f"(got {offer.discount_share} and {offer.discount_months})")


def _lasting(offer: Offer) -> Findings:
    lasting = [key for key, acts in (("hazard_multipliers", bool(offer.hazard_multipliers)),
                                     ("monthly_cost_amount", offer.monthly_cost_amount > 0.0),
                                     ("ticket_hours_factor", offer.ticket_hours_factor != 1.0),
                                     ("return_factor", offer.return_factor != 1.0)) if acts]
    if lasting and offer.effect_months == 0:
        yield ("effect_months",), f"{lasting[0]} acts for effect_months; set it above 0 (got 0)"
    if offer.effect_months and not lasting:
        yield (("effect_months",), "nothing lasts so long; give hazard_multipliers, monthly_cost_amount, "
               f"ticket_hours_factor or return_factor, or set it to 0 (got {offer.effect_months})")


def _lock_in(offer: Offer) -> Findings:
    if (offer.lock_in_amount > 0.0) != (offer.lock_in_months > 0):
        yield (("lock_in_amount",), "a lock-in needs both lock_in_amount and lock_in_months above 0 "
               f"(got {offer.lock_in_amount} and {offer.lock_in_months})")


def _bundle(offer: Offer) -> Findings:
    for key in ("adds", "meets_needs"):
        values: tuple[str, ...] = getattr(offer, key)
        for k, value in enumerate(values):
            if value in values[:k]:
                yield (key, k), f"{value!r} stands there twice; name it once"
    if "broadband" in offer.adds and offer.eligibility.needs_broadband:
        yield ("eligibility", "needs_broadband"), "who is eligible has what `adds` gives; take one of the two out"
    if offer.suspends and offer.eligibility.states == ("suspended",):
        yield ("suspends",), "who is eligible is suspended already; widen eligibility.states or set it to false"


def _coming_back(offer: Offer) -> Findings:
    states = offer.eligibility.states
    if offer.brings_back and set(states) != {"churned"}:
        yield (("brings_back",), "is for those who have left; eligibility.states must be [churned] "
               f"(got [{', '.join(states)}])")
    if "churned" in states and not offer.brings_back:
        yield (("eligibility", "states"), "those who have left can only be offered to come back; set brings_back: true "
               "or take churned out")


def _eligibility(rule: Eligibility) -> Findings:
    for key in LISTS:
        values: tuple[str, ...] = getattr(rule, key)
        if not values:
            yield ("eligibility", key), "nobody is eligible; name at least one"
        for k, value in enumerate(values):
            if value in values[:k]:
                yield ("eligibility", key, k), f"{value!r} stands there twice; name it once"
    if rule.min_tenure_months > rule.max_tenure_months:
        yield (("eligibility", "min_tenure_months"), "nobody is eligible; it must be at most max_tenure_months "
               f"({rule.max_tenure_months}) (got {rule.min_tenure_months})")
    if rule.max_bill_amount is not None and rule.min_bill_amount > rule.max_bill_amount:
        yield (("eligibility", "min_bill_amount"), "nobody is eligible; it must be at most max_bill_amount "
               f"({rule.max_bill_amount}) (got {rule.min_bill_amount})")


def _acceptance(acceptance: Acceptance, covariates: tuple[str, ...], channels: tuple[str, ...]) -> Findings:
    for covariate in acceptance.coefficients:
        if covariate not in covariates:
            yield (("acceptance", "coefficients", covariate),
                   f"no such covariate; there are {', '.join(covariates)}")
    for channel in acceptance.channel_factors:
        if channel not in channels:
            yield ("acceptance", "channel_factors", channel), f"no channel {channel!r}; there are {', '.join(channels)}"
    if not 0.0 < acceptance.base_prob < 1.0:
        yield ("acceptance", "base_prob"), f"must lie strictly between 0 and 1 (got {acceptance.base_prob})"
    if acceptance.withdrawal_prob == 1.0:
        yield ("acceptance", "withdrawal_prob"), "nobody keeps the offer; it must be below 1 (got 1.0)"
