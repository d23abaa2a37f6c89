"""The table of a finished pilot or past campaign: what an operator would have of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

CONTROL = "control"

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Trial:
    """A pilot, one row a subscriber in the order of ids.

    Attributes
    ----------
    offers
        (K,) names of the offers tried, in config order.
    X
        (n, features) at assignment.
    assigned
        (n,) "control" or the name of the offer.
    propensity_by_arm
        (n, K + 1) chance of each arm, control first, 0 for an offer that is not for the row's kind of subscriber.
        None: a past campaign, of which nobody knows.
    eligible
        (n, K): who could be given each offer. Who was assigned an offer without being eligible got no contact
        and tells nothing about it.
    reached, accepted
        (n,): contacted; took the offer.
    planned_reach
        (n,): the chance of contact that the operator planned with.
    stayed
        (n,): active when the outcome months ended, if away in between or not.
    left_early
        (n,): left within the churn model's horizon, coming back or not.
    margin_months
        (n,): months active within the outcome months, discounted.
    margin_amount
        (n,): monthly margin at assignment.
    net_margin_amount
        (n,): revenue less cost to serve less offer cost within the outcome months, as billed, discounted.
    margin_after_amount
        (n,): monthly margin by the last bills of the outcome months, before retention discounts.
    offer_cost_after_amount
        (n,): planned cost of the accepted offer that falls due after the outcome months, if the subscriber stays.
    offer_cost_amount
        (n, K): planned cost of each offer on acceptance.
    contact_cost_amount
        (n,): planned cost of contact through the pilot's channel.
    lost
        (n,): had left, as far as the operator knew; None: nobody.
    for_lost
        Names of the offers to those, assigned to nobody else.
    holdout
        (n,): rows that nothing is learned from; None: none.
    reached_only
        True: of those who were to get an offer, the table holds only those who were reached.
    """

    offers: tuple[str, ...]
    X: pd.DataFrame
    assigned: npt.NDArray[np.str_]
    propensity_by_arm: Float64 | None
    eligible: Flags
    reached: Flags
    accepted: Flags
    planned_reach: Float64
    stayed: Flags
    left_early: Flags
    margin_months: Float64
    margin_amount: Float64
    net_margin_amount: Float64
    margin_after_amount: Float64
    offer_cost_after_amount: Float64
    offer_cost_amount: Float64
    contact_cost_amount: Float64
    lost: Flags | None = None
    for_lost: tuple[str, ...] = ()
    holdout: Flags | None = None
    reached_only: bool = False

    @property
    def here(self) -> Flags:
        """Whether each was on the network, as far as the operator knew."""
        return np.ones(len(self.X), bool) if self.lost is None else ~self.lost

    def take(self, rows: Rows) -> Trial:
        """Return the trial of the rows at positions `rows`."""
        columns: dict[str, Any] = {f.name: getattr(self, f.name)[rows] for f in fields(self)
                                   if isinstance(getattr(self, f.name), np.ndarray)}
        return replace(self, X=self.X.iloc[rows], **columns)

    @staticmethod
    def concat(trials: Sequence[Trial]) -> Trial:
        """Return the rows of several trials of the same offers, in order; what one lacks, all together lack."""
        columns: dict[str, Any] = {"X": pd.concat([trial.X for trial in trials])}
        for name in (f.name for f in fields(Trial)):
            values = [getattr(trial, name) for trial in trials]
            if any(isinstance(value, np.ndarray) for value in values):
                columns[name] = None if any(value is None for value in values) else np.concatenate(values)
        return replace(trials[0], **columns)

    def to_learn_from(self) -> Trial:
        """Return the trial without the holdout."""
        return self if self.holdout is None else self.take(np.flatnonzero(~self.holdout))

    def rows_for(self, offer: str) -> Rows:
        """Return the rows that tell about an offer: eligible for it, and assigned to it or to control."""
        k = self.offers.index(offer)
        return np.flatnonzero(self.eligible[:, k] & ((self.assigned == offer) | (self.assigned == CONTROL)))

    def propensity(self, offer: str) -> dict[str, float | Float64] | None:
        """Return the chances of control and the offer among :meth:`rows_for`: a number if all rows share it.

        None if nobody knows them.
        """
        if self.propensity_by_arm is None:
            return None
        rows, k = self.rows_for(offer), self.offers.index(offer) + 1
        chances = self.propensity_by_arm[rows][:, [0, k]]
        if len(chances) and (chances == chances[0]).all():
            chances = chances[0]
        control, own = chances[..., 0], chances[..., 1]
        total = control + own
        return {CONTROL: _plain(control / total), offer: _plain(own / total)}

    def frame(self) -> pd.DataFrame:
        """Return the table as one, indexed by id: what was done, what came of it, then the features ("x.").

        Columns: ``assigned``; ``propensity.ARM`` for every arm, if known; ``eligible.OFFER`` and
        ``offer_cost_amount.OFFER``; the fields of one value a row by their names.
        """
        columns: dict[str, Any] = {"assigned": self.assigned}
        if self.propensity_by_arm is not None:
            columns |= {f"propensity.{arm}": self.propensity_by_arm[:, k]
                        for k, arm in enumerate((CONTROL, *self.offers))}
        for name in ("eligible", "offer_cost_amount"):
            columns |= {f"{name}.{offer}": getattr(self, name)[:, k] for k, offer in enumerate(self.offers)}
        columns |= {f.name: getattr(self, f.name) for f in fields(self)
                    if f.name not in columns and getattr(getattr(self, f.name), "ndim", 0) == 1}
        columns |= {f"x.{name}": self.X[name].to_numpy() for name in self.X}
        return pd.DataFrame(columns, index=self.X.index)


def _plain(values: Float64) -> float | Float64:
    return float(values) if np.ndim(values) == 0 else np.asarray(values)
