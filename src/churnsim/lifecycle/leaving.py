"""The driver of leaving: competing causes, each with its own clock, and what may happen within the month."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from churnsim.core.compiled import njit
from churnsim.core.draws import Key, counter, stream
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Float64, Ids, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.drivers.win_back import WinBack
from churnsim.lifecycle.hazards import (
    fire,
    fire_in_pieces,
    survive,
    survive_again,
    survive_again_in_pieces,
    survive_in_pieces,
)
from churnsim.lifecycle.incidence import incidence

Int8 = npt.NDArray[np.int8]

NO_ROWS, NO_CODES = np.zeros(0, np.int64), np.zeros((1, 0), np.int8)
# What is carried of those who came back and of those who may.
RETURNED = ("returned_prob", "returned_next_prob", "away_mass", "leaving_mass")
RECALLED = ("recalled", "recalled_prob")

# Is told the probability to resolve to leave this month by each cause, (causes, n), the clocks integrated out.
Watch: TypeAlias = Callable[[Block, Float64], None]


@dataclass(frozen=True)
class _Pieces:
    """The changing rows of a block: when their hazards change, and the hazards between the changes.

    `rows` (m,), `times` (changes, m), `hazards` (1 + changes, causes, m); `codes` (1 + changes, m) of the offer in
    effect, if it matters who comes back.
    """

    rows: Ids
    times: Float64
    hazards: Float32
    codes: Int8


class _Gathered(dict[str, Array]):
    """Columns of a block at some rows, gathered when they are first looked at."""

    def __init__(self, block: Block, rows: Ids, names: tuple[str, ...], known: dict[str, Array]) -> None:
        super().__init__(known)
        self.block, self.rows, self.names = block, rows, names

    def __missing__(self, name: str) -> Array:
        if name not in self.names:
            raise KeyError(name)
        self[name] = self.block[name].take(self.rows, axis=-1)
        return self[name]


def _gathered(block: Block, rows: Ids, names: tuple[str, ...], known: dict[str, Array]) -> Block:
    some = Block(block.schema, block.ids[rows], {}, month=block.month, arm=block.arm)
    some.columns = _Gathered(block, rows, names, known)
    return some


@njit
def _in_order(n: int, changes: int, row: Ids, time: Float64, of: Ids) -> tuple[Ids, Ids, Ids, int]:
    """Sort the hits of `n` rows by row, then time, then registration of their change.

    Returns the order; by hit in that order its batch, those of one batch being of one change, those of one row in
    ascending batches; where each row's hits start, and the end; and the most hits of a row.
    """
    hits = row.shape[0]
    start, count = np.zeros(n + 1, np.int64), np.zeros(n, np.int64)
    order, batch = np.empty(hits, np.int64), np.empty(hits, np.int64)
    for i in range(hits):
        start[row[i] + 1] += 1
    met, most = 0, 0
    for j in range(n):
        met += start[j + 1] > 0
        most = max(most, start[j + 1])
        start[j + 1] += start[j]
    for i in range(hits):
        j = row[i]
        place = start[j] + count[j]
        count[j] += 1
        while place > start[j] and time[order[place - 1]] > time[i]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i
    first = np.empty(met + 1, np.int64)
    first[met] = hits
    met, before = 0, -1
    for i in range(hits):
        k = of[order[i]]
        if i == start[row[order[i]]]:
            first[met] = i
            met += 1
            batch[i] = k
        else:
            # Changes come in the order of registration, then again: most rows are done after one round.
            batch[i] = before - before % changes + k + (0 if k > before % changes else changes)
        before = batch[i]
    return order, batch, first, most


@njit
def _carry(row: Ids, wrote: Array, values: Array) -> None:
    """Let what earlier hits of a row left stand at the later ones of changes that do not write it."""
    for i in range(1, values.shape[0]):
        if row[i] == row[i - 1] and not wrote[i]:
            values[i] = values[i - 1]


@njit
def _lay_out_codes(first: Ids, before: Int8, after: Int8, codes: Int8) -> None:
    """Fill codes (1 + changes, m) from lists, row j's from `first[j]` on."""
    for j in range(codes.shape[1]):
        codes[0, j] = before[first[j]]
        for r in range(codes.shape[0] - 1):
            here = first[j] + r < first[j + 1]
            codes[r + 1, j] = after[first[j] + r] if here else codes[r, j]


