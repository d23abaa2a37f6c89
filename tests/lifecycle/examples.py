"""Small worlds for the tests: settings written out, subscribers whose every column is set by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key, Stream, make_key
from churnsim.lifecycle.block import Block, Draws, Month
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.drivers.usage import bill_shock
from churnsim.lifecycle.market import make_market
from churnsim.lifecycle.settings import LifecycleSettings, MarketSettings
from churnsim.offers.settings import Offer
from churnsim.offers.table import OfferTable, offer_table
from churnsim.population.columns import SCHEMA, STATES

KEY = make_key(seed=5, replicate=0)
REGIONS = 3

LIVELY: dict[str, Any] = {
    "history_months": 6,
    "notice_days": 10.0,
    "usage": {"persistence": 0.7, "noise_log_sd": 0.3, "shopping_factor": 0.6, "overage_price_per_gb": 4.0},
    "service": {
        "fault_prob": 0.15, "fault_log_odds_per_quality": -0.5, "complaint_prob": 0.05,
        "complaint_log_odds": {"fault": 1.4, "bill_shock": 2.0, "dissatisfaction": 0.5,
                               "service_sensitivity": 0.3},
        "stock_persistence": 0.6, "satisfaction_persistence": 0.75, "fault_points": -6.0,
        "complaint_points": -8.0},
    "shopping": {"base_prob": 0.1, "log_odds": {"contract_ending": 1.2, "bill_shock": 1.0, "wake": 0.5},
                 "ad_click_prob": 0.3, "ad_click_prob_otherwise": 0.05, "ad_click_log_odds_attention": 1.0},
    "contract": {"renewal_prob": 0.5},
    "arrears": {"miss_prob": 0.1, "miss_log_odds_prepaid": 0.6, "cure_prob": 0.6},
    "suspension": {"enter_prob": 0.05, "enter_log_odds_migrant": 1.5, "resume_prob": 0.4, "fee_share": 0.1},
    "contact": {"wake": 1.0, "wake_persistence": 0.5, "goodwill_points": 2.0,
                "discount_shock_persistence": 0.5},
    "cost_to_serve": {"fixed_amount": 6.0, "share_of_revenue": 0.3},
    "causes": {
        "service": {"intercept": -3.5, "coefficients": {"complaint_stock": 0.8, "dissatisfaction": 0.5}},
        "price": {"intercept": -3.5, "coefficients": {"discount_shock": 1.5, "shopping": 1.0, "wake": 0.8}},
        "gone": {"intercept": -4.0, "coefficients": {"migrant": 0.9, "season": 0.3, "newness": 1.0}},
    },
}

MARKET: dict[str, Any] = {
    "promotion": {"start_prob": 0.3, "strength": 1.5}, "network": {"persistence": 0.8},
    "season_amplitude": 1.0, "arrivals_share_monthly": 0.0, "start_month_of_year": 1,
}

OFFERS: dict[str, dict[str, Any]] = {
    "discount": {"discount_share": 0.3, "discount_months": 3, "effect_months": 2,
                 "hazard_multipliers": {"price": 0.4}, "acceptance": {"base_prob": 0.5}},
    "contract": {"contract_months_added": 12, "direct_cost_per_line_amount": 100.0, "effect_months": 12,
                 "hazard_multipliers": {"price": 0.6, "gone": 0.9}, "acceptance": {"base_prob": 0.5}},
    "recovery": {"complaint_relief": 0.8, "satisfaction_points": 8.0, "acceptance": {"base_prob": 0.5}},
    "protection": {"effect_months": 120, "acceptance": {"base_prob": 0.5},
                   "hazard_multipliers": {"service": 0.5, "price": 0.5, "gone": 0.5}},
}


def lifecycle(**sections: Any) -> LifecycleSettings:
    """Return lively settings; a section given as a mapping changes single keys, `causes` is replaced."""
    values = dict(LIVELY)
    for name, change in sections.items():
        merges = isinstance(change, dict) and name != "causes"
        values[name] = {**values[name], **change} if merges else change
    return LifecycleSettings.model_validate(values)


def constant(**hazards: float) -> dict[str, Any]:
    """Return causes of constant monthly hazards."""
    return {name: {"intercept": float(np.log(hazard))} for name, hazard in hazards.items()}


def market(**changes: Any) -> MarketSettings:
    return MarketSettings.model_validate({**MARKET, **changes})


def offers(*, causes: tuple[str, ...]) -> OfferTable:
    """Return the offers of OFFERS; multipliers of causes that are not there are left out."""
    made = {}
    for name, values in OFFERS.items():
        factors = {cause: factor for cause, factor in values.get("hazard_multipliers", {}).items()
                   if cause in causes}
        made[name] = Offer.model_validate({**values, "hazard_multipliers": factors})
    return offer_table(made, causes=causes)


def engine(settings: LifecycleSettings | None = None, *, key: Key = KEY, months: int = 60) -> Lifecycle:
    settings = settings or lifecycle()
    return Lifecycle(settings, make_market(market(), regions=REGIONS, months=months, key=KEY),
                  offers(causes=tuple(settings.causes)), key=key)


def subscribers(n: int = 3, **columns: Any) -> Subscribers:
    """Return `n` alike, stable, postpaid individuals out of contract at month 0, but for what is given."""
    base = Subscribers.empty(SCHEMA, np.asarray(columns.pop("ids", np.arange(n)), np.int64))
    values: dict[str, Any] = {
        "lines": 1, "plan_price_amount": 30.0, "allowance_gb": 10.0, "tenure_months": 24, "contract_length_months": 12,
        "state": STATES.index("stable"), "usage_gb": 5.0, "bill_amount": 30.0, "usage_level": np.log(5.0),
        "responsiveness": 1.0, "attention": 0.4, "usual_satisfaction": 70.0, "satisfaction": 70.0,
        "join_month": -24, "decision_time": np.inf, "departure_time": np.inf,
    }
    for name, value in {**values, **columns}.items():
        base[name] = value
    return base


def varied(ids: Any) -> Subscribers:
    """Return subscribers whose columns vary with their id alone."""
    ids = np.asarray(ids, np.int64)
    return subscribers(
        len(ids), ids=ids, region=ids % REGIONS, locality=ids % 2, payment=ids // 3 % 2, lines=1 + ids % 4,
        plan_price_amount=20.0 + ids % 17, attention=(ids % 11) / 10.0, tenure_months=ids % 40,
        join_month=np.where(ids % 13 == 0, 3, -(ids % 40)), contract_left_months=ids % 5,
        responsiveness=0.5 + (ids % 7) / 6.0, service_sensitivity=(ids % 9) / 4.0 - 1.0,
        complaint_stock=(ids % 3) / 2.0, usual_satisfaction=40.0 + ids % 50)


def block_of(base: Subscribers, *, month: int = 7, **market: Any) -> Block:
    """Return all of a base as a block in a month: no promotion, usual network quality, no season, but as given."""
    block = Block.over(base, LIFECYCLE_SCHEMA, month=Month(month))
    for name, value in {"promotion": 0.0, "network": 0.0, "season": 0.0, **market}.items():
        block[name] = value
    block["bill_shock"] = bill_shock(block)
    return block


def draws_of(base: Subscribers, *streams: Stream, month: int = 7, key: Key = KEY) -> Draws:
    draws = Draws(key, base.ids, streams)
    draws.month = month
    return draws


def same(a: Subscribers, b: Subscribers) -> bool:
    """True if two bases hold the same ids and the same bits."""
    return np.array_equal(a.ids, b.ids) and all(
        np.array_equal(a[name], b[name], equal_nan=True) for name in SCHEMA)
