"""Make a base of subscribers: every trait is drawn from the preset unless a table gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import HISTORY_MONTHS, Subscribers
from churnsim.core.draws import Key
from churnsim.errors import DataError
from churnsim.population.accounts import draw_accounts
from churnsim.population.categories import STATES, VALUE_TIERS
from churnsim.population.columns import SCHEMA
from churnsim.population.contracts import PREPAID, draw_contract, draw_tenure
from churnsim.population.drawing import Array, Drawer, Float64
from churnsim.population.latent import draw_latent
from churnsim.population.lookup import Lookup
from churnsim.population.price import PriceLaw
from churnsim.population.settings import Traits

Ids = npt.NDArray[np.int64]

PILOT_FIRST_ID = 1 << 39
ENTRANT_SHIFT = 40
NEVER = np.inf
ENTRY_MONTHS, GROWTH_MONTHS = 3, 12
DAYS_PER_MONTH = 30.0
MOST_DEVICE_MONTHS = 240
NEVER_ASKED = -1
NO_OFFER_MONTHS = 127
# What nothing has happened to yet at the start, unless a table knows of it.
QUIET = ("plan_change_stock", "hotline_stock", "shop_stock", "complaint_stock", "complaint_type", "ticket_hours",
         "ticket_open", "fault_stock", "ad_click_stock", "porting_request", "arrears_months", "contact_stock",
         "lock_in_amount", "lock_in_left_months")


@dataclass(frozen=True)
class OpeningTerms:
    """What rules that are set elsewhere make of a base at its start; by default they make nothing of it.

    Attributes
    ----------
    termination_fee_share
        Fee for leaving early, a share of the fees of the months left on the contract.
    low_value_amount, high_value_amount
        Mean monthly bill below which an account's value is low, and from which it is high.
    app_logins_mean
        Logins to the app a month of the average account.
    recharge_fee_months
        Size of a recharge, in monthly fees.
    """

    termination_fee_share: float = 0.0
    low_value_amount: float = 0.0
    high_value_amount: float = np.inf
    app_logins_mean: float = 0.0
    recharge_fee_months: float = 1.0


NO_TERMS = OpeningTerms()


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
             join_month: int | None = None, terms: OpeningTerms = NO_TERMS) -> Subscribers:
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
        later is drawn given these: a contract fits the tenure, a usage history fits the usual usage, price
        sensitivity and brand tier fit the fee, the kind of account fits the usage scenario. Of what is drawn earlier
        nothing else is: a known way of paying does not tell who is a migrant [assumption].
    join_month
        None: subscribers of the start. A month >= 0: entrants of that month, prospects until then.
    terms
        Rules that are set elsewhere.

    Raises
    ------
    DataError
        The table has a region or a cell that the traits do not have.
    """
    base = Subscribers.empty(SCHEMA, ids)
    draw, lookup = Drawer(base, _with_region(known or {}, traits), key), Lookup(traits)
    draw_accounts(draw, lookup)
    _check_places(base, traits)
    kind, scenario = base["customer_type"], base["usage_scenario"]
    log_lines = np.log(base["lines"])
    PriceLaw(traits).draw(draw, log_lines + _log(lookup.by_type("price_per_line_amount"))[kind]
                          + lookup.by_scenario("price_log")[scenario])
    if join_month is None:
        factor = np.array([1.0, traits.migrant_tenure_factor])[base["locality"]]
        draw_tenure(draw, lookup.by_type("tenure_mean_months")[kind]
                    * lookup.by_scenario("tenure_factor")[scenario] * factor)
    draw_contract(draw, lookup, termination_fee_share=terms.termination_fee_share)
    _draw_use(draw, lookup, log_lines)
    _draw_books(draw, traits, terms)
    draw_latent(draw, lookup)
    base["spell_months"] = base["tenure_months"]
    base["join_month"] = -base["tenure_months"] if join_month is None else join_month
    base["decision_time"] = NEVER
    base["departure_time"] = NEVER
    base["state"] = initial_state(base["tenure_months"]) if join_month is None else STATES.index("prospect")
    unused = sorted(set(known or {}) - draw.filled)
    if unused:
        raise ValueError(f"known columns that are never drawn: {', '.join(unused)}")
    return base


def initial_state(tenure_months: Array) -> Array:
    """Lifecycle state by tenure alone: entry below 3 months, growth below 12, then stable."""
    entry, growth, stable = (STATES.index(name) for name in ("entry", "growth", "stable"))
    return np.where(tenure_months < ENTRY_MONTHS, entry, np.where(tenure_months < GROWTH_MONTHS, growth, stable))


