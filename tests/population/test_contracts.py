"""Tenure and contracts: lengths by kind of account, months left that fit the tenure, and what a table gives."""

from __future__ import annotations

import numpy as np
import pytest
from made_base import KINDS, SCENARIOS, N, assert_share, made

from churnsim.population.categories import CUSTOMER_TYPES, USAGE_SCENARIOS

BASE = made(np.arange(N))
KIND = BASE["customer_type"]


@pytest.mark.parametrize("migrant", [False, True])
@pytest.mark.parametrize("scenario", ["general", "student", "voice_led_senior"])
def test_tenure_of_individuals(scenario, migrant):
    rows = (KIND == 0) & (BASE["usage_scenario"] == USAGE_SCENARIOS.index(scenario)) & (BASE["locality"] == migrant)
    mean = 20.0 * SCENARIOS[scenario].get("tenure_factor", 1.0) * (0.6 if migrant else 1.0)
    for months in (3, 12):
        assert_share(BASE["tenure_months"][rows] >= months, np.exp(-months / mean))


@pytest.mark.parametrize(("code", "name"), list(enumerate(CUSTOMER_TYPES)))
def test_contract_lengths_by_kind(code, name):
    postpaid = (code == KIND) & (BASE["payment"] == 0)
    for months in (0, 12, 24, 36):
        assert_share(BASE["contract_length_months"][postpaid] == months,
                     KINDS[name]["contract_length_months_shares"].get(months, 0.0))
    assert not BASE["contract_length_months"][BASE["payment"] == 1].any()


def test_contracts_fit_the_tenure():
    length, left, tenure = (BASE[name].astype(int) for name in (
        "contract_length_months", "contract_left_months", "tenure_months"))
    assert not left[length == 0].any()
    first = (length > 0) & (tenure < length)
    np.testing.assert_array_equal(left[first], length[first] - tenure[first])
    later = (length > 0) & (tenure >= length)
    assert_share(left[later] > 0, 0.7)
    bound = later & (left > 0)
    assert (left[bound] <= length[bound]).all()
    assert ((tenure[bound] + left[bound]) % length[bound] == 0).all()


def test_known_months_left_fit_a_length():
    """Of individuals' lengths 0, 12 and 24 with shares .1, .6 and .3: given 10 months left 2 to 1, given 20 only 24."""
    n = 30_000
    left = np.repeat([10.0, 20.0, 30.0, 0.0], n)
    known = {"contract_left_months": left, "customer_type": np.zeros(4 * n), "payment": np.zeros(4 * n)}
    base = made(np.arange(4 * n), known=known)
    np.testing.assert_array_equal(base["contract_left_months"], left)
    ten, twenty, thirty, none = base["contract_length_months"].reshape(4, n)
    assert set(ten) == {12, 24} and set(twenty) == {24} and set(thirty) == {30}
    assert_share(ten == 12, 2 / 3)
    for months, share in ((0, 0.1), (12, 0.6), (24, 0.3)):
        assert_share(none == months, share)


@pytest.mark.parametrize("name", ["contract_left_months", "contract_length_months"])
def test_who_has_a_contract_pays_after_use(name):
    base = made(np.arange(2000), known={name: np.full(2000, 6.0), "customer_type": np.zeros(2000)})
    assert not base["payment"].any() and (base["contract_length_months"] >= 6).all()
    assert made(np.arange(2000), known={name: np.zeros(2000)})["payment"].any()


def test_months_since_the_contract_ended_fit_tenure_and_length():
    """A contract of 12 months that ended 3 months ago: the month after its end counts 1, so 4; none for the others."""
    known = {"tenure_months": np.array([15.0, 27.0, 15.0, 5.0]),
             "contract_length_months": np.array([12.0, 12.0, 12.0, 0.0]),
             "contract_left_months": np.array([0.0, 0.0, 9.0, 0.0])}
    assert made(range(4), known=known)["contract_ended_months"].tolist() == [4, 4, 127, 127]
