"""The synthetic base: draws by id alone, shares as configured, given columns respected, contracts that fit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_base import KEY, KINDS, SCENARIOS, N, Z, assert_mean, assert_share, made, traits

from churnsim.core.draws import make_key
from churnsim.errors import DataError
from churnsim.population.categories import CUSTOMER_TYPES, STATES, USAGE_SCENARIOS, VALUE_TIERS
from churnsim.population.columns import SCHEMA
from churnsim.population.generate import OpeningTerms, entrant_ids, evaluation_ids, generate, pilot_ids
from churnsim.population.settings import Traits

TERMS = OpeningTerms(termination_fee_share=0.5, low_value_amount=30.0, high_value_amount=70.0, app_logins_mean=4.0,
                     recharge_fee_months=2.0)
BASE = made(evaluation_ids(N), terms=TERMS)
KIND = BASE["customer_type"]
SCENARIO = BASE["usage_scenario"]


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


def test_traits_drawn_apart_are_uncorrelated():
    """Each column has a stream of its own: false-alarm rate 1e-4 for each of 91 pairs."""
    names = ("region", "building_access", "contactable", "call_consent", "sms_consent", "app_consent", "answer_habit",
             "read_habit", "device_age_months", "service_sensitivity", "attention", "usual_satisfaction",
             "residual_need", "usage_level")
    general = np.flatnonzero((SCENARIO == 0) & (KIND == 0))
    found = np.corrcoef([BASE[name][general].astype(np.float64) for name in names]) * np.sqrt(len(general))
    assert np.abs(found[np.triu_indices(len(names), 1)]).max() < Z


@pytest.mark.parametrize(("level", "history", "shift", "median", "log_sd"), [
    ("usage_level", "usage_gb", "usage_log", 6.0, 0.7), ("voice_level", "voice_minutes", "voice_log", 200.0, 0.6)])
def test_usual_use_is_that_of_the_scenario_and_histories_start_there(level, history, shift, median, log_sd):
    np.testing.assert_allclose(BASE[history], np.broadcast_to(np.exp(BASE[level]), (6, N)), rtol=1e-5)
    for name in ("general", "voice_led_senior", "student"):
        of = USAGE_SCENARIOS.index(name) == SCENARIO
        a_line = BASE[level][of] - np.log(BASE["lines"][of])
        assert_mean(a_line, np.log(median) + SCENARIOS[name].get(shift, 0.0))
        assert a_line.std() == pytest.approx(log_sd, rel=Z / np.sqrt(2 * of.sum()))


def test_bills_allowance_and_device():
    np.testing.assert_array_equal(BASE["bill_amount"], np.broadcast_to(BASE["plan_price_amount"], (6, N)))
    assert not BASE["usage_deviation"].any()
    assert_share(BASE["allowance_gb"] < 1.5 * np.exp(BASE["usage_level"]), 0.5)
    for months in (6, 24):
        assert_share(BASE["device_age_months"] >= months, np.exp(-months / 20.0))


def test_rules_set_elsewhere():
    """Fee for leaving, value, logins, and the balance: a recharge of two fees lasts 60 days."""
    fee, left = (BASE[name].astype(np.float64) for name in ("plan_price_amount", "contract_left_months"))
    np.testing.assert_allclose(BASE["termination_fee_amount"], 0.5 * fee * left, rtol=1e-6)
    tier = np.array(VALUE_TIERS)[BASE["value_tier"]]
    np.testing.assert_array_equal(tier, np.where(fee < 30.0, "low", np.where(fee < 70.0, "mid", "high")))
    np.testing.assert_allclose(BASE["app_logins"], 4.0 * BASE["app_habit"])
    prepaid = BASE["payment"] == 1
    days = BASE["recharge_days"][prepaid]
    np.testing.assert_allclose(BASE["balance_amount"][prepaid], fee[prepaid] * (60.0 - days) / 30.0, atol=1e-3)
    for day in (15.0, 45.0):
        assert_share(days < day, day / 60.0)
    assert not BASE["recharge_days"][~prepaid].any() and not BASE["balance_amount"][~prepaid].any()
    plain = made(np.arange(50))
    assert set(plain["value_tier"]) == {VALUE_TIERS.index("mid")}
    assert not plain["termination_fee_amount"].any() and not plain["app_logins"].any()


def test_the_start_is_before_any_event():
    assert np.isinf(BASE["decision_time"]).all()
    assert np.isinf(BASE["departure_time"]).all()
    assert not any(BASE[name].any() for name in ("cause", "offer_code", "discount_share", "wake", "shopping",
                                                 "complaint_stock", "fault_stock", "arrears_months", "ticket_open",
                                                 "hotline_stock", "plan_change_stock", "lock_in_amount"))
    assert (BASE["nps"] == -1).all() and (BASE["months_since_offer"] == 127).all() and not BASE["spell"].any()
    np.testing.assert_array_equal(BASE["spell_months"], BASE["tenure_months"])
    np.testing.assert_array_equal(BASE["join_month"], -BASE["tenure_months"])
    tenure = BASE["tenure_months"]
    named = np.array(STATES)[BASE["state"]]
    assert set(named[tenure < 3]) == {"entry"}
    assert set(named[(tenure >= 3) & (tenure < 12)]) == {"growth"}
    assert set(named[tenure >= 12]) == {"stable"}


def test_entrants_are_prospects_without_tenure_at_the_start_of_a_contract():
    base = made(entrant_ids(2000, cohort_month=5), join_month=5)
    assert (base["join_month"] == 5).all()
    assert not base["tenure_months"].any() and not base["spell_months"].any()
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


def test_a_column_that_is_never_drawn_cannot_be_known():
    with pytest.raises(ValueError, match=r"^known columns that are never drawn: cause, tenure_months$"):
        made(np.arange(2), known={"tenure_months": np.ones(2), "cause": np.ones(2)}, join_month=3)


def test_a_region_beyond_those_configured_is_refused():
    with pytest.raises(DataError, match=r"^the table has region 7, but population.traits.regions is 5; "
                                        r"raise it to 8$"):
        made(np.arange(3), known={"region": np.array([0, 7, 1])})


def test_a_cell_is_in_its_region():
    """By the table's cell of 20 a region; where it lacks one the cell is drawn in the region."""
    known = {"cell": np.array([0.0, 19.0, 20.0, 99.0, np.nan])}
    base = made(np.arange(5), known=known)
    assert base["cell"][:4].tolist() == [0, 19, 20, 99] and base["region"][:4].tolist() == [0, 0, 1, 4]
    assert base["cell"][4] // 20 == base["region"][4] == made(np.arange(5))["region"][4]
    both = made(np.arange(2), known={**{"region": np.array([np.nan, 2.0])}, "cell": np.array([70.0, np.nan])})
    assert both["region"].tolist() == [3, 2] and both["cell"][1] // 20 == 2
    with pytest.raises(DataError, match=(
            r"^the table has cell 41 in region 1, but with population.traits.cells_per_region 20 that cell is in "
            r"region 2; number cells from region \* cells_per_region on, or map only one of the two$")):
        made(np.arange(2), known={"region": np.array([1, 1]), "cell": np.array([20, 41])})
    with pytest.raises(DataError, match=r"^the table has region 5"):
        made(np.arange(1), known={"cell": np.array([100])})


