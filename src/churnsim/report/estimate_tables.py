"""What policies are worth by the pilot's holdout, as an operator would estimate it, with the truth beside."""

from __future__ import annotations

import pandas as pd

from churnsim.report.contents import Table, confidence_text
from churnsim.report.run_folder import Run
from churnsim.report.words import counted, interval, number

METHODS = {"dr": "doubly\nrobust", "ipw": "IPW", "snipw": "SNIPW", "dm": "direct\nmethod"}
HEADLINE = "dr"
READ_SO = (
    "Each policy lists subscribers of the pilot's holdout, from whom nothing was learned, with its share of the budget "
    "and the staff, and the pilot's log tells what the list would have been worth against leaving all alone. Estimate "
    "less truth on the same rows is noise, and the months after the pilot's outcomes, which the operator fills in by "
    "a rule; the direct method is as good as its predictions, learned on the rows that chose the policies, and too "
    "high for lists that were chosen by them. Plan value is the truth of the campaign's own list: other "
    "subscribers, another month, and, where the policy may, other channels. Net value less plan value is due to "
    "staff, for the pilot had as much as it took, and to the luck of who answers."
)


def estimates_table(run: Run, scenario: str) -> Table | None:
    """Return each policy's estimates, the truth on the same rows, and its plan value and net value."""
    frame = _valued(run, scenario)
    if frame is None:
        return None
    rows = tuple(_row(str(policy), found) for policy, found in frame.groupby("policy", sort=False, observed=True))
    caption = (f"Policy values estimated from the pilot's holdout, truth beside: {run.summary['currency']} for as many "
               f"subscribers as the campaign has, means over {counted(run.summary['replicates'], 'replicate')}")
    one = f"{confidence_text(run)}\nof one pilot"
    return Table(caption, ("policy", "listed", "effective\nrows", *METHODS.values(), one, "truth on\nthe same rows",
                           "intervals\nthat hold it", "plan\nvalue", "net\nvalue"), rows)


def estimate_sentences(run: Run, scenario: str) -> tuple[str, ...]:
    """Return how to read the table, which policies are not in it and why, and what else to know of those that are."""
    frame = run.table("estimates", scenario)
    if frame is None:
        return ()
    noted = frame[frame["note"].fillna("") != ""]
    valued = noted["value_amount"].notna()
    left_out = [f"{policies} ({note})" for note, policies in _said(noted[~valued]).items()]
    known = [f"{policies}: {note}" for note, policies in _said(noted[valued]).items()]
    return (READ_SO, *([f"Not valued: {'; '.join(left_out)}."] if left_out else []),
            *([f"To know: {'. '.join(known)}."] if known else []))


def _said(noted: pd.DataFrame) -> dict[str, str]:
    """Return note -> the policies that it is about."""
    found: dict[str, dict[str, None]] = {}
    for policy, note in zip(noted["policy"].astype(str), noted["note"].astype(str), strict=True):
        found.setdefault(note, {})[policy] = None
    return {note: ", ".join(policies) for note, policies in found.items()}


def _valued(run: Run, scenario: str) -> pd.DataFrame | None:
    frame = run.table("estimates", scenario)
    if frame is None:
        return None
    valued = frame[frame["value_amount"].notna()]
    return None if valued.empty else valued


def _row(policy: str, found: pd.DataFrame) -> tuple[str, ...]:
    """Return the cells of a policy; its row of a replicate is the same in all methods but for the estimate."""
    by_method = {name: found[found["method"] == name] for name in METHODS}
    mean = {name: rows["value_amount"].mean() for name, rows in by_method.items()}
    own = by_method[HEADLINE]
    held = (own["low_amount"] <= own["true_value_amount"]) & (own["true_value_amount"] <= own["high_amount"])
    return (policy, number(own["listed"].mean()), number(own["effective_rows"].mean()),
            *(number(mean[name]) for name in METHODS), interval(own["low_amount"].mean(), own["high_amount"].mean()),
            number(own["true_value_amount"].mean()), f"{int(held.sum())} of {len(own)}",
            number(own["plan_value_amount"].mean()), number(own["net_value_amount"].mean()))
