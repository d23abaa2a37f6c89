"""Metrics as lines: what is measured, of whom, in which unit."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd


class Line(NamedTuple):
    """One metric: `by` says what kind of group it is of ("all", "team", ...), `group` which one."""

    metric: str
    by: str
    group: str
    value: float
    unit: str


def ratio(part: float, whole: float) -> float:
    """Return part / whole, 0 where there is nothing to divide by.

    >>> ratio(1, 4), ratio(0, 0)
    (0.25, 0.0)
    """
    return float(part) / float(whole) if whole else 0.0


def lines_frame(lines: list[Line]) -> pd.DataFrame:
    """Return the lines as a table: metric, by, group, value, unit."""
    return pd.DataFrame(lines, columns=list(Line._fields)).astype({"value": "float64"})
