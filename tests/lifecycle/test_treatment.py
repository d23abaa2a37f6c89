"""What a contact and an offer do, one month after the other, by hand."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from churnsim.lifecycle.treatment import (
    Resolutions,
    Treatment,
    apply,
    contacts,
    everybody,
    fade,
    in_effect,
    nobody,
)
from churnsim.offers.settings import Offer
from churnsim.offers.table import offer_table
from churnsim.population.categories import NEEDS, STATES

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


TICKET_ORDER = "tickets must be ordered by row, each row once; sort them"
TICKET_HOURS = "the hours to a ticket's resolution must be above 0; write inf for one that is open"


@pytest.mark.parametrize(("row", "hours", "message"), [
    ([2, 1], [5.0, 5.0], TICKET_ORDER),
    ([1, 1], [5.0, 5.0], TICKET_ORDER),
    ([1, 2], [5.0, 0.0], TICKET_HOURS),
    ([1, 2], [np.nan, np.inf], TICKET_HOURS),
    ([1, 2], [5.0], "row and hours must be equally long (got 2, 1)"),
])
def test_wrong_tickets_are_refused(row, hours, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Resolutions(np.array(row), np.array(hours))


def test_tickets_go_with_their_rows():
    """Of contacts at 1, 1, 4, 4, 4, 7 and tickets of 0, 4, 9: all touched, rows [4, 8), and a base of the touched."""
    both = replace(SEVERAL, tickets=Resolutions(np.array([0, 4, 9]), np.array([3.0, np.inf, 8.0])))
    assert both.touched().tolist() == [0, 1, 4, 7, 9] and SEVERAL.touched().tolist() == [1, 4, 7]
    part = both.view(4, 8)
    assert part.row.tolist() == [0, 0, 0, 3]
    assert (part.tickets.row.tolist(), part.tickets.hours.tolist()) == ([0], [np.inf])
    alone = both.among(both.touched())
    assert alone.row.tolist() == [1, 1, 2, 2, 2, 3] and alone.accepted.tolist() == SEVERAL.accepted.tolist()
    assert (alone.tickets.row.tolist(), alone.tickets.hours.tolist()) == ([0, 2, 4], [3.0, np.inf, 8.0])
    assert len(both.tickets) == 3 and SEVERAL.view(0, 9).tickets is None and SEVERAL.among(np.arange(9)).tickets is None


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


def settings(**changes):
    return lifecycle(contact=changes).contact


def accepting(base, contact=CONTACT, **offer):
    """Let everybody accept an offer of these settings, at a contact that does nothing by itself."""
    made = offer_table({"made": Offer(acceptance={"base_prob": 0.5}, **offer)}, causes=())
    apply(base, np.arange(len(base)), np.ones(len(base), np.int8), offers=made, contact=contact)
    return base


def test_who_stays_from_habit_wakes_most():
    """0.5 x (1 + 0.4 inertia) x (1 - attention), never below 0."""
    base = subscribers(3, attention=[0.0, 0.5, 0.0], inertia=[1.0, -1.0, -3.0])
    apply(base, np.arange(3), np.zeros(3, np.int8), offers=OFFERS, contact=settings(wake=0.5, wake_by_inertia=0.4))
    assert base["wake"].tolist() == approx([0.7, 0.15, 0.0])


def test_goodwill_by_attitude_and_fatigue_by_past_contacts():
    """2 + 1.5 attitude - 1 x contacts before this one; the stock counts this one from now on."""
    base = subscribers(3, attitude=[0.0, 1.0, -2.0], contact_stock=[0.0, 1.0, 2.5])
    contact = settings(goodwill_points=2.0, goodwill_points_by_attitude=1.5, fatigue_points=-1.0, stock_persistence=0.8)
    apply(base, np.arange(3), np.zeros(3, np.int8), offers=OFFERS, contact=contact)
    assert base["satisfaction"].tolist() == approx([72.0, 72.5, 66.5])
    assert base["contact_stock"].tolist() == approx([1.0, 2.0, 3.5])
    fade(base, contact=contact)
    assert base["contact_stock"].tolist() == approx([0.8, 1.6, 2.8])


def test_the_second_of_two_contacts_meets_the_first():
    base = subscribers(1)
    contact = settings(goodwill_points=0.0, fatigue_points=-3.0)
    for _ in range(2):
        apply(base, np.arange(1), np.zeros(1, np.int8), offers=OFFERS, contact=contact)
    assert base["satisfaction"][0] == approx(67.0)


def test_fee_and_allowance_change_for_good():
    """30 x 0.75 + 5; 10 GB x 0.7."""
    base = accepting(subscribers(1), price_change_share=-0.25, price_added_amount=5.0, allowance_change_share=-0.3)
    assert (base["plan_price_amount"][0], base["allowance_gb"][0]) == approx((27.5, 7.0))
    fade(base, contact=CONTACT)
    assert base["plan_price_amount"][0] == approx(27.5)


def test_a_ladder_discounts_the_added_contract():
    base = accepting(subscribers(1), ladder={"share_per_year": 0.05, "form": "compounding"}, contract_months_added=24)
    assert base["discount_share"][0] == approx(0.0975) and base["discount_left_months"][0] == 24


def test_what_the_account_has_from_then_on():
    base = subscribers(3, device_age_months=30, need=[NEEDS.index(n) for n in ("roaming", "night_data", "none")])
    accepting(base, adds=("broadband", "device"), meets_needs=("roaming", "smart_home"))
    assert base["broadband"].tolist() == [1] * 3 and base["smart_home"].tolist() == [0] * 3
    assert base["device_age_months"].tolist() == [0] * 3
    assert base["need_met"].tolist() == [1, 0, 0]


def test_a_lock_in_is_used_up_evenly():
    """3 lines x 40 in four months."""
    base = accepting(subscribers(1, lines=3), lock_in_amount=40.0, lock_in_months=4)
    seen = []
    for _ in range(5):
        seen.append((float(base["lock_in_amount"][0]), int(base["lock_in_left_months"][0])))
        fade(base, contact=CONTACT)
    assert [left for _, left in seen] == [4, 3, 2, 1, 0]
    assert [amount for amount, _ in seen] == approx([120.0, 90.0, 60.0, 30.0, 0.0])


def test_a_second_lock_in_comes_on_top():
    base = accepting(subscribers(1, lock_in_amount=50.0, lock_in_left_months=10), lock_in_amount=40.0, lock_in_months=4)
    assert (base["lock_in_amount"][0], base["lock_in_left_months"][0]) == (90.0, 10)


def test_an_offer_can_pause_the_service():
    assert accepting(subscribers(1), suspends=True)["state"].tolist() == [STATES.index("suspended")]
    assert accepting(subscribers(1))["state"].tolist() == [STATES.index("stable")]


def test_months_since_an_offer_count_up_to_never():
    base = subscribers(3, months_since_offer=[127, 126, 40])
    treated(base, NONE, NONE, DISCOUNT)
    seen = []
    for _ in range(3):
        seen.append(base["months_since_offer"].tolist())
        fade(base, contact=CONTACT)
    assert seen == [[127, 126, 0], [127, 127, 1], [127, 127, 2]]


def test_an_offer_is_one_accepted_before_when_its_effect_ends_or_another_follows():
    """The discount's effect lasts two months after that of acceptance; persistence 0.5."""
    contact = settings(habituation_persistence=0.5)
    base, followed = treated(subscribers(1), DISCOUNT), treated(subscribers(1), DISCOUNT)
    stock = []
    for _ in range(4):
        stock.append(float(base["habituation"][0]))
        fade(base, contact=contact)
    assert stock == [0.0, 0.0, 0.0, 1.0] and base["habituation"][0] == 0.5
    fade(followed, contact=contact)
    assert treated(followed, RECOVERY)["habituation"].tolist() == [1.0]
    fade(followed, contact=contact)
    assert followed["habituation"].tolist() == [1.5]


def test_factors_of_the_offer_in_effect():
    base = subscribers(3, offer_code=[1, 1, 0], offer_left_months=[2, 0, 0])
    assert in_effect(base, np.array([1.0, 0.4], np.float32)).tolist() == approx([0.4, 1.0, 1.0])
