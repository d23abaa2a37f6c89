"""The event log: what happened to whom, and when."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from churnsim.core.clock import DAYS_PER_MONTH
from churnsim.lifecycle.block import Array, Block, Float64
from churnsim.lifecycle.record import NONE, Labels, coded

EVENTS = ("joined", "returned", "complaint", "cheaper_plan", "downgraded", "substituted", "porting_request", "contact",
          "accepted", "decided", "left")
(JOINED, RETURNED, COMPLAINT, CHEAPER_PLAN, DOWNGRADED, SUBSTITUTED, PORTING_REQUEST, CONTACT, ACCEPTED, DECIDED,
 LEFT) = range(len(EVENTS))


class Events:
    """The event log of a run of everybody in one arm; give :meth:`observe` to the engine."""

    def __init__(self) -> None:
        self._parts: list[tuple[Array, Float64, Array, Array]] = []

    def observe(self, block: Block) -> None:
        """Collect one month of one block: what happens to a subscriber after leaving is not told."""
        month = block.month.number
        decision, departure = block["decision_time"], block["departure_time"]
        self._add(block, (block["join_month"] == month) & (month > 0), float(month), JOINED)
        self._add(block, block["active"] & block["returned"], float(month), RETURNED)
        self._add(block, block["active"] & block["complaint"], float(month), COMPLAINT)
        self._add(block, block["active"] & (block["porting_request"] == 1), float(month), PORTING_REQUEST)
        self._add(block, block["active"] & (block["substituted"] > 0) & (decision >= month), float(month), SUBSTITUTED,
                  block["substituted"])
        stays = (block["join_month"] <= month) & (departure > month + 1)
        self._add(block, stays & (block["plan_change"] < 0), float(month), CHEAPER_PLAN)
        self._add(block, stays & block["downgraded"], float(month), DOWNGRADED)
        if block.month.first and block.treatment is not None:
            t = block.treatment
            took = (t.accepted > 0) & block["undecided"][t.row]
            met = (month + t.time < departure[t.row]) | took
            for kind, some, detail in ((CONTACT, met, np.zeros_like(t.accepted)), (ACCEPTED, took, t.accepted)):
                self._parts.append((block.ids[t.row[some]], month + t.time[some],
                                    np.full(int(some.sum()), kind, np.int8), detail[some]))
        self._add(block, (decision >= month) & (decision < month + 1), decision, DECIDED, block["cause"])
        self._add(block, (departure > month) & (departure <= month + 1), departure, LEFT, block["cause"])

    def _add(self, block: Block, happens: Array, time: float | Float64, kind: int, detail: Array | None = None
             ) -> None:
        rows = np.flatnonzero(happens)
        if len(rows):
            when = np.full(len(rows), time) if isinstance(time, float) else time[rows]
            code = np.zeros(len(rows), np.int8) if detail is None else detail[rows]
            self._parts.append((block.ids[rows], when, np.full(len(rows), kind, np.int8), code))

    def table(self, labels: Labels) -> pa.Table:
        """Return one row an event, by subscriber and time.

        Columns: subscriber, month, day (in [0, 30)), event, offer (of an acceptance), cause (of a decision to
        leave and of the leaving, or for which a line was replaced). What is known by the month only has day 0.
        """
        empty = (np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int8), np.zeros(0, np.int8))
        ids, time, kind, code = (np.concatenate(parts) for parts in zip(empty, *self._parts, strict=True))
        order = np.lexsort((kind, time, ids))
        ids, time, kind, code = ids[order], time[order], kind[order], code[order]
        month = np.floor(time)
        offer = np.where(kind == ACCEPTED, code, 0)
        cause = np.where(np.isin(kind, (SUBSTITUTED, DECIDED, LEFT)), code, 0)
        return pa.table({
            "subscriber": ids, "month": month.astype(np.int16), "day": (time - month) * DAYS_PER_MONTH,
            "event": coded(kind, EVENTS), "offer": coded(offer, (NONE, *labels.offers)),
            "cause": coded(cause, (NONE, *labels.causes))})
