"""Faults, complaints, tickets and satisfaction: by hand, and by the shares they must have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import kstest, norm

from churnsim.lifecycle.block import Month
from churnsim.lifecycle.drivers import service
from churnsim.lifecycle.drivers.service import BILLING, CARE, NETWORK, complaint_types, driver, resolution_hours
from churnsim.lifecycle.treatment import Resolutions, nobody
from churnsim.offers.settings import Offer
from churnsim.offers.table import offer_table

from ..examples import KEY, block_of, draws_of, lifecycle, subscribers
from ..examples import offers as offer_table_of
from .by_hand import Chosen, N, approx, assert_mean, assert_share, log_odds, logistic

OFFERS = offer_table_of(causes=("price",))
NEVER, ALWAYS = 0.999, 1e-6
QUIET = {"fault_prob": 1e-9, "complaint_prob": 1e-9, "complaint_log_odds": {}}
TICKET = lifecycle().service.ticket


def stepped(base, *lanes, opening=0.5, service_settings=None, table=OFFERS, month=7, **surroundings):
    """Let the driver step; lanes are fault, complaint, what about, hours; tickets open at `opening` of the month."""
    block = block_of(base, month=month, **surroundings)
    step = driver(lifecycle(service=service_settings or {}), table).step
    step(block, block.month, Chosen(base.ids, *lanes, uniform=opening))
    return block


def drawn(*, service_settings=None, surroundings=None, **columns):
    base = subscribers(N, **columns)
    block = block_of(base, **(surroundings or {}))
    driver(lifecycle(service=service_settings or {}), OFFERS).step(
        block, block.month, draws_of(base, service.EVENTS, service.OPENING))
    return block


def ticket_of(hours, *, opening=0.5, **settings):
    """Return a subscriber whose complaint of month 7 takes `hours`: a median of `hours` at a uniform of one half."""
    base = subscribers(len(np.atleast_1d(hours)))
    for row, each in enumerate(np.atleast_1d(hours)):
        one = subscribers(1)
        stepped(one, NEVER, ALWAYS, 0.99, 0.5, opening=opening,
                service_settings={"ticket": {**TICKET.model_dump(), "hours_median": float(each), **settings}})
        for name in ("ticket_hours", "ticket_left_hours", "ticket_open", "complaint_stock", "satisfaction",
                     "experience_fatigue", "complaint_type"):
            base[name][row] = one[name][0]
    return base


def test_faults_complaints_and_stocks_by_hand():
    """Stocks keep 0.6; satisfaction goes a quarter of the way back; a fault takes 6 points, a complaint 8."""
    base = subscribers(3, satisfaction=[50, 50, 5], usual_satisfaction=[70, 70, 5], fault_stock=1.0,
                       complaint_stock=0.5, experience_fatigue=1.0, join_month=0)
    stepped(base, [0.9, 0.01, 0.01], [0.9, 0.9, 0.001])
    assert base["fault_stock"].tolist() == approx([0.6, 1.6, 1.6])
    assert base["complaint_stock"].tolist() == approx([0.3, 0.3, 1.3])
    assert base["satisfaction"].tolist() == approx([55.0, 49.0, 0.0])
    assert base["experience_fatigue"].tolist() == approx([0.9, 1.9, 2.9])


def test_who_has_not_joined_has_no_troubles():
    block = stepped(subscribers(2, join_month=[7, 8]), ALWAYS, ALWAYS)
    for name in ("fault_stock", "complaint_stock", "fault", "complaint"):
        assert block[name].tolist() == [1, 0], name
    assert block["complaint_type"].tolist() == [NETWORK, 0]
    assert (block["ticket_hours"] > 0).tolist() == [True, False]
    prospect = stepped(subscribers(1, join_month=8), 0.05, NEVER, mended_share=1.0)
    assert not prospect["fault_mended"].any()


@pytest.mark.parametrize("quality", [-1.0, 0.0, 2.0])
def test_share_of_faults_by_quality(quality):
    block = drawn(surroundings={"network": quality})
    assert_share(block["fault"], logistic(log_odds(0.15) - 0.5 * quality))
    assert not block["fault_mended"].any()


def test_predictive_maintenance_mends_its_share_before_it_is_felt():
    """Of faults of probability p, a share 0.8 is mended and 0.2 p felt; nobody feels one that was not there."""
    usual, mended = drawn(), drawn(surroundings={"mended_share": 0.8})
    assert_share(mended["fault"], 0.2 * 0.15)
    assert_share(mended["fault_mended"], 0.8 * 0.15)
    np.testing.assert_array_equal(mended["fault"] | mended["fault_mended"], usual["fault"])
    assert not (mended["fault"] & mended["fault_mended"]).any()


def test_share_of_complaints_by_its_triggers():
    """Twice the usual bill adds 2 log 2, satisfaction 50 adds 0.5, sensitivity 2 adds 0.6; a fault 1.4."""
    bills = np.full((6, N), 30.0)
    bills[1] = 60.0
    block = drawn(bill_amount=bills, satisfaction=50.0, service_sensitivity=2.0)
    trigger = log_odds(0.05) + 2.0 * np.log(2.0) + 0.5 + 0.6
    fault, complaint = block["fault"], block["complaint"]
    assert_share(complaint[~fault], logistic(trigger))
    assert_share(complaint[fault], logistic(trigger + 1.4))


def test_what_complaints_are_about_by_hand():
    """A shock of log 2 at weight 2 is to blame for 1 - 1/4; the other quarter splits 0.35 : 0.35 : 0.30."""
    s = lifecycle().service
    u = np.array([0.0, 0.34, 0.36, 0.69, 0.71, 0.99, 0.74, 0.76, 0.75 + 0.25 * 0.36, 0.99, 0.9], np.float32)
    fault = np.array([0] * 10 + [1], bool)
    shock = np.array([0] * 6 + [np.log(2.0)] * 5, np.float32)
    assert complaint_types(s, fault, shock, u).tolist() == [
        NETWORK, NETWORK, BILLING, BILLING, CARE, CARE, BILLING, NETWORK, BILLING, CARE, NETWORK]


def test_hours_of_the_desk_and_of_repairs():
    """Log-normal of median 18 and log sd 1, mean 18 exp(1/2); repairs of broadband exponential of mean 36 h."""
    u = (np.arange(100_000, dtype=np.float64) + 0.5) / 100_000
    about = np.array([BILLING, CARE, NETWORK, NETWORK])
    broadband = np.array([1, 0, 0, 1])
    for kind, line in zip(about, broadband, strict=True):
        hours = resolution_hours(TICKET, np.full(len(u), kind), np.full(len(u), line), u.astype(np.float32))
        slow = (hours > 24.0).mean()
        if kind == NETWORK and line:
            assert hours.mean() == pytest.approx(36.0, rel=1e-3)
            assert slow == pytest.approx(np.exp(-24.0 / 36.0), abs=1e-3)
        else:
            expected = norm.sf(np.log(24.0 / 18.0))
            assert hours.mean() == pytest.approx(18.0 * np.exp(0.5), rel=5e-3)
            assert slow == pytest.approx(expected, abs=1e-3)


def test_drawn_tickets_have_the_closed_form():
    """Hours of tickets resolved within the month are those drawn; opening days are uniform."""
    block = drawn(service_settings={"complaint_prob": 0.5, "fault_prob": 1e-9}, broadband=1)
    complained = block["complaint"]
    assert_share(block["complaint_type"][complained] == NETWORK, 0.35)
    assert_share(block["complaint_type"][complained] == CARE, 0.30)
    hours = block["ticket_hours"] + np.maximum(block["ticket_left_hours"], 0.0)
    network = complained & (block["complaint_type"] == NETWORK)
    assert_mean(hours[network], 36.0, 36.0)
    desk = complained & ~network
    assert_share(hours[desk] > 24.0, norm.sf(np.log(24.0 / 18.0)))
    assert_mean(np.log(hours[desk]), np.log(18.0), 1.0)
    day = 1.0 - (hours[complained] - block["ticket_left_hours"][complained]) / 720.0
    assert kstest(day, "uniform").pvalue > 1e-4
    np.testing.assert_array_equal(block["ticket_open"] == 1, block["ticket_left_hours"] > 0)


def test_a_ticket_of_the_month_by_hand():
    """Opened when half the month is gone, 360 hours before its end."""
    base = ticket_of([6.0, 20.0, 360.0, 400.0])
    assert base["ticket_hours"].tolist() == approx([6.0, 20.0, 360.0, 360.0])
    assert base["ticket_left_hours"].tolist() == pytest.approx([-354.0, -340.0, -1e-3, 40.0], rel=1e-4)
    assert base["ticket_open"].tolist() == [0, 0, 0, 1]
    assert base["satisfaction"].tolist() == approx([62.0] * 4)
    late = ticket_of(6.0, opening=0.995)
    assert (late["ticket_hours"][0], late["ticket_left_hours"][0]) == (approx(3.6), approx(2.4))


def test_a_resolution_reaches_the_mood_at_the_next_months_start():
    """A fast one gives 8 points and clears 0.8 of the stock, a slow one takes 6 and tires; one between does nothing.

    Then satisfaction goes a quarter of the way back to 70, the stock keeps 0.6 and fatigue 0.9.
    """
    base = ticket_of([6.0, 20.0, 30.0])
    stepped(base, NEVER, NEVER, month=8)
    assert base["satisfaction"].tolist() == approx([62.0 + 8.0, 62.0 + 2.0, 56.0 + 3.5])
    assert base["complaint_stock"].tolist() == approx([0.6 * 0.2, 0.6, 0.6])
    assert base["experience_fatigue"].tolist() == approx([0.9, 0.9, 1.9])
    assert base["ticket_left_hours"].tolist() == [0.0] * 3
    assert base["ticket_hours"].tolist() == approx([6.0, 20.0, 30.0])
    before = {name: base[name].copy() for name in ("complaint_stock", "experience_fatigue")}
    stepped(base, NEVER, NEVER, month=9)
    assert base["complaint_stock"].tolist() == approx(0.6 * before["complaint_stock"])
    assert base["experience_fatigue"].tolist() == approx(0.9 * before["experience_fatigue"])


def test_nobody_is_more_than_content():
    """98 points and 8 of a fast resolution are 100, a quarter of the way back to 70 is 92.5."""
    base = subscribers(1, satisfaction=98.0, ticket_hours=2.0, ticket_left_hours=-5.0)
    stepped(base, NEVER, NEVER)
    assert base["satisfaction"][0] == approx(92.5)


def test_a_long_ticket_stays_open_for_months():
    """1500 hours from the middle of month 7: open for 360, 1080, then resolved in month 9 and felt in month 10."""
    base = ticket_of(1500.0)
    seen = []
    for month in (8, 9, 10, 11):
        before = base["satisfaction"][0]
        stepped(base, NEVER, NEVER, month=month)
        moved = base["satisfaction"][0] - (before + 0.25 * (70.0 - before))
        seen.append((base["ticket_open"][0], round(float(base["ticket_hours"][0])), round(float(moved), 3)))
    assert seen == [(1, 1080, 0.0), (0, 1500, 0.0), (0, 1500, -4.5), (0, 1500, 0.0)]


def test_a_ticket_resolved_when_a_month_ends():
    """1080 hours from the middle of month 7 are over with month 8; what comes of it is felt in month 9, once."""
    base = ticket_of(1080.0)
    seen = []
    for month in (8, 9, 10):
        stepped(base, NEVER, NEVER, month=month)
        seen.append((base["ticket_open"][0], base["ticket_hours"][0], round(float(base["experience_fatigue"][0]), 3)))
    assert seen == [(0, 1080.0, 0.9), (0, 1080.0, 1.81), (0, 1080.0, 1.629)]


def test_a_complaint_joins_the_ticket_that_is_open():
    """The stock grows and the type is the last one's; the hours go on, and one resolution follows."""
    base = ticket_of(1000.0)
    assert base["complaint_type"][0] == CARE
    stepped(base, ALWAYS, ALWAYS, 0.5, 0.5, month=8)
    assert base["complaint_type"][0] == NETWORK
    assert base["complaint_stock"][0] == approx(1.6)
    assert (base["ticket_hours"][0], base["ticket_left_hours"][0]) == (approx(1000.0), approx(-80.0))


