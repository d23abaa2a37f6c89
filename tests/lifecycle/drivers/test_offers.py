"""What offers cost after the contact, and how those accepted before weaken the next."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.lifecycle.block import Block, Month
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.drivers.offers import upkeep_driver
from churnsim.lifecycle.hazards import HazardTable
from churnsim.lifecycle.incidence import incidence
from churnsim.lifecycle.market import make_market
from churnsim.lifecycle.settings import Cause
from churnsim.lifecycle.treatment import contacts, everybody
from churnsim.offers.settings import Offer
from churnsim.offers.table import offer_table

from ..examples import CELLS, KEY, REGIONS, constant, draws_of, engine, lifecycle, market, subscribers, varied


def table_of(causes=("price",), **offers):
    made = {name: Offer(acceptance={"base_prob": 0.5}, **values) for name, values in offers.items()}
    return offer_table(made, causes=causes)


def engine_of(settings, table, watch=None):
    around = make_market(market(), regions=REGIONS, cells_per_region=CELLS, months=60, key=KEY)
    return Lifecycle(settings, around, table, key=KEY, watch=watch)


def test_upkeep_is_that_of_the_offer_in_effect():
    table = table_of(manager={"monthly_cost_amount": 8.0, "effect_months": 2}, gift={"direct_cost_amount": 3.0})
    base = subscribers(4, offer_code=[1, 1, 2, 0], offer_left_months=[2, 0, 1, 0])
    block = Block.over(base, LIFECYCLE_SCHEMA, month=Month(3))
    upkeep_driver(table).step(block, Month(3), draws_of(base))
    assert block["upkeep"].tolist() == [8.0, 0.0, 0.0, 0.0]


def costs(engine, base, code, *, months=6, contact_time=0.5):
    """Return upkeep due by month, (2, months): realised and expected, mean over subscribers."""
    found = np.zeros((2, months))

    def watch(block):
        for k, name in enumerate(("billed", "billed_prob")):
            found[k, block.month.number] += (block[name] * block["upkeep"]).sum() / len(base)

    engine.run([(base, everybody(len(base), contact_time=contact_time, accepted=code))], start=0, months=months,
               observe=watch)
    return found


def test_upkeep_is_paid_each_month_of_the_effect_for_who_is_there_and_had_not_decided_before():
    """Hazard 0.2 a month, notice a third: at month m the chance is exp(-0.2 (m - 1/3)), that of the contact at most.

    At a contact at 0.9 those who decided before are owed nothing although they are served until 1.23: in month 1 the
    chance is that of being undecided at 0.9.
    """
    settings = lifecycle(causes=constant(price=0.2))
    engine = engine_of(settings, table_of(manager={"monthly_cost_amount": 10.0, "effect_months": 3}))
    n = 20_000
    realised, expected = costs(engine, subscribers(n), 1, contact_time=0.9)
    chances = [0.0, *(np.exp(-0.2 * max(m - 1.0 / 3.0, 0.9)) for m in (1, 2, 3)), 0.0, 0.0]
    assert expected == pytest.approx(10.0 * np.array(chances), rel=1e-5)
    # 4 standard errors of a share, three months: false alarm 2e-4.
    assert realised == pytest.approx(expected, abs=4 * 10.0 * 0.5 / np.sqrt(n))


def test_a_mere_gift_leaves_alone_to_whom_the_running_discount_was_given():
    table = table_of(gift={"direct_cost_amount": 3.0}, manager={"monthly_cost_amount": 8.0, "effect_months": 2})
    given = {}
    for code in (1, 2):
        seen = []
        engine_of(lifecycle(causes=constant(price=0.2)), table).run(
            [(subscribers(1), everybody(1, contact_time=0.5, accepted=code))], start=0, months=1,
            observe=lambda block, seen=seen: seen.append((block["given_time"][0], block["given_prob"][0])))
        given[code] = seen[0]
    assert given[1] == (-np.inf, 1.0)
    assert given[2] == (0.5, pytest.approx(np.exp(-0.1), rel=1e-6))


def test_offers_accepted_before_weaken_the_next():
    """0.4 to the power responsiveness x exp(-0.5 x accepted before)."""
    table = table_of(discount={"hazard_multipliers": {"price": 0.4}, "effect_months": 3})
    base = subscribers(4, offer_code=1, offer_left_months=[1, 1, 1, 0], responsiveness=[1.0, 1.0, 2.0, 1.0],
                       habituation=[0.0, 2.0, 1.0, 5.0])
    made = HazardTable({"price": Cause(intercept=np.log(0.1))}, table.log_multipliers, habituation=0.5)
    assert "habituation" in made.reads
    block = Block.over(base, LIFECYCLE_SCHEMA, month=Month(3))
    strength = np.array([1.0, np.exp(-1.0), 2.0 * np.exp(-0.5), 0.0])
    assert made.hazards(block)[0] == pytest.approx(0.1 * 0.4**strength, rel=1e-5)


def test_leaving_by_cause_by_hand():
    """Three at hazards 0.1 and 0.3, the second from 0.25 on at 0.1 and 0.6, the third after a hazard of 1."""
    hazards = np.array([[0.1] * 3, [0.3] * 3], np.float32)
    pieces = np.array([[[0.1], [0.3]], [[0.1], [0.6]]], np.float32)
    found = incidence(np.array([0.0, 0.0, 1.0]), hazards, rows=np.array([1]), times=np.array([[0.25]]), pieces=pieces)
    whole = 1.0 - np.exp(-0.4)
    early, late = 1.0 - np.exp(-0.1), np.exp(-0.1) * (1.0 - np.exp(-0.7 * 0.75))
    assert found[0] == pytest.approx([whole / 4, early / 4 + late / 7, np.exp(-1.0) * whole / 4], rel=1e-6)
    assert found[1] == pytest.approx([whole * 3 / 4, early * 3 / 4 + late * 6 / 7, np.exp(-1.0) * whole * 3 / 4],
                                     rel=1e-6)


def test_leaving_by_cause_adds_up_to_leaving():
    """In lively months, contacts, contract ends and all."""
    summed = np.zeros(400)
    settings = lifecycle()
    table = table_of(tuple(settings.causes), discount={"hazard_multipliers": {"price": 0.4}, "effect_months": 3})

    def watch(block, by_cause):
        assert by_cause.shape == (len(settings.causes), len(block)) and (by_cause >= 0.0).all()
        summed[block.low:block.high] += by_cause.sum(axis=0)

    engine = engine_of(settings, table, watch)
    base = subscribers(400, contract_left_months=np.arange(400) % 7)
    last = []
    engine.run([(base, everybody(400, contact_time=0.3, accepted=1))], start=0, months=8, realise=False,
               observe=lambda block: last.append(block["cumulated_hazard"].copy()))
    assert summed == pytest.approx(1.0 - np.exp(-last[-1]), rel=1e-6)


@pytest.mark.parametrize("time", [0.0, 0.9])
def test_a_contact_in_vain_moves_no_money_even_of_those_who_come_back(time):
    """Half are on notice, half left two months ago; each is contacted and "accepts" one of the offers or none."""
    start, n = 3, 4000
    world = engine(lifecycle(win_back={"return_prob": 0.3, "persistence": 0.6, "hazard_factor": 1.7,
                                       "cause_factors": {"service": 0.8, "price": 1.0, "gone": 0.3}}))
    base = varied(np.arange(n))
    world.run([(base, None)], start=0, months=start)
    on_notice = base.ids % 2 == 0
    base["decision_time"] = np.where(on_notice, start - 0.1, start - 2.5)
    base["departure_time"] = base["decision_time"] + 1.0 / 3.0
    base["cause"], base["return_factor"] = 1, 1.0
    base["discount_left_months"], base["discount_share"] = 4, 0.1
    money = {}

    def keep(block):
        for active, billed, undecided in (("active", "billed", "undecided"),
                                          ("active_prob", "billed_prob", "undecided_prob")):
            once = world.offers.direct_cost(block["accepted"], block["lines"])
            money[block.arm, block.month.number, active] = np.array([
                block[active] * block["revenue"], block[active] * block["cost_to_serve"],
                block[billed] * (block["discount"] + block["upkeep"]), block[undecided] * once])

    contacted = contacts(np.full(n, time), (base.ids % 5).astype(np.int8))
    world.run([(base, None), (base.copy(), contacted)], start=start, months=6, block=n, observe=keep)
    assert (base["spell"] > 0).mean() > 0.2
    for (arm, month, active), values in money.items():
        if arm == 0:
            np.testing.assert_array_equal(money[1, month, active], values, err_msg=f"{active} {month}")
            assert month == start or (values[0] > 0.0).any()
