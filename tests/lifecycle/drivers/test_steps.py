"""Each driver by hand, with chosen uniforms, and by the shares it must produce."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from churnsim.lifecycle.drivers import arrears, contract, service, shopping, tenure, usage
from churnsim.population.columns import STATES

from ..examples import lifecycle, month_of, subscribers

N = 200_000
# False-alarm rate of one share below, over seeds.
Z = norm.isf(5e-5)


def after(driver, base, *lanes, settings=None, month=7, **surroundings):
    """Let a driver step with the uniforms given for its lanes; lanes not given are one half."""
    this = month_of(base, settings or lifecycle(), month=month, **surroundings)
    events = usage.NOISE if driver is usage else driver.EVENTS
    filled = [np.broadcast_to(np.asarray(lane, np.float32), len(base)).copy() for lane in lanes]
    this._lanes[events.number] = (*filled, *[np.full(len(base), np.float32(0.5))] * (4 - len(lanes)))
    driver.DRIVER.step(base, this)
    return base


def drawn(driver, settings=None, *, month=7, surroundings=None, **columns):
    base = subscribers(N, **columns)
    this = month_of(base, settings or lifecycle(), month=month, **(surroundings or {}))
    driver.DRIVER.step(base, this)
    return base


def assert_share(hits, prob):
    assert abs(hits.mean() - prob) < Z * np.sqrt(prob * (1.0 - prob) / len(hits))


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


def log_odds(prob):
    return np.log(prob / (1.0 - prob))


def approx(values):
    return pytest.approx(values, rel=1e-5)


def test_usage_and_bill_by_hand():
    """Deviation 0.7 x 0.2 + 0.3 x 0.5 sqrt(3); shopping takes 0.6 of usage; a GB over the allowance costs 4."""
    base = subscribers(4, usage_deviation=0.2, allowance_gb=[10, 5, 5, 5], shopping=[0, 0, 1, 0],
                       state=[3, 3, 3, STATES.index("suspended")])
    after(usage, base, 0.7, 0.8, 0.4, 0.6)
    deviation = 0.14 + 0.15 * np.sqrt(3.0)
    full = 5.0 * np.exp(deviation)
    assert base["usage_deviation"].tolist() == approx([deviation] * 4)
    assert base.lag("usage_gb", month=7, months_ago=0).tolist() == approx([full, full, 0.6 * full, 0.0])
    over = 30.0 + 4.0 * (full - 5.0)
    assert base.lag("bill_amount", month=7, months_ago=0).tolist() == approx([30.0, over, 30.0, 3.0])


def test_usage_noise_has_unit_variance():
    """Variance of a sum of four uniforms: its estimate's relative error is sqrt((kurtosis - 1) / n)."""
    noise = drawn(usage, lifecycle(usage={"noise_log_sd": 1.0}))["usage_deviation"].astype(np.float64)
    assert abs(noise.mean()) < Z / np.sqrt(N)
    assert abs(noise.var() - 1.0) < Z * np.sqrt(1.7 / N)


def test_usage_varies_around_the_usual_level():
    """Autoregressive of order one: variance 0.3^2 / (1 - 0.7^2) in the long run, here after 30 months."""
    base = subscribers(20_000)
    for month in range(30):
        usage.DRIVER.step(base, month_of(base, lifecycle(), month=month))
    expected = 0.09 / (1.0 - 0.49)
    assert base["usage_deviation"].var() == pytest.approx(expected, rel=Z * np.sqrt(2.0 / 20_000))


def test_service_by_hand():
    """Stocks keep 0.6; satisfaction goes a quarter of the way back; a fault takes 6 points, a complaint 8."""
    base = after(service, subscribers(3, satisfaction=[50, 50, 5], usual_satisfaction=[70, 70, 5],
                                      fault_stock=1.0, complaint_stock=0.5, join_month=[0, 0, 0]),
                 [0.9, 0.01, 0.01], [0.9, 0.9, 0.001])
    assert base["fault_stock"].tolist() == approx([0.6, 1.6, 1.6])
    assert base["complaint_stock"].tolist() == approx([0.3, 0.3, 1.3])
    assert base["satisfaction"].tolist() == approx([55.0, 49.0, 0.0])


def test_who_has_not_joined_feels_no_fault():
    base = after(service, subscribers(2, join_month=[7, 8]), 1e-6, 1e-6)
    assert base["fault_stock"].tolist() == [1, 0]
    assert base["complaint_stock"].tolist() == [1, 0]


@pytest.mark.parametrize("quality", [-1.0, 0.0, 2.0])
def test_share_of_faults_by_quality(quality):
    base = drawn(service, surroundings={"network": quality})
    assert_share(base["fault_stock"] == 1, logistic(log_odds(0.15) - 0.5 * quality))


def test_share_of_complaints_by_its_triggers():
    """Twice the usual bill adds 2 log 2, satisfaction 50 adds 0.5, sensitivity 2 adds 0.6; a fault 1.4."""
    bills = np.full((6, N), 30.0)
    bills[1] = 60.0
    base = drawn(service, bill_amount=bills, satisfaction=50.0, service_sensitivity=2.0)
    trigger = log_odds(0.05) + 2.0 * np.log(2.0) + 0.5 + 0.6
    fault, complaint = base["fault_stock"] == 1, base["complaint_stock"] == 1
    assert_share(complaint[~fault], logistic(trigger))
    assert_share(complaint[fault], logistic(trigger + 1.4))


