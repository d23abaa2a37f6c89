from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.core.draws import make_key
from churnsim.errors import DataError
from churnsim.experiment.load import load
from churnsim.population.generate import generate, pilot_ids
from churnsim.population.table import ImportedTable, bootstrap, read_table

KEY = make_key(seed=1, replicate=0)
EXPERIMENT = Path(__file__).parents[2] / "experiments" / "operator_table.yaml"
TRAITS = load(EXPERIMENT).experiment.population.traits

TABLE = """\
account,months,fee,plan,gb,change,left
C3,12,30.00,one,6,3,no
A1,0,20.50,none,2,,yes
B2,40,,two,,1,no
"""
MAPPING = """\
schema: 1
source_id: account
currency: USD
columns:
  tenure_months: {from: months}
  plan_price_amount: {from: fee, missing: impute}
  contract_length_months:
    from: plan
    values: {one: 12, two: 24, none: 0}
  payment: {value: postpaid}
histories:
  usage_gb: {mean: gb, change: change}
churn: {from: left, values: {'no': 0, 'yes': 1}, monthly_rate: 0.02}
"""


def read(
    folder: Path,
    *,
    table: str = TABLE,
    mapping: str = MAPPING,
    currency: str = "USD",
    size: int | None = None,
    name: str = "t.csv",
) -> ImportedTable:
    (folder / name).write_text(table, encoding="utf-8")
    (folder / "map.yaml").write_text(mapping, encoding="utf-8")
    return read_table(folder / name, folder / "map.yaml", currency=currency, size=size, key=KEY)


def message(folder: Path, *, table: str = TABLE, mapping: str = MAPPING, size: int | None = None) -> str:
    """Return the text of the DataError, file names without their folder."""
    with pytest.raises(DataError) as caught:
        read(folder, table=table, mapping=mapping, size=size)
    return str(caught.value).replace(f"{folder}/", "")


def test_every_cell_by_hand(tmp_path):
    table = read(tmp_path)
    assert table.source_id.tolist() == ["A1", "B2", "C3"]
    assert table.ids.tolist() == [0, 1, 2]
    assert set(table.known) == {
        "tenure_months",
        "plan_price_amount",
        "contract_length_months",
        "payment",
        "usage_gb",
    }
    assert table.known["tenure_months"].tolist() == [0, 40, 12]
    np.testing.assert_array_equal(table.known["plan_price_amount"], [20.5, np.nan, 30.0])
    assert table.known["contract_length_months"].tolist() == [0, 24, 12]
    assert table.known["payment"].tolist() == [0, 0, 0]
    # Mean 6 and change 3: the last month 9, each of the three before 6 - 3/3 = 5, earlier ones alike.
    assert table.known["usage_gb"][:, 2].tolist() == [5, 5, 5, 5, 5, 9]
    assert np.isnan(table.known["usage_gb"][:, :2]).all()
    assert table.churn is not None
    assert table.churn.tolist() == [1, 0, 0]
    assert table.monthly_rate == 0.02


def test_the_report_says_what_was_imputed(tmp_path):
    report = read(tmp_path).report.set_index("column")
    assert report.loc["tenure_months"].tolist() == ["table column months", 0.0]
    assert report.loc["plan_price_amount"].tolist() == ["table column fee", 1 / 3]
    assert report.loc["usage_gb"].tolist() == ["table column gb, change", 2 / 3]
    assert report.loc["payment"].tolist() == ["mapping value", 0.0]
    assert report.loc["region"].tolist() == ["imputed from preset", 1.0]
    assert report.loc["complaint_stock"].tolist() == ["set to 0", 1.0]
    assert "satisfaction" not in report.index


def test_a_base_has_the_table_where_it_is_known_and_values_elsewhere(tmp_path):
    table = read(tmp_path)
    base = generate(table.ids, TRAITS, key=KEY, known=table.known)
    assert base["tenure_months"].tolist() == [0, 40, 12]
    assert base["join_month"].tolist() == [0, -40, -12]
    assert base["contract_length_months"].tolist() == [0, 24, 12]
    assert base["plan_price_amount"][[0, 2]].tolist() == [20.5, 30.0]
    assert base["plan_price_amount"][1] > 0
    assert base.lag("usage_gb", month=0, months_ago=1)[2] == 9
    assert base.lag("usage_gb", month=0, months_ago=2)[2] == 5
    assert base["usage_level"][2] == pytest.approx(np.log(34 / 6))
    assert all(
        np.isfinite(column).all()
        for name, column in base.columns.items()
        if name not in ("decision_time", "departure_time")
    )
    # What the table lacks is drawn by id, as for a base without a table.
    other = generate(table.ids, TRAITS, key=KEY)
    assert base["region"].tolist() == other["region"].tolist()


