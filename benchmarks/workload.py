"""The micro-workload that every engine of the benchmark runs: a base of subscribers through its months.

A month of a subscriber who has not left:

1. usage drifts: ``usage' = 0.95 usage + 1.0817 (u1 - 1/2)``;
2. a complaint comes with probability 0.03, at risk 0.08 (``u2`` decides); the memory of complaints fades by
   0.7 a month;
3. the subscriber decides to leave when ``u3 < 1 / (1 + exp(-x))``, with ``x`` linear in usage, complaint
   memory, tenure, price and contract months left;
4. the state moves: who decides to leave goes on notice while the contract runs and leaves at once without
   one; who was on notice leaves; new becomes active at three months of tenure; low usage or many complaints
   put an active subscriber at risk.

The columns take 16 bytes a subscriber. A month's summary counts the states at its end, complaints, leavers
and those present at its start. Who has left takes no further part, whatever its columns hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

MONTHS = 24


class Codes(NamedTuple):
    """The numbers that stand for the states."""

    new: Any
    active: Any
    at_risk: Any
    notice: Any
    churned: Any


STATES = Codes(0, 1, 2, 3, 4)
BYTES = Codes(*np.arange(5, dtype=np.uint8))
"""The same codes as bytes: arithmetic on them makes no 8-byte integers."""

SUMMARY = (*Codes._fields, "complaints", "leavers", "present")

USAGE_KEPT, USAGE_NOISE = 0.95, 1.0817
COMPLAINT_PROB, COMPLAINT_PROB_AT_RISK, COMPLAINT_KEPT = 0.03, 0.08, 0.7
INTERCEPT, BY_USAGE, BY_COMPLAINTS, BY_TENURE, BY_PRICE, BY_CONTRACT = -4.4, -0.30, 0.60, -0.010, 0.015, -0.06
NEW_MONTHS, LOW_USAGE, MANY_COMPLAINTS = 3, -1.0, 1.0

Columns = dict[str, npt.NDArray[Any]]
Uniforms = npt.NDArray[Any]
CHANGING = ("usage", "complaints", "tenure_months", "contract_months", "state")

_f = np.float32  # a float64 factor would widen every array it meets


def population(subscribers: int, *, seed: int = 7) -> Columns:
    """Return the columns of a base at month 0, independent over subscribers."""
    rng = np.random.default_rng(seed)
    tenure = rng.integers(0, 60, subscribers, dtype=np.int16)
    return {
        "usage": rng.standard_normal(subscribers, dtype=np.float32),
        "complaints": np.zeros(subscribers, np.float32),
        "price_amount": 10 + 50 * rng.random(subscribers, dtype=np.float32),
        "tenure_months": tenure,
        "contract_months": rng.integers(0, 12, subscribers, dtype=np.int8),
        "state": np.where(tenure < NEW_MONTHS, BYTES.new, BYTES.active),
    }


def advance(
    now: Columns, uniforms: Iterable[Uniforms], *, codes: Codes = STATES
) -> tuple[Columns, npt.NDArray[np.bool_]]:
    """Return the changing columns a month later, and who complained, for rows that have not left.

    `uniforms` are the draws ``u1, u2, u3``, each of one number a row.
    """
    u1, u2, u3 = uniforms
    state = now["state"]
    usage = _f(USAGE_KEPT) * now["usage"] + _f(USAGE_NOISE) * (u1 - _f(0.5))
    complains = u2 < np.where(state == codes.at_risk, _f(COMPLAINT_PROB_AT_RISK), _f(COMPLAINT_PROB))
    complaints = _f(COMPLAINT_KEPT) * now["complaints"] + complains
    logit = (
        _f(INTERCEPT)
        + _f(BY_USAGE) * usage
        + _f(BY_COMPLAINTS) * complaints
        + _f(BY_TENURE) * now["tenure_months"]
        + _f(BY_PRICE) * now["price_amount"]
        + _f(BY_CONTRACT) * now["contract_months"]
    )
    decides = u3 < 1 / (1 + np.exp(-logit))
    tenure = now["tenure_months"] + 1
    contract = np.maximum(now["contract_months"] - 1, 0)

    after = np.where((usage < LOW_USAGE) | (complaints > MANY_COMPLAINTS), codes.at_risk, codes.active)
    after = np.where(state == codes.new, np.where(tenure >= NEW_MONTHS, codes.active, codes.new), after)
    after = np.where(decides, np.where(contract > 0, codes.notice, codes.churned), after)
    after = np.where(state == codes.notice, codes.churned, after)
    changed = dict(zip(CHANGING, (usage, complaints, tenure, contract, after), strict=True))
    return changed, complains


def summary(staying: Sequence[int], *, complaints: int, present: int, subscribers: int) -> list[int]:
    """Return a month's summary from the counts of the four states before churned."""
    left = subscribers - int(sum(staying))
    return [*map(int, staying), left, int(complaints), int(present) - int(sum(staying)), int(present)]
