"""A table whose churn comes from the simulator under constants that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from churnsim.calibration.simulated import experiment_with, staying_probs
from churnsim.calibration.tunables import stepped
from churnsim.config.source import parse_yaml
from churnsim.experiment.load import load_tree
from churnsim.experiment.world import make_world
from churnsim.population.categories import CUSTOMER_TYPES, PAYMENTS

MAPPING = """\
schema: 1
source_id: id
currency: USD
columns:
  customer_type: {from: type}
  lines: {from: lines}
  payment: {from: payment}
  plan_price_amount: {from: fee}
  tenure_months: {from: tenure}
  contract_length_months: {from: contract}
  contract_left_months: {from: contract_left}
churn: {from: left, monthly_rate: RATE}
"""
BARE = "schema: 1\nname: truth\nseed: 77\npopulation: {size: SIZE}\n"


def write_table(folder: Path, steps: dict[str, float], *, size: int = 4000) -> tuple[Path, Path]:
    """Write a table of everybody in a world with some tunables moved, and its mapping."""
    loaded = load_tree(parse_yaml(BARE.replace("SIZE", str(size)), "truth.yaml"), folder=folder)
    data = loaded.experiment.plain()
    world = make_world(experiment_with(data, stepped(data, steps)), replicate=5, folder=folder)
    base = world.population(until=0)
    frame = pd.DataFrame({
        "id": [f"s{i:05d}" for i in base.ids], "type": np.array(CUSTOMER_TYPES)[base["customer_type"]],
        "lines": base["lines"], "payment": np.array(PAYMENTS)[base["payment"]], "fee": base["plan_price_amount"],
        "tenure": base["tenure_months"], "contract": base["contract_length_months"],
        "contract_left": base["contract_left_months"]})
    # Ten months' worth of leavers in one: a table of that size would have too few.
    chance = 1.0 - staying_probs(world, base, start=0, months=1).undecided[1] ** 10
    frame["left"] = (np.random.default_rng(9).random(size) < chance).astype(int)
    monthly = 1.0 - (1.0 - frame["left"].mean()) ** 0.1
    table, mapping = folder / "table.csv", folder / "mapping.yaml"
    frame.to_csv(table, index=False)
    mapping.write_text(MAPPING.replace("RATE", f"{monthly:.5f}"))
    return table, mapping
