"""Rows with what is observed of them and who left: the operator's own, or simulated ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from churnsim.core.draws import make_key, stream, uniform
from churnsim.evaluation.tenure_churn import reweighted_rate
from churnsim.signals.observe import Observed, features
from churnsim.signals.rules import RULES

Float64 = npt.NDArray[np.float64]

SHUFFLE = stream("calibration.shuffle")
FLAGGED = ("usage_fell_20", "usage_fell_50", "usage_fell_80", "bill_fell_20")
PLAIN = ("tenure_months", "contract_length_months", "payment", "customer_type", "plan_price_amount", "lines")


@dataclass(frozen=True)
class Sample:
    """Rows as columns of numbers, and their outcome.

    Attributes
    ----------
    columns
        Name -> (n,) float64: some observed columns; ``rule.NAME``, 1 where a rule flags the row; ``feature.NAME``;
        ``score``, a churn model's chance to leave; ``table_score``, that of a model fitted on the table's outcomes.
    left
        (n,) 1 left, 0 stayed; or the chance to leave in the outcome's months.
    weight
        (n,) how much a row counts.
    monthly_rate
        Share that leaves of the population that the rows stand for.
    outcome_share
        Share of the sampled rows that left, where churners were sampled more often; None: rates are the
        population's.
    """

    columns: Mapping[str, Float64]
    left: Float64
    weight: Float64
    monthly_rate: float
    outcome_share: float | None = None

    def __len__(self) -> int:
        return len(self.left)

    def rate(self, share: float) -> float:
        """Return the population's rate behind a share of leavers among some rows."""
        if self.outcome_share is None:
            return share
        return float(reweighted_rate(share, table_share=self.outcome_share, monthly_rate=self.monthly_rate))


def with_columns(sample: Sample, **columns: Float64) -> Sample:
    """Return a sample with more columns."""
    return replace(sample, columns={**sample.columns, **columns})


def observed_columns(table: Observed, *, with_features: Collection[str] = ()) -> dict[str, Float64]:
    """Return what moments are made of, from an operator's table; of its features the named ones only."""
    columns = {name: table[name].astype(np.float64) for name in PLAIN}
    columns |= {f"rule.{name}": RULES[name](table).astype(np.float64) for name in FLAGGED}
    if with_features:
        frame = features(table)
        columns |= {f"feature.{name}": frame[name].to_numpy(np.float64) for name in with_features}
    return columns


def known_features(table: Observed, mapped: Collection[str]) -> tuple[str, ...]:
    """Return the features that follow from mapped columns alone and differ between rows.

    A feature does if it stays the same when all other columns are dealt out among the rows anew.
    """
    key = make_key(seed=0, replicate=0, purpose="calibration")
    order = np.argsort(uniform(key, SHUFFLE, table.ids), kind="stable")
    other = Observed(table.copy(), table.month)
    for name in other.schema:
        if name not in mapped:
            other[name] = table[name][..., order]
    before, after = features(table), features(other)
    return tuple(str(name) for name in before if before[name].equals(after[name]) and before[name].nunique() > 1)


def joined(parts: Sequence[Sample]) -> Sample:
    """Return the rows of several samples of one population."""
    first = parts[0]
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns}
    return Sample(columns, np.concatenate([part.left for part in parts]),
                  np.concatenate([part.weight for part in parts]), first.monthly_rate, first.outcome_share)
