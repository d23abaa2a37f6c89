"""What the outcome months bring, in money: by hand, and against the ledger of the same months."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_world import base_at_campaign, small_world

from churnsim.campaign.money import offer_cost
from churnsim.campaign.pilot_outcomes import follow, planned_after
from churnsim.core.columns import Subscribers
from churnsim.evaluation.ledger import (
    CONTACT,
    COST_TO_SERVE,
    DIRECT,
    DISCOUNT,
    DISCOUNTED,
    REALISED,
    REVENUE,
    Bookkeeper,
)
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.treatment import contacts
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import observe

RATE = 0.21


class Books:
    """An engine whose months are written down: two subscribers, four months."""

    offers = SimpleNamespace(direct_cost=lambda accepted, lines: np.where(accepted > 0, 7.0 * lines, 0.0))
    # The second leaves after two months.
    active = ((1, 1), (1, 1), (1, 0), (1, 0))
    revenue = ((30, 50), (31, 50), (32, 50), (36, 50))
    discount = ((0, 0), (9, 0), (9, 0), (0, 0))

    def run(self, arms: Any, *, start: int, months: int, observe: Any) -> None:
        for age in range(months):
            columns = {
                "active": np.array(self.active[age], bool), "billed": np.array(self.active[age], bool),
                "revenue": np.array(self.revenue[age], np.float32), "cost_to_serve": np.full(2, 10, np.float32),
                "discount": np.array(self.discount[age], np.float32), "upkeep": np.array([0.5, 0.0], np.float32),
                "undecided": np.array([True, False]), "accepted": np.array([int(age == 0), int(age == 0)], np.int8),
                "lines": np.array([2, 1]), "departure_time": np.array([np.inf, start + 1.6])}
            observe(Fake(columns, start + age))


class Fake:
    def __init__(self, columns: dict[str, Any], month: int) -> None:
        self.columns, self.low, self.high, self.month = columns, 0, 2, SimpleNamespace(number=month)

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]


def test_money_of_the_outcome_months_by_hand() -> None:
    base = Subscribers.empty(SCHEMA, np.arange(2))
    base["departure_time"] = np.inf
    settings: Any = SimpleNamespace(start_month=5, outcome_months=4)
    engine: Any = Books()
    found = follow(base, None, engine, settings, rate_annual=RATE, horizon=1)
    d = [1.21 ** (-age / 12) for age in range(4)]
    # The first pays 20, 21, 22, 26 over costs, less 0.5 a month, 9 off twice, and 14 on acceptance; the second, who had
    # decided before the contact, 40 twice.
    first = 20 * d[0] + 21 * d[1] + 22 * d[2] + 26 * d[3] - 0.5 * sum(d) - 9 * (d[1] + d[2]) - 14
    assert found.net_margin_amount == pytest.approx([first, 40 * (d[0] + d[1])])
    assert found.margin_months == pytest.approx([sum(d), d[0] + d[1]])
    # The last three bills, discounts left out: who stays pays them again when they have ended.
    assert found.margin_after_amount == pytest.approx([(21 + 22 + 26) / 3, 40.0])
    assert found.decided_late.tolist() == [False, True] and found.left_early.tolist() == [False, False]


def test_what_falls_due_later_is_the_rest_of_the_planned_cost() -> None:
    world = small_world("offers.discount_30.discount_months=4", "offers.discount_30.monthly_cost_amount=2.0",
                        "offers.discount_30.effect_months=6")
    table = observe(base_at_campaign(world), month=world.experiment.campaign_month,
                    settings=world.experiment.signals, key=world.key)
    names = ("discount_30",)
    whole = offer_cost(table, world.offers, names, rate_annual=RATE)
    after = {months: planned_after(table, world.offers, names, months=months, rate_annual=RATE)
             for months in (1, 5, 7)}
    offer = world.offers.settings["discount_30"]
    direct = offer.direct_cost_per_line_amount * table["lines"] + offer.direct_cost_amount
    assert after[1][:, 0] == pytest.approx(whole[:, 0] - direct, rel=1e-6)
    # Of the fifth and sixth month only the monthly cost is left.
    assert after[5][:, 0] == pytest.approx(2.0 * (1.21 ** (-5 / 12) + 1.21 ** (-6 / 12)) * np.ones(len(table)))
    assert not after[7].any()


def test_net_margin_is_that_of_the_ledger() -> None:
    """The same months booked by the ledger, cent by cent: revenue less cost to serve, discounts and direct cost."""
    world = small_world("offers.discount_30.acceptance.base_prob=0.9")
    e, n = world.experiment, 300
    start = world.pilot_population().take(np.arange(n))
    world.engine.run([(start, None)], start=0, months=2)
    treatment = contacts(np.full(n, 0.3), np.full(n, world.offers.code("discount_30"), np.int8))
    rate = e.evaluation.discount_rate_annual
    settings = e.evaluation.model_copy(update={"horizon_months": e.pilot.outcome_months})
    books = Bookkeeper(settings, world.offers, start=2, n=n, arms=1)

    def watch(block: Block) -> None:
        books.observe(block)

    world.engine.run([(start.copy(), treatment)], start=2, months=e.pilot.outcome_months, observe=watch)
    found = follow(start, treatment, world.engine, e.pilot, rate_annual=rate, horizon=3)
    cents = books.worlds[0].cents[:, REALISED, DISCOUNTED]
    booked = cents[REVENUE] - cents[COST_TO_SERVE] - cents[DISCOUNT] - cents[DIRECT]
    assert cents[DISCOUNT].any() and not cents[CONTACT].any()
    assert found.net_margin_amount == pytest.approx(booked / 100.0, abs=0.01 * 5 * e.pilot.outcome_months)
