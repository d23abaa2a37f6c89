"""Tables that the report computes from those of a run."""

from __future__ import annotations

from typing import Any

import pandas as pd

from churnsim.evaluation.intervals import paired_difference
from churnsim.report.policy_numbers import policy_tables_of
from churnsim.report.run_folder import Run

BINS = 10
SMALLEST_BIN = 200
MONTHS_A_YEAR = 12


def derived_tables(run: Run) -> dict[str, pd.DataFrame]:
    """Return the tables of a run that are computed here, by name; without a source there is no table."""
    made: dict[str, list[pd.DataFrame]] = {}
    for scenario in run.scenarios:
        found = {
            "annual_churn": annual_churn(run, scenario),
            "pilot_means": pilot_means(run, scenario),
            "risk_and_effect": risk_and_effect(run, scenario),
            "realised_and_expected": realised_and_expected(run, scenario),
            **dict(policy_tables_of(run, scenario)),
        }
        for name, frame in found.items():
            if frame is not None:
                made.setdefault(name, []).append(frame.assign(scenario=scenario))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in made.items()}


def annual_churn(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return monthly churn before the campaign and what a year of it comes to, by convention.

    The monthly rate m is everybody who decided to leave over the sum of the months' subscribers, all
    replicates together. "summed" is leavers of a year over the average base, 12 m; "compounded" is
    1 - (1 - m)^12.
    """
    months = run.table("months", scenario)
    if months is None:
        return None
    monthly = float(months["decided_to_leave"].sum() / months["subscribers"].sum())
    return pd.DataFrame(
        {
            "convention": ["monthly", "summed", "compounded"],
            "rate": [monthly, MONTHS_A_YEAR * monthly, 1.0 - (1.0 - monthly) ** MONTHS_A_YEAR],
        }
    )


def pilot_means(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return a row per offer and outcome of the pilot: means over replicates, each a pilot of its own.

    ``reaches_minimum`` says whether the average effect is, in size, at least the effect that one pilot of this
    size finds with 80 % power.
    """
    pilot = run.table("pilot", scenario)
    if pilot is None:
        return None
    once = pilot.drop_duplicates(["replicate", "offer", "outcome"])
    facts = [
        "n_offer",
        "n_control",
        "left_offer",
        "left_control",
        "reached_share",
        "effect_of_assignment",
        "minimum_detectable_effect",
    ]
    means = once.groupby(["offer", "outcome"], sort=False, observed=True)[facts].mean().reset_index()
    reaches = means["effect_of_assignment"].abs() >= means["minimum_detectable_effect"]
    return means.assign(reaches_minimum=reaches)


def risk_and_effect(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return mean predicted risk and mean true effect in bins of predicted risk, for the list of each policy.

    Bins hold equally many of a policy's list, all replicates together: ten, or fewer where ten would hold
    less than 200 subscribers each.
    """
    lists = run.table("lists", scenario)
    if lists is None:
        return None
    parts = []
    for policy, rows in lists.groupby("policy", sort=False, observed=True):
        bins = max(1, min(BINS, len(rows) // SMALLEST_BIN))
        bin_number = (rows["risk"].rank(method="first") - 1.0) * bins // len(rows)
        by_bin = rows.groupby(bin_number.astype(int))
        parts.append(
            pd.DataFrame(
                {
                    "policy": policy,
                    "bin": range(bins),
                    "subscribers": by_bin.size(),
                    "mean_risk": by_bin["risk"].mean(),
                    "mean_effect_on_staying": by_bin["true_effect_on_staying"].mean(),
                    "mean_net_value": by_bin["true_effect_amount"].mean(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def realised_and_expected(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return both estimates of net value a policy, their paired difference, and their variance ratio."""
    if run.confidence is None:
        return None
    variance = run.table("variance", scenario)
    ratios = {} if variance is None else dict(zip(variance["policy"], variance["variance_ratio"], strict=True))
    rows: list[dict[str, Any]] = []
    for entry in run.policies(scenario):
        expected, realised = entry["net_value"], entry["net_value_realised"]
        apart = paired_difference(realised["per_replicate"], expected["per_replicate"], confidence=run.confidence)
        agree = None if apart.low is None or apart.high is None else bool(apart.low <= 0.0 <= apart.high)
        rows.append(
            {
                "policy": entry["name"],
                "expected": expected["mean"],
                "expected_low": expected["low"],
                "expected_high": expected["high"],
                "realised": realised["mean"],
                "realised_low": realised["low"],
                "realised_high": realised["high"],
                "difference": apart.mean,
                "difference_low": apart.low,
                "difference_high": apart.high,
                "agree": agree,
                "variance_ratio": ratios.get(entry["name"]),
            }
        )
    return pd.DataFrame(rows)
