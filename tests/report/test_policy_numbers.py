"""Curves of policies, equal terms and learners' regret, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnsim.experiment.curve_grid import COARSE, MULTIPLES
from churnsim.report.policy_numbers import (
    EQUAL_NUMBER,
    EQUAL_SPEND,
    OWN_DEPTH,
    cost_curve,
    equal_terms,
    learner_value,
    listed_shares,
    policy_tables_of,
    prices_by_budget,
)
from churnsim.report.run_folder import Run
from report.made_policies import BUDGET, make_curve, make_run


def _row(found: pd.DataFrame, **where: object) -> pd.Series:
    for name, value in where.items():
        found = found[found[name] == value]
    (row,) = (row for _, row in found.iterrows())
    return row


def test_a_cost_curve_is_the_mean_over_replicates_with_its_interval() -> None:
    found = cost_curve(make_run(), "base")
    assert found is not None
    row = _row(found, policy="oracle", budget_amount=BUDGET)
    assert (row["planned_spend_amount"], row["targeted"], row["true_value_amount"]) == (14000.0, 2000.0, 8050.0)
    # Two replicates 100 apart: standard error 50, Student's t with one degree of freedom 12.706.
    assert (row["low"], row["high"]) == pytest.approx((8050 - 12.7062 * 50, 8050 + 12.7062 * 50), rel=1e-5)
    # Only budgets of the grid, not those that buy a round number of subscribers.
    assert 8000.0 not in set(found["budget_amount"])
    assert len(found[found["policy"] == "uplift_value"]) == 1


def test_a_replicate_that_has_bought_everything_keeps_its_last_list() -> None:
    run = make_run()
    curve = make_curve().assign(scenario="base")
    short = (curve["policy"] == "oracle") & (curve["replicate"] == 1) & (curve["budget_amount"] > BUDGET)
    found = cost_curve(Run(run.summary, run.config, {"curve": curve[~short]}), "base")
    assert found is not None
    assert _row(found, policy="oracle", budget_amount=2.0 * BUDGET)["true_value_amount"] == (9000.0 + 8100.0) / 2


def test_equal_terms_take_the_nearest_list_that_is_not_above() -> None:
    found = equal_terms(make_run(), "base")
    assert found is not None
    # Lists at the budget hold 1,200, 2,000 and 1,500: the median 1,500 is a round number.
    row = _row(found, policy="churn_risk", terms=EQUAL_NUMBER)
    assert (row["limit"], row["targeted"], row["true_value_amount"]) == (1500.0, 1200.0, -1150.0)
    assert _row(found, policy="oracle", terms=EQUAL_NUMBER)["targeted"] == 1000.0
    assert _row(found, policy="uplift_value", terms=EQUAL_NUMBER)["targeted"] == 1500.0
    # They spend 12,000, 14,000 and 14,500: the median is rounded down to 0.9 of the budget.
    row = _row(found, policy="oracle", terms=EQUAL_SPEND)
    assert (row["limit"], row["planned_spend_amount"]) == (13500.0, 8000.0)
    # One list and no curve: above the limit it is left out.
    assert "uplift_value" not in set(found.loc[found["terms"] == EQUAL_SPEND, "policy"])
    assert _row(found, policy="oracle", terms=OWN_DEPTH)["targeted"] == 3000.0
    assert _row(found, policy="uplift_value", terms=OWN_DEPTH)["targeted"] == 1500.0


def test_where_nobody_is_listed_there_are_no_equal_terms() -> None:
    run = make_run()
    curve = make_curve().assign(scenario="base", targeted=0)
    found = equal_terms(Run(run.summary, run.config, {"curve": curve}), "base")
    assert found is not None and set(found["terms"]) == {OWN_DEPTH}


def test_regret_has_an_interval_and_the_share_kept_is_of_means() -> None:
    found = learner_value(make_run(), "base")
    assert found is not None
    row = _row(found, learner="plain")
    assert (row["regret_amount"], row["share_kept"]) == (395.0, 0.605)
    assert row["low"] < 395.0 < row["high"]


def test_shares_of_segments_and_prices() -> None:
    run = make_run()
    shares = listed_shares(run, "base")
    assert shares is not None
    assert _row(shares, policy="oracle", segment="low", arm="service by sms")["share"] == 0.1
    prices = prices_by_budget(run, "base")
    assert prices is not None
    assert _row(prices, unit="minutes", budget_amount=BUDGET)["shadow_price_amount"] == 0.25


def test_a_price_without_bounds_is_left_out() -> None:
    run = make_run()
    prices = run.tables["price_curve"]
    prices.loc[prices["budget_amount"] == 0.0, "shadow_price_amount"] = np.inf
    found = prices_by_budget(run, "base")
    assert found is not None and set(found["budget_amount"]) == {0.5 * BUDGET, BUDGET}


def test_what_is_not_there_is_left_out() -> None:
    run = make_run("curve", "allocation", "learner_value", "price_curve")
    assert dict(policy_tables_of(run, "base")) == {}
    assert prices_by_budget(run, "base") is None
    assert set(dict(policy_tables_of(make_run(), "base"))) == {"cost_curve", "equal_terms", "learner_regret",
                                                              "listed_shares"}


def test_every_coarse_budget_is_one_of_all_curves() -> None:
    assert set(COARSE) <= set(MULTIPLES) and 1.0 in COARSE
