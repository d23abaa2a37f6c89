"""Three conventions of churn a year, on counts by hand and on worlds whose rates are known."""

from __future__ import annotations

import numpy as np
import pytest
from lifecycle.examples import engine, lifecycle, subscribers
from scipy.stats import norm

from churnsim.errors import DataError
from churnsim.evaluation.churn_rates import ChurnCounts, ChurnRates, churn_rates

# False-alarm rate of one comparison below, over seeds.
Z = norm.isf(5e-5)


def test_by_hand():
    totals = np.array([[200, 20], [90, 0], [110, 11], *[[100, 4]] * 9, [100, 50]])
    found = churn_rates(totals)
    assert found.monthly == pytest.approx((0.1 + 0.0 + 0.1 + 9 * 0.04) / 12)
    assert found.over_average_base == pytest.approx(67 / (1300 / 12))
    assert found.compounded == pytest.approx(1 - (1 - 0.56 / 12) ** 12)
    assert found.closed_cohort == 0.5


def test_a_month_without_a_base_is_refused():
    totals = np.array([[100, 10]] * 5 + [[0, 0]] * 7 + [[100, 100]])
    with pytest.raises(DataError, match=r"^churn of a year: nobody is on the network when month 6 of it starts; "
                                        r"take a year with subscribers$"):
        churn_rates(totals)


def test_a_table_and_a_line_to_read():
    rates = ChurnRates(0.025, 0.3, 0.262, 0.241)
    table = rates.table()
    assert table.set_index("convention")["annual_churn"].to_dict() == {
        "over_average_base": 0.3, "compounded": 0.262, "closed_cohort": 0.241}
    assert rates.text() == ("churn of the last year: 30.0% (leavers over average base), 26.2% (2.50% a month "
                            "compounded), 24.1% (of those there at its start)")


def counted(monthly, *, n, start=2, **how):
    """Return the counts of a year in which locality has the given monthly churn and newcomers replace leavers."""
    rates = np.array(monthly)
    hazard = -np.log1p(-rates)
    settings = lifecycle(notice_days=0.0, causes={"any": {
        "intercept": float(np.log(hazard[0])), "coefficients": {"migrant": float(np.log(hazard[1] / hazard[0]))}}})
    joins, locality = [np.full(n, -24)], [np.arange(n) % 2]
    for month in range(1, start + 12):
        fresh = np.rint(rates * n / 2).astype(int)
        joins.append(np.full(fresh.sum(), month))
        locality.append(np.repeat([0, 1], fresh))
    joined = np.concatenate(joins)
    base = subscribers(len(joined), join_month=joined, locality=np.concatenate(locality))
    counts = ChurnCounts(start=start)
    engine(settings).run([(base, None), (base.copy(), None)], start=0, months=start + 14, observe=counts.observe, **how)
    return counts


def test_a_constant_rate():
    """2.5 % a month: 30 % over the average base, 26.2 % compounded, and as much of a closed cohort.

    False-alarm rate 1e-4 each of three.
    """
    n = 100_000
    rates = counted((0.025, 0.025), n=n).rates()
    sd = np.sqrt(0.25 * 0.75 / n)
    assert abs(rates.over_average_base - 0.3) < Z * np.sqrt(0.3 / n)
    assert abs(rates.compounded - 0.2620) < Z * 12 * 0.75 * np.sqrt(0.025 / 12 / n)
    assert abs(rates.closed_cohort - rates.compounded) < 2 * Z * sd


def test_a_closed_cohort_of_unlike_subscribers_loses_less():
    """Half leave at .5 % a month, half at 4.5 %: 24.1 % of a cohort, 26.2 % compounded. False-alarm rate 1e-4 each."""
    n = 100_000
    rates = counted((0.005, 0.045), n=n).rates()
    expected = 1.0 - (0.995**12 + 0.955**12) / 2
    assert expected == pytest.approx(0.2415, abs=1e-4)
    assert abs(rates.monthly - 0.025) < 2e-3 * 0.5
    assert abs(rates.closed_cohort - expected) < Z * np.sqrt(expected * (1 - expected) / n)
    assert rates.closed_cohort < rates.compounded - 0.01 < rates.over_average_base


def test_the_year_begins_with_its_first_month():
    """Two years of one run share nine months; nobody joins or returns, so that those there at first are the cohort."""
    settings = lifecycle(notice_days=0.0, causes={"any": {"intercept": float(np.log(0.02)), "coefficients": {}}})
    early, late = ChurnCounts(start=0), ChurnCounts(start=3)

    def watch(block):
        early.observe(block)
        late.observe(block)

    engine(settings).run([(subscribers(60, join_month=np.full(60, -24)), None)], start=0, months=15, observe=watch)
    assert (late.totals[:9] == early.totals[3:12]).all()
    for counts in (early, late):
        assert counts.totals[-1].tolist() == [counts.totals[0, 0], counts.totals[:12, 1].sum()]
    assert (late.totals[:12, 1] == 0).any(), "choose another seed: a month without leavers is to be among them"
    assert late.rates() is not None


def test_blocks_threads_and_partitions_change_nothing():
    whole = counted((0.02, 0.05), n=4000).totals
    assert np.array_equal(counted((0.02, 0.05), n=4000, block=300, threads=2).totals, whole)
    assert whole[0, 0] > whole[-1, 1] > 0
    assert counted((0.02, 0.05), n=40, start=-1).rates() is None
