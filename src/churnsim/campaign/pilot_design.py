"""How a pilot assigns: the chance of every arm for every subscriber, and the keyed draw by these chances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from churnsim.campaign.settings import MARGIN_TIER, PilotSettings
from churnsim.core.draws import Key, stream, uniform
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import Observed

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ASSIGNMENT = stream("campaign.pilot_arm")
STRATUM = stream("campaign.pilot_stratum")
HOLDOUT = stream("campaign.pilot_holdout")

MARGIN_TIERS = ("low", "mid", "high")
# Codes of a stratum's column are below it: strata of any columns have numbers of their own.
MOST_GROUPS = 128


def design_probabilities(settings: PilotSettings, table: Observed, *, margin: Float64, lost: Flags,
                         tries: Sequence[str], for_lost: Flags) -> Float64:
    """Return the chance of every arm of a randomised pilot, control first, (n, K + 1); rows sum to one.

    Parameters
    ----------
    table, margin, lost
        The pilot's subscribers, their monthly margin (n,), and who has left (n,).
    tries, for_lost
        The offers, and which of them are for those who have left, (K,): each subscriber may be assigned control and
        the offers for its kind. Control keeps its share, these offers share the rest as `shares` has them.
    """
    prob = np.empty((len(table), len(tries) + 1))
    free = np.ones(len(table), bool)
    for other in settings.stratum_shares:
        rows = free & stratum_rows(other.where, table, margin)
        prob[rows] = _by_kind(_in_order(other.shares, tries), lost[rows], for_lost)
        free &= ~rows
    shares = None if settings.shares is None else _in_order(settings.shares, tries)
    prob[free] = _by_kind(shares, lost[free], for_lost, control_share=settings.control_share)
    return prob


def stratum_rows(where: Mapping[str, str | int], table: Observed, margin: Float64) -> Flags:
    """Return who has every value of `where`, a column -> value, (n,)."""
    rows = np.ones(len(table), bool)
    for name, value in where.items():
        labels = labels_of(name)
        rows &= group_codes(name, table, margin) == (labels.index(str(value)) if labels else int(value))
    return rows


def labels_of(name: str) -> tuple[str, ...]:
    """Return the values of a column of :data:`~churnsim.campaign.settings.STRATA` by code; none for one of numbers."""
    return MARGIN_TIERS if name == MARGIN_TIER else SCHEMA[name].categories


def group_codes(name: str, table: Observed, margin: Float64) -> Int64:
    """Return the group of each subscriber in a column of :data:`~churnsim.campaign.settings.STRATA`, (n,)."""
    if name != MARGIN_TIER:
        return table[name].astype(np.int64)
    if not len(margin):
        return np.zeros(0, np.int64)
    # Thirds of these subscribers; equal margins are in one tier.
    return np.searchsorted(np.quantile(margin, [1 / 3, 2 / 3]), margin, side="left").astype(np.int64)


def strata_codes(strata: Sequence[str], table: Observed, *, margin: Float64, lost: Flags) -> Int64:
    """Return the number of each subscriber's stratum, (n,); who has left is in strata of its own.

    The number depends on the subscriber's own values alone, but for the margin's thirds.
    """
    codes = lost.astype(np.int64)
    for name in strata:
        codes = codes * MOST_GROUPS + group_codes(name, table, margin)
    return codes


def assign(prob: Float64, ids: Int64, *, key: Key, month: int, strata: Int64 | None = None) -> Int64:
    """Draw an arm for each subscriber, (n,): column k of `prob` with exactly the chance that stands there.

    Without strata everybody is drawn alone. In strata, those of one stratum with the same chances stand in a row in
    keyed random order, at equal steps from a keyed random start, and an arm takes the part of the row that is its
    share: each arm gets its share of the stratum, rounded up or down, and each subscriber has the stated chance.
    Whatever the order of rows, and whoever else is in other strata, arms are the same.

    Parameters
    ----------
    prob
        (n, K + 1), rows sum to one.
    ids
        (n,).
    strata
        (n,) number of each subscriber's stratum.
    """
    u = uniform(key, ASSIGNMENT, ids, month=month)
    if strata is not None:
        numbers, stratum = np.unique(strata, return_inverse=True)
        _, chances = np.unique(prob, axis=0, return_inverse=True)
        _, alike = np.unique(np.column_stack([stratum, chances.ravel()]), axis=0, return_inverse=True)
        alike = alike.ravel()
        first = uniform(key, STRATUM, numbers.astype(np.int64), month=month)[stratum]
        order = np.lexsort((ids, u, alike))
        counts = np.bincount(alike)
        rank = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
        u = np.empty(len(ids))
        u[order] = (rank + first[order]) / counts[alike[order]]
    edges = np.cumsum(prob, axis=1)
    drawn = (edges / edges[:, -1:] <= u[:, None]).sum(axis=1)
    last = prob.shape[1] - 1 - np.argmax(prob[:, ::-1] > 0.0, axis=1)
    return np.asarray(np.minimum(drawn, last), dtype=np.int64)


def held_out(ids: Int64, *, share: float, key: Key, month: int) -> Flags | None:
    """Return whom nothing is learned from, (n,), each with the same chance; None for a share of 0."""
    return uniform(key, HOLDOUT, ids, month=month) < share if share > 0.0 else None


def offer_shares(settings: PilotSettings, tries: Sequence[str]) -> Float64:
    """Return how the offers share those who get one, (K,)."""
    if settings.shares is None:
        return np.full(len(tries), 1.0 / len(tries))
    shares = _in_order(settings.shares, tries)[1:]
    return np.asarray(shares / shares.sum())


def of_kind(shares: Float64, own: Flags) -> Float64:
    """Return shares (K,) moved to the offers of a kind, (K,); all 0 if there is none."""
    kept = np.where(own, shares, 0.0)
    return kept / kept.sum() if own.any() else kept


def _in_order(shares: Mapping[str, float], tries: Sequence[str]) -> Float64:
    return np.array([shares[name] for name in ("control", *tries)])


def _by_kind(shares: Float64 | None, lost: Flags, for_lost: Flags, *, control_share: float = 0.0) -> Float64:
    """Return the chances of each row, (n, K + 1), by stated shares or, without, by the share of control."""
    kinds = np.zeros((2, len(for_lost) + 1))
    for kind, own in enumerate((~for_lost, for_lost)):
        if not own.any():
            kinds[kind, 0] = 1.0
        elif shares is None:
            kinds[kind, 0] = control_share
            kinds[kind, 1:][own] = (1.0 - control_share) / own.sum()
        elif own.all():
            kinds[kind] = shares
        else:
            kinds[kind, 0] = shares[0]
            kinds[kind, 1:] = (1.0 - shares[0]) * of_kind(shares[1:], own)
    return np.asarray(kinds[lost.astype(np.int64)])
