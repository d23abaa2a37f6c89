"""Means over replicates of the curves of policies, of lists by segment, and of learners beside the truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from churnsim.evaluation.intervals import mean_interval
from churnsim.experiment.curve_grid import COARSE, MULTIPLES, ROUND_COUNTS
from churnsim.report.run_folder import Run

EQUAL_NUMBER, EQUAL_SPEND, OWN_DEPTH = "equal_number", "equal_spend", "own_depth"
MEASURES = ("planned_spend_amount", "targeted", "true_value_amount")


def cost_curve(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return a row a policy and budget: mean planned spend, number targeted and true value, with its interval.

    Where a replicate's curve has no point at a budget, nothing more was left to buy: its last point below counts.
    """
    curve, budget = run.table("curve", scenario), run.budget_amount(scenario)
    if curve is None or budget is None:
        return None
    grid = [budget * multiple for multiple in MULTIPLES]
    rows = []
    for policy, mine in curve.groupby("policy", sort=False, observed=True):
        for amount in sorted(set(mine["budget_amount"]) & set(grid)):
            found = _nearest(mine, "budget_amount", amount)
            if found is not None:
                rows.append({"policy": str(policy), "budget_amount": amount, **_means(run, found)})
    return pd.DataFrame(rows)


def equal_terms(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return a row a policy and way of comparing: mean number targeted, planned spend and true value, interval.

    ``equal_number`` and ``equal_spend`` go by the median list at the campaign's budget, rounded down to what curves
    have points at; each policy is taken at its nearest point that is not above. Who has a shorter list stands with all
    of it; who has a longer one and no curve is left out. ``own_depth`` is the end of a curve: as far as the policy goes
    with any budget.
    """
    curve, budget = run.table("curve", scenario), run.budget_amount(scenario)
    if curve is None or budget is None:
        return None
    own = curve[curve["budget_amount"] == budget].groupby("policy", sort=False, observed=True)
    lists = own[["targeted", "planned_spend_amount"]].mean()
    typical = lists[lists["targeted"] > 0].median()
    grids = {EQUAL_NUMBER: ("targeted", ROUND_COUNTS),
             EQUAL_SPEND: ("planned_spend_amount", [budget * multiple for multiple in COARSE])}
    rows = []
    for policy, mine in curve.groupby("policy", sort=False, observed=True):
        for terms, (column, grid) in grids.items():
            limit = max((each for each in grid if each <= typical[column]), default=0)
            found = _nearest(mine, column, limit) if limit else None
            if found is not None:
                rows.append({"policy": str(policy), "terms": terms, "limit": float(limit), **_means(run, found)})
        rows.append({"policy": str(policy), "terms": OWN_DEPTH, "limit": np.nan,
                     **_means(run, mine.groupby("replicate").tail(1))})
    return pd.DataFrame(rows)


def learner_value(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return a row a learner: means of what its list is worth, of regret with interval, and of the share kept."""
    value = run.table("learner_value", scenario)
    if value is None:
        return None
    rows = []
    for learner, mine in value.groupby("learner", sort=False, observed=True):
        names = ("targeted", "true_value_amount", "oracle_value_amount", "regret_amount")
        means = {name: float(mine[name].mean()) for name in names}
        # The ratio of means: one replicate whose oracle gains next to nothing would rule a mean of ratios.
        oracle = means["oracle_value_amount"]
        share = means["true_value_amount"] / oracle if oracle > 0 else np.nan
        rows.append({"learner": str(learner), **means, **_interval(run, mine, "regret_amount"), "share_kept": share})
    return pd.DataFrame(rows)


def learner_errors(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return a row a learner and offer: means over replicates of what the stage accuracy found."""
    return _over_replicates(run.table("accuracy", scenario), ["learner", "offer"])


def effect_deciles(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return a row an offer, learner and decile: mean predicted and true value."""
    return _over_replicates(run.table("effect_deciles", scenario), ["offer", "learner", "decile"])


def gain_curves(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return a row an offer, ranking and share treated: mean true gain, and that of a random order."""
    return _over_replicates(run.table("gain_curves", scenario), ["offer", "ranking", "depth_share"])


def listed_shares(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return a row a policy, segment and arm: the share of the segment that is listed for the arm."""
    found = run.table("allocation", scenario)
    if found is None:
        return None
    sums = found.groupby(["policy", "by", "segment", "arm"], sort=False, observed=True)[["subscribers", "listed"]].sum()
    return sums.assign(share=sums["listed"] / sums["subscribers"].clip(lower=1)).reset_index()


def prices_by_budget(run: Run, scenario: str) -> pd.DataFrame | None:
    """Return a row a policy, limit and budget: mean shadow price; that of a free step has no bounds and is left out."""
    prices = run.table("price_curve", scenario)
    if prices is None:
        return None
    rows = []
    for (policy, limit, unit), mine in prices.groupby(["policy", "limit", "unit"], sort=False, observed=True):
        for amount in sorted(set(mine["budget_amount"])):
            found = _nearest(mine, "budget_amount", amount)
            if found is not None and np.isfinite(found["shadow_price_amount"]).all():
                rows.append({"policy": str(policy), "limit": str(limit), "unit": str(unit), "budget_amount": amount,
                             "shadow_price_amount": float(found["shadow_price_amount"].mean())})
    return pd.DataFrame(rows) if rows else None


def policy_tables_of(run: Run, scenario: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the tables that are written beside those of the run."""
    made = {"cost_curve": cost_curve, "equal_terms": equal_terms, "learner_regret": learner_value,
            "listed_shares": listed_shares}
    for name, make in made.items():
        found = make(run, scenario)
        if found is not None:
            yield name, found


def _nearest(mine: pd.DataFrame, column: str, limit: float) -> pd.DataFrame | None:
    """Return each replicate's point that is highest in a column and not above a limit; None if one has none."""
    inside = mine[mine[column] <= limit * (1.0 + 1e-9)]
    found = inside.sort_values([column, "budget_amount"], kind="stable").groupby("replicate").tail(1)
    return found if len(found) == mine["replicate"].nunique() else None


def _means(run: Run, found: pd.DataFrame) -> dict[str, float]:
    means = {name: float(found[name].mean()) for name in MEASURES}
    return {**means, **_interval(run, found, "true_value_amount")}


def _interval(run: Run, found: pd.DataFrame, column: str) -> dict[str, float]:
    around = mean_interval(found[column], confidence=run.confidence or 0.95)
    return {"low": np.nan if around.low is None else around.low, "high": np.nan if around.high is None else around.high}


def _over_replicates(found: pd.DataFrame | None, keys: list[str]) -> pd.DataFrame | None:
    if found is None:
        return None
    numbers = [name for name in found.columns if name not in (*keys, "scenario", "replicate")]
    return found.groupby(keys, sort=False, observed=True)[numbers].mean().reset_index()
