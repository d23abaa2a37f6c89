"""Policies of the user's own: classes that an experiment file names as module:Class.

Nothing of such a class travels to workers, which load the file again.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.config.messages import did_you_mean
from churnsim.config.named_class import load_class
from churnsim.config.paths import KeyPath
from churnsim.core.draws import Key
from churnsim.errors import ConfigError, DataError
from churnsim.policy.allocate import LEFT_ALONE, SUM_ROUNDING
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.choices import Limits
from churnsim.policy.plan import NAMED, ROWS, Plan
from churnsim.policy.settings import Own, PolicySettings

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class OwnPolicy(Protocol):
    """A class that an experiment file may name as a policy; it is made with the entry's `settings` as keywords."""

    def choose(self, plan: Plan, *, limits: Limits, key: Key) -> Any:
        """Return who gets which arm.

        Parameters
        ----------
        plan
            Who may be given what, and what that is expected to come to; not to be written to.
        limits
            Budget, staff and segments. Budget and segments must be kept.
        key
            Of the world: for draws of :mod:`churnsim.core.draws`, the only ones that runs repeat.

        Returns
        -------
        Choice, array, Series or pair
            The arm of each row of the plan: its position in `plan.arms` or its name; -1 or None leaves alone. A pair
            adds priorities (n,): what an order is worth where the centre's dispatch asks for that. Without them it is
            the predicted risk. A :class:`~churnsim.policy.choice.Choice` adds a note and tables, which the
            results hold as own_<name>.
        """
        ...


def choose(settings: Own, given: Situation) -> Choice:
    """Let the user's class make the list, and refuse one that breaks the limits.

    Raises
    ------
    ConfigError
        The class cannot be had.
    DataError
        It fails, or what it returns is no list of this plan.
    """
    named, plan = settings.policy, given.plan
    policy = make_policy(settings, given.folder)
    try:
        found = policy.choose(_read_only(plan), limits=given.limits, key=given.key)
    except Exception as error:
        raise DataError(f"policy {named} failed ({_users_line(error, type(policy))}); correct the class") from error
    if isinstance(found, Choice):
        choice = found
    else:
        arms, priority = found if isinstance(found, tuple) and len(found) == 2 else (found, plan.risk)
        choice = Choice(arms, priority, 0.0)
    arm = _arms_of(choice.arm, plan, named)
    _check_kept(arm, given, named)
    rows = np.flatnonzero(arm >= 0)
    note = choice.note or ("" if len(rows) else f"{named} lists nobody")
    return replace(choice, arm=arm, priority=_priority_of(choice.priority, arm, plan, named), note=str(note),
                   planned_spend=float(plan.planned_cost[rows, arm[rows]].sum()), tables=_tables_of(choice, named))


def make_policy(settings: Own, folder: Path) -> OwnPolicy:
    """Return the object that an entry names, made with its settings.

    Raises
    ------
    ConfigError
        There is no such class, it has no method `choose`, or its settings are wrong.
    """
    wanted = load_class(settings.policy, folder, suits=_is_policy, must_be="is no policy: it must be a class with a "
                        "method `choose(plan, *, limits, key)`; see docs/policies.md")
    try:
        inspect.signature(wanted.choose).bind(None, None, limits=None, key=None)
    except TypeError as error:
        raise ConfigError(f"choose of {settings.policy} cannot be called so ({error}); define it as "
                          "choose(self, plan, *, limits, key)") from error
    try:
        made: OwnPolicy = wanted(**settings.settings)
    except Exception as error:
        raise ConfigError(f"{settings.policy} cannot be made ({_users_line(error, wanted)}); correct its settings or "
                          "the class") from error
    return made


