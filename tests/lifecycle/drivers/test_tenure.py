"""Months and lifecycle states: by hand, by shares, and which state may follow which."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from churnsim.lifecycle.drivers import tenure
from churnsim.population.categories import STATES

from ..examples import block_of, draws_of, engine, lifecycle, subscribers, varied
from .by_hand import Chosen, N, assert_share, log_odds, logistic

PROSPECT, ENTRY, GROWTH, STABLE, DECLINE, SUSPENDED, CHURNED = range(len(STATES))
# Who enters suspension draws below 0.05, who stays suspended at or above 0.4.
GOES_ON, RESUMES, STAYS = 0.9, 0.39, 0.41


def after(base, *lanes, month=7, **scratch):
    """Let the driver step; lanes are entering and resuming."""
    block = block_of(base, month=month, **scratch)
    tenure.driver(lifecycle().suspension).step(block, block.month, Chosen(base.ids, *lanes))
    return base


def states(base):
    return [STATES[code] for code in base["state"]]


def falling(base):
    """Halve the last three months of usage before month 8."""
    history = np.full((6, len(base)), 10.0)
    history[[5, 0, 1]] = 5.0
    base["usage_gb"] = history
    return base


def test_months_count_on():
    base = after(subscribers(3, tenure_months=[5, 5, 0], spell_months=[5, 2, 0], device_age_months=[7, 0, 3],
                             join_month=[2, -30, 8], state=[GROWTH, ENTRY, PROSPECT]), GOES_ON)
    assert base["tenure_months"].tolist() == [6, 6, 0]
    assert base["spell_months"].tolist() == [6, 3, 0]
    assert base["device_age_months"].tolist() == [8, 1, 3]


def test_states_follow_months():
    months = [0, 1, 2, 10, 11, 599]
    base = after(subscribers(6, tenure_months=months, spell_months=months, join_month=0,
                             state=[ENTRY, ENTRY, ENTRY, GROWTH, GROWTH, STABLE]), GOES_ON)
    assert states(base) == ["entry", "entry", "growth", "growth", "stable", "stable"]


def test_entrants_wait_join_and_age():
    base = subscribers(1, join_month=8, tenure_months=0, spell_months=0, state=PROSPECT)
    seen = []
    for month in range(5, 12):
        after(base, GOES_ON, month=month)
        seen.append((states(base)[0], int(base["tenure_months"][0])))
    assert seen == [("prospect", 0), ("prospect", 0), ("entry", 0), ("entry", 1), ("entry", 2), ("growth", 3),
                    ("growth", 4)]


def test_who_comes_back_enters_again_whatever_the_state_was():
    """Its tenure goes on. One whose what-if path pauses comes back suspended."""
    base = after(subscribers(5, state=[STABLE, GROWTH, DECLINE, SUSPENDED, SUSPENDED]), GOES_ON,
                 [0.5, 0.5, 0.5, RESUMES, STAYS], returned=True)
    assert states(base) == ["entry", "entry", "entry", "entry", "suspended"]
    assert base["spell_months"].tolist() == [1] * 5 and base["tenure_months"].tolist() == [25] * 5
    after(base, GOES_ON, RESUMES)
    assert states(base) == ["entry", "entry", "entry", "entry", "stable"]


def test_decline_is_a_fifth_less_in_three_months():
    """Months 7, 6, 5 stand in rows 1, 0, 5. Entrants of two months have no history that counts."""
    def history(*recent):
        rows = np.full((6, 4), 10.0)
        rows[[5, 0, 1]] = recent
        return rows

    usage_gb = history([10, 7, 10, 7], [10, 8, 10, 7], [10, 9, 10, 7])
    bill = history([10, 10, 8, 10], [10, 10, 8, 10], [8, 10, 8.1, 10])
    base = subscribers(4, usage_gb=usage_gb, bill_amount=bill, spell_months=[24, 24, 24, 1], state=[3, 3, 3, ENTRY])
    assert tenure._declining(block_of(base, month=7)).tolist() == [False, True, False, True]
    assert states(after(base, GOES_ON)) == ["stable", "decline", "stable", "entry"]


@pytest.mark.parametrize(("state", "months", "still", "falls"), [
    (ENTRY, 1, "entry", "entry"), (ENTRY, 2, "growth", "decline"), (GROWTH, 5, "growth", "decline"),
    (GROWTH, 11, "stable", "decline"), (STABLE, 30, "stable", "decline"), (STABLE, 5, "stable", "decline"),
    (DECLINE, 30, "stable", "decline"), (DECLINE, 5, "stable", "decline"), (SUSPENDED, 30, "stable", "stable"),
    (SUSPENDED, 1, "stable", "stable")])
def test_what_follows_a_state(state, months, still, falls):
    """Who recovers or resumes is stable however young."""
    for base, expected in ((subscribers(1), still), (falling(subscribers(1)), falls)):
        base["state"], base["spell_months"] = state, months
        assert states(after(base, GOES_ON, RESUMES)) == [expected]


def test_suspension_by_hand():
    """Entered below 0.05, or below 0.19 by migrants; kept at or above 0.4, whatever the first uniform."""
    base = after(subscribers(6, state=[STABLE, STABLE, STABLE, STABLE, SUSPENDED, SUSPENDED],
                             locality=[0, 0, 1, 1, 0, 0]),
                 [0.04, 0.06, 0.18, 0.2, 0.01, 0.9], [0.5, 0.5, 0.5, 0.5, RESUMES, STAYS])
    assert states(base) == ["suspended", "stable", "suspended", "stable", "stable", "suspended"]


@pytest.mark.parametrize(("locality", "extra"), [(0, 0.0), (1, 1.5)])
def test_shares_of_suspension(locality, extra):
    base = subscribers(N, locality=locality)
    block = block_of(base)
    tenure.driver(lifecycle().suspension).step(block, block.month, draws_of(base, tenure.EVENTS))
    assert_share(base["state"] == SUSPENDED, logistic(log_odds(0.05) + extra))


def test_who_left_is_churned_from_the_departure_on():
    base = subscribers(3, departure_time=[6.9, 7.0, 7.1])
    assert [STATES[code] for code in tenure.states_at(base, month=7)] == ["churned", "churned", "stable"]


# What the table of states names, and suspension from any state: absence waits for no decline.
MAY_FOLLOW = {
    "prospect": {"entry"},
    "entry": {"growth", "decline", "suspended", "churned"},
    "growth": {"stable", "decline", "suspended", "churned"},
    "stable": {"decline", "suspended", "churned"},
    "decline": {"stable", "suspended", "churned"},
    "suspended": {"stable", "churned"},
    "churned": set(),
}


def test_every_transition_of_the_table_occurs_and_no_other():
    base = varied(np.arange(8000))
    for rows, month in ((base.ids % 13 == 0, 3), (base.ids % 13 == 1, 9)):
        base["join_month"][rows], base["tenure_months"][rows], base["spell_months"][rows] = month, 0, 0
    base["state"] = np.where(base["join_month"] > 0, PROSPECT, np.where(
        base["tenure_months"] < 3, ENTRY, np.where(base["tenure_months"] < 12, GROWTH, STABLE)))
    path = [base["state"].copy()]
    engine(lifecycle(win_back={"return_prob": 0.0})).run(
        [(base, None)], start=0, months=30, block=len(base),
        observe=lambda block: path.append(tenure.states_at(block, month=block.month.number + 1)))
    found = {name: set() for name in STATES}
    for before, now in pairwise(path):
        for code in np.unique(before):
            found[STATES[code]] |= {STATES[k] for k in np.unique(now[before == code])} - {STATES[code]}
    assert found == MAY_FOLLOW


def test_decline_comes_with_falling_usage_and_more_shopping():
    """It emerges: nothing but the histories makes a subscriber decline; who looks elsewhere moves traffic there."""
    base, seen = varied(np.arange(20_000)), {}

    def watch(block):
        if block.month.number == 17:
            seen.update({name: block[name].copy() for name in ("state", "usage_deviation", "shopping_days")})

    engine().run([(base, None)], start=0, months=18, observe=watch, block=len(base))
    declines, stable = seen["state"] == DECLINE, seen["state"] == STABLE
    assert declines.mean() > 0.05
    assert seen["usage_deviation"][declines].mean() < seen["usage_deviation"][stable].mean() - 0.2
    assert seen["shopping_days"][declines].mean() > 1.1 * seen["shopping_days"][stable].mean()
