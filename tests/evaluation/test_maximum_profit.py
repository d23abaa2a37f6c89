"""Maximum profit against reference values, a search by hand, and the closed forms of a campaign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.maximum_profit import (
    break_even_churn_rate,
    campaign_profit,
    expected_maximum_profit,
    maximum_profit,
)

LEFT, SCORE = [0, 1] * 4, [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9]
USUAL = {"lifetime_value": 200.0, "offer_cost": 10.0, "contact_cost": 1.0}


def rounded(found, digits=4):
    return round(found.per_subscriber, digits), round(found.share_targeted, digits)


def test_reference_values() -> None:
    """Computed by two programs, this project's design and the package empulse 0.13.1; equal to 4 decimals."""
    assert rounded(expected_maximum_profit(LEFT, SCORE)) == (23.8756, 0.8744)
    assert maximum_profit(LEFT, SCORE, accept_prob=0.3, **USUAL).per_subscriber == pytest.approx(23.875)
    dear = {"lifetime_value": 100.0, "offer_cost": 30.0, "contact_cost": 5.0}
    assert rounded(expected_maximum_profit(LEFT, SCORE, **dear)) == (2.0062, 0.1297)


def test_reference_value_of_a_rare_outcome() -> None:
    rng = np.random.default_rng(0)
    left = rng.random(20_000) < 0.02
    found = expected_maximum_profit(left.astype(int), rng.normal(size=20_000) + left)
    assert rounded(found) == (0.0154, 0.0036)


def test_reference_values_of_ibm_telco(data_dir: Path) -> None:
    customers = pd.read_csv(data_dir / "ibm_telco" / "Telco-Customer-Churn.csv.gz")
    left = (customers["Churn"] == "Yes").astype(int)
    assert rounded(expected_maximum_profit(left, -customers["tenure"])) == (8.5129, 0.6398)
    assert rounded(maximum_profit(left, -customers["tenure"], accept_prob=0.3, **USUAL)) == (8.3000, 0.6369)
    assert rounded(expected_maximum_profit(left, customers["MonthlyCharges"])) == (7.9641, 0.7284)


outcomes = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(left for left, _ in rows) < len(rows))


@given(outcomes, st.floats(0, 1), st.floats(0, 50), st.floats(0, 20))
def test_maximum_profit_is_the_best_campaign_of_all_depths(rows, accept_prob, offer_cost, contact_cost) -> None:
    left, score = np.array(rows).T
    money = {"lifetime_value": 100.0, "offer_cost": offer_cost, "contact_cost": contact_cost,
             "accept_prob": accept_prob}
    profits = [0.0]
    for bound in np.unique(score):
        on_list = score >= bound
        profits.append(campaign_profit(subscribers=1, share_targeted=on_list.mean(), churn_rate=left.mean(),
                                       lift=left[on_list].mean() / left.mean(), **money))
    assert maximum_profit(left, score, **money).per_subscriber == pytest.approx(max(profits), abs=1e-9)


@given(outcomes, st.floats(0.5, 8), st.floats(0.5, 8), st.floats(0, 50), st.floats(0, 20))
def test_the_expectation_is_the_integral_of_the_maximum(rows, alpha, beta, offer_cost, contact_cost) -> None:
    left, score = np.array(rows).T
    money = {"lifetime_value": 100.0, "offer_cost": offer_cost, "contact_cost": contact_cost}
    # Mid-points of 50 equal chances.
    g = stats.beta.ppf((np.arange(50) + 0.5) / 50, alpha, beta)
    sums = np.mean([maximum_profit(left, score, accept_prob=p, **money).per_subscriber for p in g])
    exact = expected_maximum_profit(left, score, alpha=alpha, beta=beta, **money)
    assert exact.per_subscriber == pytest.approx(sums, abs=0.3)
    assert 0 <= exact.share_targeted <= 1


def test_a_certain_acceptance_gives_the_maximum_profit_itself() -> None:
    sharp = expected_maximum_profit(LEFT, SCORE, alpha=3e7, beta=7e7, **USUAL)
    assert sharp.per_subscriber == pytest.approx(maximum_profit(LEFT, SCORE, accept_prob=0.3, **USUAL).per_subscriber,
                                                 abs=0.01)


def test_a_score_of_no_worth_and_free_offers() -> None:
    # One score for all: everybody or nobody. Free: all leavers are worth a contact, whatever they accept.
    assert maximum_profit([0, 1], [5, 5], accept_prob=0.3, **USUAL).per_subscriber == pytest.approx((57 - 1 - 11) / 2)
    free = expected_maximum_profit([0, 1, 0], [1, 2, 3], lifetime_value=100, offer_cost=0, contact_cost=0)
    assert rounded(free) == (10.0, 0.6667)


def test_break_even_and_profits_of_a_campaign() -> None:
    """Neslin et al. (2006) with g .3, V 200, d 10, f 1: 16.42 %; a million, a tenth targeted, 2.5 % leave."""
    money = {"accept_prob": 0.3} | USUAL
    assert round(break_even_churn_rate(**money), 4) == 0.1642
    base = {"subscribers": 1e6, "share_targeted": 0.1, "churn_rate": 0.025}
    profits = [campaign_profit(lift=lift, **base, **money) for lift in (1, 1.16, 1.88, 3, 5, 10)]
    assert [round(p / 100) / 10 for p in profits] == [-932.5, -905.7, -785.1, -597.5, -262.5, 575.0]
    even = campaign_profit(lift=break_even_churn_rate(**money) / 0.025, **base, **money)
    assert even == pytest.approx(0, abs=1e-6)
    assert campaign_profit(lift=10, fixed_cost=5000, **base, **money) == pytest.approx(570_000)


@pytest.mark.parametrize(("call", "error", "said"), [
    (lambda: expected_maximum_profit([0, 1, 2], [1, 2, 3]), DataError, r"left has the values \[0.0, 1.0, 2.0\]"),
    (lambda: expected_maximum_profit([1, 1], [1, 2]), DataError,
     "1 for who left and 0 for who stayed, and some of each"),
    (lambda: expected_maximum_profit([0, 1], [1, np.nan]), DataError, "score is nan at row 1"),
    (lambda: expected_maximum_profit([0, 1], [1]), DataError, r"left has shape \(2,\) and score \(1,\)"),
    (lambda: expected_maximum_profit([0, 1], [1, 2], alpha=0), ConfigError, "alpha and beta must be above 0"),
    (lambda: expected_maximum_profit([0, 1], [1, 2], offer_cost=200), ConfigError,
     "lifetime_value must be above offer_cost"),
    (lambda: expected_maximum_profit([0, 1], [1, 2], contact_cost=-1), ConfigError, "contact_cost -1"),
    (lambda: maximum_profit([0, 1], [1, 2], accept_prob=1.5, **USUAL), ConfigError, "accept_prob must be from 0 to 1"),
    (lambda: break_even_churn_rate(accept_prob=0, lifetime_value=200, offer_cost=0, contact_cost=1), ConfigError,
     "a contact saves nothing, so no campaign breaks even"),
])
def test_refusals(call, error, said) -> None:
    with pytest.raises(error, match=said):
        call()
