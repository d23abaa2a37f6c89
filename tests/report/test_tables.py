"""The printed report, word by word, and the derived tables."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churnsim.errors import ResultsError
from churnsim.report.contents import Table, details_table, policies_table, recommendation, scenario_title
from churnsim.report.run_folder import Run, read_run
from churnsim.report.tables import policy_text, run_text, text_table, write_tables

PRINTED = """\
by_hand: preset data_grounded, 3,000 subscribers, seed 7, 2 replicates, horizon 24 months, amounts
in EUR

Scenario base (budget 15,000 EUR)
=================================

Net value by policy: amounts in EUR, means over 2 replicates
                                 reached              saved  offer  contact     net     95 % interval
policy        targeted  reached  in time  accepted  revenue   cost     cost   value      of net value  regret
oracle           2,000    1,300    1,290       640   44,000  6,600        0  22,000  -3,415 to 47,416       0
uplift_value     1,200      700      690       350   24,501  3,675        0  12,250   9,071 to 15,430   9,750
none                 0        0        0         0        0      0        0       0            0 to 0  22,000
churn_risk       1,000      600      590       300    3,501    525        0  -1,750   -4,925 to 1,425  23,751

Recommended policy: uplift_value. It has the highest net value of the policies an operator can run;
it is better than leaving everybody alone.

Paired differences of net value, EUR: the policy less the other one
policy        against     difference     95 % interval  the policy is
uplift_value  none            12,250   9,071 to 15,430  better
uplift_value  churn_risk      14,001   7,646 to 20,356  better
oracle        none            22,000  -3,415 to 47,416  not distinguishable
oracle        churn_risk      23,751  -4,840 to 52,341  not distinguishable

Pilot: effect of being assigned an offer, reached or not; means over replicates, one pilot in each
                    of these           of these                             average     minimum  reaches
offer     assigned      left  control      left  outcome                     effect  detectable  it
discount     1,001       100      900       110  stayed, percentage points     2.00        3.00  no
service      1,001       100      900       110  stayed, percentage points    -5.00        3.00  yes
discount     1,001       100      900       110  months of margin              0.02        0.03  no
service      1,001       100      900       110  months of margin             -0.05        0.03  yes

Net value as it happened (realised) and as expected, EUR
                                  realised less      95 % interval                variance ratio
policy        expected  realised       expected  of the difference  holds 0  realised : expected
oracle          22,000    22,500            500  -69,388 to 70,387  yes                     40.5
uplift_value    12,250    12,000           -250    -9,777 to 9,276  yes                     30.0
none                 0         0              0             0 to 0  yes                      n/a
churn_risk      -1,750    -1,800            -50    -7,040 to 6,940  yes                      2.0

Scenario tight (budget 2,500 EUR)
=================================

