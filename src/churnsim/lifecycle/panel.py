"""Every month of a sample of subscribers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from churnsim.core.draws import Key, stream, uniform
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.record import Labels, state_table

PANEL = stream("record.panel")


class Panel:
    """Every month of a sample of subscribers; give :meth:`observe` to the engine.

    Parameters
    ----------
    share
        Part of the subscribers, chosen by id: the same ones in every run of the same key.
    """

    COLUMNS = ("active", "returned", "revenue", "cost_to_serve", "discount", "complaint", "fault", "hotline",
               "shop_visit", "recharged", "plan_change", "downgraded", "value_fell", "lines_lost")

    def __init__(self, share: float, *, key: Key, labels: Labels, latent: bool) -> None:
        self.share = share
        self.key = key
        self.labels = labels
        self.latent = latent
        self._parts: list[tuple[int, int, pa.Table]] = []

    def observe(self, block: Block) -> None:
        """Keep the month of the sampled rows of a block."""
        month = block.month.number
        sampled = uniform(self.key, PANEL, block.ids) < self.share
        rows = np.flatnonzero(sampled & (block["join_month"] <= month))
        if len(rows):
            names = tuple(column.name for column in block.schema.stored)
            some = block.some(rows, (*names, *self.COLUMNS))
            table = state_table(some, month=month + 1, labels=self.labels, latent=self.latent)
            table = table.add_column(1, "month", pa.array(np.full(len(rows), month, np.int16)))
            for name in self.COLUMNS:
                table = table.append_column(name, pa.array(some[name]))
            self._parts.append((block.low, month, table))

    def table(self) -> pa.Table | None:
        """Return one row a sampled subscriber and month, by subscriber and month; None if nobody was sampled.

        The columns of :func:`state_table` as they stand when the month ends (``usage_gb_lag1`` is the month's
        own), and the month's money and troubles.
        """
        if not self._parts:
            return None
        whole = pa.concat_tables([table for _, _, table in self._parts]).unify_dictionaries()
        return whole.sort_by([("subscriber", "ascending"), ("month", "ascending")])
