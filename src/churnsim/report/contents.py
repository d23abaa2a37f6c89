"""The tables of a report as rows of text, the same for the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from churnsim.evaluation.ledger import CHURN_MONTHS
from churnsim.policy.settings import BUDGETED
from churnsim.report.derived import pilot_means, realised_and_expected
from churnsim.report.run_folder import BUDGET_KEY, Run
from churnsim.report.words import ABSENT, counted, interval, number, percent, verdict

OUTCOMES = {"stayed": ("stayed, percentage points", 100.0), "margin_months": ("months of margin", 1.0),
            "net_value": ("margin, amount", 1.0)}
COMPARED_KINDS = ("uplift", "profit_lift", "uplift_value", "budget_staff", "capacity_aware", "readable", "adaptive",
                  "bandit", "own", "oracle")
ORACLE = "oracle"
# Of runs in which the centre works tickets.
TICKET_COUNTS = {"tickets": "tickets", "tickets_late": "late\ntickets",
                 "tickets_late_in_reference": "late in the\nreference", "tickets_changed": "tickets\ndelayed"}


@dataclass(frozen=True)
class Table:
    """A table as text: caption, heads, rows whose first cell is their name, and which columns hold words."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    word_columns: tuple[int, ...] = (0,)


def confidence_text(run: Run) -> str:
    """Return what the intervals are called, such as "95 % interval"."""
    return "interval" if run.confidence is None else f"{number(100.0 * run.confidence)} % interval"


def scenario_title(run: Run, scenario: str) -> str:
    """Return the heading of a scenario: name, what it changes, budget."""
    left_out = run.left_out(scenario)
    told = {BUDGET_KEY, *(f"policies.{name}" for name in left_out)}
    changes = [f"{key} = {value}" for key, value in run.changes(scenario).items() if key not in told]
    if left_out:
        changes.append(f"without {', '.join(left_out)}")
    budget = run.budget_amount(scenario)
    facts = [*changes, *([] if budget is None else [f"budget {number(budget)} {run.summary['currency']}"])]
    return f"Scenario {scenario}" + (f" ({'; '.join(facts)})" if facts else "")


def policies_table(run: Run, scenario: str) -> Table:
    """Return who was targeted, reached and kept by each policy, and what it earned."""
    rows = []
    for entry in run.policies(scenario):
        counts = [number(entry[name]["mean"]) for name in ("targeted", "reached", "reached_in_time", "accepted")]
        money = [number(entry[name]["mean"]) for name in ("saved_revenue", "offer_cost", "contact_cost", "net_value")]
        net, regret = entry["net_value"], entry["regret"]
        rows.append(
            (
                entry["name"],
                *counts,
                *money,
                interval(net["low"], net["high"]),
                ABSENT if regret is None else number(regret["mean"]),
            )
        )
    caption = (
        f"Net value by policy: amounts in {run.summary['currency']}, "
        f"means over {counted(run.summary['replicates'], 'replicate')}"
    )
    return Table(
        caption,
        (
            "policy",
            "targeted",
            "reached",
            "reached\nin time",
            "accepted",
            "saved\nrevenue",
            "offer\ncost",
            "contact\ncost",
            "net\nvalue",
            f"{confidence_text(run)}\nof net value",
            "regret",
        ),
        tuple(rows),
    )


def recommendation(run: Run, scenario: str) -> str:
    """Return the recommended policy of a scenario in a sentence."""
    name = run.summary["recommended_policy"].get(scenario)
    if name is None:
        return "No policy is recommended: only the oracle was run, which nobody can run in reality."
    entry = next(entry for entry in run.policies(scenario) if entry["name"] == name)
    if run.kind(name) == "none":
        return f"Recommended policy: {name}. Leaving everybody alone has the highest net value."
    low, high = entry["net_value"]["low"], entry["net_value"]["high"]
    beside = {
        "better": "better than leaving everybody alone",
        "worse": "worse than leaving everybody alone",
        "not distinguishable": "not distinguishable from leaving everybody alone",
    }[verdict(low, high)]
    among = " of the policies an operator can run" if _has_oracle(run, scenario) else ""
    return f"Recommended policy: {name}. It has the highest net value{among}; it is {beside}."


def _has_oracle(run: Run, scenario: str) -> bool:
    return any(run.kind(entry["name"]) == ORACLE for entry in run.policies(scenario))


