from __future__ import annotations

import numpy as np
import pytest

from churnsim.core.columns import Subscribers
from churnsim.offers.settings import Offer
from churnsim.offers.table import CUSTOMER_TYPE_CODES, PAYMENT_CODES, offer_table
from churnsim.population.categories import CUSTOMER_TYPES, PAYMENTS
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


def test_eligibility_by_hand():
    base = Subscribers.empty(SCHEMA, np.arange(6))
    base["customer_type"] = [0, 1, 2, 3, 0, 1]
    base["payment"] = [0, 1, 0, 0, 0, 0]
    base["contract_left_months"] = [3, 0, 4, 0, 0, 0]
    base["tenure_months"] = [6, 60, 60, 60, 5, 6]
    assert TABLE.eligible("discount", base).tolist() == [True] * 6
    assert TABLE.eligible("device", base).tolist() == [True, False, False, True, False, True]
    assert TABLE.eligible("recovery", base).tolist() == [False, True, False, True, False, True]


def test_codes_are_those_of_the_columns():
    """Offers stand below the population and cannot import its codes."""
    assert list(CUSTOMER_TYPE_CODES) == list(CUSTOMER_TYPES)
    assert list(CUSTOMER_TYPE_CODES.values()) == [0, 1, 2, 3]
    assert list(PAYMENT_CODES) == list(PAYMENTS)
    assert list(PAYMENT_CODES.values()) == [0, 1]