def _with_region(known: Mapping[str, Array], traits: Traits) -> Mapping[str, Array]:
    """A table that gives the cell gives the region."""
    if "cell" not in known:
        return known
    of_cell = np.floor(np.asarray(known["cell"], dtype=np.float64) / traits.cells_per_region)
    region = np.asarray(known.get("region", of_cell), dtype=np.float64)
    return {**known, "region": np.where(np.isnan(region), of_cell, region)}


def _check_places(base: Subscribers, traits: Traits) -> None:
    if not len(base):
        return
    if (highest := int(base["region"].max())) >= traits.regions:
        raise DataError(f"the table has region {highest}, but population.traits.regions is {traits.regions}; "
                        f"raise it to {highest + 1}")
    elsewhere = np.flatnonzero(base["cell"] // traits.cells_per_region != base["region"])
    if len(elsewhere):
        cell, region = int(base["cell"][elsewhere[0]]), int(base["region"][elsewhere[0]])
        raise DataError(f"the table has cell {cell} in region {region}, but with population.traits.cells_per_region "
                        f"{traits.cells_per_region} that cell is in region {cell // traits.cells_per_region}; number "
                        "cells from region * cells_per_region on, or map only one of the two")


def _draw_use(draw: Drawer, lookup: Lookup, log_lines: Float64) -> None:
    """Fill usual data and voice use, allowance and histories, which start at the usual level."""
    base, traits = draw.base, lookup.traits
    scenario = base["usage_scenario"]
    for level, median, shift, log_sd, history in (
            ("usage_level", traits.usage_median_gb, "usage_log", traits.usage_log_sd, "usage_gb"),
            ("voice_level", traits.voice_median_minutes, "voice_log", traits.voice_log_sd, "voice_minutes")):
        usual = np.log(median) + log_lines + lookup.by_scenario(shift)[scenario] + log_sd * draw.normal(level)
        base[level] = _usual_of(draw.known(history), usual)
        draw.put(history, np.broadcast_to(np.exp(base[level]), (HISTORY_MONTHS, len(base))))
    if draw.known("usage_gb") is not None:
        last = np.maximum(base.lag("usage_gb", month=0, months_ago=1), 0.01)
        base["usage_deviation"] = np.clip(np.log(last) - base["usage_level"], -3.0, 3.0)
    draw.put("allowance_gb", traits.allowance_ratio * np.exp(base["usage_level"] + 0.5 * draw.normal("allowance_gb")))


def _usual_of(history: Float64 | None, drawn: Float64) -> Float64:
    """Return the log of the mean of the months that a table has; where it has none, what was drawn."""
    if history is None:
        return drawn
    months = (~np.isnan(history)).sum(axis=0)
    usual = np.nansum(history, axis=0) / np.maximum(months, 1)
    return np.where(months, np.log(np.maximum(usual, 0.01)), drawn)


def _draw_books(draw: Drawer, traits: Traits, terms: OpeningTerms) -> None:
    """Fill what billing, shops, the app and surveys hold.

    Those who pay in advance recharged evenly over the span of one recharge, and have what is left of it.
    """
    base = draw.base
    fee, prepaid = base["plan_price_amount"], base["payment"] == PREPAID
    draw.put("bill_amount", np.broadcast_to(fee, (HISTORY_MONTHS, len(base))))
    bill = base["bill_amount"][-3:].mean(axis=0)
    low, mid, high = range(len(VALUE_TIERS))
    not_high = np.where(bill < terms.low_value_amount, low, mid)
    base["value_tier"] = np.where(bill >= terms.high_value_amount, high, not_high)
    span = DAYS_PER_MONTH * terms.recharge_fee_months
    draw.put("recharge_days", prepaid * span * draw.uniform("recharge_days"))
    draw.put("balance_amount", prepaid * fee * np.maximum(span - base["recharge_days"], 0.0) / DAYS_PER_MONTH)
    draw.put("device_age_months", np.minimum(
        -np.log(draw.uniform("device_age_months")) * traits.device_age_mean_months, MOST_DEVICE_MONTHS))
    draw.put("app_logins", terms.app_logins_mean * base["app_habit"])
    draw.put("nps", NEVER_ASKED)
    draw.put("months_since_offer", NO_OFFER_MONTHS)
    for name in QUIET:
        draw.put(name, 0)


def _log(values: Float64) -> Float64:
    """Natural logarithm of amounts, of which a cent is the least."""
    return np.asarray(np.log(np.maximum(values, 0.01)))