def comparisons_table(run: Run, scenario: str, *, kinds: Sequence[str] | None = None) -> Table | None:
    """Return paired differences of net value, a word for each; of policies of some kinds only, if given."""
    rows = tuple(
        (
            c["policy"],
            c["against"],
            number(c["mean"]),
            interval(c["low"], c["high"]),
            verdict(c["low"], c["high"]),
        )
        for c in run.summary["comparisons"]
        if c["scenario"] == scenario and (kinds is None or run.kind(c["policy"]) in kinds)
    )
    if not rows:
        return None
    caption = f"Paired differences of net value, {run.summary['currency']}: the policy less the other one"
    return Table(caption, ("policy", "against", "difference", confidence_text(run), "the policy is"), rows, (0, 1, 4))


def realised_table(run: Run, scenario: str) -> Table | None:
    """Return both estimates of net value, whether they agree, and how much less the expected one varies."""
    frame = realised_and_expected(run, scenario)
    if frame is None:
        return None
    words = {True: "yes", False: "no", None: ABSENT}
    rows = tuple(
        (
            row["policy"],
            number(row["expected"]),
            number(row["realised"]),
            number(row["difference"]),
            interval(row["difference_low"], row["difference_high"]),
            words[row["agree"]],
            number(row["variance_ratio"], decimals=1),
        )
        for row in records(frame)
    )
    caption = f"Net value as it happened (realised) and as expected, {run.summary['currency']}"
    return Table(
        caption,
        (
            "policy",
            "expected",
            "realised",
            "realised less\nexpected",
            f"{confidence_text(run)}\nof the difference",
            "holds 0",
            "variance ratio\nrealised : expected",
        ),
        rows,
        (0, 5),
    )


def pilot_table(run: Run, scenario: str) -> Table | None:
    """Return events per arm of the pilot, average effects, and whether one such pilot can detect them."""
    means = pilot_means(run, scenario)
    if means is None:
        return None
    rows = []
    for row in records(means):
        unit, factor = OUTCOMES[row["outcome"]]
        rows.append(
            (
                row["offer"],
                *(number(row[name]) for name in ("n_offer", "left_offer", "n_control", "left_control")),
                unit,
                *(
                    number(factor * row[name], decimals=2)
                    for name in ("effect_of_assignment", "minimum_detectable_effect")
                ),
                "yes" if row["reaches_minimum"] else "no",
            )
        )
    caption = "Pilot: effect of being assigned an offer, reached or not; means over replicates, one pilot in each"
    return Table(
        caption,
        (
            "offer",
            "assigned",
            "of these\nleft",
            "control",
            "of these\nleft",
            "outcome",
            "average\neffect",
            "minimum\ndetectable",
            "reaches\nit",
        ),
        tuple(rows),
        (0, 5, 8),
    )


def _over_budget(run: Run, scenario: str, entry: Mapping[str, Any]) -> str:
    """Return in how many replicates offers and contacts cost more than the budget, for policies under one."""
    budget = run.budget_amount(scenario)
    if budget is None or run.kind(entry["name"]) not in BUDGETED:
        return ABSENT
    costs = zip(entry["offer_cost"]["per_replicate"], entry["contact_cost"]["per_replicate"], strict=True)
    spent = [offer + contact for offer, contact in costs]
    return f"{sum(amount > budget for amount in spent)} of {len(spent)}"


def details_table(run: Run, scenario: str) -> Table:
    """Return what the policy table leaves out."""
    amounts = (
        "saved_margin",
        "offer_cost_to_stayers",
        "planned_spend",
        "plan_value",
        "plan_gap",
        "direct_effect",
        "spillover",
        "terminal_value",
        "acquisition_cost_avoided",
    )
    counts = tuple(name for name in TICKET_COUNTS if all(name in entry for entry in run.policies(scenario)))
    rows = tuple(
        (
            entry["name"],
            *(number(entry[name]["mean"]) for name in amounts),
            _over_budget(run, scenario, entry),
            percent(entry["churn_rate"]["mean"]),
            *(number(entry[name]["mean"]) for name in counts),
        )
        for entry in run.policies(scenario)
    )
    caption = f"More about each policy: amounts in {run.summary['currency']}, means over replicates"
    return Table(
        caption,
        (
            "policy",
            "saved\nmargin",
            "offer cost\nto stayers\n(realised)",
            "planned\nspend",
            "plan\nvalue",
            "plan\ngap",
            "direct\neffect",
            "spillover",
            "terminal\nvalue",
            "acquisition\ncost avoided",
            "spent over\nthe budget",
            f"left after\n{churn_months(run)} months",
            *(TICKET_COUNTS[name] for name in counts),
        ),
        rows,
    )


def churn_months(run: Run) -> int:
    """Return the months from the campaign month on that the churn rate of a policy covers."""
    return min(CHURN_MONTHS, int(run.config["evaluation"]["horizon_months"]) - 1) if run.config else CHURN_MONTHS


def records(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    """Return the rows of a table as mappings, NaN left as NaN."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