@pytest.mark.parametrize("size", [None, 2])
def test_the_order_of_the_rows_does_not_matter(tmp_path, size):
    header, *rows = TABLE.splitlines()
    first = read(tmp_path, size=size)
    second = read(tmp_path, table="\n".join([header, *rows[::-1]]) + "\n", size=size)
    assert first.ids.tolist() == second.ids.tolist()
    assert first.source_id.tolist() == second.source_id.tolist()
    assert len(first) == (size or 3)
    for name, values in first.known.items():
        np.testing.assert_array_equal(values, second.known[name])


def test_a_subset_keeps_ids_and_depends_on_the_key(tmp_path):
    table = "account,months\n" + "".join(f"{k:03d},{k}\n" for k in range(200))
    mapping = "schema: 1\nsource_id: account\ncurrency: USD\ncolumns: {tenure_months: {from: months}}\n"
    some = read(tmp_path, table=table, mapping=mapping, size=50)
    assert len(set(some.ids)) == 50
    assert some.known["tenure_months"].tolist() == some.ids.tolist()
    again = read_table(
        tmp_path / "t.csv", tmp_path / "map.yaml", currency="USD", size=50, key=make_key(seed=1, replicate=1)
    )
    assert again.ids.tolist() != some.ids.tolist()


def test_gzip_and_parquet_give_what_csv_gives(tmp_path):
    expected = read(tmp_path)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    frame = pd.read_csv(tmp_path / "t.csv")
    frame["left"] = frame["left"].astype("category")
    frame.set_index("account").to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv.gz", "t.parquet"):
        table = read_table(tmp_path / name, tmp_path / "map.yaml", currency="USD", size=None, key=KEY)
        assert table.source_id.tolist() == expected.source_id.tolist()
        assert table.churn.tolist() == expected.churn.tolist()
        for column, values in expected.known.items():
            np.testing.assert_array_equal(table.known[column], values)


def test_parquet_numbers_are_read_as_the_text_a_csv_would_hold(tmp_path):
    frame = pd.DataFrame({"account": [2.0, 1.0], "months": [5, 7], "kind": [1.0, np.nan]})
    frame.to_parquet(tmp_path / "t.parquet")
    (tmp_path / "map.yaml").write_text(
        "schema: 1\nsource_id: account\ncurrency: USD\ncolumns:\n  tenure_months: {from: months}\n"
        "  customer_type: {from: kind, values: {'1': family}}\n"
    )
    table = read_table(tmp_path / "t.parquet", tmp_path / "map.yaml", currency="USD", size=None, key=KEY)
    assert table.source_id.tolist() == ["1", "2"]
    np.testing.assert_array_equal(table.known["customer_type"], [np.nan, 1.0])


def test_scale_offset_valid_clip_and_exchange_rate_in_that_order(tmp_path):
    mapping = """\
schema: 1
source_id: account
currency: EUR
fx_rate: 1.5
columns:
  tenure_months: {from: months, scale: 0.45, offset: 1.2, clip: [2, 10]}
  plan_price_amount: {from: fee, valid: [25, 100], missing: impute}
  allowance_gb: {from: gb}
"""
    table = read(tmp_path, mapping=mapping)
    assert table.known["tenure_months"].tolist() == [2, 10, 7]
    np.testing.assert_array_equal(table.known["plan_price_amount"], [np.nan, np.nan, 45.0])
    np.testing.assert_array_equal(table.known["allowance_gb"], [2, np.nan, 6])


def test_a_missing_month_gets_the_mean_of_the_others(tmp_path):
    table = "account,m1,m2,m3,m4,m5,m6\nA,,,1,2,3,6\nB,,,,,,\n"
    mapping = (
        "schema: 1\nsource_id: account\ncurrency: USD\ncolumns: {}\n"
        "histories: {bill_amount: {months: [m1, m2, m3, m4, m5, m6]}}\n"
    )
    bills = read(tmp_path, table=table, mapping=mapping).known["bill_amount"]
    assert bills[:, 0].tolist() == [3, 3, 1, 2, 3, 6]
    assert np.isnan(bills[:, 1]).all()