Net value by policy: amounts in EUR, means over 2 replicates
"""


def test_a_run_is_printed(folder: Path) -> None:
    text = run_text(read_run(folder))
    assert text.startswith(PRINTED)
    assert text.endswith("Notes\n- churn_risk: discount by call, best 20% <on the pilot>\n")
    assert max(map(len, text.splitlines())) <= 120


def test_the_same_pilot_is_printed_once(folder: Path) -> None:
    run = read_run(folder)
    assert run_text(run).count("Pilot:") == 1
    other = run.tables["pilot"].copy()
    other.loc[other["scenario"] == "tight", "n_offer"] += 1
    assert run_text(replace(run, tables={**run.tables, "pilot": other})).count("Pilot:") == 2


def test_a_summary_alone_is_printed_without_what_it_does_not_hold(summary: dict[str, Any]) -> None:
    text = policy_text(summary, notes=["one thing"])
    assert text.startswith("by_hand: seed 7, 2 replicates, amounts in EUR\n\nScenario base\n=============\n\n")
    assert "uplift_value  churn_risk      14,001   7,646 to 20,356  better\n" in text
    assert text.endswith("Notes\n- one thing\n")
    assert "Pilot" not in text


def test_a_narrow_terminal_gets_a_list(summary: dict[str, Any]) -> None:
    text = policy_text(summary, width=50)
    assert "\nchurn_risk\n  targeted: 1,000\n  reached: 600\n  reached in time: 590\n" in text
    assert "  interval of net value: -4,925 to 1,425\n" in text
    assert max(map(len, text.splitlines())) <= 50


def test_long_numbers_keep_columns_apart() -> None:
    table = Table("T", ("a", "b\nlong head", "c"), (("x", "1", "yes"), ("longer", "1,000,000,000", "no")), (0, 2))
    assert text_table(table) == (
        "T\n                    b\na           long head  c\nx                   1  yes\nlonger  1,000,000,000  no"
    )


def test_one_replicate_has_no_interval(summary: dict[str, Any]) -> None:
    for entry in summary["policies"]:
        entry["net_value"] |= {"low": None, "high": None}
    run = Run(summary)
    assert policies_table(run, "base").rows[0][9] == "n/a"
    assert recommendation(run, "base").endswith("it is not distinguishable from leaving everybody alone.")


def test_what_is_recommended_is_said_as_it_is(summary: dict[str, Any]) -> None:
    run = Run(summary)
    summary["recommended_policy"]["base"] = "none"
    assert recommendation(run, "base") == (
        "Recommended policy: none. Leaving everybody alone has the highest net value."
    )
    summary["recommended_policy"]["base"] = None
    assert recommendation(run, "base").startswith("No policy is recommended: only the oracle was run")


def test_a_disagreement_of_the_estimates_is_said(folder: Path) -> None:
    run = read_run(folder)
    entry = next(e for e in run.summary["policies"] if e["name"] == "uplift_value" and e["scenario"] == "base")
    entry["net_value_realised"]["per_replicate"] = [22000.0, 22501.0]
    line = next(line for line in run_text(run).splitlines() if line.startswith("uplift_value") and "30.0" in line)
    assert line.split()[-2] == "no"


def test_derived_tables_are_files(folder: Path) -> None:
    names = ["annual_churn", "pilot_means", "realised_and_expected", "risk_and_effect"]
    assert [path.name for path in write_tables(folder)] == [f"{name}.csv" for name in names]
    churn = pd.read_csv(folder / "tables" / "annual_churn.csv").query("scenario == 'base'")
    # 240 leavers in 12,000 subscriber months: 2 % a month, 24 % summed, 1 - 0.98^12 = 21.53 % compounded.
    assert churn["rate"].round(4).tolist() == [0.02, 0.24, 0.2153]
    bins = pd.read_csv(folder / "tables" / "risk_and_effect.csv").query("scenario == 'base' and policy == 'oracle'")
    # 500 rows make two bins of 250, whose risks are 0.001 to 0.25 and 0.251 to 0.5.
    assert bins["subscribers"].tolist() == [250, 250]
    assert bins["mean_risk"].round(6).tolist() == [0.1255, 0.3755]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"no finished run here \(no summary.json\); run the experiment first"):
        read_run(tmp_path)


def test_a_broken_run_is_refused(folder: Path) -> None:
    (folder / "notes.json").write_text("{", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"cannot read this run \(.*\); run the experiment again"):
        read_run(folder)


def test_scenarios_of_a_sweep_have_their_own_budget(summary: dict[str, Any]) -> None:
    config = {
        "campaign": {"budget_amount": 1.0},
        "scenarios": {},
        "policies": {},
        "evaluation": {},
        "sweep": {"campaign.budget_amount": [5.0, 6.0], "pilot.size": [100]},
    }
    run = Run(summary, config)
    assert run.budget_amount("base") == 1.0
    assert run.budget_amount("campaign.budget_amount=6.0,pilot.size=100") == 6.0
    assert run.changes("campaign.budget_amount=6.0,pilot.size=100") == {
        "campaign.budget_amount": 6.0,
        "pilot.size": 100,
    }


def test_a_scenario_says_which_policies_it_leaves_out(summary: dict[str, Any]) -> None:
    config = {
        "campaign": {"budget_amount": 1.0},
        "scenarios": {"small": {"campaign": {"budget_amount": 5.0}, "policies": {"everyone": None, "random": None}}},
        "policies": {},
        "evaluation": {},
    }
    run = Run(summary, config)
    assert run.left_out("small") == ["everyone", "random"] and run.left_out("base") == []
    assert scenario_title(run, "small") == f"Scenario small (without everyone, random; budget 5 {summary['currency']})"


def test_overspending_is_counted_for_policies_under_the_budget(summary: dict[str, Any]) -> None:
    summary = deepcopy(summary)
    kinds = {entry["name"]: {"kind": entry["name"]} for entry in summary["policies"]}
    config = {"campaign": {"budget_amount": 5.0}, "scenarios": {}, "policies": kinds,
              "evaluation": {"horizon_months": 36, "confidence": 0.95}}
    entry = next(e for e in summary["policies"] if (e["scenario"], e["name"]) == ("base", "uplift_value"))
    entry["offer_cost"]["per_replicate"], entry["contact_cost"]["per_replicate"] = [4.0, 4.5], [1.0, 1.0]
    table = details_table(Run(summary, config), "base")
    over = {row[0]: row[table.heads.index("spent over\nthe budget")] for row in table.rows}
    assert over["uplift_value"] == "1 of 2" and over["none"] == "n/a"


def test_tickets_stand_in_the_table_where_the_centre_works_them(summary: dict[str, Any]) -> None:
    counts = {"tickets": 900.0, "tickets_late": 41.0, "tickets_late_in_reference": 30.0, "tickets_changed": 77.0}
    summary = deepcopy(summary)
    for entry in summary["policies"]:
        if entry["scenario"] == "base":
            entry |= {name: {**entry["net_value"], "mean": mean} for name, mean in counts.items()}
    coupled, usual = (details_table(Run(summary, {}), scenario) for scenario in ("base", "tight"))
    assert coupled.heads == (*usual.heads, "tickets", "late\ntickets", "late in the\nreference", "tickets\ndelayed")
    assert {row[-4:] for row in coupled.rows} == {("900", "41", "30", "77")}
