"""What a run leaves behind: monthly summaries by group, events, a sampled panel, the state at the end.

Recorders are observers of the engine. Counts and cents are whole numbers and other sums are taken in millionths,
so that no result depends on blocks, threads or partitions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnsim.core.columns import HISTORY_MONTHS, Column, Subscribers
from churnsim.core.compiled import njit
from churnsim.core.draws import Key, stream, uniform
from churnsim.lifecycle.block import Array, Block, Float32, Float64
from churnsim.lifecycle.drivers.tenure import CHURNED, states_at
from churnsim.lifecycle.record_settings import GROUPS
from churnsim.population.categories import STATES
from churnsim.population.columns import SCHEMA

Int64 = npt.NDArray[np.int64]

NONE = "none"
PANEL = stream("record.panel")
MILLION = 1_000_000
MEASURES = ("subscribers", "expected_subscribers", "joined", "decided", "departed", "accepted", "complaints", "faults",
            "revenue_cents", "cost_to_serve_cents", "discount_cents")
EVENTS = ("joined", "complaint", "contact", "accepted", "decided", "left")
JOINED, COMPLAINT, CONTACT, ACCEPTED, DECIDED, LEFT = range(len(EVENTS))


@dataclass(frozen=True)
class Labels:
    """What the codes of an experiment mean.

    Attributes
    ----------
    offers, causes
        Names in code order, from code 1.
    """

    offers: tuple[str, ...]
    causes: tuple[str, ...]

    def of(self, column: Column) -> tuple[str, ...]:
        """Return the labels of a column's codes, empty if it has none."""
        named = {"offer_code": (NONE, *self.offers), "accepted": (NONE, *self.offers), "cause": (NONE, *self.causes)}
        return column.categories or named.get(column.name, ())


def state_table(base: Subscribers, *, month: int, labels: Labels, latent: bool,
                source_id: npt.NDArray[np.object_] | None = None) -> pa.Table:
    """Return a base at the start of `month` as a table, one row a subscriber, codes as dictionaries of labels.

    Parameters
    ----------
    latent
        True adds what only the simulator knows: traits, satisfaction, when and why a subscriber decides to leave.
    source_id
        (n,) ids of the operator's own, None for who has none; adds the column `source_id`.

    Returns
    -------
    pyarrow.Table
        `subscriber` (the id) and the columns of :data:`churnsim.population.columns.SCHEMA`. A history is six
        columns: ``usage_gb_lag1`` is the month before `month`. `state` is "churned" for those who have left, whose
        other values are what they would be had they stayed. `departure_time` and `decision_time` are in months
        since the start, null where it has not come to that; without `latent`, `departure_time` is null for those
        who have not left yet.
    """
    columns: dict[str, pa.Array] = {"subscriber": pa.array(base.ids)}
    if source_id is not None:
        columns["source_id"] = pa.array(source_id, pa.string())
    for column in SCHEMA.values():
        if latent or column.visibility == "observed":
            columns.update(_arrays(base, column, month, labels))
    if not latent:
        left = base["departure_time"]
        columns["departure_time"] = pa.array(left, mask=left > month)
    return pa.table(columns)


def _arrays(base: Subscribers, column: Column, month: int, labels: Labels) -> Iterator[tuple[str, pa.Array]]:
    name = column.name
    if column.history:
        for ago in range(1, HISTORY_MONTHS + 1):
            yield f"{name}_lag{ago}", pa.array(base.lag(name, month=month, months_ago=ago))
        return
    values = states_at(base, month=month) if name == "state" else base[name]
    if named := labels.of(column):
        yield name, coded(values, named)
    else:
        yield name, pa.array(values, mask=np.isinf(values) if values.dtype.kind == "f" else None)


def latent_part(table: pa.Table) -> pa.Table:
    """Return the latent columns of a table of states, beside its subscriber and month."""
    keys = [name for name in ("subscriber", "month") if name in table.column_names]
    return table.select([*keys, *(column.name for column in SCHEMA.values() if column.visibility == "latent")])


def coded(values: Array, labels: Sequence[str]) -> pa.DictionaryArray:
    """Return int8 codes as a dictionary array of their labels."""
    return pa.DictionaryArray.from_arrays(pa.array(np.asarray(values, np.int8)), pa.array(labels))


