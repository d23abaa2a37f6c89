"""Brand tier, fee and price sensitivity: their joint law, and the law of what is not given."""

from __future__ import annotations

import numpy as np
import pytest
from made_base import TRAITS, N, Z, assert_correlation, assert_mean, assert_share, made
from scipy.special import ndtri

from churnsim.population.categories import BRAND_TIERS, USAGE_SCENARIOS

BASE = made(np.arange(N))
SCENARIO, KIND, TIER = BASE["usage_scenario"], BASE["customer_type"], BASE["brand_tier"]
LOG_FACTOR = np.log([0.75, 1.0, 1.5])


def test_price_sensitivity_is_normal_around_the_scenarios():
    for name, mean in (("general", 0.0), ("student", 0.8), ("finance", -0.5)):
        found = BASE["price_sensitivity"][USAGE_SCENARIOS.index(name) == SCENARIO].astype(np.float64)
        assert_mean(found, mean)
        assert found.var() == pytest.approx(1.0, rel=Z * np.sqrt(2.0 / len(found)))


def test_tiers_have_their_shares_over_all_and_students_are_on_the_budget_brand():
    for code, name in enumerate(BRAND_TIERS):
        assert_share(code == TIER, TRAITS["brand_tier_shares"][name])
    budget = [np.mean(TIER[USAGE_SCENARIOS.index(name) == SCENARIO] == 0) for name in ("finance", "general", "student")]
    assert budget[0] + 0.03 < budget[1] < budget[2] - 0.03


@pytest.mark.parametrize("correlation", [-1.0, -0.4, 0.0, 0.7])
def test_the_rank_of_the_tier_is_correlated_with_price_sensitivity(correlation):
    """A cut of a normal rank at its quantile c is correlated with s by rho phi(c) / sqrt(F(c) (1 - F(c)))."""
    alike = {name: {"shares": {}} for name in USAGE_SCENARIOS}
    alike["general"]["shares"] = dict.fromkeys(("individual", "family", "enterprise_small", "enterprise_large"), 1.0)
    base = made(np.arange(N), changes={"brand_tier_by_price_sensitivity": correlation, "usage_scenarios": alike})
    at = ndtri(0.3)
    strength = np.exp(-0.5 * at**2) / np.sqrt(2.0 * np.pi) / np.sqrt(0.3 * 0.7)
    assert_correlation(base["brand_tier"] > 0, base["price_sensitivity"], correlation * strength)


def test_the_fee_within_a_tier_moves_with_price_sensitivity():
    for code in range(3):
        rows = (KIND == 0) & (SCENARIO == 0) & (code == TIER)
        fee = np.log(BASE["plan_price_amount"][rows].astype(np.float64))
        slope, median = np.polyfit(BASE["price_sensitivity"][rows], fee, 1)
        # Within a tier sensitivities spread a little less than 1.
        error = Z * 0.3 / np.sqrt(rows.sum()) / 0.85
        assert slope == pytest.approx(-0.1, abs=error)
        assert median == pytest.approx(np.log(40.0) + LOG_FACTOR[code], abs=error * 1.3)


# Given fee, tier or both, what is drawn must have the law that the forward draws have among those with that fee and
# tier. The forward base of one kind and scenario is cut to a narrow band of fees for comparison.
FORWARD = made(np.arange(1_500_000), known={"customer_type": np.zeros(1_500_000), "usage_scenario": np.full(
    1_500_000, USAGE_SCENARIOS.index("student"))})
FEES = FORWARD["plan_price_amount"]


def given(n, **known):
    ids = np.arange(10**7, 10**7 + n)
    known = {"customer_type": 0, "usage_scenario": USAGE_SCENARIOS.index("student"), **known}
    return made(ids, known={name: np.full(n, float(value)) for name, value in known.items()})


def alike(found, wanted):
    """Means, variances and shares of two samples agree; false-alarm rate 1e-4 each."""
    error = Z * np.sqrt(found.var() / len(found) + wanted.var() / len(wanted))
    assert abs(found.mean() - wanted.mean()) < error + 1e-12
    error = Z * np.sqrt(2.0 / len(found) + 2.0 / len(wanted))
    assert found.var() == pytest.approx(wanted.var(), rel=error * 1.2)