def test_arrears_by_hand():
    """Good standing is lost below 0.1, arrears are cleared below 0.6, else grow, at most to 12."""
    base = after(arrears, subscribers(6, arrears_months=[0, 0, 1, 1, 12, 0], join_month=[0, 0, 0, 0, 0, 8]),
                 [0.09, 0.11, 0.5, 0.5, 0.5, 0.01], [0.1, 0.1, 0.59, 0.61, 0.61, 0.1])
    assert base["arrears_months"].tolist() == [1, 0, 0, 2, 12, 0]


@pytest.mark.parametrize(("payment", "extra"), [(0, 0.0), (1, 0.6)])
def test_share_of_missed_bills(payment, extra):
    base = drawn(arrears, payment=payment)
    assert_share(base["arrears_months"] == 1, logistic(log_odds(0.1) + extra))


def test_shopping_by_hand():
    """A contract about to end adds 1.2: P = 0.27; clicks keep 0.6 and come below 0.3, or 0.05 otherwise."""
    base = after(shopping, subscribers(4, contract_left_months=[0, 1, 1, 9], ad_click_stock=1.0, shopping=1,
                                       attention=0.5), [0.11, 0.26, 0.28, 0.09], [0.049, 0.29, 0.06, 0.31])
    assert base["shopping"].tolist() == [0, 1, 0, 1]
    assert base["ad_click_stock"].tolist() == approx([1.6, 1.6, 0.6, 0.6])


@pytest.mark.parametrize("attention", [0.0, 1.0])
def test_shares_of_shoppers_and_clicks(attention):
    base = drawn(shopping, attention=attention)
    shops, clicks = base["shopping"] == 1, base["ad_click_stock"] == 1
    assert_share(shops, 0.1)
    assert_share(clicks[shops], logistic(log_odds(0.3) + attention - 0.5))
    assert_share(clicks[~shops], logistic(log_odds(0.05) + attention - 0.5))


def test_contract_by_hand():
    base = subscribers(6, contract_left_months=[0, 1, 1, 2, 12, 12], contract_length_months=24,
                       join_month=[0, 0, 0, 0, 0, 8])
    after(contract, base, [0.1, 0.49, 0.51, 0.1, 0.1, 0.1])
    assert base["contract_left_months"].tolist() == [0, 24, 0, 1, 11, 12]


def test_share_of_renewals():
    assert_share(drawn(contract, contract_left_months=1)["contract_left_months"] == 12, 0.5)


def states(base):
    return [STATES[code] for code in base["state"]]


def test_states_follow_tenure():
    base = after(tenure, subscribers(6, tenure_months=[0, 1, 2, 10, 11, 599], state=1, join_month=0), 0.9)
    assert base["tenure_months"].tolist() == [1, 2, 3, 11, 12, 600]
    assert states(base) == ["entry", "entry", "growth", "growth", "stable", "stable"]


def test_entrants_wait_join_and_age():
    base = subscribers(1, join_month=8, tenure_months=0, state=STATES.index("prospect"))
    seen = []
    for month in range(5, 12):
        after(tenure, base, 0.9, month=month)
        seen.append((states(base)[0], int(base["tenure_months"][0])))
    assert seen == [("prospect", 0), ("prospect", 0), ("entry", 0), ("entry", 1), ("entry", 2), ("growth", 3),
                    ("growth", 4)]


def test_decline_is_a_fifth_less_in_three_months():
    """Months 7, 6, 5 stand in rows 1, 0, 5. Entrants of two months have no history that counts."""
    def history(*recent):
        rows = np.full((6, 4), 10.0)
        rows[[5, 0, 1]] = recent
        return rows

    usage_gb = history([10, 7, 10, 7], [10, 8, 10, 7], [10, 9, 10, 7])
    bill = history([10, 10, 8, 10], [10, 10, 8, 10], [8, 10, 8.1, 10])
    base = subscribers(4, usage_gb=usage_gb, bill_amount=bill, tenure_months=[24, 24, 24, 1])
    assert tenure.declining(base, month=7).tolist() == [False, True, False, True]
    assert states(after(tenure, base, 0.9)) == ["stable", "decline", "stable", "entry"]


def test_suspension_by_hand():
    """Entered below 0.05, or below 0.19 by migrants; kept at or above 0.4, whatever the first uniform."""
    paused = STATES.index("suspended")
    base = after(tenure, subscribers(6, state=[3, 3, 3, 3, paused, paused], locality=[0, 0, 1, 1, 0, 0]),
                 [0.04, 0.06, 0.18, 0.2, 0.01, 0.9], [0.5, 0.5, 0.5, 0.5, 0.39, 0.41])
    assert states(base) == ["suspended", "stable", "suspended", "stable", "stable", "suspended"]


def test_shares_of_suspension():
    assert_share(drawn(tenure)["state"] == STATES.index("suspended"), 0.05)
    assert_share(drawn(tenure, locality=1)["state"] == STATES.index("suspended"),
                 logistic(log_odds(0.05) + 1.5))


def test_who_left_is_churned_from_the_departure_on():
    base = subscribers(3, departure_time=[6.9, 7.0, 7.1])
    assert [STATES[code] for code in tenure.states_at(base, month=7)] == ["churned", "churned", "stable"]
