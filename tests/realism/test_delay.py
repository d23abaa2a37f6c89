"""What ten days' delay of a list costs, where leaving is searched for and where it falls from the sky.

At a constant monthly hazard of 2 % a list of ten days ago meets .7 % who decided meanwhile. Searches last days to weeks
and hold most voluntary leaving, so a list of those who search ages quickly; one of those who show signs of it (a click
on an advertisement, a porting code asked for) less so, as signs are noisy. Offers' effects end with a month, so that a
later contact also has fewer days of effect: that part of the loss is there in both worlds.

Figures: data_grounded, 20,000 subscribers, seed 20, month 6, discount_30 accepted by all listed, revenue of 12 months
in expectation. Without searches (base_prob 1e-6) the levels of all causes are raised until as many leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from churnsim.lifecycle.block import Block
from churnsim.lifecycle.treatment import Treatment

from . import measure

SIZE, MONTH, HORIZON = 20_000, 6, 12
DAYS = (0, 10, 20)


@dataclass(frozen=True)
class Delay:
    """What became of a list.

    Attributes
    ----------
    monthly_hazard
        Mean over all months and active subscribers before the list is made.
    listed
        Subscribers on it.
    too_late
        Share of the list that has decided to leave before the contact, by `DAYS`.
    saved
        Revenue saved a head of the list, by `DAYS`.
    """

    monthly_hazard: float
    listed: int
    too_late: tuple[float, ...]
    saved: tuple[float, ...]

    @property
    def loss(self) -> float:
        """Share of the saved revenue that the first ten days' delay costs."""
        return 1.0 - self.saved[1] / self.saved[0]


@cache
def delayed(*overrides: str, listed: str, raised: float = 0.0) -> Delay:
    """Contact all who are listed on each of `DAYS` after the list is made, and once nobody.

    Parameters
    ----------
    listed
        "searching" (known to the simulator alone), "signs" (what the operator sees of it) or "everybody".
    raised
        Added to the log of every real cause's hazard.
    """
    made = measure.experiment(*overrides, size=SIZE)
    if raised:
        more = [f"lifecycle.causes.{name}.intercept={cause.intercept + raised}"
                for name, cause in made.lifecycle.causes.items() if not cause.apparent]
        made = measure.experiment(*overrides, *more, size=SIZE)
    place = measure.world(made, months=MONTH + HORIZON)
    base = place.population(until=MONTH)
    sums = np.zeros(2)

    def before(block: Block) -> None:
        sums[:] += block["hazard"][block["active"]].sum(), block["active"].sum()

    place.engine.run([(base, None)], start=0, months=MONTH, observe=before)
    on_list = {"searching": base["shopping"] == 1, "everybody": np.ones(len(base), bool),
               "signs": (base["porting_request"] == 1) | (base["ad_click_stock"] >= 1.0)}[listed]
    base = base.take(np.flatnonzero(on_list & (base["decision_time"] == np.inf) & (base["join_month"] < MONTH)))
    code = np.full(len(base), place.offers.code("discount_30"), np.int8)
    revenue, undecided = np.zeros(1 + len(DAYS)), np.zeros(1 + len(DAYS))

    def after(block: Block) -> None:
        revenue[block.arm] += (block["active_prob"] * block["revenue"]).sum()
        if block.month.first:
            undecided[block.arm] += block["undecided_prob"].sum()

    rows = np.arange(len(base))
    arms = [Treatment(rows, np.full(len(base), day / 30.0), code) for day in DAYS]
    place.engine.run([(base.copy(), None), *((base.copy(), arm) for arm in arms)], start=MONTH, months=HORIZON,
                     observe=after, realise=False)
    n = len(base)
    return Delay(float(sums[0] / sums[1]), n, tuple((1.0 - undecided[1:] / n).tolist()),
                 tuple(((revenue[1:] - revenue[0]) / n).tolist()))


def without_searches() -> Delay:
    return delayed("lifecycle.shopping.base_prob=0.000001", listed="everybody", raised=0.26)


def test_both_worlds_lose_as_many() -> None:
    assert without_searches().monthly_hazard == pytest.approx(delayed(listed="signs").monthly_hazard, rel=0.05)


def test_who_searches_decides_soon() -> None:
    """Share of a list that has decided within ten days: of the searching four times that of no searches."""
    searching, signs, usual = delayed(listed="searching"), delayed(listed="signs"), without_searches()
    assert usual.too_late[1] < 0.01
    assert searching.too_late[1] > 2.5 * usual.too_late[1]
    assert usual.too_late[1] < signs.too_late[1] < searching.too_late[1]
    for found in (searching, signs, usual):
        assert found.too_late[0] == 0.0
        assert found.too_late[1] < found.too_late[2]


def test_ten_days_cost_more_where_leaving_is_searched_for() -> None:
    """Loss of the revenue saved: some 27 % of what a list of the searching saves, 17 % by signs, 11 % without any."""
    searching, signs, usual = delayed(listed="searching"), delayed(listed="signs"), without_searches()
    assert usual.loss < 0.14
    assert signs.loss > usual.loss + 0.02
    assert searching.loss > usual.loss + 0.08
    for found in (searching, signs, usual):
        assert found.saved[0] > found.saved[1] > found.saved[2] > 0.0


if __name__ == "__main__":
    for name, found in (("searching", delayed(listed="searching")), ("signs", delayed(listed="signs")),
                        ("no searches", without_searches())):
        print(name, found, f"loss of ten days {found.loss:.1%}")
