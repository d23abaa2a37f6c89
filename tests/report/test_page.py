"""The page and the figures: well-formed, self-contained, the same twice, and with the summary's numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from churnsim.errors import ResultsError
from churnsim.report.figures import draw_all
from churnsim.report.page import write_report
from churnsim.report.run_folder import read_run

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = {
    "net_value": "Net value by policy, EUR",
    "net_value_1": "Net value by policy, EUR",
    "reach": "From the list to acceptance, % of those targeted",
    "risk_and_effect": "True effect against predicted risk, percentage points and EUR",
    "net_value_by_budget": "Net value by budget, EUR",
}
AXES = {
    "net_value": "net value, EUR, mean of 2 replicates",
    "reach": "% of those targeted; at the bars: subscribers, mean over replicates",
    "risk_and_effect": "true effect on staying, percentage points",
    "net_value_by_budget": "net value, EUR, 95 % interval",
}


@pytest.fixture
def page(reported: Path) -> ElementTree.Element:
    return ElementTree.parse(reported / "report.html").getroot()


def test_figures_are_xml_with_titles_and_units(reported: Path) -> None:
    assert {path.stem for path in (reported / "figures").iterdir()} == set(FIGURES)
    for name, title in FIGURES.items():
        svg = ElementTree.parse(reported / "figures" / f"{name}.svg").getroot()
        assert svg.find(f"{SVG}title").text == title
        assert svg.get("aria-labelledby") == f"{name}-title {name}-desc"
        texts = {"".join(element.itertext()).strip() for element in svg.iter(f"{SVG}text")}
        assert title in texts
        assert AXES.get(name, title) in texts


def test_a_report_is_the_same_twice(folder: Path, reported: Path) -> None:
    (folder / "figures").mkdir()
    (folder / "figures" / "stale.svg").touch()
    write_report(folder)
    names = ["report.html", *(f"figures/{name}.svg" for name in FIGURES)]
    assert sorted(path.stem for path in (folder / "figures").iterdir()) == sorted(FIGURES)
    for name in names:
        assert (folder / name).read_bytes() == (reported / name).read_bytes()


def test_no_budget_figure_where_scenarios_differ_in_more(folder: Path) -> None:
    run = read_run(folder)
    run.config["scenarios"]["tight"]["pilot"] = {"size": 100}
    assert "net_value_by_budget" not in {picture.name for picture in draw_all(run)}


def test_the_page_needs_nothing_beside_it(reported: Path) -> None:
    text = (reported / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"https?://", re.sub(r'xmlns(:xlink)?="[^"]*"', "", text))
    assert not re.findall(r"<(?:script|link|img|iframe|object|embed)\b|@import|url\((?!#)", text)
    assert all(target.startswith("#") for target in re.findall(r'\bhref="([^"]*)"', text))


def test_ids_are_unique_and_references_resolve(page: ElementTree.Element, reported: Path) -> None:
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    text = (reported / "report.html").read_text(encoding="utf-8")
    named = " ".join(re.findall(r'aria-labelledby="([^"]*)"', text)).split()
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', text)) | set(named) <= set(ids)


def test_tables_can_be_read_aloud(page: ElementTree.Element) -> None:
    tables = list(page.iter("table"))
    assert len(tables) == 2 * 4 + 7
    for table in tables:
        assert table.find("caption").text
        assert {th.get("scope") for th in table.find("thead").iter("th")} == {"col"}
        assert {th.get("scope") for th in table.find("tbody").iter("th")} == {"row"}
        heads = len(table.findall("thead/tr/th"))
        assert all(len(row) == heads for row in table.findall("tbody/tr"))


def _rows(page: ElementTree.Element, caption: str) -> list[dict[str, list[str]]]:
    found = [t for t in page.iter("table") if "".join(t.find("caption").itertext()).startswith(caption)]
    return [{row[0].text: [cell.text for cell in row[1:]] for row in t.findall("tbody/tr")} for t in found]


def test_amounts_are_those_of_the_summary(page: ElementTree.Element, summary: dict[str, Any]) -> None:
    columns = (
        "targeted",
        "reached",
        "reached_in_time",
        "accepted",
        "saved_revenue",
        "offer_cost",
        "contact_cost",
        "net_value",
        None,
        "regret",
    )
    tables = dict(zip(("base", "tight"), _rows(page, "Net value by policy"), strict=True))
    for entry in summary["policies"]:
        cells = tables[entry["scenario"]][entry["name"]]
        numbers = [cell.replace(",", "").replace("\u2212", "-") for cell in cells]
        for column, number in zip(columns, numbers, strict=True):
            if column is None:
                net = entry["net_value"]
                assert [float(limit) for limit in number.split(" to ")] == [round(net["low"]), round(net["high"])]
            else:
                assert float(number) == round(entry[column]["mean"])


def test_the_page_says_what_was_run_and_assumed(page: ElementTree.Element) -> None:
    text = re.sub(r"\s+", " ", " ".join(page.itertext()))
    for part in (
        "Preset data_grounded",
        "Seed 7",
        "Replicates 2",
        "Currency EUR",
        "24 months, discounted at 10 % a year",
        "15,000 EUR of planned spend",
        "ab" * 32,
        "Recommended policy: uplift_value.",
        "rank correlation of predicted risk and the best true effect on staying among the offers allowed is 0.25",
        "Idle time of agents is not charged",
        "(to those who would have stayed anyway) is realised",
        "integrates the churn clock out",
        "Contact cost is what the centre billed",
        "discount by call, best 20% <on the pilot>",
    ):
        assert part in text


def test_churn_and_imported_columns_are_shown(page: ElementTree.Element) -> None:
    (churn,) = _rows(page, "Churn by convention")
    assert [rate for (rate,) in churn.values()] == ["2.00 %", "24.0 %", "21.5 %", "20.5 %"]
    (imported,) = _rows(page, "Columns of the operator's table")
    assert imported["region"] == ["imputed from preset", "100.0 %"]
    (tenure,) = _rows(page, "Monthly churn by months in service")
    assert tenure == {"<6": ["3.00 %", "30", "4.00 %", "100"], "6-9": ["2.00 %", "20", "n/a", "0"]}
    (arms,) = _rows(page, "The truth behind every offer")
    assert arms["discount by call"] == ["2,500", "25.0 %", "10.0 %", "1.50", "\u22123.25", "0.50"]


def test_a_failed_write_is_an_error_and_leaves_the_earlier_report(folder: Path) -> None:
    (folder / "report.html").write_text("earlier", encoding="utf-8")
    (folder / "figures").touch()
    with pytest.raises(ResultsError, match=r"cannot write results \(File exists\); free space or"):
        write_report(folder)
    assert (folder / "report.html").read_text(encoding="utf-8") == "earlier"
    assert not list(folder.glob(".*"))


def test_nobody_targeted_draws_no_way_to_acceptance(folder: Path) -> None:
    run = read_run(folder)
    for entry in run.summary["policies"]:
        entry["targeted"]["mean"] = 0.0
    assert "reach" not in {picture.name for picture in draw_all(run)}
