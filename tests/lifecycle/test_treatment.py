"""What a contact and an offer do, one month after the other, by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest

from churnsim.lifecycle.treatment import Treatment, apply, contacts, everybody, fade, nobody

from .examples import lifecycle, offers, subscribers

OFFERS = offers(causes=("service", "price", "gone"))
CONTACT = lifecycle().contact
NONE, DISCOUNT, CONTRACT, RECOVERY = 0, OFFERS.code("discount"), OFFERS.code("contract"), OFFERS.code("recovery")


def treated(base, *codes, rows=None):
    """Contact everybody, or those at `rows`."""
    apply(base, np.arange(len(base)) if rows is None else np.array(rows), np.array(codes, np.int8), offers=OFFERS,
          contact=CONTACT)
    return base


def approx(values):
    return pytest.approx(values, rel=1e-6)


def listed(treatment):
    return list(zip(treatment.row.tolist(), treatment.time.tolist(), treatment.accepted.tolist(), strict=True))


# Two contacts of 1, three of 4, one of 7; 4 accepts in its second.
SEVERAL = Treatment(np.array([1, 1, 4, 4, 4, 7]), np.array([0.1, 0.6, 0.2, 0.2, 0.9, 0.0]),
                    np.array([NONE, NONE, NONE, DISCOUNT, NONE, RECOVERY], np.int8))


def test_nobody_and_everybody():
    assert len(nobody()) == 0 and listed(nobody()) == [] and len(nobody().decisive()) == 0
    some = everybody(3, contact_time=0.25, accepted=2)
    assert listed(some) == [(0, 0.25, 2), (1, 0.25, 2), (2, 0.25, 2)]
    assert listed(some.view(1, 3)) == [(0, 0.25, 2), (1, 0.25, 2)]


def test_one_contact_each_from_dense_arrays():
    made = contacts(np.array([np.inf, 0.5, 0.0, np.inf]), np.array([0, 3, 0, 2], np.int8))
    assert listed(made) == [(1, 0.5, 3), (2, 0.0, 0)]
    assert listed(contacts(np.full(3, np.inf), np.zeros(3, np.int8))) == []


def test_a_view_counts_from_its_first_row():
    assert listed(SEVERAL.view(0, 9)) == listed(SEVERAL)
    assert listed(SEVERAL.view(1, 5)) == [(0, 0.1, 0), (0, 0.6, 0), (3, 0.2, 0), (3, 0.2, DISCOUNT), (3, 0.9, 0)]
    assert listed(SEVERAL.view(5, 7)) == listed(SEVERAL.view(8, 20)) == []
    assert listed(SEVERAL.view(7, 8)) == [(0, 0.0, RECOVERY)]


def test_the_decisive_contact_is_the_accepted_one_else_the_first():
    assert SEVERAL.decisive().tolist() == [0, 3, 5]
    assert SEVERAL.view(0, 2).decisive().tolist() == [0]


ORDER = "contacts must be ordered by row, then time; sort them"
TIME = "the time of a contact must lie in [0, 1)"


@pytest.mark.parametrize(("row", "time", "accepted", "message"), [
    ([2, 1], [0.1, 0.2], [0, 0], ORDER),
    ([1, 1], [0.2, 0.1], [0, 0], ORDER),
    ([1, 2, 2], [0.9, 0.2, 0.1], [0, 0, 0], ORDER),
    ([1], [1.0], [0], TIME),
    ([1], [-0.001], [0], TIME),
    ([1, 2], [0.5, np.inf], [0, 0], TIME),
    ([1, 2], [0.5, np.nan], [0, 0], TIME),
    ([1, 1], [0.1, 0.2], [1, 1], "a subscriber accepts two offers in one month; keep one"),
    ([1, 1, 1, 2], [0.1, 0.2, 0.3, 0.0], [3, 0, 1, 0], "a subscriber accepts two offers in one month; keep one"),
])
def test_a_wrong_table_is_refused(row, time, accepted, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Treatment(np.array(row), np.array(time), np.array(accepted, np.int8))


def test_contacts_of_one_subscriber_at_one_moment_are_in_order():
    assert len(Treatment(np.array([1, 1, 2]), np.array([0.5, 0.5, 0.0]), np.array([1, 0, 1], np.int8))) == 3


def test_only_those_contacted_change():
    base = subscribers(2, contract_left_months=5, complaint_stock=2.0)
    treated(base, RECOVERY, rows=[1])
    assert base["contract_left_months"].tolist() == [5, 5]
    assert base["complaint_stock"].tolist() == approx([2.0, 0.4])
    assert base["offer_code"].tolist() == [NONE, RECOVERY]


def test_a_contact_wakes_the_inattentive_out_of_contract():
    """1.0 x (1 - attention) for who pays after use and is free; what is already awake stays so."""
    base = subscribers(5, attention=[0.4, 1.0, 0.4, 0.4, 0.4], contract_left_months=[0, 0, 1, 0, 0],
                       payment=[0, 0, 0, 1, 0], wake=[0, 0, 0, 0, 0.9])
    treated(base, *[NONE] * 5)
    assert base["wake"].tolist() == approx([0.6, 0.0, 0.0, 0.0, 0.9])
    fade(base, contact=CONTACT)
    assert base["wake"].tolist() == approx([0.3, 0.0, 0.0, 0.0, 0.45])


def test_goodwill_and_recovery():
    base = subscribers(3, satisfaction=[60, 60, 95], complaint_stock=2.0, fault_stock=1.0)
    treated(base, NONE, RECOVERY, RECOVERY)
    assert base["satisfaction"].tolist() == approx([62.0, 70.0, 100.0])
    assert base["complaint_stock"].tolist() == approx([2.0, 0.4, 0.4])
    assert base["fault_stock"].tolist() == approx([1.0, 0.2, 0.2])
    assert base["offer_code"].tolist() == [0, RECOVERY, RECOVERY]


def test_contract_months_are_added_up_to_ten_years():
    """For the free, the month of signing comes on top: it is over before a month of the contract has passed."""
    base = treated(subscribers(3, contract_left_months=[0, 3, 115]), CONTRACT, CONTRACT, CONTRACT)
    assert base["contract_left_months"].tolist() == [13, 15, 120]


def test_effect_lasts_the_rest_of_the_month_and_the_months_after():
    base = treated(subscribers(1), DISCOUNT)
    lasts = []
    for _ in range(4):
        lasts.append(bool(base["offer_left_months"][0] > 0))
        fade(base, contact=CONTACT)
    assert lasts == [True, True, True, False]


def test_a_new_discount_replaces_the_old_one_and_its_shock():
    base = subscribers(2, discount_share=[0.5, 0.0], discount_left_months=[1, 0], discount_shock=[0.0, 0.7])
    treated(base, DISCOUNT, DISCOUNT)
    assert base["discount_share"].tolist() == approx([0.3, 0.3])
    assert base["discount_left_months"].tolist() == [3, 3]
    assert base["discount_shock"].tolist() == [0.0, 0.0]


def test_an_offer_without_discount_leaves_a_running_one_alone():
    base = treated(subscribers(1, discount_share=0.5, discount_left_months=2), CONTRACT)
    assert (base["discount_share"][0], base["discount_left_months"][0]) == (0.5, 2)


def test_the_shock_of_a_bill_waived_entirely_is_bounded():
    base = subscribers(1, discount_share=1.0)
    fade(base, contact=CONTACT)
    assert base["discount_shock"][0] == pytest.approx(np.log(20.0), rel=1e-5)


def test_codes_and_lengths_are_checked():
    with pytest.raises(ValueError, match=r"^the code of an accepted offer must be at least 0$"):
        Treatment(np.array([0]), np.array([0.5]), np.array([-1], np.int8))
    with pytest.raises(ValueError, match=r"^row, time and accepted must be equally long \(got 1, 2, 1\)$"):
        Treatment(np.array([0]), np.array([0.5, 0.6]), np.array([1], np.int8))