def test_nobody_at_all():
    assert len(made(np.arange(0))) == 0


def leaves(tree, path=()):
    """Every key of the traits and its value."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def is_idle(path):
    """What cannot act in these traits: scenarios of nobody, where nobody migrates or pays in advance, one share."""
    if path[0] == "usage_scenarios":
        name, key = path[1:3]
        return (not SCENARIOS[name]["shares"] or (key == "migrant_log_odds" and name in ("converged_family", "finance"))
                or (key == "prepaid_log_odds" and name == "finance"))
    return path == ("customer_types", "enterprise_small", "contract_length_months_shares", 24)


PLAIN = traits().model_dump()


@pytest.mark.parametrize("path", [pytest.param(path, id=".".join(map(str, path))) for path, _ in leaves(PLAIN)])
def test_every_trait_changes_something(path):
    tree = copy.deepcopy(PLAIN)
    *above, key = path
    place = tree
    for name in above:
        place = place[name]
    value = place[key]
    is_share = not isinstance(value, int) and value <= 1.0 and key != "lines_mean"
    place[key] = 0.7 * value + 0.13 if is_share else value + 1
    ids = np.arange(3000)
    usual, other = made(ids, terms=TERMS), generate(ids, Traits.model_validate(tree), key=KEY, terms=TERMS)
    assert all(np.array_equal(usual[name], other[name]) for name in SCHEMA) == is_idle(path)


RANGES = {"lines": (1, 10_000), "attention": (0, 1), "residual_need": (0, 1), "usual_satisfaction": (0, 100),
          "tenure_months": (0, 600), "device_age_months": (0, 240), "contract_left_months": (0, 60),
          "cell": (0, 31_999)}
share = st.floats(0.0, 1.0)
shift = st.floats(-3.0, 3.0)


@settings(max_examples=60)
@given(st.data())
def test_any_traits_give_columns_within_range(data):
    def shares(names):
        parts = np.array([data.draw(st.floats(0.01, 1.0)) for _ in names])
        return dict(zip(names, (parts / parts.sum()).tolist(), strict=True))

    types = shares(CUSTOMER_TYPES)
    kinds = {name: {**KINDS[name], "share": types[name], "lines_mean": data.draw(st.floats(1.0, 500.0)),
                    "price_per_line_amount": data.draw(st.floats(0.0, 1e4)), "prepaid_share": data.draw(share),
                    "tenure_mean_months": data.draw(st.floats(0.01, 1e4)), "broadband_share": data.draw(share),
                    "contract_length_months_shares": shares((0, 1, 60))} for name in CUSTOMER_TYPES}
    scenarios = {name: {"shares": {}, **{key: data.draw(shift) for key in (
        "usage_log", "voice_log", "price_log", "prepaid_log_odds", "migrant_log_odds", "price_sensitivity",
        "technology_sensitivity")}} for name in USAGE_SCENARIOS}
    for kind in CUSTOMER_TYPES:
        for name, part in shares(USAGE_SCENARIOS).items():
            scenarios[name]["shares"][kind] = part
    changes = {"customer_types": kinds, "usage_scenarios": scenarios, "regions": data.draw(st.integers(1, 128)),
               "cells_per_region": data.draw(st.integers(1, 250)), "migrant_share": data.draw(share),
               "brand_tier_by_price_sensitivity": data.draw(st.floats(-1.0, 1.0)),
               "price_log_sd": data.draw(st.floats(0.0, 2.0)), "price_log_by_price_sensitivity": data.draw(shift),
               "responsiveness_by_attention": data.draw(shift), "attention_mean": data.draw(share),
               "residual_need_mean": data.draw(st.floats(0.01, 0.99)), "need_met_share": data.draw(share),
               "attitude_by_satisfaction": data.draw(st.floats(-1.0, 1.0)), "satisfaction_mean": data.draw(
                   st.floats(-50.0, 150.0)), "brand_tier_shares": shares(("budget", "standard", "premium"))}
    base = made(np.arange(60), changes=changes)
    for name, column in SCHEMA.items():
        values = base[name]
        assert np.isfinite(values).all() or name in ("decision_time", "departure_time"), name
        low, high = (0, len(column.categories) - 1) if column.categories else RANGES.get(name, (-np.inf, np.inf))
        assert values.min() >= low and values.max() <= high, name
        if column.unit == "amount" or name in ("answer_habit", "read_habit", "app_habit", "responsiveness"):
            assert values.min() >= 0.0, name
    assert (base["cell"] // changes["cells_per_region"] == base["region"]).all()