@njit
def _lay_out(first: Ids, time: Float64, start: Float32, then: Float32, times: Float64, between: Float32) -> None:
    """Fill times (changes, m) and hazards (1 + changes, causes, m) from lists, row j's from `first[j]` on."""
    for k in range(start.shape[0]):
        for j in range(start.shape[1]):
            between[0, k, j] = start[k, j]
            for r in range(times.shape[0]):
                here = first[j] + r < first[j + 1]
                between[r + 1, k, j] = then[k, first[j] + r] if here else between[r, k, j]
                if k == 0 and here:
                    times[r, j] = time[first[j] + r]


class Leaving:
    """Who resolves to leave when and why, and the probabilities with the clocks integrated out.

    Parameters
    ----------
    drivers
        All drivers of the month: their causes compete, and their changes happen within the month.
    notice_months
        From the decision to the end of service.
    names
        Names in the order of their codes in column `cause`, from 1; other causes follow in the order of the drivers.
    watch
        Called every month for every block, if given.
    win_back
        Who may come back; None: nobody. Its driver is then one of `drivers`.
    """

    def __init__(self, drivers: Sequence[Driver], *, notice_months: float, names: Sequence[str] = (),
                 watch: Watch | None = None, win_back: WinBack | None = None) -> None:
        self.notice = notice_months
        self.win_back = win_back
        self.watch = watch
        self.sources = tuple(driver for driver in drivers if driver.hazards is not None)
        self.causes = tuple(cause for driver in self.sources for cause in driver.causes)
        self.names = tuple(dict.fromkeys((*names, *self.causes)))
        self.codes = np.array([0, *(1 + self.names.index(cause) for cause in self.causes)], np.int8)
        self.changes = tuple(change for driver in drivers for change in driver.changes)
        self.clocks = tuple(stream(f"lifecycle.clock.{cause}") for cause in self.causes)
        self.numbers = np.array([clock.number for clock in self.clocks], np.int64)
        offer = () if win_back is None else ("offer_code", "offer_left_months")
        self.reads = tuple(dict.fromkeys(
            ("join_month", *(name for driver in self.sources for name in driver.reads), *offer)))
        self.factors = np.zeros((0, 0)) if win_back is None else win_back.factors(self.causes)

    def driver(self) -> Driver:
        """Return the driver."""
        own = () if self.win_back is None else (*RETURNED, *RECALLED, "return_factor")
        return Driver(
            "leaving", self.step, reads=("decision_time", *self.reads, *own, *(("spell",) if own else ())),
            writes=("decision_time", "departure_time", "cause", "undecided", "undecided_prob", "hazard",
                    "cumulated_hazard", "active_next_prob", *own), owns="win_back",
            streams=self.clocks, hosts=self.changes, after=tuple(driver.name for driver in self.sources),
            start=self.start)

    def start(self, block: Block) -> None:
        """Whoever decided before the run has no future, but to come back; who came back is in no first spell."""
        start = block.month.number
        block["lost"] = block["departure_time"] <= start
        block["cumulated_hazard"] = np.where(block["decision_time"] < start, np.inf, 0.0)
        block["active_next_prob"] = block["departure_time"] > start
        if self.win_back is not None:
            block["cumulated_hazard"][block["spell"] > 0] = np.inf
            self.win_back.start(block)

    def step(self, block: Block, month: Month, draws: Draws) -> None:
        """Let a month's clocks run; with `month.realise` false, only the probabilities pass."""
        hazards = self._hazards(block)
        pieces = self._pieces(block, month, draws, hazards)
        moment = np.zeros(len(pieces.rows))
        if block.treatment is not None and month.first:
            decisive = block.treatment.decisive()
            asked = np.zeros(len(block))
            asked[block.treatment.row[decisive]] = block.treatment.time[decisive]
            moment = asked[pieces.rows]
            if self.win_back is not None:
                self.win_back.recall(block)
        self._probabilities(block, month, hazards, pieces, moment)
        if month.realise:
            self._decide(block, month, draws.key, hazards, pieces)
        block["undecided"] = block["decision_time"] > month.number
        block["undecided"][pieces.rows] = block["decision_time"][pieces.rows] > month.number + moment
        if block.treatment is not None and month.first:
            lost = block.treatment.row[block["lost"][block.treatment.row]]
            block["undecided"][lost] = block["undecided_prob"][lost] = block["accepted"][lost] > 0

    def _hazards(self, block: Block) -> Float32:
        parts = []
        for driver in self.sources:
            assert driver.hazards is not None
            part = driver.hazards(block)
            if part.shape != (wanted := (len(driver.causes), len(block))):
                raise ValueError(f"driver {driver.name!r}: hazards must have shape (causes, subscribers), {wanted} "
                                 f"(got {part.shape})")
            parts.append(part)
        hazards = np.concatenate(parts)  # a copy in any case: a driver may return its own column
        absent = np.flatnonzero(block["join_month"] > block.month.number)
        hazards[:, absent] = 0.0
        return hazards

    def _pieces(self, block: Block, month: Month, draws: Draws, hazards: Float32) -> _Pieces:
        """Let the changes of the month happen in the order of time, and weigh the causes after each."""
        found = [(change, *change.when(block, month, draws)) for change in self.changes]
        found = [(change, row, time) for change, row, time in found if len(row)]
        if not found:
            return _Pieces(NO_ROWS, np.ones((0, 0)), np.empty((1, len(self.causes), 0), np.float32), NO_CODES)
        changes = [change for change, _, _ in found]
        lengths = [len(row) for _, row, _ in found]
        row = np.concatenate([row for _, row, _ in found])
        time = np.concatenate([time for _, _, time in found])
        of = np.repeat(np.arange(len(found)), lengths)
        order, batch, first, most = _in_order(len(block), len(found), row, time, of)
        hit = np.concatenate([np.arange(length) for length in lengths])[order]
        row, time, of = row[order], time[order], of[order]
        written = frozenset(name for change in changes for name in change.writes if name in self.reads)
        before = _gathered(block, row, self.reads, {name: block[name].take(row, axis=-1) for name in written})
        after = _gathered(block, row, self.reads, {name: before[name].copy() for name in written})
        for now in np.flatnonzero(np.bincount(batch)):
            mine, change = np.flatnonzero(batch == now), changes[now % len(changes)]
            change.act(block, row[mine], hit[mine], month, draws)
            for name in written.intersection(change.writes):
                after[name][..., mine] = block[name].take(row[mine], axis=-1)
        for name in written:
            wrote = np.array([name in change.writes for change in changes])
            for values in np.atleast_2d(after[name]):
                _carry(row, wrote[of], values)
        then = self._updated(before, after, hazards.take(row, axis=1), written)
        rows = row[first[:-1]]
        times = np.ones((most, len(rows)))
        between = np.empty((1 + most, len(self.causes), len(rows)), np.float32)
        _lay_out(first, time, hazards.take(rows, axis=1), then, times, between)
        codes = NO_CODES
        if self.win_back is not None:
            codes = np.empty((1 + most, len(rows)), np.int8)
            _lay_out_codes(first, _in_effect(before), _in_effect(after), codes)
        return _Pieces(rows, times, between, codes)

    def _updated(self, before: Block, after: Block, hazards: Float32, written: frozenset[str]) -> Float32:
        """Return the hazards after each change, (causes, changes), from those of the month's start."""
        joined = after["join_month"] <= after.month.number
        at = 0
        for driver in self.sources:
            own = slice(at, at := at + len(driver.causes))
            if written.isdisjoint(driver.reads):
                continue
            if driver.update is not None:
                hazards[own] = driver.update(before, after, hazards[own], written)
            else:
                assert driver.hazards is not None
                hazards[own] = driver.hazards(after) * joined
        return hazards

    def _probabilities(self, block: Block, month: Month, hazards: Float32, pieces: _Pieces, moment: Float64
                       ) -> None:
        rows = pieces.rows
        if self.watch is not None:
            self.watch(block, incidence(block["cumulated_hazard"], hazards, rows=rows, times=pieces.times,
                                        pieces=pieces.hazards))
        cumulated = block["cumulated_hazard"][rows]
        again = {name: block[name][rows] for name in RETURNED} if self.win_back is not None else {}
        first = np.exp(-cumulated)
        survive(hazards, self.notice, block["cumulated_hazard"], block["undecided_prob"],
                block["active_next_prob"], block["hazard"])
        if self.win_back is not None:
            survive_again(hazards, self.factors, np.flatnonzero(block["offer_left_months"] > 0), block["offer_code"],
                          self.notice, self.win_back.settings.hazard_factor,
                          block["cumulated_hazard"], block["hazard"], block["undecided_prob"],
                          block["active_next_prob"], *(block[name] for name in RETURNED))
        undecided, active = np.empty(len(rows)), np.empty(len(rows))
        total = np.empty(len(rows), np.float32)
        survive_in_pieces(pieces.times, pieces.hazards, self.notice, moment, cumulated, undecided, active, total)
        if self.win_back is not None:
            survive_again_in_pieces(pieces.times, pieces.hazards, self.factors, pieces.codes, self.notice,
                                    self.win_back.settings.hazard_factor, moment, first, undecided, active,
                                    *again.values())
        for name, values in (("cumulated_hazard", cumulated), ("undecided_prob", undecided),
                             ("active_next_prob", active), ("hazard", total), *again.items()):
            block[name][rows] = values

    def _decide(self, block: Block, month: Month, key: Key, hazards: Float32, pieces: _Pieces) -> None:
        n, rows, parts = len(block), pieces.rows, pieces.hazards
        if self.win_back is not None and (factor := np.float32(self.win_back.settings.hazard_factor)) != 1.0:
            back = block["spell"] > 0
            hazards[:, np.flatnonzero(back)] *= factor
            parts[..., np.flatnonzero(back[rows])] *= factor
        time, winner = np.empty(n), np.empty(n, np.int8)
        at = counter(month.number)
        fire(block.ids, at, self.numbers, key.low, key.high, hazards, time, winner)
        late, cause = np.empty(len(rows)), np.empty(len(rows), np.int8)
        fire_in_pieces(block.ids[rows], at, self.numbers, key.low, key.high, pieces.times, parts, late, cause)
        time[rows], winner[rows] = late, cause
        leaves = np.flatnonzero(winner)
        leaves = leaves[block["decision_time"][leaves] == np.inf]
        block["decision_time"][leaves] = month.number + time[leaves]
        block["departure_time"][leaves] = month.number + time[leaves] + self.notice
        block["cause"][leaves] = self.codes[winner[leaves]]
        if self.win_back is not None:
            in_effect = _in_effect(block)
            piece = (pieces.times < late).sum(axis=0)
            in_effect[rows] = pieces.codes[piece, np.arange(len(rows))]
            block["return_factor"][leaves] = self.factors[in_effect[leaves], winner[leaves] - 1]


def _in_effect(block: Block) -> Int8:
    """Return the code of the offer in effect, 0 without one, (n,) int8."""
    return np.where(block["offer_left_months"] > 0, block["offer_code"], np.int8(0))
