"""From the best plan at given prices to whole subscribers within the limits, move by move.

A move gives a subscriber another arm, or none. Moves are taken where the priced loss is least: first for what a limit
is overdrawn by, then, with what is left, for value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.core.compiled import njit
from churnsim.policy.choices import Choices, Flags, Float64, Floats
from churnsim.policy.dual import FIRST_ARM, MONEY, VALUE, Arms, Int32, Rules, sums_of

Int64 = npt.NDArray[np.int64]

_MOST_PASSES = 50
# A plan that uses up a limit exactly must fit although its sum of thousands of uses is rounded.
SUM_ROUNDING = 1e-9


def repair(choices: Choices, arm: Arms, rules: Rules, *, weights: Float64, others: Float64) -> tuple[Arms, bool]:
    """Return a plan that keeps the rules, and whether it could be had.

    Parameters
    ----------
    choices
        Subscribers whose arms may change.
    arm
        (n,) the plan so far.
    rules
        What must be kept.
    weights
        (C,) what is best at the prices.
    others
        (C,) sums of the subscribers who keep their arms.
    """
    arm = arm.copy()
    most = rules.most + SUM_ROUNDING * np.abs(rules.most)
    for _ in range(_MOST_PASSES):
        room = most - rules.matrix @ _all_sums(choices, arm, others)
        if not (room < 0).any():
            break
        short = (room < 0) & rules.is_least
        # Who is missing in a segment comes first, whatever it overdraws: the next pass makes room for them.
        wanted = short if short.any() else room < 0
        unchecked = ~rules.is_least if short.any() else np.zeros(len(room), np.bool_)
        share = np.divide(1.0, np.maximum(np.abs(rules.most), -room), out=np.zeros(len(room)), where=wanted)
        if not _pass(choices, arm, rules, weights, share @ rules.matrix, room=room, unchecked=unchecked, wanted=wanted):
            return arm, False
    else:
        return arm, False
    gain = np.zeros(len(weights))
    gain[VALUE] = -1.0
    nothing = np.zeros(len(most), np.bool_)
    for _ in range(_MOST_PASSES):
        room = np.maximum(most - rules.matrix @ _all_sums(choices, arm, others), 0.0)
        if not _pass(choices, arm, rules, weights, gain, room=room, unchecked=nothing, wanted=nothing):
            break
    return arm, True


def _all_sums(choices: Choices, arm: Arms, others: Float64) -> Float64:
    return np.asarray(sums_of(choices, arm, len(others)).sum(axis=0) + others, dtype=np.float64)


def _pass(choices: Choices, arm: Arms, rules: Rules, weights: Float64, purpose: Float64, *, room: Float64,
          unchecked: Flags, wanted: Flags) -> int:
    """Take each subscriber's best move that fits, the least loss for its purpose first; return how many."""
    tables = choices.values, choices.costs, choices.effort, choices.segment
    to, ratio = np.empty(len(arm), np.int16), np.empty(len(arm))
    _find_moves(*tables, choices.may, arm, rules.matrix, weights, purpose, room, unchecked, to, ratio)
    found = np.flatnonzero(ratio < np.inf)
    order = found[np.argsort(ratio[found], kind="stable")]
    return int(_take_moves(*tables, arm, rules.matrix, order, to, room, unchecked, wanted))


@njit
def _column(n_columns: int, n_arms: int, segment: Int32, i: int) -> int:
    first = FIRST_ARM + n_arms
    return int(first + segment[i if len(segment) > 1 else 0] % (n_columns - first))


@njit
def _worth(values: Floats, costs: Floats, effort: Floats, i: int, a: int, s: int, weights: Float64) -> float:
    """Weighted sums of a subscriber with an arm, 0 if left alone."""
    if a < 0:
        return 0.0
    cost = costs[i if len(costs) > 1 else 0, a]
    work = effort[i if len(effort) > 1 else 0, a]
    return float(weights[VALUE] * values[i, a] + weights[MONEY] * cost + weights[FIRST_ARM + a] * work + weights[s])


@njit
def _change(costs: Floats, effort: Floats, i: int, old: int, new: int, s: int, rule: Float64) -> float:
    """What a move adds to the left-hand side of a rule."""
    change = 0.0
    if new >= 0:
        change += rule[MONEY] * costs[i if len(costs) > 1 else 0, new] + rule[s]
        change += rule[FIRST_ARM + new] * effort[i if len(effort) > 1 else 0, new]
    if old >= 0:
        change -= rule[MONEY] * costs[i if len(costs) > 1 else 0, old] + rule[s]
        change -= rule[FIRST_ARM + old] * effort[i if len(effort) > 1 else 0, old]
    return change


@njit
def _fits(costs: Floats, effort: Floats, i: int, old: int, new: int, s: int, matrix: Float64, room: Float64,
          unchecked: Flags) -> bool:
    """Whether no rule is broken by a move, and none that is broken gets worse."""
    for j in range(len(room)):
        if not unchecked[j] and _change(costs, effort, i, old, new, s, matrix[j]) > max(room[j], 0.0):
            return False
    return True


@njit
def _find_moves(values: Floats, costs: Floats, effort: Floats, segment: Int32, may: Flags, arm: Arms, matrix: Float64,
                weights: Float64, purpose: Float64, room: Float64, unchecked: Flags, to: Arms, ratio: Float64) -> None:
    """Best move of each subscriber: the least loss for each unit of purpose; an infinite ratio is none."""
    n, n_arms = values.shape
    for i in range(n):
        s, old = _column(len(weights), n_arms, segment, i), arm[i]
        priced, used = (_worth(values, costs, effort, i, old, s, weights),
                        _worth(values, costs, effort, i, old, s, purpose))
        to[i], ratio[i] = old, np.inf
        for new in range(-1, n_arms):
            if new == old or (new >= 0 and not may[i, new]):
                continue
            relief = used - _worth(values, costs, effort, i, new, s, purpose)
            if relief <= 0.0:
                continue
            loss = (priced - _worth(values, costs, effort, i, new, s, weights)) / relief
            if loss < ratio[i] and _fits(costs, effort, i, old, new, s, matrix, room, unchecked):
                to[i], ratio[i] = new, loss


@njit
def _take_moves(values: Floats, costs: Floats, effort: Floats, segment: Int32, arm: Arms, matrix: Float64,
                order: Int64, to: Arms, room: Float64, unchecked: Flags, wanted: Flags) -> int:
    """Take moves in order if they fit and still help: until no wanted rule is broken, or all if none is wanted."""
    taken, repairs = 0, wanted.any()
    for i in order:
        s, old, new = _column(matrix.shape[1], values.shape[1], segment, i), arm[i], to[i]
        broken, helps = False, not repairs
        for j in range(len(room)):
            if wanted[j] and room[j] < 0.0:
                broken = True
                helps = helps or _change(costs, effort, i, old, new, s, matrix[j]) < 0.0
        if repairs and not broken:
            break
        if helps and _fits(costs, effort, i, old, new, s, matrix, room, unchecked):
            for j in range(len(room)):
                room[j] -= _change(costs, effort, i, old, new, s, matrix[j])
            arm[i] = new
            taken += 1
    return taken
