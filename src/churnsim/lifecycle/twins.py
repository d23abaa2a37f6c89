"""Subscribers and their twins under treatments: the base once, and only the touched ids again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.errors import ConfigError
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.engine import BLOCK, Engine, Observer
from churnsim.lifecycle.treatment import Treatment

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Twin:
    """The touched subscribers of one treatment.

    Attributes
    ----------
    rows
        (m,) positions in the base, ascending: everybody with a contact, or a ticket of the treatment's.
    base
        They, as the treatment left them.
    """

    rows: Rows
    base: Subscribers


def run_twins(engine: Engine, base: Subscribers, treatments: Sequence[Treatment], *, start: int, months: int,
              observe: Observer | None = None, observe_twin: Callable[[int, Rows, Block], None] | None = None,
              realise: bool = True, block: int = BLOCK, threads: int = 1) -> list[Twin]:
    """Let months pass for a base, untreated, and for those whom each treatment touches.

    Every draw is a function of the subscriber, so a twin lives exactly as it would in a run of everybody; what
    is not touched is the base. Costs about 1 + the sum of the touched shares times a run of the base.

    Parameters
    ----------
    base
        Changed in place, as by a run without treatment.
    treatments
        Contacts and tickets of month `start`, rows being those of `base`; a subscriber may be touched by several.
    observe
        Called for the base as by :meth:`Engine.run`.
    observe_twin
        ``observe_twin(k, rows, block)`` is called for the twins of treatment `k`, `rows` being their positions in
        the base.

    Returns
    -------
    list
        A twin a treatment.

    Raises
    ------
    ConfigError
        A driver of the engine couples subscribers.
    """
    if engine.coupled:
        raise ConfigError(f"driver {engine.coupled[0]!r} couples subscribers: the treated cannot be run again alone; "
                          "take it out of the engine, or run all subscribers under each treatment")
    rows = [treatment.touched() for treatment in treatments]
    touched = [base.take(some) for some in rows]
    engine.run([(base, None)], start=start, months=months, observe=observe, realise=realise, block=block,
               threads=threads)
    for k, (some, twin, treatment) in enumerate(zip(rows, touched, treatments, strict=True)):
        own = treatment.among(some)

        def watch(seen: Block, k: int = k, some: Rows = some) -> None:
            assert observe_twin is not None
            observe_twin(k, some[seen.low:seen.high], seen)

        engine.run([(twin, own)], start=start, months=months, observe=None if observe_twin is None else watch,
                   realise=realise, block=block, threads=threads)
    return [Twin(some, twin) for some, twin in zip(rows, touched, strict=True)]
