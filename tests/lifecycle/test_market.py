from __future__ import annotations

import numpy as np
from scipy.stats import chi2, norm

from churnsim.core.draws import make_key, normal, uniform
from churnsim.lifecycle.market import NETWORK, PROMOTION, make_market

from .examples import KEY, market

IDS = np.arange(2)


def test_the_first_months_by_hand():
    made = make_market(market(), regions=2, months=3, key=KEY)
    shock = [normal(KEY, NETWORK, IDS, month=month) for month in range(3)]
    first = shock[0]
    second = 0.8 * first + 0.6 * shock[1]
    np.testing.assert_allclose(made.network, [first, second, 0.8 * second + 0.6 * shock[2]], rtol=1e-5)
    runs = [uniform(KEY, PROMOTION, IDS, month=month) < 0.3 for month in range(3)]
    np.testing.assert_array_equal(made.promotion, 1.5 * np.array(runs))


def test_the_season_peaks_in_january():
    made = make_market(market(start_month_of_year=10, season_amplitude=2.0), regions=1, months=16, key=KEY)
    np.testing.assert_allclose(made.season[[0, 3, 9, 15]], [0.0, 2.0, -2.0, 2.0], atol=1e-6)


def test_months_and_regions_asked_for_change_nothing():
    long = make_market(market(), regions=5, months=30, key=KEY)
    short = make_market(market(), regions=3, months=7, key=KEY)
    np.testing.assert_array_equal(short.promotion, long.promotion[:7, :3])
    np.testing.assert_array_equal(short.network, long.network[:7, :3])
    np.testing.assert_array_equal(short.season, long.season[:7])


def test_another_future_of_the_same_past():
    past = make_market(market(), regions=4, months=20, key=KEY)
    other = make_market(market(), regions=4, months=20, key=make_key(seed=5, replicate=0, purpose="inner"),
                        past=past, past_months=8)
    np.testing.assert_array_equal(other.network[:8], past.network[:8])
    np.testing.assert_array_equal(other.promotion[:8], past.promotion[:8])
    assert (other.network[8:] != past.network[8:]).all()
    assert (other.promotion[8:] != past.promotion[8:]).any()
    same = make_market(market(), regions=4, months=20, key=KEY, past=past, past_months=8)
    np.testing.assert_array_equal(same.network, past.network)


def test_quality_is_stationary_and_promotions_have_their_share():
    """Regions are independent: chi-square and binomial limits, false-alarm rate 1e-4 each of 13."""
    regions = 20_000
    made = make_market(market(), regions=regions, months=12, key=KEY)
    square = (made.network.astype(np.float64) ** 2).sum(axis=1)
    assert (square > chi2.ppf(5e-5, regions)).all()
    assert (square < chi2.isf(5e-5, regions)).all()
    share = (made.promotion > 0).mean()
    assert abs(share - 0.3) < norm.isf(5e-5) * np.sqrt(0.3 * 0.7 / made.promotion.size)