@pytest.mark.parametrize("fee", [25.0, 36.0, 60.0])
def test_tier_and_sensitivity_given_a_known_fee(fee):
    band = np.abs(np.log(FEES / fee)) < 0.015
    found = given(30_000, plan_price_amount=fee)
    np.testing.assert_allclose(found["plan_price_amount"], fee)
    alike(found["price_sensitivity"].astype(float), FORWARD["price_sensitivity"][band].astype(float))
    for code in range(3):
        share, wanted = (found["brand_tier"] == code).mean(), (FORWARD["brand_tier"][band] == code).mean()
        assert abs(share - wanted) < Z * np.sqrt(share * (1.0 - share) * (1.0 / 30_000 + 1.0 / band.sum()))
        of = found["brand_tier"] == code
        if of.sum() > 2000:
            alike(found["price_sensitivity"][of].astype(float),
                  FORWARD["price_sensitivity"][band & (FORWARD["brand_tier"] == code)].astype(float))


@pytest.mark.parametrize("code", [0, 1, 2])
def test_sensitivity_and_fee_given_a_known_tier(code):
    there = FORWARD["brand_tier"] == code
    found = given(30_000, brand_tier=code)
    assert (found["brand_tier"] == code).all()
    alike(found["price_sensitivity"].astype(float), FORWARD["price_sensitivity"][there].astype(float))
    alike(np.log(found["plan_price_amount"].astype(float)), np.log(FEES[there].astype(float)))


@pytest.mark.parametrize(("fee", "code"), [(25.0, 0), (36.0, 1), (60.0, 2), (36.0, 0)])
def test_sensitivity_given_fee_and_tier(fee, code):
    band = (np.abs(np.log(FEES / fee)) < 0.015) & (FORWARD["brand_tier"] == code)
    found = given(30_000, plan_price_amount=fee, brand_tier=code)
    alike(found["price_sensitivity"].astype(float), FORWARD["price_sensitivity"][band].astype(float))


def test_one_tier_keeps_the_normal_law():
    """Mean (mu s^2 + b r) / (b^2 + s^2), variance s^2 / (b^2 + s^2), r the log of the fee over its median."""
    changes = {"brand_tier_shares": {"budget": 0.0, "standard": 1.0, "premium": 0.0}}
    known = {"plan_price_amount": np.full(N, 80.0), "customer_type": np.zeros(N), "usage_scenario": np.zeros(N)}
    base = made(np.arange(N), known=known, changes=changes)
    assert (base["brand_tier"] == 1).all()
    drawn = base["price_sensitivity"].astype(np.float64)
    assert_mean(drawn, -0.1 * np.log(2.0) / 0.1)
    assert drawn.var() == pytest.approx(0.9, rel=Z * np.sqrt(2.0 / N))


def test_rows_without_fee_and_tier_are_drawn_as_ever():
    fees = np.full(100, np.nan)
    fees[::2] = 40.0
    base = made(np.arange(100), known={"plan_price_amount": fees})
    for name in ("price_sensitivity", "brand_tier", "plan_price_amount"):
        np.testing.assert_array_equal(base[name][1::2], BASE[name][:100][1::2])


@pytest.mark.parametrize("changes", [{"price_log_sd": 0.0},
                                     {"price_log_sd": 0.0, "price_log_by_price_sensitivity": 0.0},
                                     {"brand_tier_by_price_sensitivity": 1.0}, {"price_log_by_price_sensitivity": 0.0},
                                     {"price_log_sd": 0.0, "brand_tier_by_price_sensitivity": -1.0}])
@pytest.mark.parametrize("known", [{"plan_price_amount": 1e6}, {"plan_price_amount": 0.0}, {"brand_tier": 2.0},
                                   {"plan_price_amount": 40.0, "brand_tier": 0.0}])
def test_laws_without_spread_are_finite(changes, known):
    base = made(np.arange(200), changes=changes, known={name: np.full(200, value) for name, value in known.items()})
    assert np.isfinite(base["price_sensitivity"]).all() and set(base["brand_tier"]) <= {0, 1, 2}
