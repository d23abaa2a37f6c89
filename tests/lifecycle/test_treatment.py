"""What a contact and an offer do, one month after the other, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.lifecycle.treatment import Treatment, apply, bill_discount, everybody, fade, nobody

from .examples import lifecycle, offers, subscribers

OFFERS = offers(causes=("service", "price", "gone"))
CONTACT = lifecycle().contact
NONE, DISCOUNT, CONTRACT, RECOVERY = 0, OFFERS.code("discount"), OFFERS.code("contract"), OFFERS.code("recovery")


def treated(base, *codes, contact_time=0.5):
    apply(base, Treatment(np.broadcast_to(contact_time, len(base)), np.array(codes, np.int8)), offers=OFFERS,
          contact=CONTACT)
    return base


def approx(values):
    return pytest.approx(values, rel=1e-6)


def test_nobody_and_everybody():
    assert np.isinf(nobody(3).contact_time).all()
    assert nobody(3).accepted.tolist() == [0, 0, 0]
    some = everybody(3, contact_time=0.25, accepted=2).view(1, 3)
    assert some.contact_time.tolist() == [0.25, 0.25]
    assert some.accepted.tolist() == [2, 2]


def test_only_those_contacted_change():
    base = subscribers(2, contract_left_months=5, complaint_stock=2.0)
    treated(base, CONTRACT, RECOVERY, contact_time=[np.inf, 0.0])
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
    base = treated(subscribers(3, contract_left_months=[0, 3, 115]), CONTRACT, CONTRACT, CONTRACT)
    assert base["contract_left_months"].tolist() == [12, 15, 120]


def test_effect_lasts_the_rest_of_the_month_and_the_months_after():
    base = treated(subscribers(1), DISCOUNT)
    lasts = []
    for _ in range(4):
        lasts.append(bool(base["offer_left_months"][0] > 0))
        fade(base, contact=CONTACT)
    assert lasts == [True, True, True, False]


def test_the_next_three_bills_are_discounted_and_then_a_shock_fades():
    base = treated(subscribers(1), DISCOUNT)
    months = []
    for _ in range(7):
        fade(base, contact=CONTACT)
        discount = bill_discount(base, np.full(1, 30.0, np.float32))[0]
        months.append((discount, base["discount_share"][0], base["discount_shock"][0]))
    step = -np.log(0.7)
    expected = [(9.0, 0.3, 0.0)] * 3 + [(0.0, 0.0, step / 2**k) for k in range(4)]
    np.testing.assert_allclose(months, expected, rtol=1e-5)


def test_a_discount_never_exceeds_its_share_of_fee_or_bill():
    """Overage is not discounted; a bill below the fee (service paused) is what the share is taken of."""
    base = subscribers(2, discount_share=0.5, discount_left_months=1)
    assert bill_discount(base, np.float32([45.0, 3.0])).tolist() == [15.0, 1.5]
    assert base["discount_left_months"].tolist() == [0, 0]
    assert bill_discount(base, np.float32([45.0, 3.0])).tolist() == [0.0, 0.0]


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
