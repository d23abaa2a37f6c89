"""Lifetimes in closed form: the published figures, sums by hand, and simulated ones beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import hyp2f1
from small_world import base_at_campaign, small_world

from churnsim.errors import DataError
from churnsim.evaluation.lifetime import Lifetimes, Sbg, fit_sbg, lifetime_table, simulate_lifetimes

# Fader and Hardie (2007), table 1, years 0 to 12, per cent of 1,000 customers: fitted on 0 to 7, projected to 12.
PUBLISHED = {
    "regular_pct_surviving": {"alpha": 0.7041, "beta": 1.1820, "log_likelihood": -1680.27, "year_12": 0.170,
                              "lifetime": 3.69, "constant": 0.004},
    "high_end_pct_surviving": {"alpha": 0.6681, "beta": 3.8061, "log_likelihood": -1611.16, "year_12": 0.378,
                               "lifetime": 5.92, "constant": 0.185},
}
REGULAR = [1000.0, 631.0, 468.0, 382.0, 326.0, 289.0, 262.0, 241.0]


@pytest.mark.parametrize("segment", PUBLISHED)
def test_the_published_fits_are_found(segment: str, data_dir: Path) -> None:
    """Also Fader and Hardie (2010): expected discounted lifetime of a new customer at 10 % a year."""
    table = pd.read_csv(data_dir / "sbg_retention" / "fader_hardie_2007_table1.csv")
    share = table[segment].to_numpy() / 100.0
    law, known = fit_sbg(1000.0 * share[:8]), PUBLISHED[segment]
    assert (law.alpha, law.beta) == pytest.approx((known["alpha"], known["beta"]), abs=1e-4)
    assert law.log_likelihood == pytest.approx(known["log_likelihood"], abs=0.006)
    assert law.survival(12) == pytest.approx(known["year_12"], abs=5e-4)
    assert law.lifetime(discount_rate=0.1) == pytest.approx(known["lifetime"], abs=0.005)
    # The textbook failure: whoever takes the first year's retention for all years expects next to nobody.
    assert share[1] ** 12 == pytest.approx(known["constant"], abs=5e-4)
    projected = law.survival(np.arange(8, 13))
    assert np.abs(projected / share[8:] - 1.0).mean() < 0.03


def test_the_regular_segment_without_its_file() -> None:
    law = fit_sbg(REGULAR)
    assert (law.alpha, law.beta, law.log_likelihood) == pytest.approx((0.7041, 1.1820, -1680.27), abs=6e-3)


def test_survival_by_hand() -> None:
    """B(2, 1 + t) / B(2, 1) = 2 / ((t + 1)(t + 2)); retention (1 + t - 1) / (3 + t - 1) rises."""
    law = Sbg(2.0, 1.0)
    survival = law.survival(np.arange(5))
    assert survival == pytest.approx([1.0, 1 / 3, 1 / 6, 1 / 10, 1 / 15])
    retention = survival[1:] / survival[:-1]
    assert retention == pytest.approx([1 / 3, 2 / 4, 3 / 5, 4 / 6])


@given(st.floats(0.3, 20.0), st.floats(0.3, 50.0), st.floats(0.01, 0.5), st.integers(0, 5))
def test_the_closed_form_of_a_lifetime_is_its_sum(alpha: float, beta: float, rate: float, renewals: int) -> None:
    law = Sbg(alpha, beta)
    survival = law.survival(np.arange(4000))
    discounted = (1.0 + rate) ** -np.arange(4000.0 - renewals)
    summed = (survival[renewals:] / survival[renewals] * discounted).sum()
    assert law.lifetime(discount_rate=rate, renewals=renewals) == pytest.approx(summed, rel=1e-6)
    b = beta + renewals
    assert summed == pytest.approx(hyp2f1(1.0, b, alpha + b, 1.0 / (1.0 + rate)), rel=1e-6)
    assert law.lifetime(discount_rate=rate, renewals=renewals + 1) > law.lifetime(discount_rate=rate, renewals=renewals)


@given(st.floats(0.5, 5.0), st.floats(0.5, 10.0))
def test_the_law_of_a_perfect_table_is_found(alpha: float, beta: float) -> None:
    survivors = 1e6 * Sbg(alpha, beta).survival(np.arange(13))
    law = fit_sbg(survivors)
    assert (law.alpha, law.beta) == pytest.approx((alpha, beta), rel=5e-3)


def test_without_discount_a_lifetime_may_have_no_bound() -> None:
    """E[1 / chance] = (alpha + beta - 1) / (alpha - 1) periods."""
    assert Sbg(3.0, 4.0).lifetime(discount_rate=0.0) == pytest.approx(3.0)
    assert Sbg(3.0, 4.0).lifetime(discount_rate=1e-4) == pytest.approx(3.0, rel=1e-3)
    assert Sbg(1.0, 4.0).lifetime(discount_rate=0.0) == np.inf


def test_a_constant_chance_is_on_the_edge_and_projects_well() -> None:
    law = fit_sbg(1000.0 * 0.9 ** np.arange(10))
    assert law.survival(30) == pytest.approx(0.9**30, rel=1e-3)
    assert law.lifetime(discount_rate=0.1) == pytest.approx(1.0 / (1.0 - 0.9 / 1.1), rel=1e-3)


@pytest.mark.parametrize(("survivors", "message"), [
    ([10.0, 5.0], "survivors: must be 3 or more finite numbers that start above 0 and never rise (got [10.0, 5.0])"),
    ([10.0, 5.0, 6.0], "survivors: must be 3 or more finite numbers that start above 0 and never rise "
                       "(got [10.0, 5.0, 6.0])"),
    ([0.0, 0.0, 0.0], "survivors: must be 3 or more finite numbers that start above 0 and never rise "
                      "(got [0.0, 0.0, 0.0])"),
    ([10.0, np.nan, 6.0], "survivors: must be 3 or more finite numbers that start above 0 and never rise "
                          "(got [10.0, nan, 6.0])"),
    ([10.0, 10.0, 10.0], "survivors: nothing can be fitted if nobody leaves, or all in the first period "
                         "(got [10.0, 10.0, 10.0])"),
    ([10.0, 0.0, 0.0], "survivors: nothing can be fitted if nobody leaves, or all in the first period "
                       "(got [10.0, 0.0, 0.0])"),
])
def test_what_cannot_be_fitted_is_refused(survivors: list[float], message: str) -> None:
    with pytest.raises(DataError) as found:
        fit_sbg(survivors)
    assert str(found.value) == message


def test_a_table_by_hand() -> None:
    """Two groups, four months, no discounting: one stays for 10 a month, the other halves and loses 1 a month."""
    active = np.array([[1.0, 1.0], [0.9, 0.5], [0.8, 0.25], [0.7, 0.125]])
    found = lifetime_table(Lifetimes(active, active * [10.0, -1.0]), groups=np.array(["a", "b"]), fit_months=2,
                           rate_annual=0.0)
    assert found["group"].tolist() == ["all", "a", "b"] and found["subscribers"].tolist() == [2, 1, 1]
    assert found["negative_margin_share"].tolist() == [0.5, 0.0, 1.0]
    assert found["margin_amount"].tolist() == pytest.approx([(19.0 - 1.5) / 3.4, 10.0, -1.0])
    assert found["lifetime_months_simulated"].tolist() == pytest.approx([(3.4 + 1.875) / 2, 3.4, 1.875])
    assert found["value_simulated"].tolist() == pytest.approx([(34.0 - 1.875) / 2, 34.0, -1.875])
    # b halves each month: the law is a constant chance.
    assert found["lifetime_months_closed"][2] == pytest.approx(1.875, rel=1e-3)
    assert found["value_closed"][2] == pytest.approx(-1.875, rel=1e-3)
    assert found["value_closed_unbounded"][2] == pytest.approx(-2.0, rel=1e-3)


@pytest.mark.parametrize("fit_months", [1, 4])
def test_fit_months_lie_within_the_simulated_ones(fit_months: int) -> None:
    found = Lifetimes(np.ones((4, 1)), np.ones((4, 1)))
    message = rf"^fit_months: must be 2 to 3, the months simulated less 1 \(got {fit_months}\)$"
    with pytest.raises(DataError, match=message):
        lifetime_table(found, groups=np.array(["a"]), fit_months=fit_months, rate_annual=0.1)


def test_simulated_lifetimes_beside_the_closed_form() -> None:
    """Fitted to a year, the closed form is within a tenth of the simulated lifetime of two years."""
    world = small_world("population.size=2000")
    base = base_at_campaign(world)
    base = base.take(np.flatnonzero((base["decision_time"] > 8) & (base["join_month"] < 8)))
    before = base.copy()
    found = simulate_lifetimes(base, world.engine, start=8, months=24)
    assert all(np.array_equal(base[name], before[name], equal_nan=True) for name in base.columns)
    assert (found.active[0] == 1.0).all() and (np.diff(found.active.sum(axis=1)) < 0.0).all()
    table = lifetime_table(found, groups=np.full(len(base), "x"), fit_months=12, rate_annual=0.1)
    row = table.iloc[0]
    assert row["lifetime_months_closed"] == pytest.approx(row["lifetime_months_simulated"], rel=0.1)
    assert row["value_closed"] == pytest.approx(row["value_simulated"], rel=0.15)
    assert row["value_closed_unbounded"] > row["value_closed"] > 0.0