def test_a_new_ticket_in_the_month_after_a_resolution():
    """The old one is felt first, then the new one opens."""
    base = ticket_of(6.0)
    stepped(base, NEVER, ALWAYS, 0.99, 0.5, month=8,
            service_settings={"ticket": {**TICKET.model_dump(), "hours_median": 10.0}})
    assert base["satisfaction"][0] == approx(70.0 - 8.0)
    assert base["complaint_stock"][0] == approx(0.6 * 0.2 + 1.0)
    assert base["ticket_hours"][0] == approx(10.0)


def worked_by_a_centre(rows, hours, *, first=True, n=5):
    """Return subscribers whose complaints of the middle of month 7 take 18 drawn hours, but as the centre says."""
    base = subscribers(n)
    block = block_of(base)
    block.month = Month(7, first=first)
    block.treatment = replace(nobody(), tickets=Resolutions(np.array(rows), np.array(hours)))
    complains = np.where(np.arange(n) < 4, ALWAYS, NEVER)
    driver(lifecycle(), OFFERS).step(block, block.month, Chosen(base.ids, NEVER, complains, 0.99, 0.5, uniform=0.5))
    return base


def test_a_centres_hours_take_the_place_of_the_drawn_ones():
    """360 hours are left: 30 are resolved, 400 stay open for 40 more; one left open takes its 18 in the next month.

    The third has no word from the centre, the fifth no ticket.
    """
    base = worked_by_a_centre([0, 1, 3, 4], [30.0, 400.0, np.inf, 5.0])
    assert base["ticket_hours"].tolist() == approx([30.0, 360.0, 18.0, 360.0, 0.0])
    assert base["ticket_left_hours"].tolist() == approx([-330.0, 40.0, -342.0, 18.0, 0.0])
    assert base["ticket_open"].tolist() == [0, 1, 0, 1, 0]


