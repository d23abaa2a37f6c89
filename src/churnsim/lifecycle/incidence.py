"""Who leaves for which cause, with the clocks of leaving integrated out."""

from __future__ import annotations

import numpy as np

from churnsim.lifecycle.block import Float32, Float64, Ids


def incidence(cumulated: Float64, hazards: Float32, *, rows: Ids, times: Float64, pieces: Float32) -> Float64:
    """Return the probability to resolve to leave in a month by each cause, (causes, n).

    In a piece of constant hazards h_k of length d, after the hazard H: exp(-H) h_k / h (1 - exp(-h d)), h their sum.

    Parameters
    ----------
    cumulated
        (n,) hazard before the month.
    hazards
        (causes, n) of who has the same all month.
    rows, times, pieces
        Whose hazards change, when, and the hazards between: (m,), (changes, m), (1 + changes, causes, m).
    """
    out = _piece(cumulated, hazards, np.ones(len(cumulated)))[0]
    so_far, changing = cumulated[rows], np.zeros((hazards.shape[0], len(rows)))
    ends = np.concatenate([times, np.ones((1, len(rows)))])
    lengths = np.diff(ends, axis=0, prepend=0.0)
    for piece, length in zip(pieces, lengths, strict=True):
        part, so_far = _piece(so_far, piece, length)
        changing += part
    out[:, rows] = changing
    return out


def _piece(cumulated: Float64, hazards: Float32, length: Float64) -> tuple[Float64, Float64]:
    """Return what leaves by each cause in a piece, and the hazard after it."""
    h = hazards.astype(np.float64)
    total = h.sum(axis=0)
    gone = np.exp(-cumulated) * -np.expm1(-total * length)
    return h * np.divide(gone, total, out=np.zeros_like(total), where=total > 0.0), cumulated + total * length
