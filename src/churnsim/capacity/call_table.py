"""Inbound calls read from a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churnsim.capacity.calls import ANONYMOUS, Calls, caller_handle_hours, patience_hours, require_streams
from churnsim.capacity.settings import CapacitySettings
from churnsim.core.draws import Key
from churnsim.errors import DataError

REQUIRED = ("call_id", "stream", "time_hours")


def calls_from_frame(frame: pd.DataFrame, capacity: CapacitySettings, *, key: Key, month: int) -> Calls:
    """Return the calls of a table with the columns of :class:`churnsim.capacity.calls.Calls`.

    Without `subscriber` callers are unknown; without `patience_hours` or `handle_hours` these are drawn from the laws
    of the stream. Further columns are ignored.

    Raises
    ------
    DataError
        A column is absent, a cell is no number or does not fit, or a stream is unknown.
    """
    for name in REQUIRED:
        if name not in frame.columns:
            raise DataError(f"calls: column {name!r} is absent; the table has "
                            f"{', '.join(map(str, frame.columns)) or 'no columns'}")
    ids = _numbers(frame, "call_id").astype(np.int64)
    streams = frame["stream"].to_numpy().astype(np.str_)
    unknown = np.full(len(frame), ANONYMOUS, np.int64)
    subscriber = _numbers(frame, "subscriber").astype(np.int64) if "subscriber" in frame.columns else unknown
    nothing = np.zeros(len(frame))
    calls = Calls(ids, streams, subscriber, _numbers(frame, "time_hours"), nothing, nothing)
    require_streams(calls, capacity.inbound)
    drawn = {"patience_hours": nothing.copy(), "handle_hours": nothing.copy()}
    for name, settings in capacity.inbound.items():
        mine = streams == name
        drawn["patience_hours"][mine] = patience_hours(name, settings, ids[mine], key=key, month=month)
        drawn["handle_hours"][mine] = caller_handle_hours(name, settings, ids[mine], key=key, month=month)
    given = {name: _numbers(frame, name) if name in frame.columns else values for name, values in drawn.items()}
    return Calls(ids, streams, subscriber, _numbers(frame, "time_hours"), **given)


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
    for row in np.flatnonzero(np.isnan(numbers))[:1]:
        raise DataError(f"calls: column {name!r}, row {row}: {frame[name].tolist()[row]!r} is no number; "
                        "correct the cell")
    return numbers
