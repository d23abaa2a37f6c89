"""Allocation from tables to tables: arms and costs by name, the index kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.config.messages import did_you_mean
from churnsim.errors import ConfigError, DataError
from churnsim.policy.allocate import budget_path
from churnsim.policy.choices import NO_SEGMENT, Limits, Resource, Segment, choices
from churnsim.policy.prices import Prices, plan_by_prices, price_table

PerArm = Mapping[str, float] | pd.DataFrame


@dataclass(frozen=True)
class Team:
    """Staff of an allocation.

    Attributes
    ----------
    minutes
        Minutes of work it can do.
    arms
        Names of the arms whose minutes it gives.
    """

    minutes: float
    arms: Collection[str]


@dataclass(frozen=True)
class Allocated:
    """Who gets which arm.

    Attributes
    ----------
    arm
        The arm of each subscriber, missing for those left alone; the index of the values.
    value, spend
        Of the list, in the currency of the values.
    gap
        The best list of whole subscribers is worth at most `value + gap`.
    limits
        A row a limit: least, most, used, and `shadow_price_amount`, what one more unit of it would be worth.
    """

    arm: pd.Series
    value: float
    spend: float
    gap: float
    limits: pd.DataFrame


def allocate(values: pd.DataFrame, costs: PerArm, *, budget: float, minutes: PerArm | None = None,
             staff: Mapping[str, Team] | None = None, allowed: pd.DataFrame | None = None,
             segment: pd.Series | None = None, segments: Sequence[Segment] = ()) -> Allocated:
    """Return the best list under a budget, and under staff and segments if there are any.

    At most one arm a subscriber; leaving alone is worth 0 and costs 0. With a budget alone the list is the step of
    :func:`budget_steps` that the budget buys; else it comes from the limits' shadow prices (:func:`plan_by_prices`).

    Parameters
    ----------
    values
        (n, arms) value of giving each arm rather than leaving alone; may be negative.
    costs
        Planned cost of each arm: by name, or a table like `values`.
    budget
        Money, at least 0; may be infinite.
    minutes
        Expected staff minutes of each arm, the same way; None: none.
    staff
        Teams by name.
    allowed
        (n, arms) bool; None: all.
    segment, segments
        Name of each subscriber's segment, missing for none, and the segments with their least and most.

    Raises
    ------
    DataError
        Tables that do not fit together, a cost or arm that is unknown or missing, a value that is not a number, least
        numbers that cannot be had.
    ConfigError
        A budget or a team's minutes below 0.

    Examples
    --------
    >>> values = pd.DataFrame({"gift": [30, 40, 10], "device": [10, 50, 55]}, index=["ann", "bob", "cem"])
    >>> found = allocate(values, {"gift": 3, "device": 6}, budget=9)
    >>> found.arm.to_dict(), found.value, found.spend
    ({'ann': 'gift', 'bob': 'gift', 'cem': None}, 70.0, 6.0)
    """
    if not budget >= 0:
        raise ConfigError(f"budget: must be a number of at least 0 (got {budget})")
    numbers, cost = _numbers(values), _per_arm("costs", costs, values)
    may = None if allowed is None else _like("allowed", allowed, values).astype(bool)
    if not staff and not segments:
        found = budget_path(numbers, cost, allowed=may).at(budget)
        table = price_table(Limits(budget), Prices(found.shadow_price, np.zeros(0), np.zeros(0)), spend=found.spend)
        return Allocated(_names(found.arm, values), found.value, found.spend, found.gap, table)
    teams = staff or {}
    effort = None if minutes is None else _per_arm("minutes", minutes, values)
    if teams and effort is None:
        raise DataError("minutes: staff is given, but not what the arms take of it; give minutes by arm")
    limits = Limits(budget, tuple(_resource(name, team, values) for name, team in teams.items()), tuple(segments))
    codes = None if segment is None else _segment_codes(segment, segments, values)
    plan = plan_by_prices(choices(numbers, cost, effort=effort, allowed=may, segment=codes), limits)
    table = price_table(limits, plan.prices, spend=plan.spend, used=plan.used, listed=plan.listed)
    return Allocated(_names(plan.arm, values), plan.value, plan.spend, plan.gap, table)


def budget_steps(values: pd.DataFrame, costs: PerArm, *, allowed: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the best list of every budget at once: steps in order, the best value for money first.

    Parameters and errors as for :func:`allocate`.

    Returns
    -------
    pandas.DataFrame
        One row a step: `subscriber` (of the index), `arm` (replaces the subscriber's earlier one), `spend` and `value`
        of the list after it, `price` (value of the step a unit of money).

    Examples
    --------
    >>> values = pd.DataFrame({"gift": [30, 40, 10], "device": [10, 50, 55]}, index=["ann", "bob", "cem"])
    >>> budget_steps(values, {"gift": 3, "device": 6}).drop(columns="price")
      subscriber     arm  spend  value
    0        bob    gift    3.0   40.0
    1        ann    gift    6.0   70.0
    2        cem  device   12.0  125.0
    3        bob  device   15.0  135.0
    """
    may = None if allowed is None else _like("allowed", allowed, values).astype(bool)
    path = budget_path(_numbers(values), _per_arm("costs", costs, values), allowed=may)
    return pd.DataFrame({"subscriber": values.index[path.subscriber], "arm": values.columns[path.arm],
                         "spend": path.spend, "value": path.value, "price": path.price})


