"""What the operator's books say of a subscriber, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from small_world import small_world

from churnsim.campaign.money import monthly_margin, offer_cost
from churnsim.core.columns import Subscribers
from churnsim.lifecycle.settings import CostToServe
from churnsim.population.categories import STATES
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import Observed


def table() -> Observed:
    one = Subscribers.empty(SCHEMA, np.array([1]))
    one["lines"], one["plan_price_amount"] = 3, 90.0
    for ago, bill in enumerate((90.0, 96.0, 120.0, 5000.0), start=1):
        one.lag("bill_amount", month=10, months_ago=ago)[:] = bill
    return Observed(one, 10)


def cost_to_serve(fixed_amount: float) -> CostToServe:
    """Return 30 % of revenue, so much a line, and nothing for calls, visits and tickets."""
    return CostToServe(fixed_amount=fixed_amount, share_of_revenue=0.3, hotline_call_amount=0.0, shop_visit_amount=0.0,
                       ticket_amount=0.0)


def test_margin_is_of_the_last_three_bills_and_may_be_negative() -> None:
    # Mean bill (90 + 96 + 120) / 3 = 102.
    cheap = cost_to_serve(6.0)
    assert monthly_margin(table(), cheap) == pytest.approx([102.0 * 0.7 - 18.0])
    dear = cost_to_serve(40.0)
    assert monthly_margin(table(), dear) == pytest.approx([102.0 * 0.7 - 120.0])


def test_offer_cost_is_gifts_discounted_bills_and_running_cost() -> None:
    offers = small_world(
        "offers.discount_30.direct_cost_per_line_amount=5.0",
        "offers.discount_30.direct_cost_amount=2.0",
        "offers.discount_30.monthly_cost_amount=4.0",
        "offers.discount_30.effect_months=1",
        "offers.discount_30.discount_share=0.2",
        "offers.discount_30.discount_months=2",
    ).offers
    names = ["contract_device", "ladder_5", "discount_30"]
    cost = offer_cost(table(), offers, names, rate_annual=0.21)
    factor = [1.21 ** (-m / 12) for m in range(25)]
    device = offers.settings["contract_device"].direct_cost_per_line_amount
    # Bills of the next months at 90: 20 % of two, 10 % of 24, the whole term of a ladder of two years.
    assert cost[0] == pytest.approx([3 * device, 9.0 * sum(factor[1:25]),
                                     15.0 + 2.0 + 18.0 * sum(factor[1:3]) + 4.0 * factor[1]])


def test_margin_of_who_left_is_at_the_fee_of_the_last_plan() -> None:
    lost = table()
    lost["state"] = STATES.index("churned")
    assert monthly_margin(lost, cost_to_serve(6.0)) == pytest.approx([90.0 * 0.7 - 18.0])
