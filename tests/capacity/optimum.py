"""Exact values of a single-agent list by dynamic programming over sets of orders, for many lists at once.

Orders take exponential times and are lost, while they wait, after exponential times; nothing is lost in service
and no order is given up for another. With S the waiting orders and i in service,

    W(i, S) = (mu_i (v_i + V(S)) + sum_{j in S} theta_j W(i, S - j)) / (mu_i + sum_{j in S} theta_j)
    V(S) = max over i in S of W(i, S - i)        or, for a priority order, its first i in S

Sets are bit masks; a part of a set has a smaller number, so counting up meets every term after its parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lists:
    """Lists of n orders: arrays (lists, n) of values, service rates and loss rates per hour."""

    value: np.ndarray
    mu: np.ndarray
    theta: np.ndarray


def optimal_value(lists: Lists) -> np.ndarray:
    """Return (lists,) the most that any rule, however it looks at what is left, can expect to earn."""
    return _value(lists, None)


def value_of_order(lists: Lists, rank: np.ndarray) -> np.ndarray:
    """Return (lists,) the expected earnings of working by a fixed index (lists, n), the larger first."""
    return _value(lists, rank)


def _value(lists: Lists, rank: np.ndarray | None) -> np.ndarray:
    count, n = lists.value.shape
    waiting = np.zeros((1 << n, count))
    serving = np.zeros((n, 1 << n, count))
    for orders in range(1 << n):
        here = [i for i in range(n) if orders >> i & 1]
        if here:
            options = np.array([serving[i, orders ^ 1 << i] for i in here])
            chosen = options if rank is None else rank[:, here].T
            waiting[orders] = np.take_along_axis(options, chosen.argmax(0)[None], axis=0)[0]
        for i in range(n):
            if i not in here:
                earned = lists.mu[:, i] * (lists.value[:, i] + waiting[orders])
                lost = sum(lists.theta[:, j] * serving[i, orders ^ 1 << j] for j in here)
                serving[i, orders] = (earned + lost) / (lists.mu[:, i] + lists.theta[:, here].sum(1))
    return waiting[-1]
