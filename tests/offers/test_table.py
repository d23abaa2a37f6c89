from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from churnsim.core.columns import Subscribers
from churnsim.offers.settings import Offer
from churnsim.offers.table import (
    BRAND_TIER_CODES,
    CUSTOMER_TYPE_CODES,
    LOCALITY_CODES,
    NEED_CODES,
    PAYMENT_CODES,
    STATE_CODES,
    USAGE_SCENARIO_CODES,
    offer_table,
)
from churnsim.population.categories import (
    BRAND_TIERS,
    CUSTOMER_TYPES,
    LOCALITIES,
    NEEDS,
    PAYMENTS,
    STATES,
    USAGE_SCENARIOS,
)
from churnsim.population.columns import SCHEMA

ACCEPTANCE = {"base_prob": 0.3}
OFFERS = {
    "discount": Offer(discount_share=0.3, discount_months=3, effect_months=2, acceptance=ACCEPTANCE,
                      hazard_multipliers={"service": 0.5, "price": 2.0}),
    "device": Offer(direct_cost_per_line_amount=110.0, contract_months_added=12, acceptance=ACCEPTANCE,
                    eligibility={"payments": ("postpaid",), "max_contract_left_months": 3,
                                 "min_tenure_months": 6}),
    "recovery": Offer(complaint_relief=0.8, satisfaction_points=-2.0, acceptance=ACCEPTANCE,
                      eligibility={"customer_types": ("family", "enterprise_large")}),
}
TABLE = offer_table(OFFERS, causes=("price", "service", "gone"))


def test_codes_count_from_one_in_config_order():
    assert TABLE.names == ("discount", "device", "recovery")
    assert [TABLE.code(name) for name in TABLE.names] == [1, 2, 3]


@pytest.mark.parametrize(("column", "values"), [
    ("discount_share", [0, np.float32(0.3), 0, 0]), ("discount_months", [0, 3, 0, 0]),
    ("direct_cost_per_line_amount", [0, 0, 110, 0]), ("contract_months_added", [0, 0, 12, 0]),
    ("effect_months", [0, 2, 0, 0]), ("complaint_relief", [0, 0, 0, np.float32(0.8)]),
    ("satisfaction_points", [0, 0, 0, -2]),
])
def test_row_zero_is_no_offer(column, values):
    assert getattr(TABLE, column).tolist() == values


def test_multipliers_stand_in_the_order_of_the_causes():
    assert TABLE.log_multipliers.dtype == np.float32
    np.testing.assert_allclose(np.exp(TABLE.log_multipliers),
                               [[1, 1, 1], [2, 0.5, 1], [1, 1, 1], [1, 1, 1]], rtol=1e-6)


MONTH = 10


def observed(n):
    """Return `n` stable individuals that every rule of OFFERS lets through."""
    base = Subscribers.empty(SCHEMA, np.arange(n))
    base["state"], base["spell_months"], base["months_since_offer"] = STATES.index("stable"), 60, 127
    return base


def may(base, name="gift", **rule):
    offers = {**OFFERS, "gift": Offer(acceptance=ACCEPTANCE, eligibility=rule)}
    return offer_table(offers, causes=("price", "service", "gone")).eligible(name, base, month=MONTH).tolist()


def test_eligibility_by_hand():
    base = observed(6)
    base["customer_type"] = [0, 1, 2, 3, 0, 1]
    base["payment"] = [0, 1, 0, 0, 0, 0]
    base["contract_left_months"] = [3, 0, 4, 0, 0, 0]
    base["spell_months"] = [6, 60, 60, 60, 5, 6]
    assert may(base, "discount") == [True] * 6
    assert may(base, "device") == [True, False, False, True, False, True]
    assert may(base, "recovery") == [False, True, False, True, False, True]


@pytest.mark.parametrize(("column", "values", "rule", "eligible"), [
    ("usage_scenario", [0, 1, 3], {"usage_scenarios": ("voice_led_senior", "student")}, [False, True, True]),
    ("state", [0, 1, 5], {}, [False, True, True]),
    ("state", [0, 6, 5], {"states": ("churned",)}, [False, True, False]),
    ("state", [1, 4, 3], {"states": ("decline",)}, [False, True, False]),
    ("brand_tier", [0, 1, 2], {"brand_tiers": ("budget", "premium")}, [True, False, True]),
    ("locality", [0, 1, 1], {"localities": ("migrant",)}, [False, True, True]),
    ("broadband", [0, 1, 0], {"needs_broadband": True}, [False, True, False]),
    ("spell_months", [2, 3, 4], {"min_tenure_months": 3, "max_tenure_months": 3}, [False, True, False]),
    ("months_since_offer", [0, 5, 127], {"cool_off_months": 5}, [False, True, True]),
    ("months_since_offer", [0, 5, 127], {}, [True, True, True]),
])
def test_each_rule_alone(column, values, rule, eligible):
    base = observed(3)
    base[column] = values
    assert may(base, **rule) == eligible