def test_one_column_for_all_months_and_other_for_what_is_not_listed(tmp_path):
    mapping = """\
schema: 1
source_id: account
currency: USD
columns:
  customer_type: {from: plan, values: {one: individual}, other: family}
histories: {usage_gb: {from: gb, scale: 2, clip: [5, 100]}}
"""
    known = read(tmp_path, mapping=mapping).known
    assert known["customer_type"].tolist() == [1, 1, 0]
    assert known["usage_gb"][:, [0, 2]].tolist() == [[5, 12]] * 6


@given(st.permutations(range(6)), st.integers(1, 6))
def test_bootstrap_takes_whole_rows_by_id(order, rows):
    table = ImportedTable(
        np.arange(rows),
        np.arange(rows).astype(str).astype(object),
        {
            "tenure_months": np.arange(rows, dtype=float),
            "usage_gb": np.tile(np.arange(rows, dtype=float), (6, 1)),
        },
        pd.DataFrame(),
        None,
        None,
    )
    ids = pilot_ids(6)
    known = bootstrap(table, ids, KEY)
    assert (known["usage_gb"] == known["tenure_months"]).all()
    assert set(known["tenure_months"]) <= set(range(rows))
    again = bootstrap(table, ids[list(order)], KEY)
    assert again["tenure_months"].tolist() == known["tenure_months"][list(order)].tolist()


def test_bootstrap_draws_rows_evenly(tmp_path):
    known = bootstrap(read(tmp_path), pilot_ids(30_000), KEY)
    shares = np.bincount(known["tenure_months"].astype(int), minlength=41)[[0, 40, 12]] / 30_000
    # 4 standard errors of 0.0027 each; a true sampler fails once in 5,000 keys, this key is fixed.
    assert shares == pytest.approx([1 / 3] * 3, abs=0.011)


# What is wrong with a table is told with its place and the remedy.


def test_missing_file(tmp_path):
    (tmp_path / "map.yaml").write_text(MAPPING)
    with pytest.raises(DataError) as caught:
        read_table("nowhere/t.csv", tmp_path / "map.yaml", currency="USD", size=None, key=KEY)
    assert str(caught.value) == (
        "nowhere/t.csv: no such file; check population.table.path, which is relative to the experiment file"
    )


def test_unknown_format(tmp_path):
    (tmp_path / "map.yaml").write_text(MAPPING)
    with pytest.raises(DataError) as caught:
        read_table("t.xlsx", tmp_path / "map.yaml", currency="USD", size=None, key=KEY)
    assert str(caught.value) == "t.xlsx: population.table.path must end in .csv, .csv.gz or .parquet"


def test_columns_that_are_not_there_all_at_once(tmp_path):
    mapping = MAPPING.replace("from: months", "from: month").replace(
        "change: change", "change: delta_revenue"
    )
    assert message(tmp_path, mapping=mapping) == (
        "map.yaml:5: columns.tenure_months.from: t.csv has no column 'month'. Did you mean 'months'?\n"
        "map.yaml:12: histories.usage_gb.change: t.csv has no column 'delta_revenue'; "
        "it has account, months, fee, plan, gb, change, left"
    )


def test_duplicate_ids(tmp_path):
    table = TABLE.replace("B2", "C3")
    assert message(tmp_path, table=table) == (
        "t.csv: column 'account', row 3: the id 'C3' stands in row 1 already; keep one row a subscriber"
    )


def test_a_row_without_id(tmp_path):
    assert message(tmp_path, table=TABLE.replace("A1", "")) == (
        "t.csv: column 'account', row 2: there is no id; every row needs its source_id"
    )


@pytest.mark.parametrize("cell", ["", "NaN", " null "])
def test_a_missing_cell_in_a_needed_column(tmp_path, cell):
    table = TABLE.replace("B2,40", f"B2,{cell}").replace("A1,0", "A1,")
    assert message(tmp_path, table=table) == (
        "t.csv: column 'months', row 2 (and 1 more): is empty, but tenure_months is needed; fill it in, "
        "or set "
        "columns.tenure_months.missing to impute in map.yaml"
    )


