"""Apparent leaving: a line is replaced, the account stays, and only what the new line costs is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from churnsim.core.clock import discount_factor
from churnsim.evaluation.ledger import EXPECTED, REALISED, Bookkeeper, compare_worlds
from churnsim.evaluation.settings import EvaluationSettings
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.market import make_market
from churnsim.offers.settings import Offer
from churnsim.offers.table import offer_table
from churnsim.population.columns import SCHEMA

from ..examples import CELLS, KEY, REGIONS, lifecycle, market, subscribers, varied

# False-alarm rate of one share below, over seeds.
Z = norm.isf(5e-5)
NEVER = -30.0
MONEY = EvaluationSettings(horizon_months=12, discount_rate_annual=0.1, terminal_value="none", inner_draws=1,
                           confidence=0.95)


def replaced(hazard, *, promoted=0.0, **more):
    return {"apparent": True, "intercept": float(np.log(hazard)), "coefficients": {"newcomer_promotion": promoted},
            **more}


def world(causes, *, promoted_months=(), months=24, multipliers=None):
    """Return a lifecycle in which a newcomers' promotion runs in some months and one offer exists.

    Plans stay, and calls, visits and tickets cost nothing.
    """
    settings = lifecycle(causes=causes, plan={"change_prob": 1e-12, "line_loss_prob": 1e-12, "line_gain_prob": 0.0},
                         suspension={"enter_prob": 1e-12},
                         cost_to_serve={"hotline_call_amount": 0.0, "shop_visit_amount": 0.0, "ticket_amount": 0.0})
    around = make_market(market(), regions=REGIONS, cells_per_region=CELLS, months=months, key=KEY)
    runs = np.isin(np.arange(months), promoted_months).astype(np.float32)
    care = Offer.model_validate({"effect_months": 100, "hazard_multipliers": multipliers or {},
                                 "acceptance": {"base_prob": 0.5}})
    return Lifecycle(settings, replace(around, newcomer_promotion=runs),
                     offer_table({"care": care}, causes=tuple(causes)), key=KEY)


def seen(engine, base, *columns, months=1, **how):
    """Return the named columns of every month, (months, n) each."""
    found = {name: [] for name in columns}

    def look(block):
        for name in columns:
            found[name].append(block[name].copy())

    engine.run([(base, None)], start=0, months=months, observe=look, block=len(base), **how)
    return [np.array(found[name]) for name in columns]


def test_codes_are_positions_in_the_config_wherever_apparent_causes_stand():
    """False-alarm rate 1e-4 each of four shares."""
    n, hazard = 100_000, 0.03
    moved, real = {"apparent": True, "intercept": np.log(hazard)}, {"intercept": np.log(hazard)}
    engine = world({"moved": moved, "price": real, "rejoin": {**moved, "newcomer_terms": True}, "service": real})
    assert engine.causes == ("moved", "price", "rejoin", "service")
    base = subscribers(n)
    (substituted,) = seen(engine, base, "substituted")
    assert set(np.unique(base["cause"])) == {0, 2, 4}
    assert set(np.unique(substituted)) == {0, 1, 3}
    expected = -np.expm1(-2 * hazard) / 2
    for share in ((base["cause"] == 2).mean(), (base["cause"] == 4).mean(), (substituted == 1).mean(),
                  (substituted == 3).mean()):
        assert abs(share - expected) < Z * np.sqrt(expected / n)


def test_apparent_leaving_ends_nothing():
    base = subscribers(2000)
    substituted, active_prob = seen(world({"price": {"intercept": NEVER}, "moved": replaced(0.5)}), base, "substituted",
                                    "active_prob", months=6)
    assert (substituted > 0).mean() > 0.3
    assert (base["decision_time"] == np.inf).all()
    assert (base["cause"] == 0).all()
    assert active_prob.min() == pytest.approx(1.0, abs=1e-9)


def test_a_new_line_by_hand():
    """In month 0 a promotion runs; one line, a family of four, a prepaid line that joins in it, one yet to join."""
    causes = {"price": {"intercept": NEVER},
              "rejoin": replaced(1e-12, promoted=31.0, newcomer_terms=True, subsidy_amount=10.0)}
    base = subscribers(4, lines=[1, 4, 1, 1], plan_price_amount=[30.0, 80.0, 30.0, 30.0], payment=[0, 0, 1, 0],
                       contract_length_months=[12, 24, 0, 12], contract_left_months=[5, 0, 0, 5],
                       join_month=[-24, -24, 0, 3], bill_amount=[30.0, 80.0, 30.0, 30.0])
    engine = world(causes, promoted_months=(0,))
    code, revenue, cost, bill, left = seen(engine, base, "substituted", "revenue", "cost_to_serve", "bill_amount",
                                           "contract_left_months", months=8)
    now = bill[np.arange(8), np.arange(8) % 6]
    assert code[0].tolist() == [2, 2, 2, 0]
    assert not code[1:].any()
    assert left[0].tolist() == [12, 24, 0, 5]
    # 20 % of one line's fee for six months; 10 of subsidy and 25 of commission with the next bill.
    for month, waived, paid in ((0, 0.0, 0.0), (1, 1.0, 35.0), (6, 1.0, 0.0), (7, 0.0, 0.0)):
        given = waived * 0.2 * np.array([30.0, 20.0, 30.0, 0.0])
        np.testing.assert_allclose(revenue[month], now[month] - given, rtol=1e-6)
        new_line = paid * np.array([1.0, 1.0, 1.0, 0.0])
        served = 6.0 * base["lines"] + 0.3 * now[month]
        np.testing.assert_allclose(cost[month], served + new_line, rtol=1e-5)


def test_newcomers_terms_need_a_promotion_and_internal_substitution_has_none():
    causes = {"price": {"intercept": NEVER}, "moved": replaced(0.2), "rejoin": replaced(0.2, newcomer_terms=True)}
    for runs in (True, False):
        base = subscribers(1000)
        (code,) = seen(world(causes, promoted_months=(0,) if runs else ()), base, "substituted")
        assert {2, 3} < set(np.unique(code[0]))
        has = base["newcomer_discount_left_months"] > 0
        np.testing.assert_array_equal(has, (code[0] == 3) & runs)
        np.testing.assert_allclose(base["substitution_cost_amount"], np.where(code[0] == 3, 25.0, 0.0))


@pytest.mark.parametrize("estimate", [REALISED, EXPECTED])
def test_preventing_one_is_worth_subsidy_commission_and_discount_alone(estimate):
    """The account's revenue goes on either way: 10 + 25 in month 1, and 6 a month in months 1 to 6."""
    causes = {"price": {"intercept": NEVER},
              "rejoin": replaced(1e-12, promoted=31.0, newcomer_terms=True, subsidy_amount=10.0)}
    engine = world(causes, promoted_months=(0,), multipliers={"rejoin": 1e-20})
    n = 3
    books = Bookkeeper(MONEY, engine.offers, start=0, n=n, arms=2)
    cared_for = subscribers(n, offer_code=1, offer_left_months=50)
    engine.run([(subscribers(n), None), (cared_for, None)], start=0, months=12, observe=books.observe)
    money = compare_worlds(*books.worlds, estimate=estimate)
    discount = [discount_factor(month, rate_annual=0.1) for month in range(12)]
    revenue = sum(6.0 * discount[month] for month in range(1, 7))
    assert money.saved_revenue == pytest.approx(np.full(n, 100 * revenue), abs=6)
    assert money.net_value == pytest.approx(np.full(n, 100 * (revenue + 35.0 * discount[1])), abs=6)
    # An account that leaves for good would have cost far more: 29 of margin or so in every month.
    assert money.net_value.max() < 100 * 80