def test_bills_are_the_mean_of_the_last_three_months():
    base = observed(3)
    for ago, bills in ((1, [30, 60, 90]), (2, [30, 60, 90]), (3, [30, 60, 93]), (0, [9e3] * 3), (4, [9e3] * 3)):
        base.lag("bill_amount", month=MONTH, months_ago=ago)[...] = bills
    assert may(base, min_bill_amount=60.0) == [False, True, True]
    assert may(base, max_bill_amount=90.5) == [True, True, False]


def test_direct_cost_is_a_line_and_an_account():
    both = Offer(acceptance=ACCEPTANCE, direct_cost_per_line_amount=7.0, direct_cost_amount=20.0)
    table = offer_table({"both": both}, causes=())
    assert table.direct_cost(np.array([0, 1, 1], np.int8), np.array([5, 1, 3], np.int16)).tolist() == [0.0, 27.0, 41.0]


def test_the_arrays_of_a_full_offer():
    full = Offer(
        acceptance=ACCEPTANCE, ladder={"share_per_year": 0.1, "form": "compounding"}, contract_months_added=24,
        price_change_share=-0.25, price_added_amount=5.0, allowance_change_share=0.5, direct_cost_amount=3.0,
        monthly_cost_amount=2.0, effect_months=4, lock_in_amount=30.0, lock_in_months=9, adds=("smart_home", "device"),
        meets_needs=("night_data", "edge_computing"), ticket_hours_factor=0.5, return_factor=3.0, suspends=True)
    table = offer_table({"full": full}, causes=())
    assert {name: getattr(table, name).tolist() for name in (
        "discount_months", "price_change_share", "price_added_amount", "allowance_change_share", "direct_cost_amount",
        "monthly_cost_amount", "lock_in_amount", "lock_in_months", "adds_broadband", "adds_smart_home", "adds_device",
        "ticket_hours_factor", "return_factor", "suspends", "brings_back")} == {
        "discount_months": [0, 24], "price_change_share": [0, -0.25], "price_added_amount": [0, 5],
        "allowance_change_share": [0, 0.5], "direct_cost_amount": [0, 3], "monthly_cost_amount": [0, 2],
        "lock_in_amount": [0, 30], "lock_in_months": [0, 9], "adds_broadband": [False, False],
        "adds_smart_home": [False, True], "adds_device": [False, True], "ticket_hours_factor": [1, 0.5],
        "return_factor": [1, 3], "suspends": [False, True], "brings_back": [False, False]}
    assert table.discount_share[1] == pytest.approx(0.19)
    assert np.flatnonzero(table.meets_needs[1]).tolist() == [NEEDS.index("night_data"), NEEDS.index("edge_computing")]
    assert not table.meets_needs[0].any() and not table.meets_needs[:, 0].any()


@pytest.mark.parametrize(("codes", "names"), [
    (CUSTOMER_TYPE_CODES, CUSTOMER_TYPES), (PAYMENT_CODES, PAYMENTS), (USAGE_SCENARIO_CODES, USAGE_SCENARIOS),
    (BRAND_TIER_CODES, BRAND_TIERS), (LOCALITY_CODES, LOCALITIES), (STATE_CODES, STATES), (NEED_CODES, NEEDS)])
def test_codes_are_those_of_the_columns(codes, names):
    """Offers stand below the population and cannot import its codes."""
    assert all(names[code] == name for name, code in codes.items())
    assert set(names) - set(codes) <= {"prospect", "none"}


def test_every_array_stands_for_a_setting():
    """But for the names that its documentation explains."""
    explained = {"settings", "names", "meets_needs", "log_multipliers", "adds_broadband", "adds_smart_home",
                 "adds_device"}
    assert {field.name for field in fields(TABLE)} - explained <= set(Offer.model_fields)
