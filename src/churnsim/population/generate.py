"""Make a base of subscribers: every trait is drawn from the preset unless a table gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import HISTORY_MONTHS, Subscribers
from churnsim.core.draws import Key, choice, normal, stream, uniform
from churnsim.errors import DataError
from churnsim.population.categories import CUSTOMER_TYPES, PAYMENTS, STATES
from churnsim.population.columns import SCHEMA
from churnsim.population.settings import Traits

Array = npt.NDArray[Any]
Ids = npt.NDArray[np.int64]

PILOT_FIRST_ID = 1 << 39
ENTRANT_SHIFT = 40
NEVER = np.inf
ENTRY_MONTHS, GROWTH_MONTHS = 3, 12
CONTRACT_TYPES_PREPAID = PAYMENTS.index("prepaid")


def evaluation_ids(count: int) -> Ids:
    """Ids of the subscribers that campaigns are judged on: 0 to `count` - 1."""
    return np.arange(count, dtype=np.int64)


def pilot_ids(count: int) -> Ids:
    """Ids of the pilot's subscribers, disjoint from those of the evaluation."""
    return PILOT_FIRST_ID + np.arange(count, dtype=np.int64)


def entrant_ids(count: int, *, cohort_month: int) -> Ids:
    """Ids of those who join in `cohort_month`: (1 + cohort month) * 2**40 + ordinal."""
    return ((1 + cohort_month) << ENTRANT_SHIFT) + np.arange(count, dtype=np.int64)


def generate(ids: Ids, traits: Traits, *, key: Key, known: Mapping[str, Array] | None = None,
             join_month: int | None = None) -> Subscribers:
    """Return a base in which every column has a value.

    Parameters
    ----------
    ids
        (n,) int64, unique.
    traits
        Distributions for whatever is not known.
    key
        Draws depend on it and on the ids alone.
    known
        Columns given by a table, (n,) each ((6, n) for histories); NaN where a row lacks one. What is drawn
        later is drawn given these: a contract fits the tenure, a usage history fits the usual usage.
    join_month
        None: subscribers of the start. A month >= 0: entrants of that month, prospects until then.
    """
    base = Subscribers.empty(SCHEMA, ids)
    given = dict(known or {})
    draw = _Drawer(base, given, key)
    kinds = [traits.customer_types[name] for name in CUSTOMER_TYPES]
    draw.column("customer_type", lambda s: choice(key, s, ids, [k.share for k in kinds]))
    kind = base["customer_type"]

    def by_kind(field: str) -> Array:
        return np.array([getattr(k, field) for k in kinds], dtype=np.float64)[kind]

    draw.column("lines", lambda s: 1 + np.minimum(
        _geometric(uniform(key, s, ids), by_kind("lines_mean")), 9999))
    draw.column("region", lambda s: choice(key, s, ids, np.full(traits.regions, 1.0 / traits.regions)))
    if len(ids) and (highest := int(base["region"].max())) >= traits.regions:
        raise DataError(f"the table has region {highest}, but population.traits.regions is {traits.regions}; "
                        f"raise it to {highest + 1}")
    draw.column("locality", lambda s: (kind == 0) & (uniform(key, s, ids) < traits.migrant_share))
    draw.column("payment", lambda s: uniform(key, s, ids) < by_kind("prepaid_share"))
    draw.column("contactable", lambda s: uniform(key, s, ids) < traits.contactable_share)
    draw.column("call_consent", lambda s: uniform(key, s, ids) < traits.call_consent_share)
    draw.column("sms_consent", lambda s: uniform(key, s, ids) < traits.sms_consent_share)
    for habit in ("answer_habit", "read_habit"):
        draw.column(habit, lambda s: _lognormal(normal(key, s, ids), traits.habit_log_sd))
    _draw_price(draw, traits, by_kind("price_per_line_amount"))
    if join_month is None:
        draw.column("tenure_months", lambda s: np.minimum(
            -np.log(uniform(key, s, ids)) * by_kind("tenure_mean_months"), 600))
    _draw_contract(draw, traits)
    _draw_usage(draw, traits)
    _draw_latent(draw, traits)
    base["join_month"] = -base["tenure_months"] if join_month is None else join_month
    base["decision_time"] = NEVER
    base["departure_time"] = NEVER
    base["state"] = initial_state(base["tenure_months"]) if join_month is None else STATES.index("prospect")
    unused = sorted(set(given) - draw.used)
    if unused:
        raise ValueError(f"known columns that are never drawn: {', '.join(unused)}")
    return base


def initial_state(tenure_months: Array) -> Array:
    """Lifecycle state by tenure alone: entry below 3 months, growth below 12, then stable."""
    entry, growth, stable = (STATES.index(name) for name in ("entry", "growth", "stable"))
    return np.where(tenure_months < ENTRY_MONTHS, entry, np.where(tenure_months < GROWTH_MONTHS, growth, stable))


class _Drawer:
    """Fills a column from what is known or, where that is missing (NaN), from a draw of its own stream."""

    def __init__(self, base: Subscribers, known: Mapping[str, Array], key: Key) -> None:
        self.base = base
        self.key = key
        self.known = known
        self.used: set[str] = set()

    def column(self, name: str, drawn: Callable[[Any], Array]) -> None:
        target = self.base[name]
        values = np.asarray(drawn(stream(f"population.{name}")))
        self.used.add(name)
        if name in self.known:
            given = np.asarray(self.known[name])
            values = np.where(np.isnan(given), values, given) if given.dtype.kind == "f" else given
        target[...] = values.astype(target.dtype)


