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
from churnsim.lifecycle.market_settings import MarketSettings
from churnsim.lifecycle.settings import LifecycleSettings
from churnsim.offers.settings import Offer
from churnsim.offers.table import OfferTable, offer_table
from churnsim.population.categories import BRAND_TIERS, NEEDS, STATES, USAGE_SCENARIOS, VALUE_TIERS
from churnsim.population.columns import SCHEMA

KEY = make_key(seed=5, replicate=0)
REGIONS = 3
CELLS = 4

LIVELY: dict[str, Any] = {
    "history_months": 6,
    "notice_days": 10.0,
    "usage": {"persistence": 0.7, "noise_log_sd": 0.3, "shopping_factor": 0.6, "overage_price_per_gb": 4.0,
              "growth_log": 0.2, "growth_months": 4.0, "idle_prob": 0.05, "idle_log_depth": 0.8,
              "voice_share_of_deviation": 0.7},
    "plan": {"change_prob": 0.05, "change_log_odds": {"bill_shock": 0.8, "overage": 1.0}, "down_prob": 0.5,
             "down_log_odds": {"price_sensitivity": 0.5}, "step_share": 0.2, "tier_move_prob": 0.4,
             "line_loss_prob": 0.03, "line_loss_log_odds": {"dissatisfaction": 0.4}, "line_gain_prob": 0.03,
             "need_decay_months": 60.0, "high_value_amount": 70.0, "low_value_amount": 30.0},
    "recharge": {"skip_prob": 0.2, "skip_log_odds": {"shopping": 1.0}, "fee_months": 1.0},
    "service": {
        "fault_prob": 0.15, "fault_log_odds_per_quality": -0.5, "complaint_prob": 0.05,
        "complaint_log_odds": {"fault": 1.4, "bill_shock": 2.0, "dissatisfaction": 0.5,
                               "service_sensitivity": 0.3},
        "stock_persistence": 0.6, "satisfaction_persistence": 0.75, "fault_points": -6.0,
        "complaint_points": -8.0, "fatigue_persistence": 0.9,
        "ticket": {"hours_median": 18.0, "hours_log_sd": 1.0, "network_repair_hours_mean": 36.0, "fast_hours": 8.0,
                   "slow_hours": 24.0, "fast_points": 8.0, "slow_points": -6.0, "fast_relief": 0.8,
                   "network_share": 0.35, "billing_share": 0.35}},
    "contacts": {"hotline_prob": 0.1, "hotline_log_odds": {"fault": 1.5, "complaint": 2.0, "bill_shock": 1.0},
                 "shop_prob": 0.08, "shop_points": -1.0, "app_logins_mean": 4.0, "app_shopping_factor": 0.8,
                 "survey_share": 0.1, "survey_noise_points": 1.5},
    "shopping": {"base_prob": 0.1, "log_odds": {"contract_ending": 1.2, "bill_shock": 1.0, "wake": 0.5},
                 "ad_click_prob": 0.3, "ad_click_prob_otherwise": 0.05, "ad_click_log_odds_attention": 1.0,
                 "days_mean": 20.0, "porting_request_prob": 0.2},
    "contract": {"renewal_prob": 0.5, "termination_fee_share": 0.5, "notice_wake": 0.0},
    "arrears": {"miss_prob": 0.1, "miss_log_odds_prepaid": 0.6, "cure_prob": 0.6},
    "suspension": {"enter_prob": 0.05, "enter_log_odds": {"migrant": 1.5}, "resume_prob": 0.4, "fee_share": 0.1},
    "win_back": {"return_prob": 0.0, "persistence": 0.0, "cause_factors": {}, "hazard_factor": 1.0},
    "contact": {"wake": 1.0, "wake_by_inertia": 0.0, "wake_persistence": 0.5, "goodwill_points": 2.0,
                "goodwill_points_by_attitude": 0.0, "fatigue_points": 0.0, "stock_persistence": 0.8,
                "discount_shock_persistence": 0.5, "habituation": 0.0, "habituation_persistence": 0.95},
    "cost_to_serve": {"fixed_amount": 6.0, "share_of_revenue": 0.3, "hotline_call_amount": 4.0,
                      "shop_visit_amount": 5.0, "ticket_amount": 8.0},
    "causes": {
        "service": {"intercept": -3.5, "coefficients": {"complaint_stock": 0.8, "dissatisfaction": 0.5}},
        "price": {"intercept": -3.5, "coefficients": {"discount_shock": 1.5, "shopping": 1.0, "wake": 0.8}},
        "gone": {"intercept": -4.0, "coefficients": {"migrant": 0.9, "season": 0.3, "newness": 1.0}},
    },
    "stated_reasons": {"silent_share": 0.3, "given_cause": {"service": {"service": 0.6, "price": 0.4}}},
}

