"""The covariates that hazards, shopping and acceptance may use, each a function of a subscriber's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.core.smooth import exp32
from churnsim.population.columns import STATES

Array = npt.NDArray[Any]

_SUSPENDED = STATES.index("suspended")


@dataclass(frozen=True)
class Covariate:
    """A covariate: what it means, its unit, the columns it reads, and how it is computed ((n,) float32)."""

    meaning: str
    reads: tuple[str, ...]
    compute: Callable[[Subscribers], Array]


def _column(name: str, meaning: str) -> Covariate:
    return Covariate(meaning, (name,), lambda b: b[name])


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
}


def covariate_matrix(names: tuple[str, ...], base: Subscribers) -> npt.NDArray[np.float32]:
    """Return the named covariates, shape (len(names), n), each row contiguous."""
    out = np.empty((len(names), len(base)), np.float32)
    for row, name in enumerate(names):
        out[row] = COVARIATES[name].compute(base)
    return out


def weighted_sum(weights: dict[str, float], base: Subscribers, *, intercept: float) -> npt.NDArray[np.float32]:
    """Return intercept + sum of weight x covariate, (n,) float32."""
    total = np.full(len(base), intercept, np.float32)
    for name, weight in weights.items():
        total += np.float32(weight) * COVARIATES[name].compute(base)
    return total


def columns_read(names: dict[str, float]) -> tuple[str, ...]:
    """Return the columns that the named covariates read."""
    return tuple(dict.fromkeys(column for name in names for column in COVARIATES[name].reads))
