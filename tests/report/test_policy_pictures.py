"""Pictures and tables of policies and learners: well-formed, with units, and only of what is there."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from churnsim.report.contents import Table
from churnsim.report.learner_figures import draw_learners
from churnsim.report.page import write_report
from churnsim.report.policy_figures import draw_policies
from churnsim.report.policy_tables import (
    equal_terms_tables,
    errors_table,
    learners_table,
    prices_table,
    rules_tables,
)
from report.made_policies import make_policy_tables, make_run

SVG = "{http://www.w3.org/2000/svg}"
# Picture -> a text on its axes or in its legend.
PICTURES = {
    "cost_curves": "planned spend, EUR",
    "shadow_prices": "oracle: day team, an agent hour",
    "offers_of_lists": "service by sms",
    "segments_of_lists": "tenure: under 6 months",
    "rounds": "the list that is taken",
    "waves": "expected net value, EUR",
    "qini_curves": "random order",
    "calibration": "true as expected",
    "four_kinds": "true risk of leaving if left alone, %",
}
NEEDS = {"cost_curves": "curve", "shadow_prices": "price_curve", "offers_of_lists": "allocation",
         "segments_of_lists": "allocation", "rounds": "rounds", "waves": "waves", "qini_curves": "gain_curves",
         "calibration": "effect_deciles", "four_kinds": "risk_effect_grid"}


def test_pictures_have_titles_words_and_units() -> None:
    drawn = {each.name: each for each in (*draw_policies(make_run()), *draw_learners(make_run()))}
    assert drawn.keys() == PICTURES.keys()
    for name, text in PICTURES.items():
        svg = ElementTree.fromstring(drawn[name].svg)
        texts = {"".join(element.itertext()).strip() for element in svg.iter(f"{SVG}text")}
        assert {drawn[name].title, text} <= texts, name
        assert svg.find(f"{SVG}desc").text == drawn[name].description and "scenario base" in drawn[name].description


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_not_there_is_not_drawn(name: str) -> None:
    run = make_run(NEEDS[name])
    assert name not in {each.name for each in (*draw_policies(run), *draw_learners(run))}


def test_limits_that_do_not_bind_are_told_not_drawn() -> None:
    run = make_run()
    prices = run.tables["price_curve"]
    prices.loc[prices["unit"] == "minutes", "shadow_price_amount"] = 0.0
    picture = next(each for each in draw_policies(run) if each.name == "shadow_prices")
    assert "Staff and messages suffice at each of these budgets" in picture.description
    assert "an agent hour" not in picture.svg


def _by_caption(*tables: Table | None) -> dict[str, Table]:
    return {table.caption.split(":")[0]: table for table in tables if table is not None}


def test_learners_stand_with_regret_and_pehe_side_by_side() -> None:
    table = learners_table(make_run(), "base")
    assert table is not None
    assert [head.replace("\n", " ") for head in table.heads] == [
        "learner", "targeted", "true value of its list", "regret", "95 % interval of regret",
        "kept of the oracle's value", "PEHE, discount", "PEHE, service"]
    assert table.rows[0] == ("plain", "100", "605", "395", "331 to 459", "60.5 %", "3.50", "3.50")
    assert table.rows[1][5:] == ("-4.5 %", "8.50", "8.50")
    errors = errors_table(make_run(), "base")
    assert errors is not None
    assert errors.rows[0] == ("plain", "discount", "400", "1.00", "2.00", "3.50", "4.00", "0.50", "0.75", "0.25")
    assert [row[1] for row in errors.rows] == ["discount", "discount", "service", "service"]


def test_policies_on_equal_terms() -> None:
    tables = _by_caption(*equal_terms_tables(make_run(), "base"))
    number = tables["At an equal number targeted"]
    assert number.caption == "At an equal number targeted: the first 1,500 of each policy; amounts in EUR"
    assert [row[:4] for row in number.rows] == [
        ("oracle", "1,000", "8,000", "5,250"), ("uplift_value", "1,500", "14,500", "4,000"),
        ("churn_risk", "1,200", "12,000", "-1,150")]
    assert [row[0] for row in tables["At equal planned spend"].rows] == ["oracle", "churn_risk"]


def test_prices_stand_by_scenario() -> None:
    table = prices_table(make_run())
    assert table is not None
    assert table.rows == (("base", "uplift_value", "day team", "minutes", "6,000", "5,999", "1.000"),)
    assert prices_table(make_run("prices")) is None


def test_rules_are_those_of_the_first_replicate() -> None:
    (table,) = rules_tables(make_run(), "base")
    assert table.caption == "Rules of uplift_value, replicate 0, in the order in which they are listed; amounts in EUR"
    assert table.rows == (("tenure below 6 months", "discount by call", "500", "250", "700", "900", "50"),)


def test_the_page_and_the_folder_hold_them(folder: Path) -> None:
    for name, frame in make_policy_tables().items():
        frame.to_csv(folder / "tables" / f"{name}.csv", index=False)
    page = write_report(folder).read_text(encoding="utf-8")
    assert {path.stem for path in (folder / "figures").iterdir()} >= PICTURES.keys()
    for text in ("Judge a learner by its regret", "PEHE, the root of the mean squared error",
                 "Policies on equal terms (scenario base)", "Rules of uplift_value, replicate 0"):
        assert text in page
    assert {"cost_curve.csv", "equal_terms.csv", "learner_regret.csv", "listed_shares.csv"} <= {
        path.name for path in (folder / "tables").iterdir()}
