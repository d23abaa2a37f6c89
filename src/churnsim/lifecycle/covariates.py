"""The covariates that hazards, shopping and acceptance may use, each a function of a subscriber's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.core.compiled import njit
from churnsim.core.smooth import exp32
from churnsim.population.categories import (
    ACQUISITION_CHANNELS,
    BRAND_TIERS,
    BUILDING_ACCESS,
    STATES,
    USAGE_SCENARIOS,
)

Array = npt.NDArray[Any]

_SUSPENDED = STATES.index("suspended")
_YOUNG = tuple(USAGE_SCENARIOS.index(name) for name in ("data_led_young", "student"))


@dataclass(frozen=True)
class Covariate:
    """A covariate: what it means, its unit, the columns it reads, and how it is computed ((n,) float32)."""

    meaning: str
    reads: tuple[str, ...]
    compute: Callable[[Subscribers], Array]


def _column(name: str, meaning: str) -> Covariate:
    return Covariate(meaning, (name,), lambda b: b[name])


def _is(name: str, code: int, meaning: str) -> Covariate:
    return Covariate(f"1: {meaning}", (name,), lambda b: b[name] == code)


def _scenario(name: str, meaning: str) -> Covariate:
    return _is("usage_scenario", USAGE_SCENARIOS.index(name), meaning)


def _in_fees(base: Subscribers, name: str, most: float) -> Array:
    fee = np.maximum(base["plan_price_amount"], np.float32(0.01))
    return np.minimum(base[name] / fee, np.float32(most))


# By months since a contract ended.
_JUST_ENDED = np.append(np.exp(-np.arange(127) / 1.5), 0.0).astype(np.float32)


def _just_ended(base: Subscribers) -> Array:
    return _JUST_ENDED[base["contract_ended_months"]]


def _termination_fee(base: Subscribers) -> Array:
    return _in_fees(base, "termination_fee_amount", 24.0)


def _overage(base: Subscribers) -> Array:
    return _in_fees(base, "overage_amount", 2.0)


def _lock_in(base: Subscribers) -> Array:
    return np.where(base["lock_in_left_months"] > 0, _in_fees(base, "lock_in_amount", 6.0), np.float32(0))


def _contract_ending(base: Subscribers) -> Array:
    left = base["contract_left_months"]
    return (left >= 1) & (left <= 2)


COVARIATES: dict[str, Covariate] = {
    "price_sensitivity": _column("price_sensitivity", "standard deviations"),
    "discount": _column("discount_share", "retention discount in force, share of the fee"),
    "discount_shock": _column("discount_shock", "log price step left from a discount that ended"),
    "bill_shock": _column("bill_shock", "log of the bill over the mean of the three before, 0 to 2"),
    "service_sensitivity": _column("service_sensitivity", "standard deviations"),
    "complaint_stock": _column("complaint_stock", "complaints, older ones counting less"),
    "fault_stock": _column("fault_stock", "faults felt, older ones counting less"),
    "dissatisfaction": Covariate("(70 - satisfaction) / 20", ("satisfaction",),
                                 lambda b: (np.float32(70) - b["satisfaction"]) / np.float32(20)),
    "promotion": _column("promotion", "strength of competitors' promotion in the region"),
    "attention": _column("attention", "attention to the market, 0 to 1"),
    "shopping": _column("shopping", "1: looking for another operator this month"),
    "out_of_contract": Covariate("1: pays after use and is bound by no contract",
                                 ("contract_left_months", "payment"),
                                 lambda b: (b["contract_left_months"] == 0) & (b["payment"] == 0)),
    "contract_ending": Covariate("1: the contract ends this month or next", ("contract_left_months",),
                                 _contract_ending),
    "contract_just_ended": Covariate("exp(-months since the contract ended / 1.5), 0 long after or under a contract",
                                     ("contract_ended_months",), _just_ended),
    "bound": Covariate("1: more than two months of contract left", ("contract_left_months",),
                       lambda b: b["contract_left_months"] > 2),
    "newness": Covariate("exp(-tenure months / 3)", ("tenure_months",),
                         lambda b: exp32(b["tenure_months"] * np.float32(-1 / 3))),
    "wake": _column("wake", "how far a contact has woken an inattentive subscriber"),
    "migrant": _column("locality", "1: migrant household"),
    "prepaid": _column("payment", "1: pays in advance"),
    "enterprise": Covariate("1: enterprise account", ("customer_type",), lambda b: b["customer_type"] >= 2),
    "family": Covariate("1: family account", ("customer_type",), lambda b: b["customer_type"] == 1),
    "arrears": _column("arrears_months", "bills in arrears"),
    "usage_drop": Covariate("log of usual usage over usage, 0 if usage is above", ("usage_deviation",),
                            lambda b: np.maximum(-b["usage_deviation"], np.float32(0))),
    "suspended": Covariate("1: service paused", ("state",), lambda b: b["state"] == _SUSPENDED),
    "season": _column("season", "cosine over the year"),
    "technology_sensitivity": _column("technology_sensitivity", "standard deviations"),
    "unmet_need": Covariate("1: needs what the plan does not have", ("need", "need_met"),
                            lambda b: (b["need"] > 0) & (b["need_met"] == 0)),
    "need_gone": Covariate("1 - residual need", ("residual_need",), lambda b: np.float32(1) - b["residual_need"]),
    "attitude": _column("attitude", "standing liking of the brand, standard deviations"),
    "inertia": _column("inertia", "habit of staying, standard deviations"),
    "experience_fatigue": _column("experience_fatigue", "bad experiences, wearing off slowly"),
    "unresolved_ticket": _column("ticket_open", "1: a ticket was not resolved when the last month ended"),
    "contact_stock": _column("contact_stock", "campaign contacts, older ones counting less"),
    "overage": Covariate("billed above the allowance over the fee, 0 to 2",
                         ("overage_amount", "plan_price_amount"), _overage),
    "lock_in": Covariate("what leaving would forfeit, months of the fee, 0 to 6",
                         ("lock_in_amount", "lock_in_left_months", "plan_price_amount"), _lock_in),
    "broadband": _column("broadband", "1: fixed broadband in the bundle"),
    "smart_home": _column("smart_home", "1: smart home in the bundle"),
    "many_lines": Covariate("1: more than one line", ("lines",), lambda b: b["lines"] > 1),
    "device_age": Covariate("age of the main device, years, at most 5", ("device_age_months",),
                            lambda b: np.minimum(b["device_age_months"], np.float32(60)) * np.float32(1 / 12)),
    "termination_fee": Covariate("fee for leaving now, months of the plan's fee",
                                 ("termination_fee_amount", "plan_price_amount"), _termination_fee),
    "shared_building": _is("building_access", BUILDING_ACCESS.index("shared"),
                           "another operator's lines reach the building"),
    "dealer": _is("acquisition_channel", ACQUISITION_CHANNELS.index("social_dealer"), "sold by a social dealer"),
    "online": _is("acquisition_channel", ACQUISITION_CHANNELS.index("online"), "sold online"),
    "budget_brand": _is("brand_tier", BRAND_TIERS.index("budget"), "on the budget brand"),
    "premium_brand": _is("brand_tier", BRAND_TIERS.index("premium"), "on the premium brand"),
    "young": Covariate("1: data-led young or student", ("usage_scenario",),
                       lambda b: (b["usage_scenario"] == _YOUNG[0]) | (b["usage_scenario"] == _YOUNG[1])),
    "student": _scenario("student", "student"),
    "senior": _scenario("voice_led_senior", "voice-led senior"),
    "business_traveller": _scenario("business_traveller", "business traveller"),
    "newcomer_promotion": _column("newcomer_promotion", "strength of the operator's own promotion for new lines"),
}


def covariate(name: str) -> Covariate:
    """Return a covariate by name: one of :data:`COVARIATES`, else the column of that name, which a driver brings."""
    return COVARIATES.get(name) or _column(name, "column of a driver")


def covariate_matrix(names: tuple[str, ...], base: Subscribers) -> npt.NDArray[np.float32]:
    """Return the named covariates, shape (len(names), n), each row contiguous."""
    out = np.empty((len(names), len(base)), np.float32)
    for row, name in enumerate(names):
        out[row] = covariate(name).compute(base)
    return out


def weighted_sum(weights: dict[str, float], base: Subscribers, *, intercept: float) -> npt.NDArray[np.float32]:
    """Return intercept + sum of weight x covariate, (n,) float32."""
    total = np.full(len(base), intercept, np.float32)
    for name, weight in weights.items():
        _add(covariate(name).compute(base), np.float32(weight), total)
    return total


@njit
def _add(x: Array, weight: np.float32, total: npt.NDArray[np.float32]) -> None:
    for j in range(total.shape[0]):
        total[j] += weight * np.float32(x[j])


def columns_read(names: dict[str, float]) -> tuple[str, ...]:
    """Return the columns that the named covariates read."""
    return tuple(dict.fromkeys(column for name in names for column in covariate(name).reads))
