"""Leaving when hazards change within the month: contacts and contract ends, by hand and over many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from churnsim.core.draws import stream, uniform
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.drivers.contract import DAY
from churnsim.lifecycle.leaving import Leaving
from churnsim.lifecycle.treatment import Treatment, contacts

from .examples import KEY, OFFERS, engine, lifecycle, subscribers

DISCOUNT, CONTRACT, RECOVERY, PROTECTION, _ = range(1, 1 + len(OFFERS))
MONTH = 2
# False-alarm rate of one share below, over seeds.
Z = norm.isf(5e-5)
QUIET = {
    "usage": {"noise_log_sd": 0.0}, "notice_days": 0.0,
    "service": {"fault_prob": 1e-9, "complaint_prob": 1e-9, "complaint_log_odds": {}},
    "shopping": {"base_prob": 1e-9, "log_odds": {}}, "arrears": {"miss_prob": 1e-9},
    "contacts": {"shop_prob": 0.0},
    "suspension": {"enter_prob": 1e-9}, "contract": {"renewal_prob": 0.0},
}


def quiet(hazard, *, name="other", renewal_prob=0.0, notice_days=0.0, **coefficients):
    """Return a world in which nothing happens but contacts, contract ends, and leaving for one cause."""
    return engine(lifecycle(**{**QUIET, "contract": {"renewal_prob": renewal_prob}, "notice_days": notice_days,
                               "causes": {name: {"intercept": float(np.log(hazard)), "coefficients": coefficients}}}))


def month_of(world, base, treatment, *, realise=True):
    """Return a copy of the base and the named columns after the month of the treatment."""
    base, seen = base.copy(), {}
    names = ("active_next_prob", "undecided", "undecided_prob", "hazard", "accepted")

    def look(block):
        seen.update({name: block[name].copy() for name in names})

    world.run([(base, treatment)], start=MONTH, months=1, observe=look, realise=realise, block=len(base))
    return base, seen


def moment(ids, pieces, *, name="other"):
    """Return when each clock fires, added up piece by piece: `pieces` are (until, hazard), numbers or arrays."""
    left = -np.log(uniform(KEY, stream(f"lifecycle.clock.{name}"), ids, month=MONTH))
    time, since = np.full(len(ids), np.inf), np.zeros(len(ids))
    for until, hazard in pieces:
        gain = hazard * (until - since)
        fires = np.isinf(time) & (left <= gain)
        time[fires] = (since + left / hazard)[fires]
        left, since = left - gain, np.broadcast_to(until, len(ids))
    return MONTH + time


# Hazards of a contract that binds, that ends this month or next, and of none.
BINDS, ENDS, FREE = 0.1, 0.5, 2.0
WEIGHTS = {"bound": np.log(BINDS), "contract_ending": np.log(ENDS), "out_of_contract": np.log(FREE)}
BASE = subscribers(3000, contract_left_months=1)
DAYS = uniform(KEY, DAY, BASE.ids)


def assert_pieces(after, seen, *pieces):
    """Compare decisions, and the chance of none, with those of (until, hazard)."""
    np.testing.assert_allclose(after["decision_time"], moment(BASE.ids, pieces), rtol=1e-6)
    assert 0.1 < np.isfinite(after["decision_time"]).mean() < 0.9
    accumulated, since = 0.0, 0.0
    for until, hazard in pieces:
        accumulated, since = accumulated + hazard * (until - since), until
    np.testing.assert_allclose(seen["active_next_prob"], np.exp(-accumulated), rtol=1e-5)


@pytest.mark.parametrize(("renewal_prob", "then", "left"), [(0.0, FREE, 0), (1.0, BINDS, 12)])
def test_a_contract_ends_on_its_day(renewal_prob, then, left):
    world = quiet(1.0, renewal_prob=renewal_prob, **WEIGHTS)
    after, seen = month_of(world, BASE, None)
    assert_pieces(after, seen, (DAYS, ENDS), (1.0, then))
    assert (after["contract_left_months"] == left).all()
    np.testing.assert_allclose(seen["hazard"], then, rtol=1e-5)
    assert (seen["undecided_prob"] == 1.0).all() and (seen["undecided"]).all(), "asked at the month's start"


def test_a_contract_extended_before_its_end_goes_on():
    """Contact at half the time to the end: 12 months on top, and nothing ends."""
    after, seen = month_of(quiet(1.0, **WEIGHTS), BASE, contacts(DAYS / 2, np.full(3000, CONTRACT, np.int8)))
    assert_pieces(after, seen, (DAYS / 2, ENDS), (1.0, BINDS))
    assert (after["contract_left_months"] == 12).all()


def test_a_contract_signed_after_the_old_one_ended():
    """The end comes first: free until the contact, then the rest of this month and 12 more."""
    contact = (1 + DAYS) / 2
    after, seen = month_of(quiet(1.0, **WEIGHTS), BASE, contacts(contact, np.full(3000, CONTRACT, np.int8)))
    assert_pieces(after, seen, (DAYS, ENDS), (contact, FREE), (1.0, BINDS))
    assert (after["contract_left_months"] == 12).all()
    np.testing.assert_allclose(seen["undecided_prob"], np.exp(-(ENDS * DAYS + FREE * (contact - DAYS))), rtol=1e-5)
    np.testing.assert_array_equal(seen["undecided"], after["decision_time"] > MONTH + contact)


def test_a_contact_wakes_after_the_end_of_the_contract_but_not_before():
    """Wake is 1 - attention = 0.6 of who is free when contacted; a contract that ends later does not wake."""
    world = quiet(0.5, wake=1.0)
    for contact, woken in (((1 + DAYS) / 2, np.exp(0.6)), (DAYS / 2, 1.0)):
        after, seen = month_of(world, BASE, contacts(contact, np.zeros(3000, np.int8)))
        assert_pieces(after, seen, (contact, 0.5), (1.0, 0.5 * woken))


def several(n, *calls):
    """Return the treatment in which everybody has the same (time, accepted) contacts."""
    times, codes = zip(*calls, strict=True)
    return Treatment(np.repeat(np.arange(n), len(calls)), np.tile(times, n), np.tile(codes, n).astype(np.int8))


# Each contact pleases: satisfaction rises by 2 points, dissatisfaction falls by a tenth, the hazard to 0.6 of it.
# The third accepts what halves it.
CALLS = ((0.2, 0), (0.5, 0), (0.6, PROTECTION), (0.9, 0))
HAZARDS = 0.8 * 0.6 ** np.arange(5) * [1.0, 1.0, 1.0, 0.5, 0.5]
EDGES = np.array([0.0, 0.2, 0.5, 0.6, 0.9, 1.0])


def test_several_contacts_of_one_subscriber():
    """The hazard changes at each: P(decided by t) = 1 - exp(-sum of hazard x duration); 7 shares."""
    n = 200_000
    world = quiet(HAZARDS[0], name="price", notice_days=9.0, dissatisfaction=-10.0 * np.log(0.6))
    after, seen = month_of(world, subscribers(n, attention=1.0), several(n, *CALLS))

    def undecided(time):
        return np.exp(-(HAZARDS * np.diff(np.minimum(EDGES, time))).sum())

    for time in (0.1, 0.2, 0.4, 0.55, 0.8, 0.95, 1.0):
        gone = (after["decision_time"] <= MONTH + time).mean()
        assert abs(gone - (1.0 - undecided(time))) < Z * np.sqrt(undecided(time) * (1.0 - undecided(time)) / n), time
    np.testing.assert_allclose(seen["undecided_prob"], undecided(0.6), rtol=1e-5, err_msg="asked at the acceptance")
    np.testing.assert_array_equal(seen["undecided"], after["decision_time"] > MONTH + 0.6)
    np.testing.assert_allclose(seen["active_next_prob"], undecided(0.7), rtol=1e-5, err_msg="notice of 9 days")
    np.testing.assert_allclose(seen["hazard"], HAZARDS[-1], rtol=1e-5)
    assert (seen["accepted"] == PROTECTION).all() and (after["offer_code"] == PROTECTION).all()
    np.testing.assert_allclose(after["satisfaction"], 78.0, rtol=1e-6)


def test_each_has_its_own_number_of_contacts():
    """From none to four: those of row k are the first k of the calls, as if the others had as many."""
    world = quiet(HAZARDS[0], name="price", dissatisfaction=-10.0 * np.log(0.6))
    base = subscribers(500, attention=1.0)
    count = base.ids % 5
    rows = np.repeat(np.arange(500), count)
    nth = np.concatenate([np.arange(k) for k in count])
    times, codes = np.array([call[0] for call in CALLS])[nth], np.array([call[1] for call in CALLS], np.int8)[nth]
    mixed, seen = month_of(world, base, Treatment(rows, times, codes))
    for k in range(5):
        some = np.flatnonzero(count == k)
        treatment = several(len(some), *CALLS[:k]) if k else None
        alone, alone_seen = month_of(world, base.take(some), treatment)
        np.testing.assert_allclose(mixed["decision_time"][some], alone["decision_time"], rtol=1e-12)
        for name, values in seen.items():
            np.testing.assert_allclose(values[some], alone_seen[name], rtol=1e-12, err_msg=name)


def test_without_acceptance_the_first_contact_decides_who_is_undecided():
    world = quiet(0.8)
    after, seen = month_of(world, subscribers(2000), several(2000, (0.3, 0), (0.7, 0)))
    np.testing.assert_array_equal(seen["undecided"], after["decision_time"] > MONTH + 0.3)
    np.testing.assert_allclose(seen["undecided_prob"], np.exp(-0.24), rtol=1e-5)


def test_contacts_at_one_moment_act_one_after_the_other():
    """Two at 0.5 please twice; the hazard between them lasts no time."""
    world = quiet(0.8, dissatisfaction=-10.0 * np.log(0.6))
    after, seen = month_of(world, subscribers(1, attention=1.0), several(1, (0.5, 0), (0.5, RECOVERY)))
    assert after["satisfaction"][0] == 82.0  # 2 + (2 + 8)
    assert seen["active_next_prob"][0] == pytest.approx(np.exp(-(0.4 + 0.4 * 0.6**6)), rel=1e-5)
    assert after["offer_code"][0] == RECOVERY


def test_probabilities_alone_let_the_same_happen_but_leaving():
    world = quiet(1.0, **WEIGHTS)
    treatment = contacts(np.where(BASE.ids % 2, 0.4, np.inf), (BASE.ids % 5).astype(np.int8))
    (real, real_seen), (thought, seen) = (month_of(world, BASE, treatment, realise=way) for way in (True, False))
    np.testing.assert_array_equal(real["contract_left_months"], thought["contract_left_months"])
    for name in ("active_next_prob", "undecided_prob", "hazard", "accepted"):
        np.testing.assert_array_equal(real_seen[name], seen[name])
    assert np.isinf(thought["decision_time"]).all() and seen["undecided"].all()


def test_causes_and_clocks_follow_the_drivers():
    def some(name, *causes):
        return Driver(name, reads=(name,), causes=causes, hazards=lambda block: np.zeros((len(causes), len(block))))

    made = Leaving((some("wake", "a", "b"), Driver("idle"), some("region", "c")), notice_months=0.5)
    assert made.causes == ("a", "b", "c")
    assert [clock.name for clock in made.clocks] == [f"lifecycle.clock.{cause}" for cause in "abc"]
    driver = made.driver()
    assert driver.streams == made.clocks and driver.after == ("wake", "region")
    assert driver.reads == ("decision_time", "join_month", "wake", "region")
