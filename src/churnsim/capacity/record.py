"""What an engine leaves of a month: its attempts and how each order stands, as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churnsim.capacity.floor import Floats, Ints


@dataclass(frozen=True)
class Record:
    """Attempts (k,) in any order, and orders (n,).

    Attributes
    ----------
    is_call
        1: of a caller, 0: at an order.
    item
        Place of the order or call on the floor.
    attempt
        Number of the attempt, from 1: at the order, or of the caller.
    place
        Channel or stream.
    agent
        -1: none took part.
    since, start, answer, end
        Hours: when it became due (or the caller came), began, was answered (inf: was not) and ended.
    hours
        Between start and end, as they were drawn: the difference of two moments has lost digits.
    shift_end
        End of the agent's stretch at work; what is later is overtime.
    code
        See :data:`churnsim.capacity.floor.CODES`.
    state
        (n,) see :data:`churnsim.capacity.floor.STATES`.
    """

    is_call: Ints
    item: Ints
    attempt: Ints
    place: Ints
    agent: Ints
    since: Floats
    start: Floats
    answer: Floats
    end: Floats
    hours: Floats
    shift_end: Floats
    code: Ints
    state: Ints

    def __len__(self) -> int:
        return len(self.item)


def same_records(one: Record, other: Record) -> bool:
    """Return whether two engines left the same record, bit for bit and in the same order."""
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Record.__dataclass_fields__)
