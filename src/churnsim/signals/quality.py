"""Missing, wild, late and repeated data, as an operator's systems have them, and how features clean them.

Everything here is drawn by (id, month), and nothing reaches the engine: only what the operator sees is spoilt.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import HISTORY_MONTHS, Subscribers
from churnsim.core.draws import Key, stream, uniform
from churnsim.signals.settings import DataQuality

Array = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]

MISSING = stream("signals.missing")
OUTLIER = stream("signals.outlier")
LATE = stream("signals.late")
DUPLICATE = stream("signals.duplicate")

HISTORIES = ("usage_gb", "voice_minutes", "bill_amount")
# Columns that may be missing, and what stands in a missing cell.
MAY_BE_MISSING = {"usage_scenario": 0, "locality": 0, "building_access": 0, "acquisition_channel": 0,
                  "device_age_months": 0, "app_logins": 0, "ticket_hours": 0, "nps": -1}
# A month above so many times the median of the row's own months with use counts as wild.
WILD_MEDIANS = 4.0


def spoil(table: Subscribers, *, month: int, settings: DataQuality, key: Key) -> dict[str, Flags]:
    """Make the table at the start of `month` as dirty as asked, in place.

    A late row shows each month's history in the place of the month after, and its oldest month twice.

    Returns
    -------
    dict
        Column -> whose cell is missing, (n,) bool. Such a cell holds 0 (in ``nps`` -1, as if never asked). Empty if
        no cell can be missing.
    """
    if settings.late_share > 0.0:
        late = uniform(key, LATE, table.ids, month=month) < settings.late_share
        for name in HISTORIES:
            for ago in range(1, HISTORY_MONTHS):
                older = table.lag(name, month=month, months_ago=ago + 1)
                np.copyto(table.lag(name, month=month, months_ago=ago), older, where=late)
    if settings.outlier_share > 0.0:
        for index, name in enumerate(HISTORIES):
            for ago in range(1, HISTORY_MONTHS + 1):
                u = uniform(key, OUTLIER, table.ids, month=month, index=index * HISTORY_MONTHS + ago)
                wild = u < settings.outlier_share
                table.lag(name, month=month, months_ago=ago)[wild] *= np.float32(settings.outlier_factor)
    if settings.missing_share == 0.0:
        return {}
    lacks = {name: uniform(key, MISSING, table.ids, month=month, index=index) < settings.missing_share
             for index, name in enumerate(MAY_BE_MISSING)}
    for name, cells in lacks.items():
        table[name][cells] = MAY_BE_MISSING[name]
    return lacks


def tame(history: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return six months, (6, n), with wild ones cut to 4 times the median of the row's months above 0.

    >>> tame(np.array([[1.0], [2.0], [3.0], [50.0], [0.0], [2.0]])).ravel().tolist()
    [1.0, 2.0, 3.0, 8.0, 0.0, 2.0]
    """
    ordered = np.sort(history, axis=0)
    empty = (history <= 0.0).sum(axis=0)
    last = len(history) - 1
    middle = np.stack([empty + (last - empty) // 2, empty + (last + 1 - empty) // 2])
    medians = np.take_along_axis(ordered, np.minimum(middle, last), axis=0).mean(axis=0)
    return np.asarray(np.minimum(history, WILD_MEDIANS * medians))


def repeated_rows(ids: npt.NDArray[np.int64], *, month: int, settings: DataQuality, key: Key
                  ) -> npt.NDArray[np.int64]:
    """Return the positions of an exported table's rows: all in order, some twice."""
    twice = uniform(key, DUPLICATE, ids, month=month) < settings.duplicate_share
    return np.repeat(np.arange(len(ids)), 1 + twice)
