"""The moments that a table and a simulation are compared by."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from churnsim.calibration.sample import Sample, with_columns
from churnsim.evaluation.tenure_churn import BAND_STARTS, BANDS
from churnsim.population.categories import CUSTOMER_TYPES, PAYMENTS
from churnsim.signals.accuracy import auc, auc_se, top_flags
from churnsim.signals.churn import cross_predicted
from churnsim.signals.rules import evaluate_rule

Where = Literal["rows", "lived"]
PERCENT, RATIO, AREA = "% a month", "ratio", "area"
LEAST_ROWS, LEAST_LEAVERS = 100, 10
FOLDS = 5


@dataclass(frozen=True)
class Estimate:
    """A moment's value and its standard error (0 where it is not asked for)."""

    value: float
    se: float


@dataclass(frozen=True)
class Moment:
    """One number that the table and the simulation both have.

    Attributes
    ----------
    name, unit
        As the report shows them.
    group
        What tunables name as the moments that tell them.
    needs
        Columns that the mapping must give.
    where
        "rows": the simulation starts from the table's rows and their histories and goes through the outcome's
        months. "lived": it first lives through some months, so that histories are the simulator's own.
    measure
        Its value in a sample.
    tolerance
        Difference that counts as none, in the moment's unit: the band is the wider of it and the table's 95 %
        interval.
    fitted
        False: it is only looked at before and after.
    """

    name: str
    unit: str
    group: str
    needs: tuple[str, ...]
    where: Where
    measure: Callable[[Sample], Estimate]
    tolerance: float = 0.0
    fitted: bool = True

    def lacking(self, mapped: Collection[str]) -> tuple[str, ...]:
        """Return the columns it needs that are not mapped."""
        return tuple(name for name in self.needs if name not in mapped)


class TooFewRows(Exception):
    """A moment cannot be taken from these rows; the text says why."""


def churn_where(column: str | None = None, low: float = 0.0, high: float = np.inf) -> Callable[[Sample], Estimate]:
    """Return the measure of monthly churn, in percent, where low <= column < high."""

    def measure(sample: Sample) -> Estimate:
        rows = np.ones(len(sample), bool) if column is None else (
            (sample.columns[column] >= low) & (sample.columns[column] < high))
        weight, left = sample.weight[rows], sample.left[rows]
        total, leavers = float(weight.sum()), float((weight * left).sum())
        if sample.outcome_share is not None:
            _require(int(rows.sum()), int(leavers))
        if total <= 0.0:
            return Estimate(np.nan, np.nan)
        share = leavers / total
        rate = sample.rate(share)
        # Odds are multiplied by a constant: d rate / d share = rate (1 - rate) / (share (1 - share)).
        spread = float(np.sqrt(share * (1.0 - share) * total))
        return Estimate(100.0 * rate, 100.0 * rate * (1.0 - rate) / spread if spread else np.nan)

    return measure


def share_flagged(rule: str) -> Callable[[Sample], Estimate]:
    """Return the measure of the share that a rule flags, in percent, of the population."""

    def measure(sample: Sample) -> Estimate:
        flagged = sample.columns[f"rule.{rule}"]
        worth = evaluate_rule(flagged, sample.left, base_rate=sample.monthly_rate, weight=sample.weight)
        share = worth.share_flagged
        return Estimate(100.0 * share, 100.0 * float(np.sqrt(share * (1.0 - share) / sample.weight.sum())))

    return measure


def lift_of(rule: str) -> Callable[[Sample], Estimate]:
    """Return the measure of a rule's lift at the population's base rate."""

    def measure(sample: Sample) -> Estimate:
        flagged = sample.columns[f"rule.{rule}"]
        if sample.outcome_share is not None:
            _require(int(flagged.sum()), int((flagged * sample.left).sum()))
        worth = evaluate_rule(flagged, sample.left, base_rate=sample.monthly_rate, weight=sample.weight)
        return Estimate(worth.lift, worth.lift_se)

    return measure


def model_area(sample: Sample) -> Estimate:
    """Return the area under the ROC curve of ``score``."""
    leavers = float(sample.left.sum())
    area = auc(sample.columns["score"], sample.left)
    return Estimate(area, auc_se(area, leavers=leavers, stayers=len(sample) - leavers))


def own_model_area(sample: Sample) -> Estimate:
    """Return the area under the ROC curve of ``table_score``, which stays the same while the outcomes move.

    A smooth stand-in for what a model fitted on simulated outcomes would find.
    """
    leavers = float(sample.left.sum())
    area = auc(sample.columns["table_score"], sample.left)
    return Estimate(area, auc_se(area, leavers=leavers, stayers=len(sample) - leavers))


