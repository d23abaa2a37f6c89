"""What the operator sees: observed columns of the past, and features made of nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_world import base_at_campaign, small_world

from churnsim.core.columns import HISTORY_MONTHS, Subscribers
from churnsim.core.draws import make_key
from churnsim.population.categories import STATES
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import OBSERVED, Observed, active_rows, features, observe
from churnsim.signals.settings import SignalsSettings

LATENT = [name for name, column in SCHEMA.items() if column.visibility == "latent"]
KEY = make_key(seed=3, replicate=0)


def settings(**changes: float) -> SignalsSettings:
    values = {"churn_model": "logistic", "risk_horizon_months": 3, "list_delay_days": 2.0, "usage_noise_log_sd": 0.1}
    return SignalsSettings.model_validate(values | changes)


@pytest.fixture(scope="module")
def base() -> Subscribers:
    return base_at_campaign(small_world())


MONTH = 8


def test_no_latent_column_is_there() -> None:
    table = observe(Subscribers.empty(SCHEMA, np.arange(3)), month=MONTH, settings=settings(), key=KEY)
    assert len(LATENT) >= 10
    for name in LATENT:
        assert name not in table.schema and name not in table.columns
        with pytest.raises(KeyError):
            table[name]
    assert set(table.columns) == set(SCHEMA) - set(LATENT) == set(OBSERVED)


def test_latent_values_change_nothing(base: Subscribers) -> None:
    other = base.copy()
    rng = np.random.default_rng(1)
    for name in LATENT:
        other[name] = rng.permutation(other[name]) + 1
    seen = [features(observe(b, month=MONTH, settings=settings(), key=KEY)) for b in (base, other)]
    pd.testing.assert_frame_equal(*seen, check_exact=True)


def test_later_months_change_nothing(base: Subscribers) -> None:
    later = base.copy()
    table = observe(later, month=MONTH, settings=settings(), key=KEY)
    before = features(table)
    small_world().engine.run([(later, None)], start=MONTH, months=HISTORY_MONTHS)
    assert not np.array_equal(later["usage_gb"], base["usage_gb"])
    pd.testing.assert_frame_equal(features(table), before, check_exact=True)


def test_features_by_hand() -> None:
    one = Subscribers.empty(SCHEMA, np.array([41]))
    values = {
        "customer_type": 1,
        "lines": 4,
        "locality": 0,
        "payment": 0,
        "plan_price_amount": 100.0,
        "tenure_months": 24,
        "contract_left_months": 2,
        "complaint_stock": 1.5,
        "fault_stock": 0.5,
        "ad_click_stock": 2.0,
        "arrears_months": 3,
        "discount_share": 0.25,
        "state": STATES.index("suspended"),
    }
    for name, value in values.items():
        one[name] = value
    for ago, (usage, bill) in enumerate(
        ((2.0, 130.0), (4.0, 100.0), (6.0, 110.0), (8.0, 90.0), (1.0, 1.0), (3.0, 1.0)), start=1
    ):
        one.lag("usage_gb", month=MONTH, months_ago=ago)[:] = usage
        one.lag("bill_amount", month=MONTH, months_ago=ago)[:] = bill
    found = features(Observed(one, MONTH))
    assert found.index.tolist() == [41] and found.index.name == "subscriber"
    expected = {
        "log_price": np.log(25.0),
        "log_lines": np.log(4.0),
        "family": 1.0,
        "enterprise": 0.0,
        "prepaid": 0.0,
        "migrant": 0.0,
        "log_tenure": np.log(25.0),
        "newness": np.exp(-8.0),
        "out_of_contract": 0.0,
        "contract_ending": 1.0,
        "contract_left": 2.0,
        "log_usage": np.log(2.0),
        "usage_change": np.log(2.0 / 6.0),
        "usage_trend": np.log(4.0 / 4.0),
        "bill_change": np.log(1.3),
        "complaints": 1.5,
        "faults": 0.5,
        "ad_clicks": 2.0,
        "arrears": 3.0,
        "suspended": 1.0,
        "discount": 0.25,
    }
    assert dict(found.dtypes) == dict.fromkeys(expected, np.dtype(np.float64))
    assert found.iloc[0].to_dict() == pytest.approx(expected, rel=1e-6)


def test_features_of_the_unused_line_are_finite() -> None:
    nothing = Subscribers.empty(SCHEMA, np.array([1]))
    nothing["lines"] = 1
    assert np.isfinite(features(Observed(nothing, MONTH)).to_numpy()).all()


def test_noise_is_on_usage_alone_and_the_delay_on_nothing(base: Subscribers) -> None:
    exact = observe(base, month=MONTH, settings=settings(usage_noise_log_sd=0.0), key=KEY)
    noisy = observe(base, month=MONTH, settings=settings(), key=KEY)
    delayed = observe(base, month=MONTH, settings=settings(list_delay_days=9.0), key=KEY)
    for name in OBSERVED:
        assert np.array_equal(exact[name], base[name]), name
        assert np.array_equal(noisy[name], base[name]) is (name != "usage_gb"), name
        assert np.array_equal(noisy[name], delayed[name]), name


def test_noise_has_its_size_and_a_key_for_each_subscriber_and_month(base: Subscribers) -> None:
    noisy = observe(base, month=MONTH, settings=settings(), key=KEY)
    for before, after in zip(base["usage_gb"], noisy["usage_gb"], strict=True):
        error = np.log(after[before > 0] / before[before > 0])
        # 4 standard errors of a standard deviation, six months: false alarm below 4e-4.
        assert error.std() == pytest.approx(0.1, abs=4 * 0.1 / np.sqrt(2 * error.size))
    rows = np.array([7, 3])
    some = observe(base.take(rows), month=MONTH, settings=settings(), key=KEY)
    assert np.array_equal(some["usage_gb"], noisy["usage_gb"][:, rows])
    assert not np.allclose(*(np.log(noisy["usage_gb"][k, rows] / base["usage_gb"][k, rows]) for k in (0, 1)))


def test_active_are_those_on_the_network_decided_or_not() -> None:
    base = Subscribers.empty(SCHEMA, np.arange(5))
    base["join_month"] = [-3, 8, 7, 0, 0]
    base["decision_time"] = [np.inf, np.inf, 7.9, 7.9, 7.0]
    base["departure_time"] = [np.inf, np.inf, 8.2, 8.0, 7.5]
    assert active_rows(base, month=8).tolist() == [0, 2]