def _draw_price(draw: _Drawer, traits: Traits, price_per_line: Array) -> None:
    """Draw price sensitivity and the fee, log fee a line = log median + b sensitivity + s noise.

    Where a table gives the fee, sensitivity is drawn given it: normal of mean b r / (b^2 + s^2) and variance
    s^2 / (b^2 + s^2), with r the log of the fee over its median.
    """
    base, ids, key = draw.base, draw.base.ids, draw.key
    slope, noise = traits.price_log_by_price_sensitivity, traits.price_log_sd
    median = base["lines"] * price_per_line
    known = np.asarray(draw.known.get("plan_price_amount", np.full(len(ids), np.nan)), dtype=np.float64)
    spread = slope**2 + noise**2
    above = np.log(np.maximum(known, 0.01) / np.maximum(median, 0.01))
    mean = np.where(np.isnan(known) | (spread == 0.0), 0.0, slope * above / (spread or 1.0))
    sd = np.where(np.isnan(known) | (spread == 0.0), 1.0, noise / np.sqrt(spread or 1.0))
    draw.column("price_sensitivity", lambda s: mean + sd * normal(key, s, ids))
    draw.column("plan_price_amount", lambda s: median * np.exp(
        noise * normal(key, s, ids) + slope * base["price_sensitivity"]))


def _draw_contract(draw: _Drawer, traits: Traits) -> None:
    base, ids, key = draw.base, draw.base.ids, draw.key
    lengths = np.array(sorted(traits.customer_types["individual"].contract_length_months_shares))
    shares = np.array([traits.customer_types["individual"].contract_length_months_shares[int(k)] for k in lengths])
    prepaid = base["payment"] == CONTRACT_TYPES_PREPAID
    draw.column("contract_length_months",
                lambda s: np.where(prepaid, 0, lengths[choice(key, s, ids, shares)]))
    length = base["contract_length_months"].astype(np.int64)
    tenure = base["tenure_months"].astype(np.int64)

    def left(s: Any) -> Array:
        safe = np.maximum(length, 1)
        first = length - tenure
        later = np.where(uniform(key, s, ids) < traits.in_later_contract_share, safe - tenure % safe, 0)
        return np.where(length == 0, 0, np.where(tenure < length, first, later))

    draw.column("contract_left_months", left)


def _draw_usage(draw: _Drawer, traits: Traits) -> None:
    base, ids, key = draw.base, draw.base.ids, draw.key
    median = np.log(traits.usage_median_gb) + np.log(base["lines"])
    known = draw.known.get("usage_gb")
    draw.column("usage_level", lambda s: median + traits.usage_log_sd * normal(key, s, ids))
    if known is not None:
        months_known = (~np.isnan(known)).sum(axis=0)
        usual = np.nansum(known, axis=0, dtype=np.float64) / np.maximum(months_known, 1)
        base["usage_level"] = np.where(months_known, np.log(np.maximum(usual, 0.01)), base["usage_level"])
    draw.column("allowance_gb", lambda s: np.exp(base["usage_level"] + 0.5 * normal(key, s, ids))
                * traits.allowance_ratio)
    months = (HISTORY_MONTHS, len(ids))
    draw.column("usage_gb", lambda s: np.broadcast_to(np.exp(base["usage_level"]), months))
    draw.column("bill_amount", lambda s: np.broadcast_to(base["plan_price_amount"], months))
    if known is not None:
        last = np.maximum(base.lag("usage_gb", month=0, months_ago=1), 0.01)
        base["usage_deviation"] = np.clip(np.log(last) - base["usage_level"], -3.0, 3.0)


def _draw_latent(draw: _Drawer, traits: Traits) -> None:
    base, ids, key = draw.base, draw.base.ids, draw.key
    draw.column("service_sensitivity", lambda s: normal(key, s, ids))
    slope = traits.responsiveness_by_price_sensitivity
    draw.column("responsiveness", lambda s: _lognormal(
        normal(key, s, ids), traits.responsiveness_log_sd,
        slope * base["price_sensitivity"] - 0.5 * slope**2))
    mean = min(max(traits.attention_mean, 1e-6), 1.0 - 1e-6)
    draw.column("attention", lambda s: uniform(key, s, ids) ** ((1.0 - mean) / mean))
    draw.column("usual_satisfaction", lambda s: np.clip(
        traits.satisfaction_mean + traits.satisfaction_sd * normal(key, s, ids), 0.0, 100.0))
    base["satisfaction"] = base["usual_satisfaction"]
    for name in ("complaint_stock", "fault_stock", "ad_click_stock", "arrears_months"):
        draw.column(name, lambda s: np.zeros(len(ids)))


def _lognormal(z: Array, log_sd: float, shift: npt.ArrayLike = 0.0) -> Array:
    """Log-normal values of mean exp(shift)."""
    return np.asarray(np.exp(np.asarray(shift) + log_sd * z - 0.5 * log_sd**2))


def _geometric(u: Array, mean: Array) -> Array:
    """Failures before a success (0, 1, ...) with mean `mean` - 1, by inversion."""
    success = 1.0 / np.maximum(mean, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.floor(np.log(u) / np.log1p(-success))
    return np.where(success >= 1.0, 0, np.nan_to_num(draws, posinf=0.0)).astype(np.int64)
