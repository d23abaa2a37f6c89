"""The portrait of a base: numbers by hand, the page with and without a real table."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import churnsim
from churnsim.cli import main
from churnsim.errors import ConfigError, ResultsError
from churnsim.evaluation.tenure_churn import reweighted_rate
from churnsim.report.portrait import write_portrait
from churnsim.report.portrait_numbers import SIMULATED, TABLE, Rows, _contract_month, _revenue, _tenure, _usage_before

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = ("states", "tenure", "contract_month", "causes", "revenue", "usage_before")
EXPERIMENT = "schema: 1\nname: shown\nseed: 4\npopulation: {size: 3000}\n"
MAPPING = """\
schema: 1
source_id: id
currency: USD
columns:
  customer_type: {value: family}
  plan_price_amount: {value: 30.0}
  tenure_months: {from: tenure}
histories:
  usage_gb: {mean: mean, change: change}
churn: {from: left, monthly_rate: 0.02}
"""


def rows(**columns: object) -> Rows:
    left = np.array([1.0, 0, 0, 0])
    return Rows(SIMULATED, {name: np.array(values) for name, values in columns.items()}, left)


def test_churn_by_months_in_service_by_hand() -> None:
    found = pd.DataFrame(_tenure(rows(tenure_months=[11, 11, 3, 80]))).set_index("band")
    assert found.loc["11", ["monthly_rate", "rows", "leavers"]].tolist() == [0.5, 2, 1]
    # Wilson's 95 % interval of 1 in 2.
    assert found.loc["11", ["low", "high"]].tolist() == pytest.approx([0.0945, 0.9055], abs=2e-4)
    assert found.loc["3-5", "leavers"] == 0 and found.loc["62+", "rows"] == 1
    assert np.isnan(found.loc["0", "monthly_rate"])


def test_the_tables_rates_are_those_of_its_population() -> None:
    table = Rows(TABLE, {}, np.array([1.0, 0, 1, 0]), monthly_rate=0.02, outcome_share=0.5)
    rate, low, high, count, leavers = table.rate(np.array([True, True, True, False]))
    assert (rate, count, leavers) == (pytest.approx(float(reweighted_rate(2 / 3, table_share=0.5, monthly_rate=0.02))),
                                      3, 2)
    assert low < rate < high


def test_months_of_the_contract_count_from_its_start() -> None:
    contracts = rows(contract_length_months=[12, 12, 24, 0], contract_left_months=[1, 12, 24, 0])
    found = pd.DataFrame(_contract_month(contracts))
    used = found[found["rows"] > 0][["contract_length_months", "contract_month", "leavers"]].to_numpy().tolist()
    assert used == [[12, 1, 0], [12, 12, 1], [24, 1, 0], [0, 0, 0]]


def test_revenue_by_hand() -> None:
    paying = rows(customer_type=[0, 0, 1, 2], bill_amount=[[10.0, 10, 30, 50]])
    found = pd.DataFrame(_revenue(paying)).set_index("customer_type")
    assert found["share_of_subscribers"].tolist() == [0.5, 0.25, 0.25, 0.0]
    assert found["share_of_revenue"].tolist() == [0.2, 0.3, 0.5, 0.0]


def test_usage_before_by_hand() -> None:
    usage = np.full((6, 4), 10.0)
    usage[0] = [4.0, 10, 12, 14]
    found = pd.DataFrame(_usage_before(rows(usage_gb=usage)))
    last = found[found["months_before"] == 1].set_index("who")["usage_index"]
    # The leaver's mean of six months is 9, that of the others 10, 62 / 6 and 64 / 6.
    assert last.to_dict() == pytest.approx({"left": 400 / 9, "stayed": 100 * (1 + 72 / 62 + 84 / 64) / 3})


def test_a_heavy_user_counts_as_much_as_any() -> None:
    usage = np.full((6, 4), 10.0)
    usage[:, 1] = 1e6
    usage[0, 1] = 0.0
    usage[:, 3] = 0.0                           # no use at all: nothing to compare with
    found = pd.DataFrame(_usage_before(rows(usage_gb=usage)))
    last = found[found["months_before"] == 1].set_index("who")["usage_index"]
    assert last.to_dict() == pytest.approx({"left": 100.0, "stayed": 50.0})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("portrait")
    (folder / "exp.yaml").write_text(EXPERIMENT)
    rng = np.random.default_rng(2)
    pd.DataFrame({"id": range(900), "tenure": rng.integers(0, 60, 900), "mean": 5.0, "change": rng.normal(0, 1, 900),
                  "left": rng.integers(0, 2, 900)}).to_csv(folder / "table.csv", index=False)
    (folder / "mapping.yaml").write_text(MAPPING)
    exp = churnsim.load(folder / "exp.yaml")
    write_portrait(exp, folder / "alone.html")
    write_portrait(exp, folder / "beside.html", table=folder / "table.csv", mapping=folder / "mapping.yaml")
    return folder


def test_figures_have_titles_descriptions_and_numbers_beside_them(written: Path) -> None:
    for name in FIGURES:
        svg = ElementTree.parse(written / "beside" / "figures" / f"{name}.svg").getroot()
        assert svg.find(f"{SVG}title").text and len(svg.find(f"{SVG}desc").text) > 30
        assert len(pd.read_csv(written / "beside" / "tables" / f"{name}.csv")) > 3
    assert {p.stem for p in (written / "alone" / "figures").iterdir()} == set(FIGURES)


def test_shares_and_leavers_add_up(written: Path) -> None:
    tables = {name: pd.read_csv(written / "alone" / "tables" / f"{name}.csv") for name in FIGURES}
    for name, column in (("states", "share"), ("causes", "share"), ("revenue", "share_of_revenue")):
        assert tables[name][column].sum() == pytest.approx(1.0)
    assert tables["tenure"]["leavers"].sum() == tables["causes"]["subscribers"].sum() > 100
    assert set(tables["tenure"]["source"]) == {SIMULATED}


def test_the_table_is_beside_the_base_where_it_can_be(written: Path) -> None:
    tables = {name: pd.read_csv(written / "beside" / "tables" / f"{name}.csv") for name in FIGURES}
    both = {name for name, frame in tables.items() if set(frame["source"]) == {SIMULATED, TABLE}}
    assert both == {"states", "tenure", "revenue", "usage_before"}
    real = tables["tenure"][tables["tenure"]["source"] == TABLE]
    assert real["rows"].sum() == 900
    text = (written / "beside.html").read_text()
    assert "The table is not beside it: contract_left_months and contract_length_months not mapped." in text
    assert "A table that gives a mean and a change has equal earlier months." in text
    assert "not beside it" not in (written / "alone.html").read_text()


def test_the_page_needs_nothing_beside_it_and_is_well_formed(written: Path) -> None:
    for name in ("alone.html", "beside.html"):
        text = (written / name).read_text()
        page = ElementTree.fromstring(text)
        ids = [element.get("id") for element in page.iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        assert not re.findall(r"<(?:script|link|img|iframe|object|embed)\b|@import|url\((?!#)", text)


def test_a_portrait_is_the_same_twice(written: Path, tmp_path: Path) -> None:
    page = write_portrait(churnsim.load(written / "exp.yaml"), tmp_path / "alone.html")
    assert page.read_bytes() == (written / "alone.html").read_bytes()


def test_arguments_that_do_not_fit(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exp = churnsim.load(written / "exp.yaml")
    with pytest.raises(ConfigError, match=re.escape("portrait.pdf: a portrait's name must end in .html")):
        write_portrait(exp, "portrait.pdf")
    assert main(["portrait", str(written / "exp.yaml"), "--table", str(written / "table.csv")]) == 2
    assert capsys.readouterr().err == "--table and --mapping go together; give both or neither\n"


def test_a_page_that_cannot_be_written(written: Path, tmp_path: Path) -> None:
    exp = churnsim.load(written / "exp.yaml")
    (tmp_path / "file").touch()
    (tmp_path / "page.html").mkdir()
    for page, why in ((tmp_path / "file" / "page.html", "Not a directory"), (tmp_path / "page.html", "Is a directory")):
        with pytest.raises(ResultsError) as caught:
            write_portrait(exp, page)
        assert str(caught.value) == (f"{page}: cannot be written ({why}); free space or choose another place "
                                     "with --out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "page", "page.html"]
