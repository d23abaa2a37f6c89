"""What those who leave say: many say nothing, others give an excuse, and few name the cause that moved them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key, stream, uniform_at
from churnsim.lifecycle.block import Array, Float64, Ids
from churnsim.lifecycle.record import coded
from churnsim.lifecycle.settings import NO_REASON, SILENT, LifecycleSettings

SPEAKS = stream("lifecycle.reason.speaks")
REASON = stream("lifecycle.reason")


@dataclass(frozen=True)
class Reasons:
    """The stated reasons of some subscribers.

    Attributes
    ----------
    codes
        (n,) int8, positions in `labels`.
    labels
        "none" for who has not left, the causes of the config in order, "silent" for who says nothing.
    """

    codes: npt.NDArray[np.int8]
    labels: tuple[str, ...]

    def arrow(self) -> pa.DictionaryArray:
        """Return the reasons as a dictionary array of their labels."""
        return coded(self.codes, self.labels)


def stated_reasons(ids: Ids, cause: Array, departure: Array, *, settings: LifecycleSettings, key: Key) -> Reasons:
    """Return what leavers say: the reason that an exit survey or the termination desk writes down.

    A leaver says nothing with `silent_share`; else the reason is drawn from the row of the true cause in
    `given_cause`, and is the cause itself if it has no row. Drawn by subscriber and month of leaving: the same at
    every look, another one when the subscriber leaves again.

    Parameters
    ----------
    ids
        (n,) subscribers.
    cause
        (n,) codes of the causes of leaving; 0 for who has not left. A cause of a driver of one's own, beyond those
        of the config, is stated by nobody: silent.
    departure
        (n,) when they left, in months (whole ones will do); infinite for who has not.

    Returns
    -------
    Reasons
    """
    shares = _confusion(settings)
    silent = 1 + len(shares)
    codes = np.zeros(len(ids), np.int8)
    rows = np.flatnonzero((cause > 0) & np.isfinite(departure))
    ids, cause, month = ids[rows], cause[rows], np.floor(departure[rows]).astype(np.int64)
    known = cause < silent
    speaks = uniform_at(key, SPEAKS, ids, month) >= settings.stated_reasons.silent_share
    until = np.cumsum(shares, axis=1)[np.where(known, cause - 1, 0), :-1]
    said = 1 + (uniform_at(key, REASON, ids, month)[:, None] >= until).sum(axis=1)
    codes[rows] = np.where(speaks & known, said, silent)
    return Reasons(codes, (NO_REASON, *settings.causes, SILENT))


def _confusion(settings: LifecycleSettings) -> Float64:
    """Return (causes, causes): by true cause, the share of those who speak that states each reason."""
    causes = tuple(settings.causes)
    shares = np.eye(len(causes))
    for name, given in settings.stated_reasons.given_cause.items():
        shares[causes.index(name)] = [given.get(reason, 0.0) for reason in causes]
    return shares


def reasons_of_leavers(base: Subscribers, *, month: int, settings: LifecycleSettings, key: Key) -> pa.DictionaryArray:
    """Return the stated reasons of those who have left before `month` starts, "none" for all others."""
    left = np.where(base["departure_time"] <= month, base["departure_time"], np.inf)
    return stated_reasons(base.ids, base["cause"], left, settings=settings, key=key).arrow()


def add_reasons(log: pa.Table, *, settings: LifecycleSettings, key: Key) -> pa.Table:
    """Return an event log with column `stated_reason`: what those who left said; "none" for every other event."""
    left = log["event"].cast(pa.string()).to_numpy() == "left"
    cause = log["cause"].combine_chunks().indices.to_numpy()
    when = np.where(left, log["month"].to_numpy(), np.inf)
    said = stated_reasons(log["subscriber"].to_numpy(), cause, when, settings=settings, key=key)
    return log.append_column("stated_reason", said.arrow())