def test_a_missing_price_is_refused_unless_the_mapping_imputes_it(tmp_path):
    assert message(tmp_path, mapping=MAPPING.replace(", missing: impute", "")) == (
        "t.csv: column 'fee', row 3: is empty, but plan_price_amount is needed; fill it in, or set "
        "columns.plan_price_amount.missing to impute in map.yaml"
    )
    assert message(tmp_path, mapping=MAPPING.replace("missing: impute", "valid: [25, 99]")) == (
        "t.csv: column 'fee', row 2 (and 1 more): holds '20.50', which 'valid' excludes, but "
        "plan_price_amount is "
        "needed; fill it in, or set columns.plan_price_amount.missing to impute in map.yaml"
    )


def test_any_column_can_refuse_missing_cells(tmp_path):
    mapping = MAPPING.replace("  payment:", "  allowance_gb: {from: gb, missing: refuse}\n  payment:")
    assert message(tmp_path, mapping=mapping) == (
        "t.csv: column 'gb', row 3: is empty, but allowance_gb is needed; fill it in, or set "
        "columns.allowance_gb.missing to impute in map.yaml"
    )


@pytest.mark.parametrize("cell", ["a year", "inf", "1_0"])
def test_text_where_a_number_is_needed(tmp_path, cell):
    assert message(tmp_path, table=TABLE.replace("C3,12", f"C3,{cell}")) == (
        f"t.csv: column 'months', row 1: '{cell}' is text where tenure_months needs a number; correct it, "
        f"or translate "
        "it with 'values' in map.yaml"
    )


def test_a_category_that_is_not_mapped(tmp_path):
    assert message(tmp_path, table=TABLE.replace("two", "weekly")) == (
        "t.csv: column 'plan', row 3: 'weekly' has no entry in columns.contract_length_months.values; "
        "add it in map.yaml"
    )
    assert message(tmp_path, table=TABLE.replace(",yes", ",maybe")) == (
        "t.csv: column 'left', row 2: 'maybe' has no entry in churn.values; add it in map.yaml"
    )


def test_a_category_without_values_must_hold_labels(tmp_path):
    mapping = MAPPING.replace("{value: postpaid}", "{from: plan}")
    assert message(tmp_path, mapping=mapping) == (
        "t.csv: column 'plan', row 1 (and 2 more): 'one' has no entry in columns.payment.values; add it "
        "in map.yaml"
    )


def test_negative_price(tmp_path):
    assert message(tmp_path, table=TABLE.replace("20.50", "-20.50")) == (
        "t.csv: column 'fee', row 2: makes plan_price_amount -20.5, which must be at least 0; correct "
        "it, or set "
        "columns.plan_price_amount.clip in map.yaml"
    )


def test_numbers_that_a_column_cannot_hold(tmp_path):
    assert message(tmp_path, mapping=MAPPING.replace("two: 24", "two: 240")) == (
        "t.csv: column 'plan', row 3: makes contract_length_months 240, which must be between 0 and 60; "
        "correct it, or "
        "set columns.contract_length_months.clip in map.yaml"
    )
    assert message(tmp_path, table=TABLE.replace("6,3,no", "6,-7,no")) == (
        "t.csv: column 'gb', row 1: makes usage_gb -1, which must be at least 0; correct it, or set "
        "histories.usage_gb.clip in map.yaml"
    )


def test_a_contract_that_ended_before_the_table(tmp_path):
    mapping = MAPPING.replace("  payment:", "  contract_left_months: {from: months, offset: -10}\n  payment:")
    table = "account,months,fee,plan,gb,change,left\nA,12,2,two,1,1,no\nB,3,2,two,1,1,no\n"
    assert message(tmp_path, table=table, mapping=mapping) == (
        "t.csv: column 'months', row 2: makes contract_left_months -7 (the contract ended before the table was made; 0 "
        "is out of contract), which must be between 0 and 120; correct it, or set columns.contract_left_months.clip in "
        "map.yaml"
    )


def test_more_left_on_a_contract_than_its_length(tmp_path):
    mapping = MAPPING.replace("  payment:", "  contract_left_months: {from: months}\n  payment:")
    table = "account,months,fee,plan,gb,change,left\nA,24,2,two,1,1,no\nB,30,2,two,1,1,no\nC,1,2,none,1,1,no\n"
    assert message(tmp_path, table=table, mapping=mapping) == (
        "t.csv: column 'months', row 2 (and 1 more): 30 months are left on a contract of 24 months; correct one of the "
        "two, or take columns.contract_length_months out of map.yaml"
    )


