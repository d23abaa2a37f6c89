"""Revenue, cost to serve, discounts and who is there to be billed: by hand."""

from __future__ import annotations

import numpy as np
from small_world import small_world

from churnsim.lifecycle.drivers import billing
from churnsim.lifecycle.settings import CostToServe
from churnsim.lifecycle.treatment import apply, fade

from ..examples import block_of, draws_of, lifecycle, subscribers
from ..examples import offers as offer_table_of
from .by_hand import approx

COST = CostToServe(fixed_amount=2.0, share_of_revenue=0.1, hotline_call_amount=4.0, shop_visit_amount=5.0,
                   ticket_amount=8.0)


def billed(base, *, month=7, cost=None, **columns):
    """Return the block after the bill of a month; `columns` are what the months before have left in it."""
    block = block_of(base, month=month)
    driver = billing.driver(cost or lifecycle().cost_to_serve)
    driver.start(block)
    block["active_next_prob"] = 1.0
    for name, values in columns.items():
        block[name] = values
    driver.step(block, block.month, draws_of(base))
    return block


def test_revenue_and_cost_to_serve_by_hand():
    """The bill of month 7 stands in row 1; a line costs 2, and a tenth of the bill."""
    bills = np.full((6, 2), 99.0)
    bills[1] = [40.0, 3.0]
    block = billed(subscribers(2, bill_amount=bills, lines=[1, 3]), cost=COST)
    assert block["revenue"].tolist() == [40.0, 3.0]
    assert block["cost_to_serve"].tolist() == approx([6.0, 6.3])


def test_calls_visits_and_tickets_cost():
    """On top of 2 for the line and a tenth of 30."""
    block = billed(subscribers(5), cost=COST, hotline=[0, 1, 0, 0, 1], shop_visit=[0, 0, 1, 0, 1],
                   complaint=[0, 0, 0, 1, 1])
    assert block["cost_to_serve"].tolist() == approx([5.0, 9.0, 10.0, 13.0, 22.0])


def test_a_line_taken_anew_costs_its_subsidy_and_may_have_a_newcomers_discount():
    """The discount lowers revenue, of fee or bill whichever is less; cost goes by the whole bill."""
    block = billed(subscribers(4, bill_amount=[30.0, 45.0, 3.0, 30.0], newcomer_discount_share=0.2,
                               newcomer_discount_left_months=[0, 3, 3, 1],
                               substitution_cost_amount=[0.0, 25.0, 0.0, 0.0]), cost=COST)
    assert block["revenue"].tolist() == approx([30.0, 39.0, 2.4, 24.0])
    assert block["cost_to_serve"].tolist() == approx([5.0, 31.5, 2.3, 5.0])
    assert block["discount"].tolist() == [0.0] * 4


def test_some_subscribers_cost_more_than_they_bring():
    """In the preset: over half a year, some but few of them."""
    world = small_world("population.size=4000")
    base = world.population(until=1)
    margin = np.zeros(len(base))

    def watch(block):
        margin[block.low:block.high] += np.where(block["active"], block["revenue"] - block["cost_to_serve"], 0.0)

    world.engine.run([(base, None)], start=0, months=6, observe=watch)
    assert 0.002 < (margin < 0.0).mean() < 0.10


def test_who_is_there_when_the_month_starts():
    """Not who joins later or has left, at the very start of the month included."""
    block = billed(subscribers(5, join_month=[7, 8, 0, 0, 0], departure_time=[np.inf, np.inf, 6.9, 7.0, 7.1]),
                   active_next_prob=[1.0, 1.0, 0.25, 0.5, 0.75])
    assert block["active"].tolist() == [True, False, False, False, True]
    assert block["active_prob"].tolist() == [1.0, 0.0, 0.25, 0.5, 0.75]


def test_a_discount_is_due_from_those_undecided_when_it_was_given():
    """Given at 6.5: decided before it, at it, after it; and gone, though undecided then."""
    block = billed(subscribers(4, decision_time=[6.4, 6.5, 6.6, 6.6], departure_time=[7.5, 7.5, 7.5, 6.9]),
                   given_time=6.5, given_prob=0.75, active_next_prob=[0.9, 0.75, 0.6, 0.2])
    assert block["billed"].tolist() == [False, False, True, False]
    assert block["billed_prob"].tolist() == [0.75, 0.75, 0.6, 0.2]


def test_a_discount_never_exceeds_its_share_of_fee_or_bill():
    """Overage is not discounted; a bill below the fee (service paused) is what the share is taken of."""
    base = subscribers(2, discount_share=0.5, discount_left_months=1, bill_amount=[45.0, 3.0])
    assert billed(base)["discount"].tolist() == [15.0, 1.5]
    assert base["discount_left_months"].tolist() == [0, 0]
    assert billed(base)["discount"].tolist() == [0.0, 0.0]


def test_the_next_three_bills_are_discounted_and_then_a_shock_fades():
    base, contact = subscribers(1), lifecycle().contact
    table = offer_table_of(causes=("price",))
    apply(base, np.arange(1), np.array([table.code("discount")]), offers=table, contact=contact)
    months = []
    for _ in range(7):
        fade(base, contact=contact)
        discount = billed(base)["discount"][0]
        months.append((discount, base["discount_share"][0], base["discount_shock"][0]))
    step = -np.log(0.7)
    expected = [(9.0, 0.3, 0.0)] * 3 + [(0.0, 0.0, step / 2**k) for k in range(4)]
    np.testing.assert_allclose(months, expected, rtol=1e-5)
