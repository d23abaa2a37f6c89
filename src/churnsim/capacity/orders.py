"""Work orders: whom to contact on which channel, with what, how urgently and until when."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import DataError

Column = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
PLAN_STEP = ">"

# Columns that a list may leave out, and what stands in their place.
DEFAULTS: dict[str, object] = {
    "skill": "", "priority": 0.0, "loss_rate_monthly": 0.02, "max_attempts": 0, "consent": True, "accept_prob": np.nan}


@dataclass(frozen=True)
class Orders:
    """A list of orders, one array (n,) a field; checked when it is made.

    Attributes
    ----------
    order_id
        int64, unique; breaks ties between equal orders.
    subscriber
        int64, non-negative; several orders may share one.
    channel
        str, names of channels; "call>sms": the second when the first is exhausted or the number is wrong. Messages
        may stand first or last in such a plan.
    offer
        Any; copied to the log.
    value
        float; the order of work under dispatch "value", the largest first.
    answer_habit
        float, non-negative; multiplies the channel's probability of an answer (live) or a reading (batch).
    release_hours, deadline_hours
        float, hours on the centre's clock (720 x month + 24 x day of the month + hour); no attempt begins
        before the one or after the other. A deadline may be infinite.
    skill
        str, what the agent must have beside the channel; "" (as if left out): nothing.
    priority
        float; the order of work under dispatch "priority", the largest first. Left out: 0.
    loss_rate_monthly
        float, non-negative; how fast the chance to keep the subscriber passes, as the operator predicts it: after t
        months the share ``1 - exp(-rate t)`` is lost. Left out: 0.02 [assumption].
    max_attempts
        int, at least 0; attempts on the order on each channel. 0 (as if left out): as many as the channel allows.
    consent
        bool; false: nobody is contacted. Left out: true.
    accept_prob
        float in [0, 1] or NaN; probability that who is reached accepts the offer, for the log's dispositions only:
        dispatch does not see it. Left out: NaN, the log does not say.

    Raises
    ------
    DataError
        A column of another length, a duplicate id, NaN, a negative habit or id, a deadline before the
        release.
    """

    order_id: npt.NDArray[np.int64]
    subscriber: npt.NDArray[np.int64]
    channel: npt.NDArray[np.str_]
    offer: Column
    value: npt.NDArray[np.float64]
    answer_habit: npt.NDArray[np.float64]
    release_hours: npt.NDArray[np.float64]
    deadline_hours: npt.NDArray[np.float64]
    skill: npt.NDArray[np.str_] = field(default_factory=partial(np.full, 1, DEFAULTS["skill"]))
    priority: npt.NDArray[np.float64] = field(default_factory=partial(np.full, 1, DEFAULTS["priority"]))
    loss_rate_monthly: npt.NDArray[np.float64] = field(
        default_factory=partial(np.full, 1, DEFAULTS["loss_rate_monthly"]))
    max_attempts: npt.NDArray[np.int64] = field(default_factory=partial(np.full, 1, DEFAULTS["max_attempts"]))
    consent: Flags = field(default_factory=partial(np.full, 1, DEFAULTS["consent"]))
    accept_prob: npt.NDArray[np.float64] = field(default_factory=partial(np.full, 1, DEFAULTS["accept_prob"]))

    def __post_init__(self) -> None:
        for name in DEFAULTS:
            if len(getattr(self, name)) == 1 != len(self.order_id):
                object.__setattr__(self, name, np.repeat(getattr(self, name), len(self.order_id)))
        for column in fields(self):
            length = len(getattr(self, column.name))
            if length != len(self.order_id):
                raise DataError(f"orders: column {column.name!r} has {length} rows, order_id has "
                                f"{len(self.order_id)}; give one value an order")
        first = pd.Series(self.order_id).duplicated().to_numpy()
        _refuse(self, "order_id", first, lambda: "occurs twice; give every order an id of its own")
        for name in ("order_id", "subscriber"):
            _refuse(self, name, getattr(self, name) < 0, lambda: "is negative; ids count from 0")
        for name in ("value", "release_hours", "priority"):
            _refuse(self, name, ~np.isfinite(getattr(self, name)), lambda: "is not finite; give a number")
        _refuse(self, "answer_habit", ~(np.isfinite(self.answer_habit) & (self.answer_habit >= 0)),
                lambda: "is no finite number of 0 or more; 1 is an average subscriber")
        _refuse(self, "loss_rate_monthly", ~(np.isfinite(self.loss_rate_monthly) & (self.loss_rate_monthly >= 0)),
                lambda: "is no finite number of 0 or more; give the predicted rate of loss a month")
        _refuse(self, "max_attempts", self.max_attempts < 0, lambda: "is negative; 0 is the channel's own number")
        _refuse(self, "accept_prob", (self.accept_prob < 0) | (self.accept_prob > 1),
                lambda: "is no probability; give a number from 0 to 1, or leave the column out")
        _refuse(self, "deadline_hours", np.isnan(self.deadline_hours),
                lambda: "is no number; write inf for none")
        _refuse(self, "deadline_hours", self.deadline_hours < self.release_hours,
                lambda: "lies before release_hours; set the deadline at the release or later")

    def __len__(self) -> int:
        return len(self.order_id)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Orders:
        """Return the orders of a table with one column a field; those after `deadline_hours` may be left out.

        Further columns are ignored.

        Raises
        ------
        DataError
            A column is absent or of the wrong type, a cell is empty, or as for the class.
        """
        columns: dict[str, Column] = {}
        for each in fields(cls):
            if each.name in frame.columns:
                columns[each.name] = _column(frame[each.name], each.name)
            elif each.name not in DEFAULTS:
                raise DataError(f"orders: column {each.name!r} is absent; the table has "
                                f"{', '.join(map(str, frame.columns)) or 'no columns'}")
        return cls(**columns)


def require_channels(orders: Orders, known: Collection[str]) -> None:
    """Raise DataError at the first order on a channel that is not among `known`."""
    plans = np.unique(orders.channel).tolist()
    unknown = [plan for plan in plans if not all(name in known for name in plan_steps(plan))]
    _refuse(orders, "channel", np.isin(orders.channel, unknown),
            lambda: f"is no channel; known are {', '.join(known) or 'none'}")


def plan_steps(plan: str) -> tuple[str, ...]:
    """Return the channels of a plan such as "call>sms" in their order."""
    return tuple(name.strip() for name in plan.split(PLAN_STEP))


def _column(values: pd.Series, name: str) -> Column:
    missing = np.flatnonzero(values.isna().to_numpy())
    if len(missing) and name != "accept_prob":
        raise DataError(f"orders: column {name!r}, row {missing[0]}: the cell is empty; "
                        "fill it or drop the row")
    if name == "offer":
        return values.to_numpy()
    if name in ("channel", "skill"):
        return values.to_numpy().astype(np.str_)
    if name == "consent":
        wrong = np.flatnonzero(~values.isin([True, False]).to_numpy())
        if len(wrong):
            raise DataError(f"orders: column {name!r}, row {wrong[0]}: {values.tolist()[wrong[0]]!r} is neither true "
                            "nor false; correct the cell")
        return values.to_numpy().astype(np.bool_)
    if pd.api.types.is_datetime64_any_dtype(values.dtype) or pd.api.types.is_timedelta64_dtype(values.dtype):
        # As numbers they would be nanoseconds.
        raise DataError(f"orders: column {name!r} has dates or durations ({values.dtype}); give numbers: for hours on "
                        "the centre's clock, put all dates into one time zone, then (date - start of month 0) / "
                        "pd.Timedelta(hours=1)")
    kind = np.int64 if name in ("order_id", "subscriber", "max_attempts") else np.float64
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.isnan(numbers) & values.notna().to_numpy()
    wrong = np.flatnonzero(bad | (numbers % 1 != 0) if kind is np.int64 else bad)
    if len(wrong):
        raise DataError(f"orders: column {name!r}, row {wrong[0]}: {values.tolist()[wrong[0]]!r} is no "
                        f"{'whole ' if kind is np.int64 else ''}number; correct the cell")
    return pd.to_numeric(values).to_numpy(dtype=kind)


def _refuse(orders: Orders, name: str, wrong: Flags, why: Callable[[], str]) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        row = int(rows[0])
        value = getattr(orders, name)[row].item()
        raise DataError(f"orders: column {name!r}, row {row} (order_id {orders.order_id[row]}): "
                        f"{value!r} {why()}")
