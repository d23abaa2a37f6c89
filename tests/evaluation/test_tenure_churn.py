from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.core.columns import Subscribers
from churnsim.evaluation.tenure_churn import BAND_STARTS, BANDS, reweighted_rate, tenure_churn
from churnsim.population.columns import SCHEMA

NEVER = np.inf


def base_of(join_month: list[int], decision_time: list[float]) -> Subscribers:
    base = Subscribers.empty(SCHEMA, np.arange(len(join_month), dtype=np.int64))
    base["join_month"] = join_month
    base["decision_time"] = decision_time
    return base


def compared(base: Subscribers, *, months: int):
    return tenure_churn(
        base,
        months=months,
        tenure_months=np.array([7.0, 7.0, 11.0, np.nan]),
        churn=np.array([1.0, 0.0, 0.0, 1.0]),
        monthly_rate=0.02,
    ).set_index("band")


def test_reweighted_rate_by_hand():
    # Odds .449 / .551, times (.02 / .98) over (.288 / .712): .0411, that is a share of .0395.
    assert reweighted_rate(0.449, table_share=0.288, monthly_rate=0.02) == pytest.approx(0.0395, abs=5e-5)


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.5), st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_reweighting_keeps_the_order_and_moves_the_table_to_the_rate(table_share, rate, shares):
    out = reweighted_rate(sorted(shares), table_share=table_share, monthly_rate=rate)
    assert (np.diff(out) >= -1e-12).all()
    assert reweighted_rate(table_share, table_share=table_share, monthly_rate=rate) == pytest.approx(rate)
    assert reweighted_rate([0.0, 1.0], table_share=table_share, monthly_rate=rate).tolist() == [0.0, 1.0]


def test_exposure_and_decisions_by_age_by_hand():
    # Three months. Joined 9 months before: ages 9 to 10.5, leaves in its tenth month, in band "10".
    # Joined at month 1: ages 0 to 2, stays. Joined 12 months before: ages 12, 13 and 14.
    out = compared(base_of([-9, 1, -12], [1.5, NEVER, NEVER]), months=3)
    assert out["simulated_events"].to_dict() == {band: int(band == "10") for band in BANDS}
    at_risk = {"<6": 2.0, "6-9": 1.0, "10": 0.5, "12": 1.0, "13": 1.0, "14-15": 1.0}
    assert out["simulated_months_at_risk"].to_dict() == {band: at_risk.get(band, 0.0) for band in BANDS}
    rate = out["simulated_monthly_rate"]
    assert rate["10"] == pytest.approx(1 - np.exp(-1 / 0.5))
    assert rate[["<6", "6-9", "12", "13", "14-15"]].tolist() == [0.0] * 5
    assert np.isnan(rate[["11", "16-18", "62+"]]).all()


def test_decisions_after_the_run_and_entrants_of_later_months_do_not_count():
    out = compared(base_of([-7, 5, 2], [3.2, 5.5, 2.0]), months=3)
    assert out["simulated_events"].sum() == 1
    assert out.loc["<6", "simulated_events"] == 1


def test_the_table_by_hand():
    out = compared(base_of([-9], [NEVER]), months=3)
    assert out["table_rows"].to_dict() == {band: {"6-9": 2, "11": 1}.get(band, 0) for band in BANDS}
    # A third of the three usable rows left; in band 6-9 half did: odds 1 x (.02 / .98) / (1 / 2).
    odds = 2 * 0.02 / 0.98
    assert out.loc["6-9", "table_rate_reweighted"] == pytest.approx(odds / (1 + odds))
    assert out.loc["11", "table_rate_reweighted"] == 0.0
    assert np.isnan(out.loc["12", "table_rate_reweighted"])


@given(st.lists(st.tuples(st.integers(-80, 6), st.floats(0, 9)), min_size=1, max_size=30), st.integers(1, 8))
def test_every_month_at_risk_and_every_decision_is_in_one_band(rows, months):
    joined = np.array([join for join, _ in rows])
    decision = np.maximum(joined, 0) + np.array([wait for _, wait in rows])
    base = base_of(joined.tolist(), decision.tolist())
    out = compared(base, months=months)
    at_risk = np.clip(np.minimum(decision, months) - np.maximum(joined, 0), 0, None).sum()
    assert out["simulated_events"].sum() == (decision < months).sum()
    assert out["simulated_months_at_risk"].sum() == pytest.approx(at_risk)


def test_a_constant_hazard_is_found_in_every_band():
    rng = np.random.default_rng(4)
    n, months, hazard = 200_000, 12, 0.05
    decision = rng.exponential(1 / hazard, n)
    base = base_of(rng.integers(-70, 1, n).tolist(), decision.tolist())
    out = compared(base, months=months)
    truth = 1 - np.exp(-hazard)
    error = truth / np.sqrt(out["simulated_events"])
    # Twelve bands at 4 standard errors: a false alarm once in about 1,300 seeds; this seed is fixed.
    assert ((out["simulated_monthly_rate"] - truth).abs() < 4 * error).all()


def test_bands_are_named_after_their_first_month():
    assert [int(band.strip("<+").split("-")[0]) for band in BANDS[1:]] == list(BAND_STARTS[1:])
