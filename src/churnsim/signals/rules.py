"""Warning rules on the operator's table, and what a rule is worth: share flagged, recall, precision, lift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.signals.accuracy import Recall, rule_recall
from churnsim.signals.observe import Observed

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rule = Callable[[Observed], Flags]


def usage_fell(table: Observed, *, share: float = 0.2) -> Flags:
    """Flag usage of the last month at least `share` below the mean of the three months before, (n,)."""
    return fell(table, "usage_gb", share=share)


def usage_fell_each_month(table: Observed, *, share: float = 0.2) -> Flags:
    """Flag usage at least `share` below the month before, three months running.

    One reading of "usage falls by 20 % for three months in a row": cumulated, 1 - 0.8 ** 3 = 48.8 %.
    """
    months = _months(table, "usage_gb")
    return np.asarray(_below(months[:3], months[1:4], share).all(axis=0))


def usage_stays_low(table: Observed, *, share: float = 0.2) -> Flags:
    """Flag usage in each of the last three months at least `share` below the mean of the three before them.

    The other reading of "usage falls by 20 % for three months in a row".
    """
    months = _months(table, "usage_gb")
    return np.asarray(_below(months[:3], months[3:].mean(axis=0), share).all(axis=0))


def bill_fell(table: Observed, *, share: float = 0.2) -> Flags:
    """Flag a bill of the last month at least `share` below the mean of the three months before (the ARPU rule)."""
    return fell(table, "bill_amount", share=share)


def bill_rose(table: Observed, *, share: float = 0.2) -> Flags:
    """Flag a bill of the last month at least `share` above the mean of the three months before; never from 0."""
    months = _months(table, "bill_amount")
    before = months[1:4].mean(axis=0)
    return np.asarray((before > 0.0) & (months[0] >= (1.0 + share) * before * (1.0 - 1e-6)))


def contract_ending(table: Observed, *, most_months: int = 2) -> Flags:
    """Flag a contract that ends within so many months (a warning of the sources: two); none is no contract."""
    left = table["contract_left_months"]
    return np.asarray((left >= 1) & (left <= most_months))


def complaints_rising(table: Observed, *, least: float = 1.0) -> Flags:
    """Flag a complaint in the last month, or several shortly before.

    The operator's table holds a stock in which earlier months count less: a month without a complaint only
    lowers it, so that it reaches 1 when one was made in the last month or when several came lately.
    """
    return np.asarray(table["complaint_stock"] >= least)


def rival_ads(table: Observed, *, least: float = 1.0) -> Flags:
    """Flag a click on a competitor's advertisement in the last month, or several shortly before."""
    return np.asarray(table["ad_click_stock"] >= least)


def usage_and_complaints(table: Observed) -> Flags:
    """Flag usage that stays low and complaints that rise: the sources' warning W1 as it is written."""
    return usage_stays_low(table) & complaints_rising(table)


def usage_or_complaints(table: Observed) -> Flags:
    """Flag usage that stays low, or complaints that rise: W1 with OR."""
    return usage_stays_low(table) | complaints_rising(table)


def bill_complaints_or_ads(table: Observed) -> Flags:
    """Flag a bill that fell by 20 %, complaints that rise, or rivals' advertisements: the sources' warning W2."""
    return bill_fell(table) | complaints_rising(table) | rival_ads(table)


RULES: Mapping[str, Rule] = {
    "usage_fell_20": usage_fell,
    "usage_fell_50": lambda table: usage_fell(table, share=0.5),
    "usage_fell_80": lambda table: usage_fell(table, share=0.8),
    "usage_fell_each_month": usage_fell_each_month,
    "usage_stays_low": usage_stays_low,
    "bill_fell_20": bill_fell,
    "bill_rose_20": bill_rose,
    "contract_ending": contract_ending,
    "complaints_rising": complaints_rising,
    "rival_ads": rival_ads,
    "w1": usage_and_complaints,
    "w1_or": usage_or_complaints,
    "w2": bill_complaints_or_ads,
}
"""The rules by name."""


def fell(table: Observed, history: str, *, share: float) -> Flags:
    """Flag a history's last month at least `share` below the mean of the three before; never where that is 0."""
    months = _months(table, history)
    return _below(months[0], months[1:4].mean(axis=0), share)


def _below(now: Float64, before: Float64, share: float) -> Flags:
    # Histories are float32: a fall of exactly `share` counts. Nothing is no fall from nothing.
    return np.asarray((before > 0.0) & (now <= (1.0 - share) * before * (1.0 + 1e-6)))


def _months(table: Observed, history: str) -> Float64:
    """Return a history, (6, n), the last month first."""
    return np.stack([table.lag(history, month=table.month, months_ago=ago) for ago in range(1, 7)]).astype(np.float64)


@dataclass(frozen=True)
class RuleWorth:
    """How well a rule finds those who leave.

    Attributes
    ----------
    share_flagged
        Of all, at the base rate.
    recall
        Share of those who leave that is flagged.
    precision
        Share of the flagged that leaves.
    lift
        Precision over the base rate; NaN if nobody is flagged.
    lift_se
        Standard error of the lift (delta method); NaN if it is not known.
    """

    share_flagged: float
    recall: float
    precision: float
    lift: float
    lift_se: float


def evaluate_rule(
    flagged: npt.ArrayLike,
    left: npt.ArrayLike,
    *,
    base_rate: float | None = None,
    weight: npt.ArrayLike | None = None,
) -> RuleWorth:
    """Return what a rule is worth among rows that left or stayed.

    With R the share flagged of those who left and F of those who stayed, at base rate b: precision =
    b R / (b R + (1 - b) F), lift = precision / b. R and F do not depend on how many churners were sampled, so
    any base rate can be asked for.

    Parameters
    ----------
    flagged
        (n,) bool.
    left
        (n,) 1 left, 0 stayed; or the chance to leave, 0 to 1: the worth is then the expected one.
    base_rate
        Share that leaves of the population that the rule is for; None: that of the rows.
    weight
        (n,) how much a row counts; None: all the same.

    >>> worth = evaluate_rule([True, True, False, False, False], [1, 0, 1, 0, 0], base_rate=0.02)
    >>> round(worth.recall, 2), round(worth.precision, 4), round(worth.lift, 2)
    (0.5, 0.0297, 1.49)
    """
    found = rule_recall(flagged, left, weight=weight)
    base = found.base_rate if base_rate is None else base_rate
    return _worth(found, base)


def _worth(found: Recall, base: float) -> RuleWorth:
    share = base * found.of_left + (1.0 - base) * found.of_stayed
    if not share > 0.0:
        return RuleWorth(share, found.of_left, np.nan, np.nan, np.nan)
    lift = found.of_left / share
    # d log lift / dR = 1/R - b/share, d log lift / dF = -(1 - b)/share
    slope_left = (1.0 - base * lift) / share
    slope_stayed = -(1.0 - base) * lift / share
    variance = (slope_left * found.of_left_se) ** 2 + (slope_stayed * found.of_stayed_se) ** 2
    return RuleWorth(share, found.of_left, base * lift, lift, float(np.sqrt(variance)))
