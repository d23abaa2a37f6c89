"""The rule for offers that cost only on those who take them, by hand and against a count of all outcomes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.errors import DataError
from churnsim.evaluation.targeting_rule import treatment_profit

probabilities = st.floats(0, 1)
MONEY = {"lifetime_value": 200.0, "offer_cost": 10.0, "contact_cost": 1.0}


@given(probabilities, probabilities, st.floats(0, 1000), st.floats(0, 100), st.floats(0, 10))
def test_it_is_what_treating_earns_more_than_leaving_alone(s1, s0, value, d, c) -> None:
    treated, alone = s1 * (value - d) - c, s0 * value
    found = treatment_profit([s1], [s0], lifetime_value=value, offer_cost=d, contact_cost=c)[0]
    assert found == pytest.approx(treated - alone, abs=1e-9)


def test_who_forgets_that_sure_stayers_take_the_offer_loses_on_them() -> None:
    s0 = np.linspace(0, 0.94, 95)
    profit = treatment_profit(s0 + 0.05, s0, **MONEY)
    naive = 0.05 * (200 - 10) - 1 > 0
    assert naive, "the rule (s1 - s0)(V - d) > c treats everybody"
    # .05 * 200 - (s0 + .05) * 10 - 1 > 0 where s0 < .85.
    assert (profit[s0 < 0.849] > 0).all() and (profit[s0 > 0.851] < 0).all()


def test_who_charges_the_offer_to_everybody_treats_too_few() -> None:
    s0, s1 = np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 41))
    charged = (s1 - s0) * 200 > 10 + 1
    pays = treatment_profit(s1.ravel(), s0.ravel(), **MONEY).reshape(s1.shape) > 0
    assert pays[charged].all()
    # .05 * 200 = 10 < 11, but 10 - .05 * 10 - 1 > 0.
    assert pays[2, 0] and not charged[2, 0]


def test_values_and_costs_may_differ_by_row() -> None:
    found = treatment_profit([0.5, 0.5], [0.4, 0.4], lifetime_value=[100, 50], offer_cost=[10, 0], contact_cost=[1, 2])
    assert found.tolist() == pytest.approx([4, 3])


@pytest.mark.parametrize(("s1", "s0", "said"), [
    ([1.1], [0.5], "stay_with runs from 1.1 to 1.1; give probabilities"),
    ([0.5], [-0.1], "stay_without runs from -0.1 to -0.1; give probabilities"),
    ([np.nan], [0.5], "stay_with is nan at row 0"),
])
def test_refusals(s1, s0, said) -> None:
    with pytest.raises(DataError, match=said):
        treatment_profit(s1, s0, **MONEY)
