"""Months through the engine: same bits however they are run, twins, clocks, expectations, offers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.treatment import Resolutions, Treatment, contacts, everybody, nobody
from churnsim.population.columns import SCHEMA

from .examples import KEY, LIVELY, OFFERS, constant, engine, lifecycle, same, subscribers, varied

START = 2
DISCOUNT, CONTRACT, RECOVERY, PROTECTION, _ = range(1, 1 + len(OFFERS))
NOTICE = 1.0 / 3.0
AMOUNTS = ("revenue", "cost_to_serve", "discount", "active", "active_prob", "undecided", "undecided_prob",
           "billed", "billed_prob", "accepted", "hazard")


def mixed(ids):
    """Two thirds are contacted, at times and with acceptances that follow from the id."""
    ids = np.asarray(ids)
    return contacts(np.where(ids % 3 > 0, (ids % 29) / 29.0, np.inf), (ids % 5).astype(np.int8))


def history(base, world=None):
    """Let the months before START pass."""
    (world or engine()).run([(base, None)], start=0, months=START)
    return base


def run(base, treatment, *, world=None, months=5, start=START, **how):
    """Run a copy; return it and what was observed, {name: (months, n)}."""
    base = base.copy()
    seen = {name: np.full((months, len(base)), np.nan) for name in AMOUNTS}

    def watch(block):
        for name in AMOUNTS:
            seen[name][block.month.number - start, block.low:block.high] = block[name]

    (world or engine()).run([(base, treatment)], start=start, months=months, observe=watch, **how)
    return base, seen


def assert_same(a, b):
    assert same(a[0], b[0])
    for name in AMOUNTS:
        np.testing.assert_array_equal(a[1][name], b[1][name], err_msg=name)


def test_same_bits_for_every_block_size_and_number_of_threads():
    ids = np.arange(20_000)
    base = history(varied(ids))
    whole = run(base, mixed(ids), block=100_000)
    for block, threads in ((100, 1), (1000, 2), (16_384, 1), (16_384, 2), (7777, 2)):
        assert_same(run(base, mixed(ids), block=block, threads=threads), whole)


MANY = history(varied(np.arange(600)))
TREATED = mixed(MANY.ids)
ALL = run(MANY, TREATED)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 599), min_size=1, max_size=80, unique=True), st.integers(1, 90))
def test_any_subset_in_any_order_gives_the_same_bits(rows, block):
    """Twins need only the touched ids to be run again."""
    rows = np.array(rows)
    some = run(MANY.take(rows), mixed(MANY.ids[rows]), block=block)
    assert_same(some, (ALL[0].take(rows), {name: values[:, rows] for name, values in ALL[1].items()}))


def test_arms_of_a_run_are_what_each_gives_alone():
    one, two, three = MANY.copy(), MANY.copy(), MANY.copy()
    arms = [None, everybody(600, contact_time=0.3, accepted=DISCOUNT), TREATED]
    engine().run([(one, arms[0]), (two, arms[1]), (three, arms[2])], start=START, months=5)
    for base, treatment in zip((one, two, three), arms, strict=True):
        assert same(base, run(MANY, treatment)[0])


def test_an_empty_treatment_is_no_treatment():
    assert_same(run(MANY, nobody()), run(MANY, None))


def test_months_in_one_run_or_in_two():
    split = MANY.copy()
    for start, months in ((2, 3), (5, 4)):
        engine().run([(split, None)], start=start, months=months)
    assert same(split, run(MANY, None, months=7)[0])


def test_the_decision_precedes_the_departure_by_the_notice():
    base, _ = run(MANY, TREATED, months=12)
    left = np.isfinite(base["decision_time"])
    assert 100 < left.sum() < 600
    np.testing.assert_allclose(base["departure_time"][left] - base["decision_time"][left], NOTICE)
    assert (base["cause"] > 0).tolist() == left.tolist()
    assert np.isinf(base["departure_time"][~left]).all()


def test_active_and_undecided_follow_from_the_times():
    base, seen = run(MANY, TREATED, months=6)
    joined = base["join_month"]
    contact = np.zeros(600)
    contact[TREATED.row] = TREATED.time
    for age in range(6):
        month = START + age
        np.testing.assert_array_equal(seen["active"][age], (joined <= month) & (base["departure_time"] > month))
        moment = month + (contact if age == 0 else 0.0)
        np.testing.assert_array_equal(seen["undecided"][age], base["decision_time"] > moment)


def test_nobody_leaves_before_joining_and_is_active_from_the_join_on():
    base, seen = run(varied(np.arange(0, 13 * 500, 13)), None, start=0, months=6)
    assert (base["join_month"] == 3).all()
    assert not seen["active"][:3].any()
    assert not seen["active_prob"][:3].any()
    assert not seen["hazard"][:3].any()
    assert seen["active"][3].all()
    assert (seen["active_prob"][3] == 1.0).all()
    assert base["decision_time"].min() > 3.0
    assert np.isfinite(base["decision_time"]).any()
    assert (base["tenure_months"] == 3).all()


def test_no_twin_differs_before_its_first_contact():
    reference, twin = run(MANY, None, months=12)[0], run(MANY, TREATED, months=12)[0]
    contact = np.full(600, np.inf)
    contact[TREATED.row] = START + TREATED.time
    earlier = np.minimum(reference["decision_time"], twin["decision_time"])
    differs = reference["decision_time"] != twin["decision_time"]
    assert differs.sum() > 50
    assert (earlier[differs] > contact[differs]).all()
    untouched = np.isinf(contact)
    assert same(reference.take(np.flatnonzero(untouched)), twin.take(np.flatnonzero(untouched)))


def test_a_contact_after_the_decision_has_no_effect():
    """Neither on when, why and whether service ends, nor does an accepted discount fall due any more."""
    reference = run(MANY, None)[0]
    decision = reference["decision_time"]
    this_month = np.flatnonzero((decision > START) & (decision < START + 1) & (decision < START + 0.98))
    later = contacts(decision[this_month] - START + 0.01, np.full(len(this_month), DISCOUNT, np.int8))
    twin, seen = run(MANY.take(this_month), later)
    for name in ("decision_time", "departure_time", "cause"):
        np.testing.assert_array_equal(twin[name], reference[name][this_month])
    still_there = (seen["active"][1] == 1) & (seen["discount"][1] > 0)
    assert still_there.any(), "some depart after the next bill"
    assert not seen["undecided"][0].any()
    assert not seen["billed"][1:].any()


def test_a_discount_is_due_with_the_chance_of_having_been_undecided():
    """Contact at 0.9, notice a third: active next month needs no decision until 2/3, the discount until 0.9."""
    world = engine(lifecycle(causes=constant(gone=0.3)))
    _, seen = run(subscribers(1), everybody(1, contact_time=0.9, accepted=DISCOUNT), world=world, realise=False)
    assert seen["active_prob"][:3, 0] == pytest.approx(np.exp([0.0, -0.2, -0.5]), rel=1e-6)
    assert seen["billed_prob"][:3, 0] == pytest.approx(np.exp([0.0, -0.27, -0.5]), rel=1e-6)
    assert seen["undecided_prob"][:3, 0] == pytest.approx(np.exp([-0.27, -0.3, -0.6]), rel=1e-6)


def test_a_running_discount_is_due_whoever_gave_it():
    base = subscribers(2000, discount_share=0.5, discount_left_months=2)
    after, seen = run(base, everybody(2000, contact_time=0.9, accepted=CONTRACT))
    assert seen["discount"][:3, 0].tolist() == [15.0, 15.0, 0.0]
    decided = (after["decision_time"] < START + 0.9) & (after["departure_time"] > START + 1)
    assert decided.any(), "some had decided before the contact and get one more bill"
    for name in ("active", "active_prob"):
        np.testing.assert_array_equal(seen[name.replace("active", "billed")], seen[name])


def test_treating_one_id_changes_that_id_only():
    one = Treatment(np.array([78]), np.array([0.1]), np.array([DISCOUNT], np.int8))
    reference, twin = run(MANY, None), run(MANY, one)
    others = np.delete(np.arange(600), 78)
    assert_same((twin[0].take(others), {name: values[:, others] for name, values in twin[1].items()}),
                (reference[0].take(others), {name: values[:, others] for name, values in reference[1].items()}))
    assert not same(twin[0], reference[0])


def test_a_pure_permanent_reduction_makes_nobody_leave_earlier():
    world = engine(lifecycle(contact={"wake": 0.0, "goodwill_points": 0.0}))
    protection = everybody(600, contact_time=0.25, accepted=PROTECTION)
    reference = run(MANY, None, world=world, months=36)[0]["decision_time"]
    twin = run(MANY, protection, world=world, months=36)[0]["decision_time"]
    assert (twin >= reference).all()
    assert (twin > reference).sum() > 200


def test_a_decision_is_final():
    """Also one that rounding puts exactly on the boundary of two months."""
    base = subscribers(2000, ids=np.arange(2000), decision_time=float(START), departure_time=START + NOTICE, cause=1)
    after, seen = run(base, None)
    for name in ("decision_time", "departure_time", "cause"):
        np.testing.assert_array_equal(after[name], base[name])
    assert seen["active"][:2].mean(axis=1).tolist() == [1.0, 0.0]


def test_probabilities_do_not_depend_on_what_happened():
    """The clocks are integrated out, so months run with and without leavers carry the same chances."""
    with_leavers, without = run(MANY, TREATED), run(MANY, TREATED, realise=False)
    alive = np.isinf(MANY["decision_time"])
    for name in ("active_prob", "undecided_prob", "billed_prob", "revenue", "discount", "hazard"):
        np.testing.assert_array_equal(with_leavers[1][name][:, alive], without[1][name][:, alive])
    for name in set(SCHEMA) - {"decision_time", "departure_time", "cause"}:
        np.testing.assert_array_equal(with_leavers[0][name], without[0][name])
    np.testing.assert_array_equal(without[0]["decision_time"], MANY["decision_time"])


def test_expected_presence_is_the_mean_over_clocks():
    """The same paths under 400 sets of clocks.

    Each mean within 4.5 s.e. (false-alarm rate 0.006 over 900 cells), each column's sum within 4 s.e. (6e-5).
    """
    replicates, n, months = 400, 60, 5
    rows = np.arange(100, 100 + n)
    contact_time = np.where(rows % 3 > 0, 0.3 + 0.65 * (rows % 7) / 7.0, np.inf)
    accepted = np.where(rows % 3 > 0, np.where(rows % 2, PROTECTION, DISCOUNT), 0).astype(np.int8)
    treatment = contacts(contact_time, accepted)
    base = subscribers(n, ids=rows, attention=0.2, contract_left_months=rows % 3, responsiveness=4.0)
    columns = ("active", "undecided", "billed")
    totals = {name: np.zeros((months, n)) for name in columns}
    usual = engine()
    for replicate in range(replicates):
        # Clocks are keyed by the names of causes; the table of offers goes by their order.
        causes = {f"{name}_{replicate}": {**cause, "intercept": -2.0} for name, cause in LIVELY["causes"].items()}
        world = Lifecycle(lifecycle(causes=causes), usual.market, usual.offers, key=KEY)
        _, seen = run(base, treatment, world=world, months=months)
        for name in columns:
            totals[name] += seen[name]
    for name in columns:
        prob = seen[f"{name}_prob"]
        variance = replicates * prob * (1.0 - prob)
        off = totals[name] - replicates * prob
        assert (np.abs(off) <= 4.5 * np.sqrt(variance) + 1e-9).all()
        # Months of one subscriber go together; bounded by taking them as fully correlated.
        assert abs(off.sum()) < 4.0 * np.sqrt((np.sqrt(variance).sum(axis=0) ** 2).sum())
        assert prob.min() < 0.5


def test_share_leaving_under_constant_hazards():
    """Realised and expected against 1 - exp(-H t), decisions a third of a month earlier; false alarm 1e-4 each."""
    n = 100_000
    world = engine(lifecycle(causes=constant(a=0.02, b=0.03)))
    _, seen = run(subscribers(n), None, world=world)
    for age in range(1, 5):
        prob = np.exp(-0.05 * (age - NOTICE))
        assert seen["active_prob"][age] == pytest.approx(prob, rel=1e-6)
        assert abs(seen["active"][age].mean() - prob) < norm.isf(5e-5) * np.sqrt(prob * (1 - prob) / n)


QUIET = {
    "usage": {"noise_log_sd": 0.0}, "notice_days": 0.0,
    "service": {"fault_prob": 1e-9, "complaint_prob": 1e-9, "complaint_log_odds": {}},
    "shopping": {"base_prob": 1e-9, "log_odds": {}}, "arrears": {"miss_prob": 1e-9},
    "suspension": {"enter_prob": 1e-9}, "contract": {"renewal_prob": 0.0},
    "causes": {"price": {"intercept": float(np.log(0.02)), "coefficients": {"discount_shock": 1.5, "wake": 0.8}}},
}


def quiet(code, *, months=7, **columns):
    """Return the months of one subscriber to whom nothing happens but a contact at 0.5 and an offer."""
    return run(subscribers(1, **columns), everybody(1, contact_time=0.5, accepted=code),
               world=engine(lifecycle(**QUIET)), months=months, realise=False)


def test_a_discount_month_by_month():
    """30 % of the next three bills of 30, and what it does to the hazard.

    It is 0.02 x 0.4 for the rest of the month and two more, then 0.02 at the last discounted bill, then raised
    by the shock of log(1 / 0.7), halved every month. Nobody is woken: a contract of 9 months binds.
    """
    base, seen = quiet(DISCOUNT, contract_left_months=9)
    assert seen["discount"][:, 0] == pytest.approx([0, 9, 9, 9, 0, 0, 0])
    assert seen["revenue"][:, 0] == pytest.approx([30] * 7)
    assert seen["cost_to_serve"][:, 0] == pytest.approx([15] * 7)
    shock = -np.log(0.7)
    factors = [0.4, 0.4, 0.4, 1.0, *np.exp([1.5 * shock, 0.75 * shock, 0.375 * shock])]
    assert seen["hazard"][:, 0] == pytest.approx(0.02 * np.array(factors), rel=1e-5)
    accumulated = 0.01 + 0.004 + 0.02 * np.cumsum([0.0, *factors[1:-1]])
    assert seen["active_prob"][1:, 0] == pytest.approx(np.exp(-accumulated), rel=1e-6)
    assert seen["undecided_prob"][0, 0] == pytest.approx(np.exp(-0.01), rel=1e-6)
    assert seen["accepted"][:, 0].tolist() == [DISCOUNT, 0, 0, 0, 0, 0, 0]
    assert base["offer_code"][0] == DISCOUNT


def test_responsiveness_is_the_power_of_the_effect():
    _, seen = quiet(DISCOUNT, contract_left_months=9, responsiveness=2.0)
    assert seen["hazard"][:4, 0] == pytest.approx([0.0032, 0.0032, 0.0032, 0.02], rel=1e-5)


def test_a_contact_wakes_and_the_wake_fades():
    _, seen = quiet(0, attention=0.4)
    assert seen["hazard"][:4, 0] == pytest.approx(0.02 * np.exp(0.8 * 0.6 * 0.5 ** np.arange(4)), rel=1e-5)
    for bound in ({"contract_left_months": 9}, {"payment": 1}, {"attention": 1.0}):
        assert quiet(0, **bound)[1]["hazard"][:, 0] == pytest.approx([0.02] * 7, rel=1e-5)


def test_contract_months_run_from_the_month_of_acceptance():
    left = [int(quiet(CONTRACT, contract_left_months=3, months=months)[0]["contract_left_months"][0])
            for months in (1, 2, 15, 16)]
    assert left == [14, 13, 0, 0]


def test_recovery_clears_complaints_that_then_fade():
    """2 x 0.2, then 0.6 a month; satisfaction 40 goes to 47.5 before the contact, and gains 10 with it."""
    base, _ = quiet(RECOVERY, complaint_stock=2.0 / 0.6, fault_stock=1.0 / 0.6, satisfaction=40.0, months=1)
    assert base["complaint_stock"][0] == pytest.approx(0.4, rel=1e-5)
    assert base["fault_stock"][0] == pytest.approx(0.2, rel=1e-5)
    assert base["satisfaction"][0] == pytest.approx(57.5, rel=1e-5)


def test_another_key_is_another_world():
    other = run(MANY, None, world=engine(key=make_key(seed=5, replicate=1)))[0]
    assert (other["usage_deviation"] != run(MANY, None)[0]["usage_deviation"]).all()


def test_nobody_at_all():
    base = Subscribers.empty(SCHEMA, np.arange(0))
    run(base, nobody())
    assert len(base) == 0 and {column.shape[-1] for column in base.columns.values()} == {0}


@pytest.mark.parametrize("row", [-1, 600])
def test_a_treatment_of_a_row_that_is_not_there_is_refused(row):
    with pytest.raises(ValueError, match=rf"^a treatment names rows {row} to {row}, but the base has rows 0 to 599$"):
        run(MANY, Treatment(np.array([row]), np.array([0.5]), np.zeros(1, np.int8)))


def test_a_ticket_of_a_row_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"^a treatment names rows 3 to 600, but the base has rows 0 to 599$"):
        run(MANY, replace(nobody(), tickets=Resolutions(np.array([3, 600]), np.array([5.0, 5.0]))))


def test_arms_of_other_ids_are_refused():
    with pytest.raises(ValueError, match=r"^the arms of a run have the same ids in the same order; run others apart$"):
        engine().run([(subscribers(3), None), (subscribers(3, ids=[1, 2, 3]), None)], start=0, months=1)