def test_a_centres_hours_act_as_drawn_ones_do():
    """What was resolved in 6, 20 and 30 hours is felt in the next month, whoever says so; open ones go on."""
    drawn = ticket_of([6.0, 20.0, 30.0, 400.0])
    worked = worked_by_a_centre([0, 1, 2, 3], [6.0, 20.0, 30.0, 400.0]).take(np.arange(4))
    for month in (8, 9, 10):
        stepped(drawn, NEVER, NEVER, month=month)
        stepped(worked, NEVER, NEVER, month=month)
        for name in ("satisfaction", "complaint_stock", "experience_fatigue", "ticket_hours", "ticket_left_hours"):
            assert worked[name].tolist() == approx(drawn[name].tolist()), (month, name)


def test_a_centre_has_a_say_in_the_first_month_alone():
    late = worked_by_a_centre([0, 1], [30.0, np.inf], first=False)
    assert late["ticket_hours"].tolist() == approx([18.0] * 4 + [0.0])


def test_the_moment_of_a_ticket_is_known_beside_the_run():
    base = subscribers(2000)
    block = block_of(base)
    step = driver(lifecycle(service={"complaint_prob": 0.5}), OFFERS).step
    step(block, block.month, draws_of(base, service.EVENTS, service.OPENING))
    rows = np.flatnonzero(block["complaint"])
    opened = service.opening_time(base.ids[rows], key=KEY, month=7)
    resolved = block["ticket_left_hours"][rows] < -1.0
    left = (block["ticket_hours"] - block["ticket_left_hours"])[rows][resolved]
    assert 720.0 * (1.0 - opened[resolved]) == pytest.approx(left, abs=1e-3) and resolved.sum() > 500


