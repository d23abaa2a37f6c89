from __future__ import annotations

import numpy as np
import pytest

from churnsim.lifecycle.covariates import COVARIATES, columns_read, covariate_matrix, weighted_sum
from churnsim.population.categories import (
    ACQUISITION_CHANNELS,
    BRAND_TIERS,
    BUILDING_ACCESS,
    CUSTOMER_TYPES,
    NEEDS,
    STATES,
    USAGE_SCENARIOS,
)

from .examples import block_of, subscribers, varied

SUSPENDED = STATES.index("suspended")
CHANNELS = [ACQUISITION_CHANNELS.index(name) for name in ("own_shop", "online", "social_dealer")]
BRANDS = [BRAND_TIERS.index(name) for name in ("budget", "standard", "premium")]


def scenarios(*names):
    return [USAGE_SCENARIOS.index(name) for name in names]


# Covariate -> what is set, what three subscribers must have. Month 7 stands in row 1 of a history.
CASES = {
    "price_sensitivity": ({"price_sensitivity": [-1, 0, 2]}, [-1, 0, 2]),
    "discount": ({"discount_share": [0, 0.25, 1]}, [0, 0.25, 1]),
    "discount_shock": ({"discount_shock": [0, 0.5, 1]}, [0, 0.5, 1]),
    # Bills of months 7; 6, 5, 4; 3, 2: 60 over a mean of 30; 60 over 90; 900 over 30, cut at 2.
    "bill_shock": ({"bill_amount": [[20, 80, 30], [60, 60, 900], [9, 9, 9], [9, 9, 9], [40, 90, 30],
                                    [30, 100, 30]]}, [np.log(2.0), 0, 2]),
    "service_sensitivity": ({"service_sensitivity": [-1, 0, 2]}, [-1, 0, 2]),
    "complaint_stock": ({"complaint_stock": [0, 1, 1.5]}, [0, 1, 1.5]),
    "fault_stock": ({"fault_stock": [0, 1, 1.5]}, [0, 1, 1.5]),
    "dissatisfaction": ({"satisfaction": [70, 50, 100]}, [0, 1, -1.5]),
    "promotion": ({}, [0, 1.5, 0]),
    "attention": ({"attention": [0, 0.5, 1]}, [0, 0.5, 1]),
    "shopping": ({"shopping": [0, 1, 0]}, [0, 1, 0]),
    "out_of_contract": ({"contract_left_months": [0, 0, 1], "payment": [0, 1, 0]}, [1, 0, 0]),
    "contract_ending": ({"contract_left_months": [0, 2, 3]}, [0, 1, 0]),
    "contract_just_ended": ({"contract_ended_months": [0, 3, 127]}, [1.0, np.exp(-2.0), 0.0]),
    "bound": ({"contract_left_months": [0, 2, 3]}, [0, 0, 1]),
    "newness": ({"tenure_months": [0, 3, 600]}, [1, np.exp(-1.0), 0]),
    "wake": ({"wake": [0, 0.5, 1]}, [0, 0.5, 1]),
    "migrant": ({"locality": [0, 1, 0]}, [0, 1, 0]),
    "prepaid": ({"payment": [0, 1, 0]}, [0, 1, 0]),
    "enterprise": ({"customer_type": [CUSTOMER_TYPES.index(kind) for kind in
                                      ("family", "enterprise_small", "enterprise_large")]}, [0, 1, 1]),
    "family": ({"customer_type": [CUSTOMER_TYPES.index(kind) for kind in
                                  ("individual", "family", "enterprise_small")]}, [0, 1, 0]),
    "arrears": ({"arrears_months": [0, 1, 12]}, [0, 1, 12]),
    "usage_drop": ({"usage_deviation": [0.5, 0, -0.7]}, [0, 0, 0.7]),
    "suspended": ({"state": [SUSPENDED, 0, SUSPENDED - 1]}, [1, 0, 0]),
    "season": ({}, [0.25, 0.25, 0.25]),
    "technology_sensitivity": ({"technology_sensitivity": [-1, 0, 2]}, [-1, 0, 2]),
    "unmet_need": ({"need": [NEEDS.index("none"), NEEDS.index("roaming"), NEEDS.index("roaming")],
                    "need_met": [0, 1, 0]}, [0, 0, 1]),
    "need_gone": ({"residual_need": [1, 0.75, 0]}, [0, 0.25, 1]),
    "attitude": ({"attitude": [-1, 0, 2]}, [-1, 0, 2]),
    "inertia": ({"inertia": [-1, 0, 2]}, [-1, 0, 2]),
    "experience_fatigue": ({"experience_fatigue": [0, 1, 2.5]}, [0, 1, 2.5]),
    "unresolved_ticket": ({"ticket_open": [0, 1, 0]}, [0, 1, 0]),
    "contact_stock": ({"contact_stock": [0, 1, 1.5]}, [0, 1, 1.5]),
    # Billed over the allowance: nothing, 15 and 300, of a fee of 30.
    "overage": ({}, [0, 0.5, 2]),
    "lock_in": ({"lock_in_amount": [45, 45, 900], "lock_in_left_months": [0, 1, 1]}, [0, 1.5, 6]),
    "broadband": ({"broadband": [0, 1, 0]}, [0, 1, 0]),
    "smart_home": ({"smart_home": [0, 1, 0]}, [0, 1, 0]),
    "many_lines": ({"lines": [1, 2, 60]}, [0, 1, 1]),
    "device_age": ({"device_age_months": [0, 18, 200]}, [0, 1.5, 5]),
    "termination_fee": ({"termination_fee_amount": [0, 45, 9000]}, [0, 1.5, 24]),
    "shared_building": ({"building_access": [BUILDING_ACCESS.index(access) for access in (
        "own_line_only", "shared", "shared")]}, [0, 1, 1]),
    "dealer": ({"acquisition_channel": CHANNELS}, [0, 0, 1]),
    "online": ({"acquisition_channel": CHANNELS}, [0, 1, 0]),
    "budget_brand": ({"brand_tier": BRANDS}, [1, 0, 0]),
    "premium_brand": ({"brand_tier": BRANDS}, [0, 0, 1]),
    "young": ({"usage_scenario": scenarios("data_led_young", "student", "general")}, [1, 1, 0]),
    "student": ({"usage_scenario": scenarios("data_led_young", "student", "general")}, [0, 1, 0]),
    "senior": ({"usage_scenario": scenarios("voice_led_senior", "student", "general")}, [1, 0, 0]),
    "business_traveller": ({"usage_scenario": scenarios("general", "finance", "business_traveller")}, [0, 0, 1]),
    "newcomer_promotion": ({}, [0, 1, 0]),
}
AROUND = {"promotion": [0, 1.5, 0], "season": 0.25, "newcomer_promotion": [0, 1, 0], "overage_amount": [0, 15, 300]}


