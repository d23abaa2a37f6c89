"""What sources claim, checked in the simulated world; sizes, months and seeds are stated with each."""

from __future__ import annotations

import numpy as np

from churnsim.lifecycle.block import Block

from . import measure

YEAR = 12


def revenue(*overrides: str, size: int = 50_000) -> float:
    """Return a year's revenue of the active a subscriber of the start, without arrivals."""
    made = measure.experiment("market.arrivals_share_monthly=0.0", *overrides, size=size)
    place = measure.world(made, months=YEAR)
    base = place.population(until=YEAR)
    total = 0.0

    def add(block: Block) -> None:
        nonlocal total
        total += float(block["revenue"][block["active"]].sum(dtype=np.float64))

    place.engine.run([(base, None)], start=0, months=YEAR, observe=add)
    return total / size


def test_a_point_of_monthly_churn_is_worth_tens_of_millions() -> None:
    """data_grounded at 2 % against 1 % a month, 50,000 subscribers, 12 months, scaled to a million accounts."""
    causes = [name for name, cause in measure.experiment().lifecycle.causes.items() if not cause.apparent]
    made = measure.experiment()
    halved = [f"lifecycle.causes.{name}.intercept={made.lifecycle.causes[name].intercept - np.log(2.0):.4f}"
              for name in causes]
    worth = (revenue(*halved) - revenue()) * 1_000_000
    assert 10e6 < worth < 100e6


def test_five_points_of_retention_raise_value_by_less_than_claimed() -> None:
    """A customer kept each year with probability r is worth r / (1 + d - r) margins; d = 10 %.

    Five points more are said to raise profit by 25 to 85 %; from 90 % retention they raise it by 41 %.
    """
    def worth(retention: float) -> float:
        return retention / (1.10 - retention)

    gains = [worth(r + 0.05) / worth(r) - 1.0 for r in (0.70, 0.80, 0.85, 0.90)]
    np.testing.assert_allclose(gains, [0.22, 0.28, 0.32, 0.41], atol=0.015)
    # The simulated base keeps some 78 % a year, where the claim's upper end is far away.
    kept = np.exp(-12 * 0.02)
    assert 0.2 < worth(kept + 0.05) / worth(kept) - 1.0 < 0.4


def test_nobody_leaves_a_world_without_drivers() -> None:
    """data_grounded: content and bound, without trouble, rivals, arrears or a vanished need, few leave."""
    made = measure.experiment()
    calm = sum(np.exp(cause.intercept) for cause in made.lifecycle.causes.values() if not cause.apparent)
    whole = measure.months_at_risk(measure.experiment(size=20_000), months=6)["left"].mean()
    assert calm < 0.6 * whole


def negative_margin_share(*overrides: str) -> float:
    """Return the share of 40,000 subscribers whose revenue of months 0-5 is below what it costs to serve them."""
    made = measure.experiment("market.arrivals_share_monthly=0.0", *overrides, size=40_000)
    place = measure.world(made, months=6)
    base = place.population(until=6)
    margin = np.zeros(len(base))

    def add(block: Block) -> None:
        margin[block.low:block.high] += block["active"] * (block["revenue"].astype(np.float64) - block["cost_to_serve"])

    place.engine.run([(base, None)], start=0, months=6, observe=add)
    return float((margin < 0.0).mean())


def test_some_subscribers_cost_more_than_they_bring() -> None:
    """data_grounded; 40,000; months 0-5: some, at least .1 %; hardly anybody where serving costs nothing fixed."""
    assert 0.001 < negative_margin_share() < 0.15
    free = ("fixed_amount", "hotline_call_amount", "shop_visit_amount", "ticket_amount")
    assert negative_margin_share(*(f"lifecycle.cost_to_serve.{key}=0.0" for key in free)) < 0.001
