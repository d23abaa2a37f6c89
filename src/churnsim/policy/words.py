"""What a decision tree may ask of a subscriber, in words that can be read aloud, on grids of round numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.policy.plan import Plan

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# Values are cut to a grid of so many units, so that what the tree asks is what the words say.
PROB_STEP = 0.001
WHOLE = 1.0
TENTH = 0.1
ROUND = (10_000, 5_000, 1_000, 500, 100, 50, 10, 5, 1)
_ROUNDING = 1e-9
TABLE_WORDS: Mapping[str, tuple[str, float, str]] = {
    "tenure_months": ("tenure", WHOLE, "months"),
    "contract_left_months": ("contract left", WHOLE, "months"),
    "bill_amount": ("last bill", WHOLE, "{currency}"),
    "usage_gb": ("data used last month", WHOLE, "GB"),
    "complaint_stock": ("recent complaints", TENTH, ""),
}
"""Column of the plan's table -> what it is called, its step and unit."""


@dataclass(frozen=True)
class Question:
    """Something that a tree may ask.

    Attributes
    ----------
    name
        What is measured; of a yes-or-no question, the word for yes.
    code
        (n,) answers as multiples of `step`, cut off; 0 and 1 of a yes-or-no question.
    step
        What one unit of the code is, in `unit`.
    unit
        Of the numbers in words: "%" or another.
    no
        The word for no; empty for a number.
    """

    name: str
    code: Int64
    step: float = 1.0
    unit: str = ""
    no: str = ""

    def cut(self, threshold: float) -> int:
        """Return the roundest code that parts those up to a threshold from those above it."""
        low, high = self.code[self.code <= threshold].max(), self.code[self.code > threshold].min()
        cuts = (int(high // unit * unit) for unit in ROUND)
        return next(cut for cut in cuts if cut > low)

    def words(self, low: int | None, high: int | None) -> str:
        """Return the condition low <= code < high in words; None is no bound."""
        if self.no:
            return self.name if low is not None else self.no
        if low is None or high is None:
            return f"{self.name} below {self._number(high)}" if low is None else (
                f"{self.name} at least {self._number(low)}")
        return f"{self.name} from {self._number(low)} to below {self._number(high)}"

    def _number(self, code: int | None) -> str:
        value = (code or 0) * self.step
        if self.unit == "%":
            return f"{100.0 * value:.1f} %"
        digits = 0 if self.step >= WHOLE else 1
        return f"{value:,.{digits}f} {self.unit}".rstrip()


def questions(plan: Plan, *, currency: str) -> list[Question]:
    """Return what a manager can be asked about each subscriber of a plan."""
    return [
        _measured("risk of leaving", plan.risk, PROB_STEP, "%"),
        _measured("monthly margin", plan.margin, WHOLE, currency),
        *(_measured(name, plan.table[column], step, unit.format(currency=currency))
          for column, (name, step, unit) in TABLE_WORDS.items() if column in plan.table),
        *(Question(f"flagged by {name}", flags.astype(np.int64), no=f"not flagged by {name}")
          for name, flags in plan.flags.items()),
        *_of_arms(plan),
    ]


def _of_arms(plan: Plan) -> Iterator[Question]:
    """Yield a question a channel, an offer and an arm: will it reach them, will they take it, may they have it."""
    for channel in dict.fromkeys(arm.channel for arm in plan.arms):
        k = next(k for k, arm in enumerate(plan.arms) if arm.channel == channel)
        yield _measured(f"chance to be reached by {channel}", plan.reach[:, k], PROB_STEP, "%")
    for offer in dict.fromkeys(arm.offer for arm in plan.arms):
        k = next(k for k, arm in enumerate(plan.arms) if arm.offer == offer)
        yield _measured(f"chance to take {plan.arms[k].name}", plan.accept[:, k], PROB_STEP, "%")
    for k, arm in enumerate(plan.arms):
        yield Question(f"may have {arm.name}", plan.allowed[:, k].astype(np.int64), no=f"may not have {arm.name}")


def _measured(name: str, values: Float64, step: float, unit: str) -> Question:
    return Question(name, np.floor(values / step + _ROUNDING).astype(np.int64), step, unit)