def model_top(sample: Sample) -> Estimate:
    """Return the lift, at the base rate, among the tenth of the population that ``score`` puts first."""
    flags = top_flags(sample.columns["score"], sample.left, base_rate=sample.monthly_rate)
    worth = evaluate_rule(flags, sample.left, base_rate=sample.monthly_rate)
    return Estimate(worth.lift, worth.lift_se)


def with_score(sample: Sample) -> Sample:
    """Return a sample with ``score``: boosted trees on its features, each row predicted by trees that did not see it.

    Of a table and of outcomes that happened: `left` must be 0 or 1. Without features all scores are 0.
    """
    features = [values for name, values in sorted(sample.columns.items()) if name.startswith("feature.")]
    score = np.zeros(len(sample))
    if features:
        score = cross_predicted("lightgbm", np.column_stack(features), sample.left > 0.5, folds=FOLDS, seed=0)
    return with_columns(sample, score=score)


def _require(rows: int, leavers: int) -> None:
    if rows < LEAST_ROWS or leavers < LEAST_LEAVERS:
        raise TooFewRows(f"{rows} rows, {leavers} of which left; it takes {LEAST_ROWS} and {LEAST_LEAVERS}")


def _bands() -> tuple[Moment, ...]:
    ends = (*BAND_STARTS[1:], np.inf)
    return tuple(
        Moment(f"churn at {band} months in service", PERCENT, "first months" if low < 6 else "tenure",
               ("tenure_months",), "rows", churn_where("tenure_months", low, high))
        for band, low, high in zip(BANDS, BAND_STARTS, ends, strict=True))


def _categories() -> tuple[Moment, ...]:
    lengths = (("churn without a contract", 0, 1), ("churn in contracts up to 12 months", 1, 13),
               ("churn in longer contracts", 13, np.inf))
    found = [Moment(name, PERCENT, "contract", ("contract_length_months",), "rows",
                    churn_where("contract_length_months", low, high)) for name, low, high in lengths]
    for column, labels, group in (("payment", PAYMENTS, "payment"), ("customer_type", CUSTOMER_TYPES, "customer type")):
        found += [Moment(f"churn, {label}", PERCENT, group, (column,), "rows", churn_where(column, code, code + 1))
                  for code, label in enumerate(labels)]
    return tuple(found)


def _price_thirds() -> tuple[Moment, ...]:
    def third(which: int) -> Callable[[Sample], Estimate]:
        def measure(sample: Sample) -> Estimate:
            per_line = sample.columns["plan_price_amount"] / np.maximum(sample.columns["lines"], 1.0)
            low, high = np.quantile(per_line, [1 / 3, 2 / 3])
            place = np.where(per_line <= low, 0.0, np.where(per_line <= high, 1.0, 2.0))
            marked = Sample({"third": place}, sample.left, sample.weight, sample.monthly_rate, sample.outcome_share)
            return churn_where("third", which, which + 1)(marked)

        return measure

    return tuple(Moment(f"churn in the {name} third of fees a line", PERCENT, "price", ("plan_price_amount",), "rows",
                        third(which)) for which, name in ((0, "lowest"), (2, "highest")))


def _rules() -> tuple[Moment, ...]:
    usage = ("usage_gb",)
    falls = (("20", 0.05, 2.0), ("50", 0.1, 1.5), ("80", 0.2, 1.0))
    shares = [Moment(f"flagged by usage -{by} %, lived", "%", "share flagged", usage, "lived",
                     share_flagged(f"usage_fell_{by}"), tolerance=points) for by, _, points in falls]
    lifts = [Moment(f"lift of usage -{by} %{', lived' if where == 'lived' else ''}", RATIO, "usage", usage, where,
                    lift_of(f"usage_fell_{by}"), tolerance=tolerance)
             for where in ("rows", "lived") for by, tolerance, _ in falls]
    bill = Moment("lift of bill -20 %", RATIO, "bill", ("bill_amount",), "rows", lift_of("bill_fell_20"),
                  tolerance=0.05)
    return (*shares, *lifts, bill)


MOMENTS: tuple[Moment, ...] = (
    Moment("monthly churn", PERCENT, "level", (), "rows", churn_where()),
    *_bands(), *_categories(), *_price_thirds(), *_rules(),
    Moment("AUC of the table's own boosted trees", AREA, "model", (), "rows", own_model_area, tolerance=0.015),
    Moment("AUC of boosted trees", AREA, "model", (), "rows", model_area, tolerance=0.03, fitted=False),
    Moment("lift of their top tenth", RATIO, "model", (), "rows", model_top, tolerance=0.3, fitted=False),
)
"""The moments in the order of the report."""
