"""The split of a table, and what is refused before anything is fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnsim.calibration.table import split_table
from churnsim.errors import ConfigError, DataError

MAPPING = """\
schema: 1
source_id: id
currency: USD
columns:
  plan_price_amount: {value: 10.0}
  tenure_months: {from: tenure}
histories:
  usage_gb: {from: usage}
churn: {from: left, monthly_rate: 0.02}
"""


def write(folder, *, rows=2000, left=500, mapping=MAPPING, order=None):
    frame = pd.DataFrame({"id": [f"a{k}" for k in range(rows)], "tenure": np.arange(rows) % 60, "usage": 1.0,
                          "left": (np.arange(rows) < left).astype(int)})
    if order is not None:
        frame = frame.iloc[order]
    frame.to_csv(folder / "table.csv", index=False)
    (folder / "mapping.yaml").write_text(mapping)
    return folder / "table.csv", folder / "mapping.yaml"


def split(paths, **options):
    return split_table(*paths, **{"currency": "USD", "seed": 1, "rows": None, "holdout": 0.5} | options)


def test_parts_share_no_row_and_cover_the_table(tmp_path):
    parts = split(write(tmp_path), holdout=0.3).parts
    fitted, held = (set(parts[name].ids.tolist()) for name in ("fitted", "held_out"))
    assert not fitted & held and len(fitted | held) == 2000
    # 2,000 draws of .3: standard deviation 20.
    assert len(held) == pytest.approx(600, abs=80)


def test_a_row_stays_in_its_part_whatever_stands_around_it(tmp_path):
    def held(paths, **options):
        part = split(paths, **options).parts["held_out"]
        return set(part.ids.tolist())

    whole = held(write(tmp_path))
    assert held(write(tmp_path, order=np.random.default_rng(0).permutation(2000))) == whole
    assert held(write(tmp_path), rows=1200) < whole
    assert held(write(tmp_path), seed=2) != whole


def test_what_tells_nothing_is_named(tmp_path):
    found = split(write(tmp_path))
    assert found.constant == {"plan_price_amount": "is the same in every row", "usage_gb": "is the same in every month"}
    assert found.columns == ("plan_price_amount", "tenure_months", "usage_gb")
    assert len(found.sha256) == 64


def refused(paths, error, **options):
    with pytest.raises(error) as caught:
        split(paths, **options)
    return str(caught.value)


def test_a_mapping_without_outcome(tmp_path):
    paths = write(tmp_path, mapping=MAPPING[: MAPPING.index("churn")])
    assert refused(paths, ConfigError) == (
        f"{paths[1]}: churn: the mapping names no outcome, which calibration compares with; add churn with 'from', "
        "'values' and 'monthly_rate'")


@pytest.mark.parametrize(("rows", "left", "says"), [
    (999, 500, "999 rows with an outcome; calibration needs at least 1000: give more rows"),
    (2000, 0, "0 of 2000 rows left and 2000 stayed; calibration needs at least 200 of each: check churn.values in the "
              "mapping, or give more rows"),
    (2000, 2000, "2000 of 2000 rows left and 0 stayed; calibration needs at least 200 of each"),
    (2000, 199, "199 of 2000 rows left and 1801 stayed; calibration needs at least 200 of each"),
])
def test_too_small_or_constant(tmp_path, rows, left, says):
    paths = write(tmp_path, rows=rows, left=left)
    assert refused(paths, DataError).startswith(f"{paths[0]}: {says}")


def test_arguments_out_of_range(tmp_path):
    paths = write(tmp_path)
    assert refused(paths, ConfigError, holdout=0.95) == "holdout: must be at least 0.1 and at most 0.9 (got 0.95)"
    assert refused(paths, ConfigError, rows=2001) == (
        f"rows: must be at least 1000 and at most 2000, the rows of {paths[0]} with an outcome (got 2001)")
