"""What only the simulator knows: means as documented and correlations as configured."""

from __future__ import annotations

import numpy as np
import pytest
from made_base import SCENARIOS, N, Z, assert_correlation, assert_mean, assert_share, made
from scipy.stats import norm

from churnsim.population.categories import NEEDS, USAGE_SCENARIOS

BASE = made(np.arange(N))
SCENARIO = BASE["usage_scenario"]


def test_sensitivities():
    assert_mean(BASE["service_sensitivity"], 0.0)
    for name, mean in (("general", 0.0), ("student", 0.4)):
        assert_mean(BASE["technology_sensitivity"][USAGE_SCENARIOS.index(name) == SCENARIO], mean)


@pytest.mark.parametrize("by_attention", [-2.0, 0.0, 1.5])
def test_responsiveness_has_mean_1_whatever_moves_it(by_attention):
    base = made(np.arange(N), changes={"responsiveness_by_attention": by_attention})
    assert_mean(base["responsiveness"], 1.0)
    causes = np.stack([base["price_sensitivity"], base["attention"], np.ones(N)], axis=1).astype(float)
    slopes, residual, *_ = np.linalg.lstsq(causes, np.log(base["responsiveness"]), rcond=None)
    error = Z * 0.5 / np.sqrt(N)
    assert slopes[0] == pytest.approx(0.3, abs=error)
    assert slopes[1] == pytest.approx(by_attention, abs=error / base["attention"].std())
    assert np.sqrt(residual[0] / N) == pytest.approx(0.5, rel=Z / np.sqrt(2 * N))


def test_attention_and_residual_need_are_shares_with_their_means():
    """Laws u**(1/m - 1): P(X < x) = x**(m / (1 - m))."""
    for name, mean in (("attention", 0.3), ("residual_need", 0.8)):
        assert BASE[name].min() >= 0.0 and BASE[name].max() <= 1.0
        assert_mean(BASE[name], mean)
        assert_share(BASE[name] < 0.5, 0.5 ** (mean / (1.0 - mean)))


def test_satisfaction_and_attitude():
    usual = BASE["usual_satisfaction"]
    assert_share(usual < 70.0, 0.5)
    assert_share(usual < 60.0, norm.cdf(-1.0))
    assert usual.max() == 100.0
    np.testing.assert_array_equal(BASE["satisfaction"], usual)
    assert_mean(BASE["attitude"], 0.0)
    assert BASE["attitude"].std() == pytest.approx(1.0, rel=Z / np.sqrt(2 * N))
    # Satisfaction is cut at 100, which 1 in 700 reach: the correlation is that of the bulk within 1 %.
    assert_correlation(BASE["attitude"][usual < 100], usual[usual < 100], 0.5 * 0.996)
    # With no spread of satisfaction, attitude keeps its own.
    assert made(np.arange(2000), changes={"satisfaction_sd": 0.0})["attitude"].std() > 0.9


def test_inertia_grows_with_tenure():
    years = np.log1p(BASE["tenure_months"] / 12.0)
    slope, _ = np.polyfit(years, BASE["inertia"], 1)
    assert slope == pytest.approx(0.4, abs=Z / np.sqrt(N) / years.std())
    two = BASE["tenure_months"] == 24
    assert_mean(BASE["inertia"][two], 0.0)


def test_needs_follow_the_scenario():
    for name in ("general", "voice_led_senior", "student", "converged_family"):
        rows = USAGE_SCENARIOS.index(name) == SCENARIO
        wanted = SCENARIOS[name].get("needs", {})
        for code, need in enumerate(NEEDS[1:], start=1):
            assert_share(BASE["need"][rows] == code, wanted.get(need, 0.0))


def test_a_need_is_met_by_half_the_plans_and_by_a_smart_home():
    need, met = BASE["need"], BASE["need_met"] == 1
    assert met[need == 0].all()
    smart = need == NEEDS.index("smart_home")
    owner = BASE["smart_home"] == 1
    assert met[smart & owner].all() and (smart & owner).sum() > 1000
    assert_share(met[smart & ~owner], 0.5)
    assert_share(met[need == NEEDS.index("night_data")], 0.5)
