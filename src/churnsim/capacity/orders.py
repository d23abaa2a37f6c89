"""Work orders: whom to contact on which channel, with what, how urgently and until when."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import DataError

Column = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]


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
        str, names of channels.
    offer
        Any; copied to the log.
    value
        float; the order of work under dispatch "value", the largest first.
    answer_habit
        float, non-negative; multiplies the channel's probability of an answer (live) or a reading (batch).
    release_hours, deadline_hours
        float, hours on the centre's clock (720 x month + 24 x day of the month + hour); no attempt begins
        before the one or after the other. A deadline may be infinite.

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

    def __post_init__(self) -> None:
        for field in fields(self):
            length = len(getattr(self, field.name))
            if length != len(self.order_id):
                raise DataError(f"orders: column {field.name!r} has {length} rows, order_id has "
                                f"{len(self.order_id)}; give one value an order")
        first = pd.Series(self.order_id).duplicated().to_numpy()
        _refuse(self, "order_id", first, lambda: "occurs twice; give every order an id of its own")
        for name in ("order_id", "subscriber"):
            _refuse(self, name, getattr(self, name) < 0, lambda: "is negative; ids count from 0")
        for name in ("value", "release_hours"):
            _refuse(self, name, ~np.isfinite(getattr(self, name)), lambda: "is not finite; give a number")
        _refuse(self, "answer_habit", ~(np.isfinite(self.answer_habit) & (self.answer_habit >= 0)),
                lambda: "is no finite number of 0 or more; 1 is an average subscriber")
        _refuse(self, "deadline_hours", np.isnan(self.deadline_hours),
                lambda: "is no number; write inf for none")
        _refuse(self, "deadline_hours", self.deadline_hours < self.release_hours,
                lambda: "lies before release_hours; set the deadline at the release or later")

    def __len__(self) -> int:
        return len(self.order_id)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Orders:
        """Return the orders of a table with one column a field; further columns are ignored.

        Raises
        ------
        DataError
            A column is absent or of the wrong type, a cell is empty, or as for the class.
        """
        columns: dict[str, Column] = {}
        for field in fields(cls):
            if field.name not in frame.columns:
                raise DataError(f"orders: column {field.name!r} is absent; the table has "
                                f"{', '.join(map(str, frame.columns)) or 'no columns'}")
            columns[field.name] = _column(frame[field.name], field.name)
        return cls(**columns)


def require_channels(orders: Orders, known: Collection[str]) -> None:
    """Raise DataError at the first order on a channel that is not among `known`."""
    names = np.unique(orders.channel)
    unknown = [name for name in names.tolist() if name not in known]
    _refuse(orders, "channel", np.isin(orders.channel, unknown),
            lambda: f"is no channel; known are {', '.join(known) or 'none'}")


def _column(values: pd.Series, name: str) -> Column:
    missing = np.flatnonzero(values.isna().to_numpy())
    if len(missing):
        raise DataError(f"orders: column {name!r}, row {missing[0]}: the cell is empty; "
                        "fill it or drop the row")
    if name == "offer":
        return values.to_numpy()
    if name == "channel":
        return values.to_numpy().astype(np.str_)
    kind = np.int64 if name in ("order_id", "subscriber") else np.float64
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(np.isnan(numbers) | (numbers % 1 != 0) if kind is np.int64 else np.isnan(numbers))
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