def test_an_offer_in_effect_speeds_tickets_up():
    """A dedicated manager's 0.25 of the hours; not for an offer whose effect is over."""
    manager = Offer.model_validate({"strategy": "combined", "effect_months": 6, "ticket_hours_factor": 0.25,
                                    "acceptance": {"base_prob": 0.5}})
    table = offer_table({"manager": manager}, causes=("price",))
    base = subscribers(3, offer_code=[0, 1, 1], offer_left_months=[0, 2, 0])
    stepped(base, NEVER, ALWAYS, 0.99, 0.5, table=table)
    assert base["ticket_hours"].tolist() == approx([18.0, 4.5, 18.0])


def test_maintenance_and_quicker_tickets_please():
    """With the same draws, on the mean in the month after."""
    def two_months(factor, mended):
        quick = {"ticket": {**TICKET.model_dump(), "hours_median": 18.0 * factor,
                            "network_repair_hours_mean": 36.0 * factor}}
        base = subscribers(20_000, broadband=np.arange(20_000) % 2)
        for month in (7, 8):
            block = block_of(base, month=month, mended_share=mended)
            driver(lifecycle(service=quick), OFFERS).step(
                block, block.month, draws_of(base, service.EVENTS, service.OPENING, month=month))
        return base["satisfaction"]

    usual = two_months(1.0, 0.0)
    for better in (two_months(0.3, 0.0), two_months(1.0, 0.7)):
        assert better.mean() > usual.mean()


@settings(max_examples=50, deadline=None)
@given(u=hnp.arrays(np.float32, (4, 6), elements=st.floats(2**-10, 1 - 2**-10, width=32)),
       opening=st.floats(0.001, 0.999), left=st.lists(st.floats(-700, 3000, width=32), min_size=6, max_size=6))
def test_tickets_keep_their_hours(u, opening, left):
    """Hours only grow while open, by at most a month; satisfaction stays a score; open means hours are left."""
    base = subscribers(6, ticket_hours=50.0, ticket_left_hours=left, satisfaction=np.arange(6) * 20.0)
    goes_on = base["ticket_left_hours"] > 0
    block = stepped(base, *u, opening=opening, service_settings={"complaint_prob": 0.5})
    grown = block["ticket_hours"][goes_on] - 50.0
    assert (grown >= 0).all() and (grown <= 720.0).all()
    np.testing.assert_array_equal(block["ticket_open"] == 1, block["ticket_left_hours"] > 0)
    opened = block["complaint"] & ~goes_on
    assert (block["ticket_left_hours"][opened] != 0).all()
    assert ((block["satisfaction"] >= 0) & (block["satisfaction"] <= 100)).all()
    assert (block["complaint_type"][block["complaint"]] > 0).all()
