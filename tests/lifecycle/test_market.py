from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from churnsim.core.draws import make_key, normal, stream, uniform
from churnsim.lifecycle import market as made_by
from churnsim.lifecycle.market import arrivals, make_market
from churnsim.lifecycle.market_settings import check_market
from churnsim.population.categories import USAGE_SCENARIOS

from .examples import KEY, market

REGION = np.arange(2)
SCENARIO = {name: k for k, name in enumerate(USAGE_SCENARIOS)}
RIVALS = {
    "rival": {"start_prob": 0.3, "strength": 1.5, "pull": 1.0},
    "virtual": {"start_prob": 0.4, "strength": 2.0, "pull": 0.2, "scenario_pull": {"student": 1.4}},
    "bundler": {"start_prob": 0.5, "strength": 1.0, "pull": 0.0, "scenario_pull": {"converged_family": 1.2}},
}
FIELDS = ("promotion", "network", "mended_share", "newcomer_promotion", "season", "price_factor")


def make(*, regions=3, cells=4, months=30, key=KEY, past=None, past_months=0, **changes):
    return make_market(market(**changes), regions=regions, cells_per_region=cells, months=months, key=key, past=past,
                       past_months=past_months)


def network(**changes):
    return {"persistence": 0.8, "region_share": 0.36, "load_warning_points": -1.0, "predictive_share": 0.0, **changes}


def test_quality_of_the_first_months_by_hand():
    """Two regions of one cell: .6 of the region's shock and .8 of the cell's, then .8 of last month and .6 new."""
    made = make(regions=2, cells=1, months=3, network=network())
    shock = [0.6 * normal(KEY, made_by.NETWORK, REGION, month=month)
             + 0.8 * normal(KEY, made_by.CELLS, REGION << 16, month=month) for month in range(3)]
    second = 0.8 * shock[0] + 0.6 * shock[1]
    np.testing.assert_allclose(made.network, [shock[0], second, 0.8 * second + 0.6 * shock[2]], rtol=1e-5, atol=1e-6)


def test_promotions_by_hand():
    """Of each competitor: whether it runs in the region x strength x pull on the scenario."""
    made = make(regions=2, months=3, competitors=RIVALS)
    runs = {name: np.array([uniform(KEY, stream(f"market.promotion.{name}"), REGION, month=m) < rival["start_prob"]
                            for m in range(3)]) for name, rival in RIVALS.items()}
    for scenario, pulls in {"general": (1.5, 0.4, 0.0), "student": (1.5, 2.8, 0.0),
                            "converged_family": (1.5, 0.4, 1.2)}.items():
        expected = sum(pull * runs[name] for name, pull in zip(RIVALS, pulls, strict=True))
        np.testing.assert_allclose(made.promotion[:, :, SCENARIO[scenario]], expected, rtol=1e-6)


def test_a_competitor_more_leaves_the_others_alone():
    one, both = ({name: RIVALS[name] for name in names} for names in (("rival",), ("rival", "bundler")))
    general = SCENARIO["general"]
    np.testing.assert_array_equal(make(competitors=one).promotion[..., general],
                                  make(competitors=both).promotion[..., general])


def test_the_season_peaks_in_its_month():
    made = make(months=16, start_month_of_year=10, season_amplitude=2.0)
    np.testing.assert_allclose(made.season[[0, 3, 9, 15]], [0.0, 2.0, -2.0, 2.0], atol=1e-6)
    july = make(months=16, season_peak_month=7)
    np.testing.assert_allclose(july.season[[0, 6, 9]], [-1.0, 1.0, 0.0], atol=1e-6)


def test_months_regions_and_cells_asked_for_change_nothing():
    long, short = make(regions=5, cells=6, months=30), make(regions=3, cells=2, months=7)
    np.testing.assert_array_equal(short.promotion, long.promotion[:7, :3])
    np.testing.assert_array_equal(short.network.reshape(7, 3, 2), long.network.reshape(30, 5, 6)[:7, :3, :2])
    for name in ("newcomer_promotion", "season", "price_factor"):
        np.testing.assert_array_equal(getattr(short, name), getattr(long, name)[:7])


def test_another_future_of_the_same_past():
    settings = {"network": network(predictive_share=0.4)}
    past = make(months=40, **settings)
    other = make(months=40, key=make_key(seed=5, replicate=0, purpose="inner"), past=past, past_months=8, **settings)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(other, name)[:8], getattr(past, name)[:8], err_msg=name)
    assert (other.network[8:] != past.network[8:]).all()
    for name in ("promotion", "newcomer_promotion", "mended_share"):
        assert (getattr(other, name)[8:] != getattr(past, name)[8:]).any(), name
    same = make(months=40, past=past, past_months=8, **settings)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(same, name), getattr(past, name), err_msg=name)


