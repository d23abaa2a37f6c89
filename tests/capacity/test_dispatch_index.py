"""The compiled index of every rule, on numbers worked out by hand and in its limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnsim.capacity.dispatch_index import RULES, index, postponement, service_rate
from churnsim.core.compiled import njit

ORDER = {
    "value": 60.0, "answer_prob": 0.25, "mu": 8.0, "loss_rate": 0.1, "clear_hours": 20.0, "release": 3.0,
    "deadline": 27.0, "priority": 2.0,
}
BY_HAND = {
    "fifo": -3.0,
    "lifo": 3.0,
    "priority": 2.0,
    "deadline": -27.0,
    "value": 60.0,
    "value_answer": 15.0,
    "c_mu": 120.0,
    "c_mu_loss": 12.0,
    "postponement": 120.0 * (1 - math.exp(-1)),
    "price": 120.0 * (1 - math.exp(-1)),
}
rates = st.floats(1e-3, 1e3)


def index_of(rule: str, **changed: float) -> float:
    return index(RULES.index(rule), *{**ORDER, **changed}.values())


def test_every_rule_has_a_case_by_hand():
    assert tuple(BY_HAND) == RULES


@pytest.mark.parametrize("rule", RULES)
def test_index_by_hand(rule):
    assert index_of(rule) == pytest.approx(BY_HAND[rule], rel=1e-14)


@pytest.mark.parametrize("code", [-1, len(RULES)])
def test_no_rule_has_no_index(code):
    assert math.isnan(index(code, *ORDER.values()))


def test_service_rate_by_hand():
    # Five minutes answered, thirty seconds not, a quarter answers: 97.5 seconds an attempt.
    assert service_rate(0.25, 5 / 60, 0.5 / 60) == pytest.approx(3600 / 97.5, rel=1e-14)
    assert service_rate(1.0, 0.1, 0.0) == pytest.approx(10)
    assert service_rate(0.0, 0.1, 0.01) == pytest.approx(100)


def test_a_compiled_engine_gets_the_same_bits():
    @njit
    def from_compiled(code: int) -> float:
        return index(code, 60.0, 0.25, 8.0, 0.1, 20.0, 3.0, 27.0, 2.0)

    assert [from_compiled(code) for code in range(len(RULES))] == [index_of(rule) for rule in RULES]


@given(value=rates, mu=rates, theta=rates, prob=st.floats(0.01, 1))
@settings(max_examples=50, deadline=None)
def test_postponement_ranks_like_c_mu_with_loss_when_little_is_lost_and_like_c_mu_when_all_is(
    value, mu, theta, prob
):
    c_mu = value * prob * mu
    soon = 1e-9 / theta
    assert postponement(value, prob, mu, theta, soon) == pytest.approx(c_mu * theta * soon / 2, rel=1e-8)
    assert postponement(value, prob, mu, theta, 1e3 / theta) == pytest.approx(c_mu, rel=1e-12)


@given(theta=rates, more=st.floats(1.01, 5), clear=st.floats(1e-6, 1e-3))
@settings(max_examples=50, deadline=None)
def test_postponement_grows_with_urgency_and_with_the_work_ahead(theta, more, clear):
    start = postponement(60.0, 0.25, 8.0, theta, clear)
    assert 0 < start < 120
    assert postponement(60.0, 0.25, 8.0, theta * more, clear) > start
    assert postponement(60.0, 0.25, 8.0, theta, clear * more) > start


@pytest.mark.parametrize("nothing", [{"loss_rate": 0.0}, {"clear_hours": 0.0}, {"value": 0.0}, {"answer_prob": 0.0}])
def test_nothing_is_at_stake_by_postponing(nothing):
    assert index_of("postponement", **nothing) == 0
