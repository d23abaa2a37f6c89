from __future__ import annotations

import numpy as np

from churnsim.lifecycle.drivers.market import driver
from churnsim.lifecycle.market import make_market
from churnsim.population.categories import USAGE_SCENARIOS

from ..examples import CELLS, KEY, REGIONS, block_of, draws_of, subscribers
from ..examples import market as settings


def test_the_market_is_that_of_region_scenario_cell_and_month():
    rivals = {"virtual": {"start_prob": 0.6, "strength": 2.0, "pull": 0.5, "scenario_pull": {"student": 1.5}}}
    maintained = {"persistence": 0.8, "region_share": 0.3, "load_warning_points": 0.0, "predictive_share": 0.4}
    around = make_market(settings(competitors=rivals, network=maintained), regions=REGIONS, cells_per_region=CELLS,
                         months=12, key=KEY)
    scenario = USAGE_SCENARIOS.index("student")
    region, cell = np.array([2, 0, 1, 1]), np.array([11, 0, 5, 6])
    for month in range(12):
        block = block_of(subscribers(4, region=region, cell=cell, usage_scenario=[0, scenario, scenario, 0]),
                         month=month)
        driver(around).step(block, block.month, draws_of(block))
        assert block["promotion"].tolist() == around.promotion[month][region, [0, scenario, scenario, 0]].tolist()
        assert block["network"].tolist() == around.network[month][cell].tolist()
        np.testing.assert_allclose(block["mended_share"], np.where(block["network"] < 0.0, 0.4, 0.0), rtol=1e-6)
        assert block["season"].tolist() == [around.season[month]] * 4
        assert block["newcomer_promotion"].tolist() == [around.newcomer_promotion[month]] * 4
    assert set(around.promotion[:, :, scenario].ravel().tolist()) == {0.0, 3.0}
