"""What the operator's books say of a subscriber, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from small_world import small_world

from churnsim.campaign.money import monthly_margin, offer_cost
from churnsim.core.columns import Subscribers
from churnsim.lifecycle.settings import CostToServe
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import Observed


def table() -> Observed:
    one = Subscribers.empty(SCHEMA, np.array([1]))
    one["lines"], one["plan_price_amount"] = 3, 90.0
    for ago, bill in enumerate((90.0, 96.0, 120.0, 5000.0), start=1):
        one.lag("bill_amount", month=10, months_ago=ago)[:] = bill
    return Observed(one, 10)


def test_margin_is_of_the_last_three_bills_and_may_be_negative() -> None:
    # Mean bill (90 + 96 + 120) / 3 = 102.
    cheap = CostToServe(fixed_amount=6.0, share_of_revenue=0.3)
    assert monthly_margin(table(), cheap) == pytest.approx([102.0 * 0.7 - 18.0])
    dear = CostToServe(fixed_amount=40.0, share_of_revenue=0.3)
    assert monthly_margin(table(), dear) == pytest.approx([102.0 * 0.7 - 120.0])


def test_offer_cost_is_device_and_discounted_bills() -> None:
    offers = small_world(
        "offers.discount_30.direct_cost_per_line_amount=5.0",
        "offers.discount_30.discount_share=0.2",
        "offers.discount_30.discount_months=2",
    ).offers
    cost = offer_cost(table(), offers, rate_annual=0.21)
    # Bills of the next two months at 90: 18 waived each, 1.21 ** (-1/12) and 1.21 ** (-2/12) of it today.
    waived = 18.0 * (1.21 ** (-1 / 12) + 1.21 ** (-2 / 12))
    assert cost[0, offers.names.index("discount_30")] == pytest.approx(15.0 + waived)
    device = offers.settings["contract_device"].direct_cost_per_line_amount
    assert cost[0, offers.names.index("contract_device")] == pytest.approx(3 * device)