def check_own(policies: Mapping[str, PolicySettings], folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield why policies of the user's own cannot be had, as (key path, message)."""
    for name, policy in policies.items():
        if isinstance(policy, Own):
            try:
                make_policy(policy, folder)
            except ConfigError as error:
                yield ("policies", name, "policy"), str(error)


def _is_policy(found: Any) -> bool:
    return isinstance(found, type) and callable(getattr(found, "choose", None))


def _users_line(error: Exception, policy: type[Any]) -> str:
    """Return what an error says, and the last line of the user's own file on the way to it, if there is one."""
    file = inspect.getfile(policy)
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    line = f", {Path(file).name} line {own[-1].lineno}: {own[-1].line}" if own else ""
    return f"{type(error).__name__}: {error}{line}"


def _read_only(plan: Plan) -> Plan:
    """Return the plan with arrays that refuse writing: a slip in the user's code must not change what is judged."""
    fields: dict[str, Any] = {name: _locked(getattr(plan, name)) for name in ROWS}
    named: dict[str, Any] = {name: {key: _locked(values) for key, values in getattr(plan, name).items()}
                             for name in NAMED}
    return replace(plan, **fields, **named)


def _locked(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = values.view()
    view.flags.writeable = False
    return view


def _column(values: Any, what: str, plan: Plan, named: str) -> npt.NDArray[Any]:
    """Return a column of the user's, one value a row of the plan."""
    n = len(plan.ids)
    labelled = isinstance(values, pd.Series) and not isinstance(values.index, pd.RangeIndex)
    if labelled and not np.array_equal(values.index, plan.ids):
        raise DataError(f"policy {named} returns {what} with an index that is not plan.ids; return "
                        "series.reindex(plan.ids), or an array in the order of the plan")
    found = np.asarray(values)
    if found.shape != (n,):
        raise DataError(f"policy {named} returns {what} of shape {found.shape}; return one for each of the {n:,} rows "
                        f"of the plan, ({n},)")
    return found


def _arms_of(values: Any, plan: Plan, named: str) -> Int64:
    """Return positions of arms given by position or name."""
    found = _column(values, "arms", plan, named)
    if found.dtype.kind in "OUT":
        codes, unique = pd.factorize(pd.Series(found, dtype=object))
        known = np.array([*(_position(value, plan, named) for value in unique), LEFT_ALONE], np.int64)
        return known[codes]
    if found.dtype.kind not in "iuf":
        raise DataError(f"policy {named} returns arms of dtype {found.dtype}; return positions in plan.arms, or names")
    alone = np.isnan(found) if found.dtype.kind == "f" else np.zeros(len(found), bool)
    arm = np.where(alone, LEFT_ALONE, found).astype(np.float64)
    wrong = (arm != np.floor(arm)) | (arm < LEFT_ALONE) | (arm >= len(plan.arms))
    if wrong.any():
        _position(found[wrong][0].item(), plan, named)
    return arm.astype(np.int64)


def _position(value: Any, plan: Plan, named: str) -> int:
    names = [arm.name for arm in plan.arms]
    if isinstance(value, str) and value in names:
        return names.index(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and LEFT_ALONE <= value < len(names):
        return int(value)
    hint = did_you_mean(value, names) if isinstance(value, str) else ""
    raise DataError(f"policy {named} returns the arm {value!r}, which is none of plan.arms: {', '.join(names)}, or "
                    f"positions 0 to {len(names) - 1}; -1 and None leave alone{hint}")


def _priority_of(values: Any, arm: Int64, plan: Plan, named: str) -> Float64:
    found = _column(values, "priorities", plan, named)
    if found.dtype.kind not in "biuf":
        raise DataError(f"policy {named} returns priorities of dtype {found.dtype}; return numbers")
    listed = arm >= 0
    wrong = np.flatnonzero(listed & ~np.isfinite(found))
    if len(wrong):
        raise DataError(f"policy {named} gives subscriber {plan.ids[wrong[0]]} the priority {found[wrong[0]]}, the "
                        f"first of {len(wrong):,}; give those with an arm finite numbers")
    return np.where(listed, found, 0.0).astype(np.float64)


def _check_kept(arm: Int64, given: Situation, named: str) -> None:
    """Refuse a list with somebody who may not have the arm, an overspent budget, or a segment not kept."""
    plan, limits = given.plan, given.limits
    rows = np.flatnonzero(arm >= 0)
    wrong = rows[~plan.allowed[rows, arm[rows]]]
    if len(wrong):
        raise DataError(f"policy {named} gives subscriber {plan.ids[wrong[0]]} the arm "
                        f"{plan.arms[arm[wrong[0]]].name!r}, which is not allowed, the first of {len(wrong):,}; give "
                        "an arm only where plan.allowed is True: eligible, contactable, not held out, not cooling off")
    spend = float(plan.planned_cost[rows, arm[rows]].sum())
    if spend > limits.budget * (1.0 + SUM_ROUNDING):
        raise DataError(f"policy {named} plans to spend {spend:,.2f} of a budget of {limits.budget:,.2f}; list fewer: "
                        "the sum of plan.planned_cost over the list must keep to limits.budget")
    for position, segment in enumerate(limits.segments):
        listed = int((plan.segment[rows] == position).sum())
        if not segment.least <= listed <= segment.most:
            bounds = f"at least {segment.least:,}" if listed < segment.least else f"at most {segment.most:,.0f}"
            raise DataError(f"policy {named} lists {listed:,} of segment {segment.name}, but {bounds} must be; "
                            f"plan.segment == {position} are its subscribers")


def _tables_of(choice: Choice, named: str) -> Mapping[str, pd.DataFrame]:
    """Return the tables under names that no other table of a result has."""
    for name, table in choice.tables.items():
        if not str(name).isidentifier():
            raise DataError(f"policy {named} returns a table named {name!r}; name it by one word")
        if not isinstance(table, pd.DataFrame):
            raise DataError(f"policy {named} returns a table {name!r} that is a {type(table).__name__}; return a "
                            "DataFrame")
    return {f"own_{name}": table for name, table in choice.tables.items()}