def test_every_covariate_has_a_case():
    assert list(CASES) == list(COVARIATES)


@pytest.mark.parametrize("name", CASES)
def test_by_hand(name):
    columns, expected = CASES[name]
    values = COVARIATES[name].compute(block_of(subscribers(**columns), **AROUND))
    assert values.shape == (3,)
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-30)


def test_the_matrix_has_a_contiguous_row_a_name_in_the_order_asked_for():
    block = block_of(subscribers(attention=[0, 0.5, 1], locality=[0, 1, 0]), season=0.25)
    made = covariate_matrix(("migrant", "season", "attention"), block)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    assert made.tolist() == [[0, 1, 0], [0.25, 0.25, 0.25], [0, 0.5, 1]]


def test_a_weighted_sum_by_hand():
    block = block_of(subscribers(attention=[0.0, 0.5, 1.0], locality=[0, 1, 0]))
    total = weighted_sum({"attention": 2.0, "migrant": -1.0}, block, intercept=0.25)
    assert total.dtype == np.float32
    assert total.tolist() == [0.25, 0.25, 2.25]


@pytest.mark.parametrize("name", CASES)
def test_the_columns_it_reads_are_all_that_a_covariate_needs(name):
    """Hazards are weighed again on copies of these columns alone when something changes within a month."""
    block = block_of(varied(np.arange(200)), promotion=1.5, season=0.25)
    rows = np.arange(20, 120)
    alone = block.some(rows, COVARIATES[name].reads)
    np.testing.assert_array_equal(COVARIATES[name].compute(alone), COVARIATES[name].compute(block)[rows])


def test_columns_read_are_named_once_in_order():
    assert columns_read({"out_of_contract": 1.0, "prepaid": -2.0, "bound": 0.5, "wake": 1.0}) == (
        "contract_left_months", "payment", "wake")
    assert columns_read({}) == ()


def test_every_covariate_says_what_it_means():
    assert all(len(covariate.meaning) > 5 for covariate in COVARIATES.values())
