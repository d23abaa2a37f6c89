"""Hotline, shop, app and survey: by hand, and by the shares they must have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from churnsim.lifecycle.drivers import contacts
from churnsim.lifecycle.drivers.contacts import driver

from ..examples import block_of, draws_of, lifecycle, subscribers
from .by_hand import Chosen, N, approx, assert_mean, assert_share, log_odds, logistic

NO = 0.999


def stepped(base, *lanes, answers=0.5, contact_settings=None, month=7, **surroundings):
    """Let the driver step; lanes are hotline, shop, survey, logins."""
    block = block_of(base, month=month)
    for name, value in surroundings.items():
        block[name] = value
    settings = lifecycle(contacts=contact_settings or {})
    driver(settings).step(block, block.month, Chosen(base.ids, *lanes, uniform=answers))
    return block


def drawn(*, contact_settings=None, surroundings=None, **columns):
    base = subscribers(N, **{"app_habit": 1.0, **columns})
    block = block_of(base)
    for name, value in (surroundings or {}).items():
        block[name] = value
    driver(lifecycle(contacts=contact_settings or {})).step(
        block, block.month, draws_of(base, contacts.EVENTS, contacts.ANSWERS))
    return block


def test_calls_and_visits_by_hand():
    """Stocks keep 0.6; a visit takes a point; satisfaction stays a score."""
    base = subscribers(3, satisfaction=[50, 0.5, 50], hotline_stock=1.0, shop_stock=0.5, join_month=[0, 0, 8])
    block = stepped(base, [0.09, 0.11, 0.09], [0.09, 0.07, 0.07])
    assert block["hotline"].tolist() == [1, 0, 0]
    assert block["shop_visit"].tolist() == [0, 1, 0]
    assert base["hotline_stock"].tolist() == approx([1.6, 0.6, 0.6])
    assert base["shop_stock"].tolist() == approx([0.3, 1.3, 0.3])
    assert base["satisfaction"].tolist() == [50.0, 0.0, 50.0]


@pytest.mark.parametrize(("felt", "extra"), [
    ({}, 0.0), ({"fault": 1}, 1.5), ({"complaint": 1}, 2.0), ({"bill_shock": 0.5}, 0.5),
    ({"fault": 1, "complaint": 1, "bill_shock": 0.5}, 4.0)])
def test_share_of_callers_by_what_they_felt(felt, extra):
    block = drawn(surroundings=felt)
    assert_share(block["hotline"], logistic(log_odds(0.1) + extra))
    assert_share(block["shop_visit"], 0.08)


@pytest.mark.parametrize(("habit", "days", "mean"), [
    (1.0, 0.0, 4.0), (0.5, 0.0, 2.0), (1.0, 30.0, 3.2), (2.0, 15.0, 7.2)])
def test_logins_are_geometric(habit, days, mean):
    """Mean 4 x habit x (1 - 0.2 x days shopping / 30); none with chance 1 / (1 + mean)."""
    logins = drawn(app_habit=habit, shopping_days=days)["app_logins"]
    assert_mean(logins, mean, np.sqrt(mean * (1.0 + mean)))
    assert_share(logins == 0, 1.0 / (1.0 + mean))
    assert_share(logins >= 5, (mean / (1.0 + mean)) ** 5)
    assert (logins == np.floor(logins)).all() and logins.min() == 0


def test_logins_by_hand_and_of_nobody():
    """Mean 4: again with 0.8, so at u = 0.8 ** 2.5 twice; none without the habit or before joining."""
    base = subscribers(3, app_habit=[1.0, 0.0, 1.0], join_month=[0, 0, 8], app_logins=9.0)
    stepped(base, NO, NO, NO, 0.8**2.5)
    assert base["app_logins"].tolist() == [2, 0, 0]


def test_the_survey_by_hand():
    """Asked below 0.1: satisfaction / 10 and an error of 1.5 points times its quantile, rounded; others keep theirs."""
    base = subscribers(6, nps=[-1, -1, 3, 3, -1, -1], satisfaction=[72, 72, 50, 50, 98, 3],
                       join_month=[0, 0, 0, 8, 0, 0])
    answers = np.array([0.5, 0.5, norm.cdf(1.0), 0.5, norm.cdf(2.0), norm.cdf(-2.0)])
    block = stepped(base, NO, NO, [0.05, 0.2, 0.05, 0.05, 0.05, 0.05], answers=answers)
    assert base["nps"].tolist() == [7, -1, 6, 3, 10, 0]
    assert block["surveyed"].tolist() == [1, 0, 1, 0, 1, 1]


def test_answers_are_satisfaction_with_noise():
    """Mean 5; variance of the noise and of rounding, 1.5 ** 2 + 1/12: the scale ends 3.3 deviations away."""
    block = drawn(satisfaction=50.0, contact_settings={"survey_share": 1.0})
    assert block["surveyed"].all()
    assert_mean(block["nps"].astype(float), 5.0, np.sqrt(1.5**2 + 1 / 12))
    assert block["nps"].astype(float).var() == pytest.approx(1.5**2 + 1 / 12, rel=0.02)
    assert_share(drawn()["surveyed"], 0.1)
    exact = drawn(satisfaction=64.0, contact_settings={"survey_share": 1.0, "survey_noise_points": 0.0})
    assert set(exact["nps"].tolist()) == {6}


def test_certain_and_impossible_contacts():
    block = drawn(contact_settings={"shop_prob": 1.0, "survey_share": 0.0, "app_logins_mean": 0.0})
    assert block["shop_visit"].all() and not block["surveyed"].any() and not block["app_logins"].any()
