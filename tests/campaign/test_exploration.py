"""Draws with known chances, within the money; and contacts counted over months."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from churnsim.campaign.contact_history import ContactHistory
from churnsim.campaign.exploration import explore
from churnsim.campaign.settings import ContactLimit
from churnsim.core.draws import make_key
from churnsim.policy.choices import Segment

KEY = make_key(seed=5, replicate=0)
N = 4000


def plan(*, cost: float = 2.0) -> Any:
    """Return a plan of three arms, of which the first and the last are asked for; a quarter may have nothing."""
    ids = np.arange(N)
    allowed = np.column_stack([ids % 4 != 0, np.ones(N, bool), ids % 4 == 1])
    return SimpleNamespace(ids=ids, allowed=allowed, planned_cost=np.full((N, 3), cost),
                           segment=np.where(ids < 100, 0, -1).astype(np.int32))


def draw(given: Any, *, money: float = 500.0, budget: float = 5000.0, most: float = np.inf, month: int = 8) -> Any:
    return explore(given, [0, 2], money=money, budget=budget, segments=(Segment("few", 0, most),), key=KEY, month=month)


def test_chances_are_what_they_are_said_to_be() -> None:
    """Shares of each option within 4 standard errors: false alarm 6e-5 each, for five shares."""
    found = draw(plan(), money=np.inf, budget=np.inf)
    assert found.row.tolist() == [i for i in range(N) if i % 4]
    assert found.prob.sum(axis=1) == pytest.approx(1.0)
    both = found.row % 4 == 1
    assert np.all(found.prob[both] == 1 / 3) and np.all(found.prob[~both] == [0.5, 0.5, 0.0])
    for rows in (both, ~both):
        for option in range(3):
            p = found.prob[rows][0, option]
            assert abs((found.option[rows] == option).mean() - p) <= 4.0 * np.sqrt(p * (1 - p) / rows.sum())


def test_the_order_is_followed_while_the_money_lasts() -> None:
    """On average a draw costs 2 x 2/3 or 2 x 1/2; who takes part does not depend on what is drawn."""
    found = draw(plan())
    expected = np.where(found.row % 4 == 1, 4 / 3, 1.0).sum()
    assert 498.0 < expected <= 500.0 and found.cost.sum() == 2.0 * (found.option > 0).sum()
    more = draw(plan(), money=600.0)
    assert set(found.row) < set(more.row)
    assert draw(plan(), budget=30.0).cost.sum() <= 30.0 < draw(plan(), budget=90.0).cost.sum() <= 90.0
    assert not len(draw(plan(), money=0.0).row) and not len(draw(plan(cost=0.0), money=0.0).row)
    assert set(draw(plan(), month=9).row) != set(found.row)


def test_no_more_of_a_segment_than_its_list_may_hold() -> None:
    found = draw(plan(), money=np.inf, budget=np.inf, most=7)
    assert (found.row < 100).sum() == 7 and (found.row >= 100).sum() == 2925


def wave(rows: list[int], time: list[float], outcome: list[str]) -> Any:
    at = np.array(rows)
    return SimpleNamespace(reached=np.isfinite(time), touched=at, contact_time=np.array(time),
                           assignment=SimpleNamespace(row=at),
                           log=SimpleNamespace(outcomes=SimpleNamespace(outcome=np.array(outcome))))


def test_contacts_are_counted_over_months() -> None:
    """Days 250 and 285 of subscriber 11, day 270 of 12; 13 was not reached, 14 opted out."""
    ids = np.array([11, 12, 13, 14, 15])
    history, limit = ContactHistory(), ContactLimit(most=2, days=45.0)
    assert history.may_be_contacted(ids, limit, first_day=240.0).all()
    base: Any = SimpleNamespace(ids=ids)
    history.add(wave([0, 2, 3], [1 / 3, np.inf, np.inf], ["reached", "expired", "opted_out"]), base, month=8)
    history.add(wave([0, 1], [0.5, 0.0], ["reached", "reached"]), base, month=9)

    def free(most: int, days: float, first_day: float) -> list[int]:
        given = ContactLimit(most=most, days=days)
        return ids[history.may_be_contacted(ids, given, first_day=first_day)].tolist()

    assert free(2, 45.0, 294.0) == [12, 13, 15] and free(2, 45.0, 296.0) == [11, 12, 13, 15]
    assert free(1, 30.0, 299.0) == [13, 15] and free(1, 30.0, 301.0) == [12, 13, 15]
    assert ids[history.may_be_contacted(ids, None, first_day=301.0)].tolist() == [11, 12, 13, 15]
