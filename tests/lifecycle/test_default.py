"""The lifecycle of an experiment, and further drivers beside its own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from churnsim.core.columns import Column
from churnsim.core.draws import stream
from churnsim.errors import ConfigError
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.driver import Driver
from churnsim.offers.table import offer_table
from churnsim.population.columns import SCHEMA

from .examples import KEY, constant, engine, lifecycle, subscribers, varied

# False-alarm rate of one share below, over seeds.
Z = norm.isf(5e-5)


def test_an_offer_table_for_other_causes_is_refused():
    world = engine()
    with pytest.raises(ValueError, match=r"^the offer table is made for 2 causes, the lifecycle has 3; "
                                         r"give offer_table the causes of the lifecycle$"):
        Lifecycle(lifecycle(), world.market, offer_table({}, causes=("a", "b")), key=world.key)


def test_the_market_of_a_month_for_covariates_outside_a_run():
    world = engine()
    base = varied(np.arange(30))
    base["bill_amount"] = np.array([90.0, 30.0, 30.0, 30.0, 45.0, 60.0])[:, None]
    before = base.copy()
    block = world.at(base, 12)
    promotion = world.market.promotion[12][base["region"], base["usage_scenario"]]
    np.testing.assert_array_equal(block["promotion"], promotion)
    np.testing.assert_array_equal(block["network"], world.market.network[12][base["cell"]])
    assert (block["season"] == world.market.season[12]).all()
    # Month 12 stands in row 0, the three before it in rows 5, 4, 3: 90 over 45.
    assert block["bill_shock"] == pytest.approx(np.full(30, np.log(2.0)))
    assert all(np.array_equal(base[name], before[name]) for name in SCHEMA)


PLAIN = engine(lifecycle(causes=constant(a=0.02, b=0.05), notice_days=0.0))
STORMS = stream("test.storms")
STORM = Column("storm", "bool", "1", "latent", "weather", "a storm this month", scope="month")
# Hazard without a storm and with one; half the months have one.
MOVING = np.array([0.02, 0.12], np.float32)


def blow(block, month, draws):
    block["storm"] = draws.lanes(STORMS, 2)[0] < 0.5


def moving(block):
    return MOVING[block["storm"].astype(int)][None]


WEATHER = Driver("weather", blow, writes=("storm",), streams=(STORMS,), columns=(STORM,))
REMOVAL = Driver("removal", reads=("storm",), causes=("moved",), hazards=moving)


def with_more(*drivers):
    return Lifecycle(PLAIN.settings, PLAIN.market, PLAIN.offers, key=KEY, more=drivers)


def test_a_further_cause_has_its_incidence_and_leaves_the_others_clocks_alone():
    """False-alarm rate 1e-4 each of nine shares."""
    n, months = 200_000, 3
    world = with_more(REMOVAL, WEATHER)
    assert world.causes == ("a", "b", "moved")
    plain, more = subscribers(n), subscribers(n)
    PLAIN.run([(plain, None)], start=0, months=months)
    world.run([(more, None)], start=0, months=months)
    # A month has a storm or none: survival and incidence average over both.
    total = 0.07 + MOVING.astype(float)
    leaves = -np.expm1(-total)
    survives = np.exp(-total).mean()
    for k, hazard in ((1, [0.02, 0.02]), (2, [0.05, 0.05]), (3, MOVING)):
        monthly = (np.array(hazard) / total * leaves).mean()
        for until in (1, 2, 3):
            expected = monthly * (1.0 - survives**until) / (1.0 - survives)
            share = ((more["cause"] == k) & (more["decision_time"] <= until)).mean()
            assert abs(share - expected) < Z * np.sqrt(expected * (1.0 - expected) / n)
    usual = more["cause"] < 3
    for name in ("decision_time", "departure_time", "cause"):
        np.testing.assert_array_equal(more[name][usual], plain[name][usual])
    assert (more["decision_time"] <= plain["decision_time"]).all()
    for name in set(SCHEMA) - {"decision_time", "departure_time", "cause"}:
        np.testing.assert_array_equal(more[name], plain[name], err_msg=name)


def test_a_further_cause_is_reckoned_with():
    """The chance to be there, and the hazard at the month's end, hold it too."""
    seen = []
    with_more(REMOVAL, WEATHER).run([(subscribers(1000), None)], start=0, months=1, realise=False, observe=lambda b: (
        seen.append((b["storm"].copy(), b["active_next_prob"].copy(), b["hazard"].copy()))))
    storm, prob, hazard = seen[0]
    assert 400 < storm.sum() < 600
    total = 0.07 + np.where(storm, 0.12, 0.02)
    np.testing.assert_allclose(hazard, total, rtol=1e-5)
    np.testing.assert_allclose(prob, np.exp(-total), rtol=1e-6)


def test_a_further_driver_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError) as caught:
        with_more(REMOVAL)
    assert str(caught.value).split("\n") == [
        "driver 'removal': no column 'storm'; declare it in the schema or in the driver's columns",
        "driver 'leaving': no column 'storm'; declare it in the schema or in the driver's columns"]
    with pytest.raises(ConfigError, match=r"^cause 'a' is declared by drivers 'causes' and 'second'; "
                                          r"rename one of them$"):
        with_more(Driver("second", causes=("a",), hazards=moving))
