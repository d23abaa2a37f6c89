"""Traits that tests know by hand, and bases made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm

from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.population.categories import USAGE_SCENARIOS
from churnsim.population.generate import generate
from churnsim.population.settings import PopulationSettings, Traits, check_population

KEY = make_key(seed=3, replicate=0)
N = 200_000
# False-alarm rate of one share, mean or correlation below: 1e-4, over seeds.
Z = norm.isf(5e-5)

KINDS: dict[str, dict[str, Any]] = {
    "individual": {"share": 0.6, "lines_mean": 1.0, "price_per_line_amount": 40.0, "prepaid_share": 0.3,
                   "tenure_mean_months": 20.0, "broadband_share": 0.3, "smart_home_share": 0.2,
                   "contract_length_months_shares": {0: 0.1, 12: 0.6, 24: 0.3}},
    "family": {"share": 0.25, "lines_mean": 3.0, "price_per_line_amount": 25.0, "prepaid_share": 0.1,
               "tenure_mean_months": 40.0, "broadband_share": 0.7, "smart_home_share": 0.5,
               "contract_length_months_shares": {12: 0.5, 24: 0.5}},
    "enterprise_small": {"share": 0.1, "lines_mean": 8.0, "price_per_line_amount": 30.0, "prepaid_share": 0.0,
                         "tenure_mean_months": 50.0, "broadband_share": 0.6, "smart_home_share": 0.0,
                         "contract_length_months_shares": {24: 1.0}},
    "enterprise_large": {"share": 0.05, "lines_mean": 50.0, "price_per_line_amount": 20.0, "prepaid_share": 0.0,
                         "tenure_mean_months": 60.0, "broadband_share": 1.0, "smart_home_share": 0.0,
                         "contract_length_months_shares": {24: 0.4, 36: 0.6}},
}
SCENARIOS: dict[str, dict[str, Any]] = {name: {"shares": {}} for name in USAGE_SCENARIOS} | {
    "general": {"shares": {"individual": 0.5, "enterprise_small": 0.3}},
    "voice_led_senior": {"shares": {"individual": 0.2}, "usage_log": -1.5, "voice_log": 0.5, "price_log": -0.2,
                         "tenure_factor": 1.5, "app_factor": 0.3, "needs": {"large_print": 0.4}},
    "student": {"shares": {"individual": 0.3}, "usage_log": 0.8, "voice_log": -0.7, "prepaid_log_odds": 1.2,
                "migrant_log_odds": 1.0, "tenure_factor": 0.5, "app_factor": 2.0, "price_sensitivity": 0.8,
                "technology_sensitivity": 0.4, "needs": {"night_data": 0.3, "roaming": 0.2}},
    "converged_family": {"shares": {"family": 1.0}, "needs": {"smart_home": 0.3}},
    "finance": {"shares": {"enterprise_small": 0.7, "enterprise_large": 1.0}, "price_sensitivity": -0.5},
}
TRAITS: dict[str, Any] = {
    "regions": 5, "cells_per_region": 20, "customer_types": KINDS, "usage_scenarios": SCENARIOS, "migrant_share": 0.2,
    "migrant_prepaid_log_odds": 0.8, "migrant_tenure_factor": 0.6, "shared_building_share": 0.55,
    "acquisition_channel_shares": {"own_shop": 0.5, "online": 0.2, "social_dealer": 0.3},
    "brand_tier_shares": {"budget": 0.3, "standard": 0.5, "premium": 0.2},
    "brand_tier_price_factors": {"budget": 0.75, "standard": 1.0, "premium": 1.5},
    "brand_tier_by_price_sensitivity": -0.4, "price_log_sd": 0.3, "price_log_by_price_sensitivity": -0.1,
    "in_later_contract_share": 0.7, "usage_median_gb": 6.0, "usage_log_sd": 0.7, "voice_median_minutes": 200.0,
    "voice_log_sd": 0.6, "allowance_ratio": 1.5, "device_age_mean_months": 20.0, "contactable_share": 0.9,
    "call_consent_share": 0.8, "sms_consent_share": 0.7, "app_consent_share": 0.6, "habit_log_sd": 0.4,
    "responsiveness_log_sd": 0.5, "responsiveness_by_price_sensitivity": 0.3, "responsiveness_by_attention": -0.5,
    "attention_mean": 0.3, "satisfaction_mean": 70.0, "satisfaction_sd": 10.0, "attitude_by_satisfaction": 0.5,
    "inertia_by_tenure": 0.4, "residual_need_mean": 0.8, "need_met_share": 0.5,
}


def traits(**changes: Any) -> Traits:
    """Return the traits with some changed; they pass the checks of an experiment."""
    made = Traits.model_validate({**TRAITS, **changes})
    findings = list(check_population(PopulationSettings(size=1, traits=made)))
    assert not findings, findings
    return made


def made(ids: Any, *, changes: dict[str, Any] | None = None, key: Any = KEY, **how: Any) -> Subscribers:
    """Return a base of these ids."""
    return generate(np.asarray(ids, np.int64), traits(**(changes or {})), key=key, **how)


def assert_share(hits: Any, prob: float) -> None:
    """The share of hits is `prob`, within its interval."""
    assert len(hits) and abs(hits.mean() - prob) <= Z * np.sqrt(prob * (1.0 - prob) / len(hits)), (hits.mean(), prob)


def assert_mean(values: Any, mean: float) -> None:
    """The mean of the values is `mean`, within its interval."""
    values = values.astype(np.float64)
    assert abs(values.mean() - mean) < Z * values.std() / np.sqrt(len(values)), (values.mean(), mean)


def assert_correlation(a: Any, b: Any, wanted: float) -> None:
    """The correlation of two columns is `wanted`, within its interval (Fisher's z)."""
    found = np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1]
    assert abs(np.arctanh(found) - np.arctanh(wanted)) < Z / np.sqrt(len(a) - 3), (found, wanted)
