from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from churnsim.config.source import parse_yaml
from churnsim.core.columns import HISTORY_MONTHS
from churnsim.core.draws import make_key
from churnsim.errors import ConfigError
from churnsim.experiment.load import load_tree
from churnsim.population.columns import SCHEMA
from churnsim.population.generate import generate
from churnsim.population.mapping import MAPPED, NOT_MAPPED, code_of, limits, read_mapping

HEAD = "schema: 1\nsource_id: id\ncurrency: USD\n"


def findings(tmp_path, text: str, *, currency: str = "USD") -> list[str]:
    path = tmp_path / "map.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_mapping(path, currency=currency)
    return [line.replace(f"{path}:", "") for line in str(caught.value).splitlines()]


def test_table_columns_are_named_by_their_keys(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(
        HEAD + "columns: {lines: {from: n}, payment: {value: prepaid}}\n"
        "histories: {usage_gb: {mean: m, change: c}}\nchurn: {from: left, monthly_rate: 0.02}\n"
    )
    mapping, _ = read_mapping(path, currency="USD")
    assert mapping.table_columns() == {
        ("source_id",): "id",
        ("columns", "lines", "from"): "n",
        ("histories", "usage_gb", "mean"): "m",
        ("histories", "usage_gb", "change"): "c",
        ("churn", "from"): "left",
    }


def test_shape(tmp_path):
    assert findings(tmp_path, HEAD + "colums: {}\ncolumns:\n  lines: {form: n, scale: two}\n") == [
        "4: colums: unknown key (got a mapping). Did you mean 'columns'?",
        "6: columns.lines.form: unknown key (got 'n'). Did you mean 'from'?",
        "6: columns.lines.scale: expected a number (got 'two')",
    ]


def test_columns_that_cannot_be_mapped(tmp_path):
    text = (
        HEAD
        + """\
columns:
  satisfaction: {from: a}
  tenure: {from: a}
  usage_gb: {from: a}
  state: {from: a}
  offer_code: {from: a}
histories:
  lines: {from: a}
  use_gb: {from: a}
"""
    )
    assert findings(tmp_path, text) == [
        "5: columns.satisfaction: is latent, no operator's system holds it; remove it, it is drawn from "
        "population.traits",
        "6: columns.tenure: no such column. Did you mean 'tenure_months'?",
        "7: columns.usage_gb: is a history; move it to histories",
        "8: columns.state: cannot be mapped: it follows from tenure_months and the histories; remove it",
        "9: columns.offer_code: cannot be mapped: it concerns the experiment's own offers, of which none "
        "has been made at the start; remove it",
        "11: histories.lines: is no history; move it to columns",
        "12: histories.use_gb: no such column. Did you mean 'usage_gb'?",
    ]


def test_contradictions_in_a_column(tmp_path):
    text = (
        HEAD
        + """\
columns:
  lines: {scale: 2}
  region: {from: a, value: 1}
  payment: {value: cash}
  locality: {value: local, missing: impute}
  customer_type: {from: a, values: {x: familiy, y: 3}, scale: 2}
  contactable: {value: 2}
  tenure_months: {from: a, values: {x: long}, clip: [9, 1]}
  arrears_months: {from: a, other: 3}
histories:
  usage_gb: {mean: a, months: [a, b, c, d, e, f]}
  bill_amount: {mean: a, clip: [2, 1]}
"""
    )
    assert findings(tmp_path, text) == [
        "5: columns.lines: give either 'from' (a column of the table) or 'value' (the same for all)",
        "6: columns.region: give either 'from' (a column of the table) or 'value' (the same for all)",
        "7: columns.payment.value: must be one of 'postpaid' or 'prepaid' (got 'cash')",
        "8: columns.locality: 'value' stands alone; remove the other keys",
        "9: columns.customer_type.scale: customer_type is a category, not a number; remove it",
        "9: columns.customer_type.values.x: must be one of 'individual', 'family', 'enterprise_small' or "
        "'enterprise_large' (got 'familiy'). Did you mean 'family'?",
        "9: columns.customer_type.values.y: must be one of 'individual', 'family', 'enterprise_small' or "
        "'enterprise_large' (got 3.0)",
        "10: columns.contactable.value: must be at least 0 and at most 1 (got 2)",
        "11: columns.tenure_months.clip: the lower bound comes first (got 9, 1)",
        "11: columns.tenure_months.values.x: must be a number (got 'long')",
        "12: columns.arrears_months.other: is for texts that 'values' does not list; add 'values'",
        "14: histories.usage_gb: give one of 'from', 'months', or 'mean' with 'change'",
        "15: histories.bill_amount: give one of 'from', 'months', or 'mean' with 'change'",
        "15: histories.bill_amount.clip: the lower bound comes first (got 2, 1)",
    ]


def test_the_outcome_is_never_a_feature(tmp_path):
    text = HEAD + (
        "columns: {arrears_months: {from: left}}\n"
        "churn: {from: left, values: {gone: 2}, monthly_rate: 0.02}\n"
    )
    assert findings(tmp_path, text) == [
        "4: columns.arrears_months.from: 'left' is the outcome (churn.from) and never a feature; use "
        "another column",
        "5: churn.values.gone: must be 1 (left) or 0 (stayed) (got 2)",
    ]


@pytest.mark.parametrize("rate", ["0.0", "1.0"])
def test_a_monthly_rate_lies_inside_zero_and_one(tmp_path, rate):
    text = HEAD + f"columns: {{}}\nchurn: {{from: left, monthly_rate: {rate}}}\n"
    bound = "more than 0" if rate == "0.0" else "less than 1"
    assert findings(tmp_path, text) == [f"5: churn.monthly_rate: must be {bound} (got {rate})"]


def test_another_currency_needs_a_rate_and_the_same_refuses_one(tmp_path):
    assert findings(tmp_path, HEAD + "columns: {}\n", currency="EUR") == [
        "1: fx_rate: the table's amounts are in USD, the experiment's in EUR; give the EUR that one USD "
        "is worth"
    ]
    assert findings(tmp_path, HEAD + "columns: {}\nfx_rate: 1.1\n") == [
        "5: fx_rate: the table's amounts are in USD already; remove it"
    ]


def test_codes_and_limits():
    assert code_of(SCHEMA["payment"], "prepaid") == 1.0
    assert code_of(SCHEMA["lines"], 3.0) == 3.0
    assert limits(SCHEMA["customer_type"]) == (0.0, 3.0)
    assert limits(SCHEMA["usage_gb"]) == (0.0, float("inf"))


def test_every_observed_column_is_mapped_or_has_a_reason_not_to_be():
    observed = {column.name for column in SCHEMA.values() if column.visibility == "observed"}
    assert set(MAPPED) | set(NOT_MAPPED) == observed
    assert not set(MAPPED) & set(NOT_MAPPED)


def test_generate_takes_every_column_that_may_be_mapped():
    tree = parse_yaml("schema: 1\nname: t\nseed: 1\npopulation: {size: 4}\n", "t.yaml")
    traits = load_tree(tree, folder=Path()).experiment.population.traits
    ids = np.arange(4, dtype=np.int64)
    known = {name: np.full((HISTORY_MONTHS, 4) if SCHEMA[name].history else 4, 1.0) for name in MAPPED}
    known["cell"][:] = traits.cells_per_region + 1
    base = generate(ids, traits, key=make_key(seed=1, replicate=0), known=known)
    assert all((base[name] == known[name]).all() for name in MAPPED)
