"""Tables of what stands behind the policies: the truth, the months before the campaign, an imported base."""

from __future__ import annotations

from churnsim.report.contents import Table, churn_months, records
from churnsim.report.derived import annual_churn
from churnsim.report.run_folder import Run
from churnsim.report.words import number, percent

CONVENTIONS = {
    "monthly": "a month",
    "summed": "a year, summed: leavers over the average base, 12 m",
    "compounded": "a year, compounded: 1 - (1 - m)^12",
}


def truth_table(run: Run, scenario: str) -> Table | None:
    """Return the true effect of every arm on those it may be offered to."""
    arms = run.table("arms", scenario)
    if arms is None:
        return None
    means = arms.groupby("arm", sort=False, observed=True).mean(numeric_only=True).reset_index()
    rows = tuple(
        (
            row["arm"],
            number(row["subscribers"]),
            percent(row["share_worth_it"]),
            percent(row["share_harmed"]),
            number(100.0 * row["mean_effect_on_staying"], decimals=2),
            number(row["mean_net_value"], decimals=2),
            number(row["mean_standard_error"], decimals=2),
        )
        for row in records(means)
    )
    caption = "The truth behind every offer and channel: all who may be offered it, under the planned reach"
    currency = run.summary["currency"]
    return Table(
        caption,
        (
            "offer and channel",
            "subscribers",
            "worth it",
            "made likelier\nto leave",
            "mean effect on\nstaying, points",
            f"mean net\nvalue, {currency}",
            f"standard error\nof one, {currency}",
        ),
        rows,
    )


def months_table(run: Run, scenario: str) -> Table | None:
    """Return subscribers and leavers of the months before the campaign."""
    months = run.table("months", scenario)
    if months is None:
        return None
    rows = []
    for month, part in months.groupby("month"):
        left, there = part["decided_to_leave"], part["subscribers"]
        rows.append(
            (
                str(month),
                number(there.mean()),
                number(left.mean()),
                percent(left.sum() / there.sum(), decimals=2),
            )
        )
    return Table(
        "Months before the campaign, means over replicates",
        ("month", "subscribers", "decided to leave", "monthly churn"),
        tuple(rows),
    )


def causes_table(run: Run, scenario: str) -> Table | None:
    """Return why subscribers left before the campaign."""
    causes = run.table("causes", scenario)
    if causes is None:
        return None
    means = causes.groupby("cause", sort=False, observed=True)["leavers"].mean().sort_values(ascending=False)
    total = float(means.sum())
    rows = tuple(
        (str(cause), number(leavers), percent(leavers / total if total else None)) for cause, leavers in means.items()
    )
    return Table("Why they left before the campaign, means over replicates", ("cause", "leavers", "share"), rows)


def churn_table(run: Run, scenario: str) -> Table | None:
    """Return churn by convention."""
    churn = annual_churn(run, scenario)
    if churn is None:
        return None
    rows = [
        (
            CONVENTIONS[row["convention"]],
            percent(row["rate"], decimals=2 if row["convention"] == "monthly" else 1),
        )
        for row in records(churn)
    ]
    for entry in run.policies(scenario):
        if run.kind(entry["name"]) == "none":
            rows.append(
                (
                    f"{churn_months(run)} months after the campaign month, closed cohort, nobody contacted",
                    percent(entry["churn_rate"]["mean"]),
                )
            )
    return Table("Churn by convention", ("churn", "rate"), tuple(rows))


def imported_table(run: Run, scenario: str) -> Table | None:
    """Return where each column of an imported base is from."""
    imported = run.table("imported", scenario)
    if imported is None:
        return None
    rows = tuple(
        (row["column"], row["origin"], percent(row["share_imputed"]))
        for row in records(imported.drop_duplicates("column"))
    )
    return Table("Columns of the operator's table, and what was imputed", ("column", "origin", "imputed"), rows, (0, 1))


def tenure_table(run: Run, scenario: str) -> Table | None:
    """Return churn by months in service, simulated and in the operator's table."""
    churn = run.table("tenure_churn", scenario)
    if churn is None:
        return None
    rows = []
    for band, part in churn.groupby("band", sort=False, observed=True):
        rows.append(
            (
                str(band),
                percent(part["simulated_monthly_rate"].mean(), decimals=2),
                number(part["simulated_events"].mean()),
                percent(part["table_rate_reweighted"].iloc[0], decimals=2),
                number(part["table_rows"].iloc[0]),
            )
        )
    return Table(
        "Monthly churn by months in service, simulated and in the operator's table (re-weighted)",
        ("months in service", "simulated", "simulated leavers", "table", "table rows"),
        tuple(rows),
    )