def test_an_offer_acts_on_apparent_causes_by_its_multiplier():
    """False-alarm rate 1e-4 each of two shares."""
    n, hazard = 100_000, 0.1
    engine = world({"price": {"intercept": NEVER}, "moved": replaced(hazard)}, multipliers={"moved": 0.4})
    for code, factor in ((0, 1.0), (1, 0.4)):
        base = subscribers(n, offer_code=code, offer_left_months=3)
        (substituted,) = seen(engine, base, "substituted")
        expected = -np.expm1(-factor * hazard)
        assert abs((substituted > 0).mean() - expected) < Z * np.sqrt(expected / n)


def test_the_moment_is_the_clocks():
    """Decisions to leave fall before the new line binds, or after at a lower hazard: the contract holds."""
    n = 100_000
    causes = {"price": {"intercept": np.log(0.3), "coefficients": {"bound": NEVER}}, "moved": replaced(1.0)}
    base = subscribers(n, contract_length_months=12)
    (substituted,) = seen(world(causes), base, "substituted")
    # Out of contract, price fires at .3 until the clock of the new line (hazard 1) stops it or the month ends.
    expected = 0.3 / 1.3 * -np.expm1(-1.3)
    assert abs((base["decision_time"] <= 1.0).mean() - expected) < Z * np.sqrt(expected / n)
    assert abs((substituted > 0).mean() - -np.expm1(-1.0)) < Z * 0.5 / np.sqrt(n)


def test_nothing_hangs_on_who_leaves():
    causes = {"price": {"intercept": np.log(0.2)}, "moved": replaced(0.2), "rejoin": replaced(0.2, newcomer_terms=True)}
    engine = world(causes, promoted_months=(0, 2, 3))
    real, whatif = varied(np.arange(3000)), varied(np.arange(3000))
    first = seen(engine, real, "substituted", "revenue", "cost_to_serve", months=5)
    second = seen(engine, whatif, "substituted", "revenue", "cost_to_serve", months=5, realise=False)
    assert np.isfinite(real["decision_time"]).mean() > 0.3
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    for name in set(SCHEMA) - {"decision_time", "departure_time", "cause"}:
        np.testing.assert_array_equal(real[name], whatif[name], err_msg=name)


def test_without_apparent_causes_there_is_no_such_driver():
    assert "substitution" not in [driver.name for driver in world({"price": {"intercept": NEVER}}).drivers]