def _names(arm: npt.NDArray[Any], values: pd.DataFrame) -> pd.Series:
    names = np.array([*values.columns, None], dtype=object)
    return pd.Series(names[arm], index=values.index, name="arm", dtype=object)


def _numbers(values: pd.DataFrame) -> npt.NDArray[Any]:
    if not values.columns.is_unique:
        twice = values.columns[values.columns.duplicated()][0]
        raise DataError(f"values: arm {twice!r} stands there twice; name each once")
    for name in values.columns:
        if not pd.api.types.is_numeric_dtype(values[name].dtype):
            raise DataError(f"values: arm {name!r} is of type {values[name].dtype}; give numbers")
    return values.to_numpy()


def _per_arm(what: str, given: PerArm, values: pd.DataFrame) -> npt.NDArray[Any]:
    """Return numbers for each subscriber and arm, in the order of the values."""
    if isinstance(given, pd.DataFrame):
        return _like(what, given, values)
    _same_names(what, list(given), values)
    row = np.array([float(given[name]) for name in values.columns])
    return np.broadcast_to(row, values.shape)


def _like(what: str, given: pd.DataFrame, values: pd.DataFrame) -> npt.NDArray[Any]:
    _same_names(what, list(given.columns), values)
    if not given.index.equals(values.index):
        raise DataError(f"{what}: must have the index of the values; reindex it")
    return given[list(values.columns)].to_numpy()


def _same_names(what: str, names: Sequence[str], values: pd.DataFrame) -> None:
    arms = [str(name) for name in values.columns]
    for name in names:
        if name not in values.columns:
            raise DataError(f"{what}: no arm {name!r}; there are {', '.join(arms)}{did_you_mean(str(name), arms)}")
    absent = [name for name in values.columns if name not in names]
    if absent:
        raise DataError(f"{what}: nothing for arm {absent[0]!r}; give a number for each of {', '.join(arms)}")


def _resource(name: str, team: Team, values: pd.DataFrame) -> Resource:
    arms = [str(each) for each in values.columns]
    for arm in team.arms:
        if arm not in values.columns:
            raise DataError(f"staff {name}: no arm {arm!r}; there are {', '.join(arms)}{did_you_mean(arm, arms)}")
    return Resource(name, team.minutes, tuple(float(arm in team.arms) for arm in values.columns))


def _segment_codes(segment: pd.Series, segments: Sequence[Segment], values: pd.DataFrame) -> npt.NDArray[np.int32]:
    if not segment.index.equals(values.index):
        raise DataError("segment: must have the index of the values; reindex it")
    names = [each.name for each in segments]
    known = segment.dropna()
    unknown = known[~known.isin(names)]
    if len(unknown):
        raise DataError(f"segment: no segment {unknown.iloc[0]!r}; there are {', '.join(names)}")
    codes = segment.map({name: code for code, name in enumerate(names)})
    return np.asarray(codes.fillna(NO_SEGMENT), dtype=np.int32)
