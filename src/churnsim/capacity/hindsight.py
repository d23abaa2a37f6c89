"""What only time or the simulator tells about orders; dispatch never sees it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import DataError

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hindsight:
    """What is known afterwards of n orders, in the order of their list; None: not known.

    Attributes
    ----------
    decision_hours
        (n,) when the subscriber decides to leave, on the centre's clock; infinite: never. Who is reached at that
        moment or later is reached too late.
    accepted, saved
        (n,) whether the subscriber accepted the offer, and stayed because of it.
    """

    decision_hours: npt.NDArray[np.float64] | None = None
    accepted: Flags | None = None
    saved: Flags | None = None

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Hindsight:
        """Return what the columns of these names tell, those that a table of orders has.

        Raises
        ------
        DataError
            A decision is no number, or a flag neither true nor false.
        """
        found: dict[str, Any] = {}
        for each in fields(cls):
            if each.name not in frame.columns:
                continue
            values = frame[each.name]
            if each.name == "decision_hours":
                numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
                wrong, what = np.isnan(numbers), "is no number; give an hour on the centre's clock, inf for never"
                found[each.name] = numbers
            else:
                wrong, what = ~values.isin([True, False]).to_numpy(), "is neither true nor false; correct the cell"
                found[each.name] = values.isin([True]).to_numpy()
            for row in np.flatnonzero(wrong)[:1]:
                raise DataError(f"orders: column {each.name!r}, row {row}: {values.tolist()[row]!r} {what}")
        return cls(**found)