MARKET: dict[str, Any] = {
    "competitors": {"rival": {"start_prob": 0.3, "strength": 1.5, "pull": 1.0}},
    "network": {"persistence": 0.8, "region_share": 0.3, "load_warning_points": -1.0, "predictive_share": 0.4},
    "newcomer_promotion": {"start_prob": 0.3, "strength": 1.0, "discount_share": 0.2, "discount_months": 6,
                           "dealer_commission_amount": 25.0},
    "price_moves": [{"month": 4, "change_share": 0.05, "brand_tiers": ["premium"]}],
    "season_amplitude": 1.0, "season_peak_month": 1, "arrivals_share_monthly": 0.0,
    "arrivals_season_amplitude": 0.0, "arrivals_peak_month": 9, "start_month_of_year": 1,
}

OFFERS: dict[str, dict[str, Any]] = {
    "discount": {"strategy": "combined", "discount_share": 0.3, "discount_months": 3, "effect_months": 2,
                 "hazard_multipliers": {"price": 0.4}, "acceptance": {"base_prob": 0.5}},
    "contract": {"strategy": "combined", "contract_months_added": 12, "direct_cost_per_line_amount": 100.0,
                 "effect_months": 12, "hazard_multipliers": {"price": 0.6, "gone": 0.9},
                 "acceptance": {"base_prob": 0.5}},
    "recovery": {"strategy": "combined", "complaint_relief": 0.8, "satisfaction_points": 8.0,
                 "acceptance": {"base_prob": 0.5}},
    "protection": {"strategy": "combined", "effect_months": 120, "acceptance": {"base_prob": 0.5},
                   "hazard_multipliers": {"service": 0.5, "price": 0.5, "gone": 0.5}},
    "bundle": {"strategy": "product", "price_change_share": 0.1, "allowance_change_share": 0.5, "effect_months": 12,
               "lock_in_amount": 40.0, "lock_in_months": 12, "adds": ["broadband", "smart_home", "device"],
               "meets_needs": ["roaming"], "suspends": True, "acceptance": {"base_prob": 0.5}},
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
    return Lifecycle(settings, make_market(market(), regions=REGIONS, cells_per_region=CELLS, months=months, key=KEY),
                  offers(causes=tuple(settings.causes)), key=key)


def subscribers(n: int = 3, **columns: Any) -> Subscribers:
    """Return `n` alike, stable, postpaid individuals out of contract at month 0, but for what is given."""
    base = Subscribers.empty(SCHEMA, np.asarray(columns.pop("ids", np.arange(n)), np.int64))
    values: dict[str, Any] = {
        "lines": 1, "plan_price_amount": 30.0, "allowance_gb": 10.0, "tenure_months": 24, "contract_length_months": 12,
        "spell_months": 24, "device_age_months": 12, "brand_tier": BRAND_TIERS.index("standard"),
        "value_tier": VALUE_TIERS.index("mid"), "residual_need": 0.8, "state": STATES.index("stable"), "usage_gb": 5.0,
        "voice_minutes": 200.0, "bill_amount": 30.0, "usage_level": np.log(5.0), "voice_level": np.log(200.0),
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
        len(ids), ids=ids, region=ids % REGIONS, cell=ids % REGIONS * CELLS + ids // REGIONS % CELLS,
        usage_scenario=ids // 2 % len(USAGE_SCENARIOS), locality=ids % 2, payment=ids // 3 % 2, lines=1 + ids % 4,
        plan_price_amount=20.0 + ids % 17, attention=(ids % 11) / 10.0, tenure_months=ids % 40,
        spell_months=ids % 40, brand_tier=ids % 3, join_month=np.where(ids % 13 == 0, 3, -(ids % 40)),
        contract_left_months=ids % 5,
        responsiveness=0.5 + (ids % 7) / 6.0, service_sensitivity=(ids % 9) / 4.0 - 1.0,
        complaint_stock=(ids % 3) / 2.0, usual_satisfaction=40.0 + ids % 50, app_habit=0.5 + ids % 4 / 3.0,
        broadband=ids // 5 % 2, need=ids // 11 % len(NEEDS))


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
