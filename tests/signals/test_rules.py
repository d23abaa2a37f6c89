"""Warning rules by hand, what a rule is worth, and the figures of the real Cell2Cell table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.core.columns import Subscribers
from churnsim.population.columns import SCHEMA
from churnsim.signals.accuracy import auc, auc_se, top_flags
from churnsim.signals.observe import Observed
from churnsim.signals.rules import (
    RULES,
    bill_complaints_or_ads,
    bill_fell,
    bill_rose,
    contract_ending,
    evaluate_rule,
    fell,
    usage_and_complaints,
    usage_fell,
    usage_fell_each_month,
    usage_or_complaints,
    usage_stays_low,
)

MONTH = 8
BASE_RATE = 0.02


def table(*usages: tuple[float, ...], **columns: object) -> Observed:
    """Return a table with usage (the last month first) and other columns by name."""
    base = Subscribers.empty(SCHEMA, np.arange(len(usages)))
    for ago in range(1, 7):
        for name in ("usage_gb", "bill_amount"):
            base.lag(name, month=MONTH, months_ago=ago)[:] = [months[ago - 1] for months in usages]
    for name, values in columns.items():
        base[name] = values
    return Observed(base, MONTH)


STEADY = (10.0,) * 6


def test_usage_against_the_three_months_before() -> None:
    # Exactly a fifth below the mean of 8, 10, 12; a little less; nothing before; the older months do not matter.
    found = table((8.0, 8, 10, 12, 1, 1), (8.1, 8, 10, 12, 1, 1), (0.0, 0, 0, 0, 9, 9), STEADY)
    assert usage_fell(found).tolist() == [True, False, False, False]
    assert usage_fell(found, share=0.5).tolist() == [False] * 4
    assert bill_fell(found).tolist() == [True, False, False, False]


def test_a_bill_that_rose_and_a_contract_that_ends() -> None:
    # Exactly a fifth above the mean of 8, 10, 12; a little less; from nothing; the older months do not matter.
    found = table((12.0, 8, 10, 12, 90, 90), (11.9, 8, 10, 12, 1, 1), (5.0, 0, 0, 0, 9, 9), STEADY)
    assert bill_rose(found).tolist() == [True, False, False, False]
    assert bill_rose(found, share=0.5).tolist() == [False] * 4
    left = table(*[STEADY] * 5, contract_left_months=[0, 1, 2, 3, 24])
    assert contract_ending(left).tolist() == [False, True, True, False, False]
    assert contract_ending(left, most_months=3).tolist() == [False, True, True, True, False]
    assert (RULES["bill_rose_20"](found) == bill_rose(found)).all()
    assert (RULES["contract_ending"](left) == contract_ending(left)).all()


def test_both_readings_of_three_months_in_a_row() -> None:
    each_month = (5.12, 6.4, 8.0, 10.0, 10.0, 10.0)
    level = (7.9, 8.0, 7.0, 10.0, 9.0, 11.0)
    recovers = (9.0, 6.0, 6.0, 10.0, 10.0, 10.0)
    found = table(each_month, level, recovers, STEADY)
    assert usage_fell_each_month(found).tolist() == [True, False, False, False]
    assert usage_stays_low(found).tolist() == [True, True, False, False]
    assert each_month[0] / each_month[3] == pytest.approx(1 - 0.488)


def test_the_warnings_of_the_sources() -> None:
    low = (7.0, 7, 7, 10, 10, 10)
    found = table(low, low, STEADY, STEADY, complaint_stock=[1.0, 0.9, 1.2, 0.0], ad_click_stock=[0.0, 0, 0, 1.0])
    assert usage_and_complaints(found).tolist() == [True, False, False, False]
    assert usage_or_complaints(found).tolist() == [True, True, True, False]
    # Against the three months before, the last one is no fall: bills that fell long ago are forgotten.
    assert bill_complaints_or_ads(found).tolist() == [True, False, True, True]
    assert {name: rule(found).dtype for name, rule in RULES.items()} == dict.fromkeys(RULES, np.dtype(bool))


def test_falls_by_name() -> None:
    found = table(*((now, 10.0, 10.0, 10.0, 10.0, 10.0) for now in (2.0, 2.1, 5.0, 5.1, 8.0, 8.1)))
    counts = {name: int(RULES[name](found).sum()) for name in RULES if "_fell_" in name}
    assert counts == {"usage_fell_20": 5, "usage_fell_50": 3, "usage_fell_80": 1, "usage_fell_each_month": 0,
                      "bill_fell_20": 5}


def test_worth_by_hand() -> None:
    # 3 of 4 leavers and 20 of 96 stayers flagged.
    left = np.r_[np.ones(4), np.zeros(96)]
    flagged = np.r_[[1, 1, 1, 0], np.ones(20), np.zeros(76)]
    worth = evaluate_rule(flagged, left)
    assert (worth.share_flagged, worth.recall, worth.precision) == pytest.approx((0.23, 0.75, 3 / 23))
    assert worth.lift == pytest.approx(3 / 23 / 0.04)
    rare = evaluate_rule(flagged, left, base_rate=0.01)
    share = 0.01 * 0.75 + 0.99 * 20 / 96
    assert (rare.share_flagged, rare.recall, rare.lift) == pytest.approx((share, 0.75, 0.75 / share))
    assert np.isnan(evaluate_rule(np.zeros(100), left).lift)


@given(st.integers(1, 7), st.floats(0.005, 0.4))
def test_sampling_churners_more_often_changes_nothing_at_a_base_rate(times: int, base_rate: float) -> None:
    flagged, left = np.array([1, 1, 0, 1, 0, 0, 0]), np.array([1, 1, 1, 0, 0, 0, 0])
    copies = np.where(left == 1, times, 1)
    once = evaluate_rule(flagged, left, base_rate=base_rate)
    often = evaluate_rule(np.repeat(flagged, copies), np.repeat(left, copies), base_rate=base_rate)
    weighted = evaluate_rule(flagged, left, base_rate=base_rate, weight=copies)
    for name in ("share_flagged", "recall", "precision", "lift"):
        assert getattr(often, name) == pytest.approx(getattr(once, name))
        assert getattr(weighted, name) == pytest.approx(getattr(once, name))


def test_chances_give_the_expected_worth() -> None:
    flagged, chance = np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.25, 0.1])
    worth = evaluate_rule(flagged, chance)
    assert worth.recall == pytest.approx(0.6 / 0.85)
    assert worth.share_flagged == pytest.approx(2 / 3)


@pytest.mark.parametrize("base_rate", [BASE_RATE, 0.5])
def test_standard_error_of_a_lift_is_its_spread(base_rate: float) -> None:
    # 2,000 tables of 400 leavers and 600 stayers: the spread of 2,000 values is known to 1.6 %; the band of 8 % is five
    # of these.
    rng = np.random.default_rng(5)
    recalls, falses = rng.binomial(400, 0.4, 2000) / 400, rng.binomial(600, 0.3, 2000) / 600
    lifts = recalls / (base_rate * recalls + (1 - base_rate) * falses)
    left = np.r_[np.ones(400), np.zeros(600)]
    flagged = np.r_[np.ones(160), np.zeros(240), np.ones(180), np.zeros(420)]
    assert evaluate_rule(flagged, left, base_rate=base_rate).lift_se == pytest.approx(lifts.std(), rel=0.08)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_area_is_the_chance_to_score_higher(rows: list[tuple[int, bool]]) -> None:
    score, left = (np.array(column, float) for column in zip(*rows, strict=True))
    pairs = [(a > b) + 0.5 * (a == b) for a in score[left == 1] for b in score[left == 0]]
    if pairs:
        assert auc(score, left) == pytest.approx(np.mean(pairs))
    else:
        assert np.isnan(auc(score, left))


def test_standard_error_of_an_area() -> None:
    # Hanley and McNeil's formula at an area of one half: sqrt((n1 + n0 + 1) / (12 n1 n0)).
    assert auc_se(0.5, leavers=30, stayers=50) == pytest.approx(np.sqrt(81 / (12 * 30 * 50)), rel=0.001)
    assert np.isnan(auc_se(0.5, leavers=0, stayers=50)) and np.isnan(auc_se(0.5, leavers=30, stayers=0))


def test_the_top_tenth_is_the_populations() -> None:
    # Half the rows left, in the population one in fifty: the leavers weigh 0.04, the stayers 1.96.
    left = np.r_[np.ones(50), np.zeros(50)]
    score = np.r_[np.full(50, 2.0), np.linspace(1.0, 0.0, 50)]
    flags = top_flags(score, left, base_rate=BASE_RATE)
    assert (flags[:50] == 1.0).all()
    assert 50 * 0.04 + 1.96 * flags[50:].sum() == pytest.approx(10.0)
    assert top_flags(np.zeros(4), np.array([1, 0, 0, 0])) == pytest.approx(0.1)


@pytest.fixture
def cell2cell(data_dir) -> tuple[Observed, np.ndarray, pd.DataFrame]:
    raw = pd.read_csv(data_dir / "cell2cell_dev" / "cell2cell_dev.csv.gz")
    raw = raw[(raw["MonthlyMinutes"] - raw["PercChangeMinutes"] / 3 > 0) & raw["MonthlyMinutes"].notna()
              & (raw["MonthlyRevenue"] - raw["PercChangeRevenues"] / 3 > 0)]
    base = Subscribers.empty(SCHEMA, np.arange(len(raw)))
    for name, column, change in (("usage_gb", "MonthlyMinutes", "PercChangeMinutes"),
                                 ("bill_amount", "MonthlyRevenue", "PercChangeRevenues")):
        for ago in range(1, 7):
            values = raw[column] + (raw[change] if ago == 1 else -raw[change] / 3)
            base.lag(name, month=MONTH, months_ago=ago)[:] = values
    base["complaint_stock"] = raw["CustomerCareCalls"]
    return Observed(base, MONTH), (raw["Churn"] == "Yes").to_numpy(float), raw


@pytest.mark.parametrize(
    ("history", "share", "flagged", "recall", "precision", "lift", "lift_at_2_percent"),
    [
        ("usage_gb", 0.2, 36.1, 42.7, 33.3, 1.18, 1.27),
        ("usage_gb", 0.3, 28.5, 35.5, 35.5, 1.24, None),
        ("usage_gb", 0.5, 16.7, 23.5, 39.5, 1.40, 1.64),
        ("usage_gb", 0.8, 8.0, 12.7, 44.7, 1.59, 2.02),
        ("bill_amount", 0.2, 23.3, 25.0, 30.1, 1.07, None),
    ],
)
def test_published_figures_of_cell2cell(cell2cell, history, share, flagged, recall, precision, lift, lift_at_2_percent):
    seen, left, _ = cell2cell
    flags = fell(seen, history, share=share)
    worth = evaluate_rule(flags, left)
    assert len(left) == pytest.approx(19_568, abs=60)
    assert 100 * worth.share_flagged == pytest.approx(flagged, abs=0.3)
    assert 100 * worth.recall == pytest.approx(recall, abs=0.4)
    assert 100 * worth.precision == pytest.approx(precision, abs=0.6)
    assert worth.lift == pytest.approx(lift, abs=0.015)
    if lift_at_2_percent is not None:
        assert evaluate_rule(flags, left, base_rate=BASE_RATE).lift == pytest.approx(lift_at_2_percent, abs=0.03)


def test_usage_and_care_calls_in_cell2cell(cell2cell):
    seen, left, raw = cell2cell
    both = usage_fell(seen) & (raw["CustomerCareCalls"] > 0).to_numpy()
    worth = evaluate_rule(both, left)
    assert (100 * worth.share_flagged, worth.lift) == pytest.approx((15.9, 1.10), abs=0.3)
    fall = -raw["PercChangeMinutes"] / (raw["MonthlyMinutes"] - raw["PercChangeMinutes"] / 3)
    assert auc(fall, left) == pytest.approx(0.55, abs=0.005)