class Summary:
    """Monthly counts and money by group; give :meth:`observe` to the engine.

    Parameters
    ----------
    by
        Names of columns that hold codes and do not change over a subscriber's life.
    sizes
        How many codes each has.
    causes
        How many causes of leaving there are.
    start, months
        Calendar months covered.

    Attributes
    ----------
    totals
        (months, groups, measures + causes + states) int64: sums over subscribers, `expected_subscribers` in
        millionths; leavers of the month by cause; subscribers by state at the month's end, never joined left out.
    """

    def __init__(self, by: Sequence[str], sizes: Sequence[int], *, causes: int, start: int, months: int) -> None:
        self.by = tuple(by)
        self.sizes = tuple(sizes)
        self.causes = causes
        self.start = start
        groups = int(np.prod(self.sizes, dtype=np.int64))
        self.totals = np.zeros((months, groups, len(MEASURES) + causes + len(STATES)), np.int64)
        self._lock = threading.Lock()

    def observe(self, block: Block) -> None:
        """Add one month of one block."""
        group = np.zeros(len(block), np.int32)
        for name, size in zip(self.by, self.sizes, strict=True):
            group = group * np.int32(size) + block[name]
        month = block.month.number
        found = np.zeros(self.totals.shape[1:], np.int64)
        _count(group, month, block["join_month"], block["active"], block["active_prob"], block["decision_time"],
               block["departure_time"], block["cause"], block["state"], block["accepted"], block["undecided"],
               block["complaint"], block["fault"], block["revenue"], block["cost_to_serve"], block["discount"],
               block["billed"], len(MEASURES), len(MEASURES) + self.causes, found)
        with self._lock:
            self.totals[month - self.start] += found

    def table(self, labels: Labels, *, regions: int, expected_until: int | None = None) -> pa.Table:
        """Return the totals, one row a month and group that ever had a subscriber.

        `expected_subscribers` is a float, and null from month `expected_until` on; every other column is a whole
        number.
        """
        months = len(self.totals)
        used = np.flatnonzero(self.totals.any(axis=(0, 2)))
        totals = self.totals[:, used].reshape(months * len(used), self.totals.shape[2])
        columns: dict[str, pa.Array] = {"month": pa.array(np.repeat(np.arange(months) + self.start, len(used)))}
        codes = np.unravel_index(used, self.sizes) if self.sizes else ()
        for name, code in zip(self.by, codes, strict=True):
            named = SCHEMA[name].categories or tuple(str(k) for k in range(regions))
            columns[name] = coded(np.tile(code, months), named)
        names = (*MEASURES, *(f"left.{cause}" for cause in labels.causes), *(f"state.{state}" for state in STATES))
        for k, name in enumerate(names):
            values = totals[:, k]
            columns[name] = pa.array(values)
        columns["expected_subscribers"] = pa.array(
            totals[:, MEASURES.index("expected_subscribers")] / MILLION,
            mask=None if expected_until is None else columns["month"].to_numpy() >= expected_until)
        return pa.table(columns)


@njit
def _count(group: Array, month: int, join_month: Array, active: Array, active_prob: Float64, decision: Float64,
           departure: Float64, cause: Array, state: Array, accepted: Array, undecided: Array, complaint: Array,
           fault: Array, revenue: Float32, cost: Float32, discount: Float32, billed: Array, first_cause: int,
           first_state: int, out: Int64) -> None:
    for j in range(group.shape[0]):
        if join_month[j] > month:
            continue
        g = group[j]
        here = active[j]
        out[g, 1] += np.int64(np.rint(active_prob[j] * 1e6))
        out[g, 2] += month > 0 and join_month[j] == month
        if decision[j] >= month and decision[j] < month + 1:
            out[g, 3] += 1
            out[g, first_cause + cause[j] - 1] += 1
        out[g, 4] += departure[j] > month and departure[j] <= month + 1
        if here:
            out[g, 0] += 1
            out[g, 5] += accepted[j] > 0 and undecided[j]
            out[g, 6] += complaint[j]
            out[g, 7] += fault[j]
            out[g, 8] += np.int64(np.rint(np.float64(revenue[j]) * 100.0))
            out[g, 9] += np.int64(np.rint(np.float64(cost[j]) * 100.0))
            if billed[j]:
                out[g, 10] += np.int64(np.rint(np.float64(discount[j]) * 100.0))
        out[g, first_state + (CHURNED if departure[j] <= month + 1 else state[j])] += 1


class Events:
    """The event log of a run of everybody in one arm; give :meth:`observe` to the engine."""

    def __init__(self) -> None:
        self._parts: list[tuple[Array, Float64, Array, Array]] = []

    def observe(self, block: Block) -> None:
        """Collect one month of one block: what happens to a subscriber after leaving is not told."""
        month = block.month.number
        decision, departure = block["decision_time"], block["departure_time"]
        self._add(block, (block["join_month"] == month) & (month > 0), float(month), JOINED)
        self._add(block, block["active"] & block["complaint"], float(month), COMPLAINT)
        if block.month.first and block.treatment is not None:
            t = block.treatment
            met = month + t.time < departure[t.row]
            took = (t.accepted > 0) & block["undecided"][t.row]
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
        leave and of the leaving). What is known by the month only has day 0.
        """
        empty = (np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int8), np.zeros(0, np.int8))
        ids, time, kind, code = (np.concatenate(parts) for parts in zip(empty, *self._parts, strict=True))
        order = np.lexsort((kind, time, ids))
        ids, time, kind, code = ids[order], time[order], kind[order], code[order]
        month = np.floor(time)
        offer = np.where(kind == ACCEPTED, code, 0)
        cause = np.where(np.isin(kind, (DECIDED, LEFT)), code, 0)
        return pa.table({
            "subscriber": ids, "month": month.astype(np.int16), "day": (time - month) * 30.0,
            "event": coded(kind, EVENTS), "offer": coded(offer, (NONE, *labels.offers)),
            "cause": coded(cause, (NONE, *labels.causes))})


class Panel:
    """Every month of a sample of subscribers; give :meth:`observe` to the engine.

    Parameters
    ----------
    share
        Part of the subscribers, chosen by id: the same ones in every run of the same key.
    """

    COLUMNS = ("active", "revenue", "cost_to_serve", "discount", "complaint", "fault")

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
            names = tuple(SCHEMA)
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


def group_sizes(by: Sequence[str], *, regions: int) -> tuple[int, ...]:
    """Return how many codes each of the named columns has.

    Raises
    ------
    ValueError
        A column is none of those that hold codes and never change.
    """
    for name in by:
        if name not in GROUPS:
            raise ValueError(f"no group {name!r}; there are {', '.join(GROUPS)}")
    return tuple(len(SCHEMA[name].categories) or regions for name in by)