def test_a_contract_of_one_who_pays_in_advance(tmp_path):
    mapping = MAPPING.replace("{value: postpaid}", "{value: prepaid}").replace(
        "  payment:", "  contract_left_months: {from: months}\n  payment:"
    )
    table = "account,months,fee,plan,gb,change,left\nA,0,2,none,1,1,no\nB,7,2,two,1,1,no\n"
    assert message(tmp_path, table=table, mapping=mapping) == (
        "t.csv: column 'months', row 2: 7 months are left on a contract of one who pays in advance; contracts bind "
        "those who pay after use; correct columns.payment or the months in map.yaml"
    )


def test_an_outcome_that_is_neither_yes_nor_no(tmp_path):
    mapping = MAPPING.replace("from: left, values: {'no': 0, 'yes': 1}", "from: gb2")
    table = "account,months,fee,plan,gb,change,gb2\nA,1,2,one,1,1,2\n"
    assert message(tmp_path, table=table, mapping=mapping) == (
        "t.csv: column 'gb2', row 1: '2' is neither 1 (left) nor 0 (stayed); translate it with "
        "churn.values in map.yaml"
    )


def test_size_above_the_number_of_rows(tmp_path):
    assert message(tmp_path, size=4) == (
        "population.size is 4, but t.csv has 3 rows; lower it, or leave it out to take every row"
    )


def test_no_rows_and_no_table(tmp_path):
    assert message(tmp_path, table=TABLE.splitlines()[0] + "\n") == (
        "t.csv: has a header but no rows; give at least one subscriber"
    )
    assert message(tmp_path, table="") == (
        "t.csv: cannot be read (No columns to parse from file); save the table again as .csv, .csv.gz or "
        ".parquet"
    )


def test_rows_longer_than_the_header_are_not_shifted(tmp_path):
    table = "account,months,fee,plan,gb,change,left\n" + "A1,0,20.50,none,2,,yes,\n" * 2
    assert message(tmp_path, table=table).startswith("t.csv: ")


def test_a_region_beyond_the_presets(tmp_path):
    mapping = MAPPING.replace("  payment:", "  region: {from: months}\n  payment:")
    table = read(tmp_path, mapping=mapping)
    with pytest.raises(
        DataError, match=r"^the table has region 40, but population.traits.regions is 8; raise it to 41$"
    ):
        generate(table.ids, TRAITS, key=KEY, known=table.known)


# The tables that come with the experiments.


def test_the_vendored_ibm_table():
    loaded = load(EXPERIMENT)
    named = loaded.experiment.population.table
    assert named is not None
    table = read_table(
        loaded.folder / named.path, loaded.folder / named.mapping, currency="USD", size=None, key=KEY
    )
    assert len(table) == 7043
    assert table.churn.mean() == pytest.approx(1869 / 7043)
    lengths, counts = np.unique(table.known["contract_length_months"], return_counts=True)
    assert (lengths.tolist(), counts.tolist()) == ([0, 12, 24], [3875, 1473, 1695])
    assert not any(np.isnan(values).any() for values in table.known.values())


def test_the_cell2cell_table(data_dir):
    table = read_table(
        data_dir / "cell2cell_dev" / "cell2cell_dev.csv.gz",
        EXPERIMENT.parent / "mappings" / "cell2cell.yaml",
        currency="USD",
        size=None,
        key=KEY,
    )
    raw = (
        pd.read_csv(data_dir / "cell2cell_dev" / "cell2cell_dev.csv.gz").set_index("CustomerID").sort_index()
    )
    assert table.source_id.tolist() == raw.index.astype(str).tolist()
    assert table.churn.mean() == pytest.approx((raw["Churn"] == "Yes").mean())
    last = (raw["MonthlyMinutes"] + raw["PercChangeMinutes"]).to_numpy() * 0.016
    np.testing.assert_allclose(table.known["usage_gb"][5], last, atol=1e-9)
    report = table.report.set_index("column")["share_imputed"]
    assert report["usage_gb"] == 153 / 20_000
    assert report["plan_price_amount"] == 73 / 20_000
    assert (table.known["lines"] >= 1).all()
    base = generate(table.ids, TRAITS, key=KEY, known=table.known)
    assert (base["plan_price_amount"] > 0).all()
    assert all(
        np.isfinite(base[name]).all()
        for name in ("usage_gb", "bill_amount", "usage_level", "usage_deviation")
    )
