"""The covariates that hazards, shopping and acceptance may use, each a function of a subscriber's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.population.columns import STATES

Array = npt.NDArray[Any]

_NEWNESS = np.exp(-np.arange(60) / 3.0).astype(np.float32)
_SUSPENDED = STATES.index("suspended")


@dataclass(frozen=True)
class Surroundings:
    """The market as each subscriber of a block meets it in one month."""

    month: int
    promotion: npt.NDArray[np.float32]
    network: npt.NDArray[np.float32]
    season: float


@dataclass(frozen=True)
class Covariate:
    """A covariate: what it means, its unit, and how it is computed ((n,) float32)."""

    meaning: str
    compute: Callable[[Subscribers, Surroundings], Array]


def _bill_shock(base: Subscribers, around: Surroundings) -> Array:
    now = base.lag("bill_amount", month=around.month, months_ago=0)
    before = base.lag("bill_amount", month=around.month, months_ago=1)
    for ago in (2, 3):
        before = before + base.lag("bill_amount", month=around.month, months_ago=ago)
    floor = np.float32(0.01)
    return np.log(np.maximum(now, floor) / np.maximum(before / np.float32(3), floor)).clip(0.0, 2.0)


def _contract_ending(base: Subscribers, _: Surroundings) -> Array:
    left = base["contract_left_months"]
    return (left >= 1) & (left <= 2)


COVARIATES: dict[str, Covariate] = {
    "price_sensitivity": Covariate("standard deviations", lambda b, _: b["price_sensitivity"]),
    "discount": Covariate("retention discount in force, share of the fee", lambda b, _: b["discount_share"]),
    "discount_shock": Covariate("log price step left from a discount that ended",
                                lambda b, _: b["discount_shock"]),
    "bill_shock": Covariate("log of the bill over the mean of the three before, 0 to 2", _bill_shock),
    "service_sensitivity": Covariate("standard deviations", lambda b, _: b["service_sensitivity"]),
    "complaint_stock": Covariate("complaints, older ones counting less", lambda b, _: b["complaint_stock"]),
    "fault_stock": Covariate("faults felt, older ones counting less", lambda b, _: b["fault_stock"]),
    "dissatisfaction": Covariate("(70 - satisfaction) / 20",
                                 lambda b, _: (np.float32(70) - b["satisfaction"]) / np.float32(20)),
    "promotion": Covariate("strength of competitors' promotion in the region", lambda _, a: a.promotion),
    "attention": Covariate("attention to the market, 0 to 1", lambda b, _: b["attention"]),
    "shopping": Covariate("1: looking for another operator this month", lambda b, _: b["shopping"]),
    "out_of_contract": Covariate("1: pays after use and is bound by no contract",
                                 lambda b, _: (b["contract_left_months"] == 0) & (b["payment"] == 0)),
    "contract_ending": Covariate("1: the contract ends this month or next", _contract_ending),
    "bound": Covariate("1: more than two months of contract left",
                       lambda b, _: b["contract_left_months"] > 2),
    "newness": Covariate("exp(-tenure months / 3)",
                         lambda b, _: _NEWNESS[np.minimum(b["tenure_months"], len(_NEWNESS) - 1)]),
    "wake": Covariate("how far a contact has woken an inattentive subscriber", lambda b, _: b["wake"]),
    "migrant": Covariate("1: migrant household", lambda b, _: b["locality"]),
    "prepaid": Covariate("1: pays in advance", lambda b, _: b["payment"]),
    "enterprise": Covariate("1: enterprise account", lambda b, _: b["customer_type"] >= 2),
    "family": Covariate("1: family account", lambda b, _: b["customer_type"] == 1),
    "arrears": Covariate("bills in arrears", lambda b, _: b["arrears_months"]),
    "usage_drop": Covariate("log of usual usage over usage, 0 if usage is above",
                            lambda b, _: np.maximum(-b["usage_deviation"], np.float32(0))),
    "suspended": Covariate("1: service paused", lambda b, _: b["state"] == _SUSPENDED),
    "season": Covariate("cosine over the year", lambda b, a: np.full(len(b), a.season, np.float32)),
}


def covariate_matrix(names: tuple[str, ...], base: Subscribers, around: Surroundings
                     ) -> npt.NDArray[np.float32]:
    """Return the named covariates, shape (len(names), n), each row contiguous."""
    out = np.empty((len(names), len(base)), np.float32)
    for row, name in enumerate(names):
        out[row] = COVARIATES[name].compute(base, around)
    return out