def test_a_future_goes_on_from_its_past():
    """Quality three months after the split still carries .8 ** 3 of the past's."""
    past = make(regions=4_000, cells=1, months=12)
    other = make(regions=4_000, cells=1, months=12, key=make_key(seed=6, replicate=0), past=past, past_months=8)
    correlation = np.corrcoef(past.network[7], other.network[10])[0, 1]
    # Standard error of a correlation (1 - r^2) / sqrt(n) = .012; false alarm 1e-4.
    assert abs(correlation - 0.512) < norm.isf(5e-5) * 0.012


def test_quality_is_stationary_and_shared_in_the_region():
    """Regions are independent: chi-square and normal limits, false-alarm rate 1e-4 each of 14."""
    regions = 20_000
    made = make(regions=regions, cells=2, months=12, network=network(region_share=0.3))
    quality = made.network.astype(np.float64).reshape(12, regions, 2)
    square = (quality[..., 0] ** 2).sum(axis=1)
    assert (square > chi2.ppf(5e-5, regions)).all()
    assert (square < chi2.isf(5e-5, regions)).all()
    for month in (0, 11):
        found = np.corrcoef(quality[month].T)[0, 1]
        assert abs(found - 0.3) < norm.isf(5e-5) * (1.0 - 0.3**2) / np.sqrt(regions)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_nothing_in_common(share):
    quality = make(cells=3, network=network(region_share=share)).network.reshape(30, 3, 3)
    together = np.isclose(quality[..., :1], quality[..., 1:], atol=1e-6)
    assert together.all() if share else not together.any()


def test_promotions_have_their_share():
    """A binomial limit each, false-alarm rate 1e-4: rival 0.3 of regions and months, newcomers' 0.3 of months."""
    made = make(regions=5_000, cells=1, months=12)
    assert abs((made.promotion[..., 0] > 0).mean() - 0.3) < norm.isf(5e-5) * np.sqrt(0.3 * 0.7 / 60_000)
    long = make(regions=1, cells=1, months=5_000)
    assert set(long.newcomer_promotion.tolist()) == {0.0, 1.0}
    assert abs(long.newcomer_promotion.mean() - 0.3) < norm.isf(5e-5) * np.sqrt(0.3 * 0.7 / 5_000)


def test_maintenance_looks_at_loaded_cells_alone():
    made = make(network=network(predictive_share=0.6, load_warning_points=-0.5))
    np.testing.assert_allclose(made.mended_share, np.where(made.network < -0.5, 0.6, 0.0), rtol=1e-6)
    assert 0.1 < (made.mended_share > 0).mean() < 0.5


def test_price_moves_multiply_by_tier_from_their_month_on():
    moves = [{"month": 4, "change_share": -0.2, "brand_tiers": ["premium"]}, {"month": 2, "change_share": 0.1}]
    made = make(months=6, price_moves=moves)
    expected = np.ones((6, 3))
    expected[2:] = 1.1
    expected[4:, 2] = 0.88
    np.testing.assert_allclose(made.price_factor, expected, rtol=1e-6)


def test_arrivals_by_hand():
    """1 % of 10,000 and half more in September; the simulation starts in July."""
    settings = market(arrivals_share_monthly=0.01, arrivals_season_amplitude=0.5, arrivals_peak_month=9,
                      start_month_of_year=7)
    assert [arrivals(settings, month=m, base_size=10_000) for m in (0, 2, 5, 8, 14)] == [125, 150, 100, 50, 150]


@given(share=st.floats(0.0, 0.2), amplitude=st.floats(0.0, 1.0), peak=st.integers(1, 12), first=st.integers(0, 40))
def test_a_year_of_arrivals_is_its_share(share, amplitude, peak, first):
    """Each month is rounded by at most one half."""
    settings = market(arrivals_share_monthly=share, arrivals_season_amplitude=amplitude, arrivals_peak_month=peak)
    year = [arrivals(settings, month=first + m, base_size=10_000) for m in range(12)]
    assert min(year) >= 0
    assert abs(sum(year) - 12 * share * 10_000) <= 6.0


def test_contradictions_are_findings():
    bad = market(competitors={"rival": {**RIVALS["rival"], "scenario_pull": {"gamer": 1.0}}},
                 newcomer_promotion={"start_prob": 0.3, "strength": 1.0, "discount_share": 0.2, "discount_months": 0,
                                     "dealer_commission_amount": 25.0})
    found = {".".join(path): text for path, text in check_market(bad)}
    assert found["market.competitors.rival.scenario_pull.gamer"].startswith("no such usage scenario; there are general")
    assert found["market.newcomer_promotion.discount_share"] == (
        "a discount needs both discount_share and discount_months above 0 (got 0.2 and 0)")
