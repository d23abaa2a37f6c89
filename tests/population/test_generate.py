"""The synthetic base: draws by id alone, shares as configured, given columns respected, contracts that fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from churnsim.core.draws import make_key
from churnsim.errors import DataError
from churnsim.population.categories import CUSTOMER_TYPES, STATES
from churnsim.population.columns import SCHEMA
from churnsim.population.generate import entrant_ids, evaluation_ids, generate, pilot_ids
from churnsim.population.settings import Traits

KEY = make_key(seed=3, replicate=0)
KINDS = {
    "individual": {"share": 0.6, "lines_mean": 1.0, "price_per_line_amount": 40.0, "prepaid_share": 0.3,
                   "tenure_mean_months": 20.0},
    "family": {"share": 0.25, "lines_mean": 3.0, "price_per_line_amount": 25.0, "prepaid_share": 0.1,
               "tenure_mean_months": 40.0},
    "enterprise_small": {"share": 0.1, "lines_mean": 8.0, "price_per_line_amount": 30.0, "prepaid_share": 0.0,
                         "tenure_mean_months": 50.0},
    "enterprise_large": {"share": 0.05, "lines_mean": 50.0, "price_per_line_amount": 20.0,
                         "prepaid_share": 0.0, "tenure_mean_months": 60.0},
}
TRAITS: dict[str, Any] = {
    "regions": 5, "customer_types": KINDS, "migrant_share": 0.2, "price_log_sd": 0.3,
    "price_log_by_price_sensitivity": -0.1,
    "contract_length_months_shares": {0: 0.1, 12: 0.6, 24: 0.3}, "in_later_contract_share": 0.7,
    "usage_median_gb": 6.0, "usage_log_sd": 0.7, "allowance_ratio": 1.5, "contactable_share": 0.9,
    "call_consent_share": 0.8, "sms_consent_share": 0.7, "habit_log_sd": 0.4, "responsiveness_log_sd": 0.5,
    "attention_mean": 0.3, "satisfaction_mean": 70.0, "satisfaction_sd": 10.0,
    "responsiveness_by_price_sensitivity": 0.3,
}
N = 200_000
# False-alarm rate of one share or mean below, over seeds.
Z = norm.isf(5e-5)


def traits(**changes):
    return Traits.model_validate({**TRAITS, **changes})


def made(ids, *, changes=None, key=KEY, **how):
    return generate(np.asarray(ids, np.int64), traits(**(changes or {})), key=key, **how)


BASE = made(evaluation_ids(N))
KIND = BASE["customer_type"]


def assert_share(hits, prob):
    assert abs(hits.mean() - prob) <= Z * np.sqrt(prob * (1.0 - prob) / len(hits))


def assert_mean(values, mean):
    values = values.astype(np.float64)
    assert abs(values.mean() - mean) < Z * values.std() / np.sqrt(len(values))


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2**50), min_size=1, max_size=40, unique=True), st.data())
def test_traits_depend_on_the_id_alone(ids, data):
    rows = np.array(data.draw(st.lists(st.sampled_from(range(len(ids))), min_size=1, unique=True)))
    join_month = data.draw(st.sampled_from([None, 4]))
    everybody, some = made(ids, join_month=join_month), made(np.array(ids)[rows], join_month=join_month)
    for name in SCHEMA:
        np.testing.assert_array_equal(some[name], everybody[name][..., rows], err_msg=name)


def test_another_replicate_has_other_subscribers():
    other = made(evaluation_ids(1000), key=make_key(seed=3, replicate=1))
    assert (other["service_sensitivity"] != BASE["service_sensitivity"][:1000]).all()


def test_id_ranges_never_meet():
    assert evaluation_ids(3).tolist() == [0, 1, 2]
    assert pilot_ids(2).tolist() == [2**39, 2**39 + 1]
    assert entrant_ids(2, cohort_month=0).tolist() == [2**40, 2**40 + 1]
    assert entrant_ids(2, cohort_month=7).tolist() == [2**43, 2**43 + 1]


@pytest.mark.parametrize(("code", "name"), list(enumerate(CUSTOMER_TYPES)))
def test_kinds_of_account(code, name):
    kind = KINDS[name]
    of_kind = code == KIND
    assert_share(of_kind, kind["share"])
    assert_share(BASE["payment"][of_kind] == 1, kind["prepaid_share"])
    lines = BASE["lines"][of_kind]
    assert lines.min() == 1
    if kind["lines_mean"] > 1.0:
        assert_mean(lines, kind["lines_mean"])
    # A geometric number of lines from 1, of mean m, is 1 with probability 1 / m.
    assert_share(lines == 1, 1.0 / kind["lines_mean"])
    tenure = BASE["tenure_months"][of_kind]
    assert_share(tenure >= 12, np.exp(-12.0 / kind["tenure_mean_months"]))
    per_line = BASE["plan_price_amount"][of_kind] / lines
    assert_share(per_line < kind["price_per_line_amount"], 0.5)


def test_other_shares():
    for region in range(5):
        assert_share(BASE["region"] == region, 0.2)
    assert_share(BASE["locality"][KIND == 0] == 1, 0.2)
    assert not BASE["locality"][KIND > 0].any()
    for name in ("contactable", "call_consent", "sms_consent"):
        assert_share(BASE[name] == 1, TRAITS[f"{name}_share"])


def test_habits_responsiveness_attention_satisfaction():
    """Means as documented; responsiveness has mean 1 although price sensitivity moves it by 0.3 a unit."""
    for name, mean in (("answer_habit", 1.0), ("read_habit", 1.0), ("responsiveness", 1.0), ("attention", 0.3),
                       ("price_sensitivity", 0.0), ("service_sensitivity", 0.0)):
        assert_mean(BASE[name], mean)
    slope = np.polyfit(BASE["price_sensitivity"], np.log(BASE["responsiveness"]), 1)[0]
    assert slope == pytest.approx(0.3, abs=Z * 0.5 / np.sqrt(N))
    assert BASE["attention"].min() >= 0.0
    assert BASE["attention"].max() <= 1.0
    assert_share(BASE["usual_satisfaction"] < 70.0, 0.5)
    assert_share(BASE["usual_satisfaction"] < 60.0, norm.cdf(-1.0))
    assert BASE["usual_satisfaction"].max() == 100.0
    np.testing.assert_array_equal(BASE["satisfaction"], BASE["usual_satisfaction"])


def test_traits_drawn_apart_are_uncorrelated():
    """Each column has a stream of its own: false-alarm rate 1e-4 for each of 45 pairs."""
    names = ("region", "contactable", "call_consent", "sms_consent", "answer_habit", "read_habit",
             "price_sensitivity", "service_sensitivity", "attention", "usual_satisfaction")
    found = np.corrcoef([BASE[name].astype(np.float64) for name in names]) * np.sqrt(N)
    assert np.abs(found[np.triu_indices(len(names), 1)]).max() < Z


def test_the_fee_moves_with_price_sensitivity():
    per_line = np.log(BASE["plan_price_amount"] / BASE["lines"])[KIND == 0]
    slope, median = np.polyfit(BASE["price_sensitivity"][KIND == 0], per_line, 1)
    error = Z * 0.3 / np.sqrt((KIND == 0).sum())
    assert slope == pytest.approx(-0.1, abs=error)
    assert median == pytest.approx(np.log(40.0), abs=error)


def test_contracts_fit_the_tenure():
    length, left, tenure = (BASE[name].astype(int) for name in (
        "contract_length_months", "contract_left_months", "tenure_months"))
    assert not length[BASE["payment"] == 1].any()
    postpaid = BASE["payment"] == 0
    for months, share in TRAITS["contract_length_months_shares"].items():
        assert_share(length[postpaid] == months, share)
    assert not left[length == 0].any()
    first = (length > 0) & (tenure < length)
    np.testing.assert_array_equal(left[first], length[first] - tenure[first])
    later = (length > 0) & (tenure >= length)
    assert_share(left[later] > 0, 0.7)
    bound = later & (left > 0)
    assert (left[bound] <= length[bound]).all()
    assert ((tenure[bound] + left[bound]) % length[bound] == 0).all()


def test_usage_history_and_bills_start_at_their_usual_level():
    np.testing.assert_allclose(BASE["usage_gb"], np.broadcast_to(np.exp(BASE["usage_level"]), (6, N)), rtol=1e-5)
    np.testing.assert_array_equal(BASE["bill_amount"], np.broadcast_to(BASE["plan_price_amount"], (6, N)))
    assert not BASE["usage_deviation"].any()
    level = BASE["usage_level"] - np.log(BASE["lines"])
    assert_mean(level, np.log(6.0))
    assert level.std() == pytest.approx(0.7, rel=Z / np.sqrt(2 * N))
    assert_share(BASE["allowance_gb"] < 1.5 * np.exp(BASE["usage_level"]), 0.5)


def test_the_start_is_before_any_event():
    assert np.isinf(BASE["decision_time"]).all()
    assert np.isinf(BASE["departure_time"]).all()
    assert not any(BASE[name].any() for name in ("cause", "offer_code", "discount_share", "wake", "shopping",
                                                 "complaint_stock", "fault_stock", "arrears_months"))
    np.testing.assert_array_equal(BASE["join_month"], -BASE["tenure_months"])
    tenure = BASE["tenure_months"]
    named = np.array(STATES)[BASE["state"]]
    assert set(named[tenure < 3]) == {"entry"}
    assert set(named[(tenure >= 3) & (tenure < 12)]) == {"growth"}
    assert set(named[tenure >= 12]) == {"stable"}


def test_entrants_are_prospects_without_tenure_at_the_start_of_a_contract():
    base = made(entrant_ids(2000, cohort_month=5), join_month=5)
    assert (base["join_month"] == 5).all()
    assert not base["tenure_months"].any()
    assert (base["state"] == STATES.index("prospect")).all()
    np.testing.assert_array_equal(base["contract_left_months"], base["contract_length_months"])
    assert_share(base["customer_type"] == 0, 0.6)


def test_known_columns_are_kept_and_the_rest_is_drawn_as_ever():
    ids = np.arange(4)
    known = {"tenure_months": np.array([3.0, np.nan, 30.0, 5.0]), "payment": np.array([0, 0, 0, 1])}
    base, usual = made(ids, known=known), made(ids)
    assert base["tenure_months"].tolist() == [3, usual["tenure_months"][1], 30, 5]
    assert base["payment"].tolist() == [0, 0, 0, 1]
    for name in ("customer_type", "region", "service_sensitivity", "attention", "usage_level", "lines"):
        np.testing.assert_array_equal(base[name], usual[name])
    length, left = base["contract_length_months"], base["contract_left_months"]
    assert (length[3], left[3]) == (0, 0), "who pays in advance has no contract"
    for row in (0, 2):
        assert length[row] == 0 or left[row] in (0, length[row] - base["tenure_months"][row] % length[row])


def test_a_known_usage_history_sets_the_usual_level():
    """Mean of the months known; a row without any is drawn; months missing are filled with the usual usage."""
    usage = np.full((6, 3), 4.0)
    usage[5] = [8.0, np.nan, np.nan]
    usage[:5, 2] = np.nan
    base, usual = made(np.arange(3), known={"usage_gb": usage}), made(np.arange(3))
    assert np.exp(base["usage_level"]).tolist() == pytest.approx([28.0 / 6.0, 4.0, np.exp(usual["usage_level"][2])])
    assert base["usage_gb"][5].tolist() == pytest.approx([8.0, 4.0, usual["usage_gb"][5, 2]], rel=1e-5)
    assert base["usage_gb"][0].tolist() == pytest.approx([4.0, 4.0, usual["usage_gb"][0, 2]], rel=1e-5)
    assert base["usage_deviation"].tolist() == pytest.approx([np.log(48.0 / 28.0), 0.0, 0.0], abs=1e-6)


def test_price_sensitivity_given_a_known_fee():
    """Normal theory: mean b r / (b^2 + s^2), variance s^2 / (b^2 + s^2), r the log of the fee over its median."""
    lines = np.ones(N)
    known = {"plan_price_amount": np.full(N, 80.0), "lines": lines, "customer_type": np.zeros(N)}
    drawn = made(np.arange(N), known=known)["price_sensitivity"].astype(np.float64)
    assert_mean(drawn, -0.1 * np.log(2.0) / 0.1)
    assert drawn.var() == pytest.approx(0.9, rel=Z * np.sqrt(2.0 / N))


def test_a_column_that_is_never_drawn_cannot_be_known():
    with pytest.raises(ValueError, match=r"^known columns that are never drawn: cause, tenure_months$"):
        made(np.arange(2), known={"tenure_months": np.ones(2), "cause": np.ones(2)}, join_month=3)


def test_a_region_beyond_those_configured_is_refused():
    with pytest.raises(DataError, match=r"^the table has region 7, but population.traits.regions is 5; "
                                        r"raise it to 8$"):
        made(np.arange(3), known={"region": np.array([0, 7, 1])})


def test_nobody_at_all():
    assert len(made(np.arange(0))) == 0
