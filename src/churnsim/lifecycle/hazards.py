"""Competing risks: hazards from covariates, clocks that fire on accumulated hazard, survival.

Cause k has a clock E = -log u. With hazard h until time d of a month and h' after it, the cause fires when
its accumulated hazard passes E: at E / h if E <= h d, else at d + (E - h d) / h'. The earliest cause wins.
Adding or removing a cause leaves the clocks of the others alone.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from churnsim.core.compiled import njit
from churnsim.core.draws import Key, Stream, stream, uniform
from churnsim.core.smooth import exp_scalar
from churnsim.lifecycle.settings import Cause

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int8 = npt.NDArray[np.int8]


class HazardTable:
    """The causes of leaving as arrays: which covariates they use, intercepts, weights, clock streams."""

    def __init__(self, causes: dict[str, Cause]) -> None:
        self.causes = tuple(causes)
        self.covariates = tuple(
            dict.fromkeys(name for cause in causes.values() for name in cause.coefficients))
        self.intercepts = np.array([cause.intercept for cause in causes.values()], np.float32)
        self.weights = np.zeros((len(causes), len(self.covariates)), np.float32)
        for row, cause in enumerate(causes.values()):
            for name, coefficient in cause.coefficients.items():
                self.weights[row, self.covariates.index(name)] = coefficient
        self.clocks: tuple[Stream, ...] = tuple(stream(f"lifecycle.clock.{name}") for name in causes)

    def hazards(self, covariates: Float32, *, offer_code: Int8, offer_left: Int8, responsiveness: Float32,
                log_multipliers: Float32) -> Float32:
        """Return monthly hazards, (causes, n) float32.

        Parameters
        ----------
        covariates
            (len(self.covariates), n) float32.
        offer_code, offer_left, responsiveness
            (n,): the accepted offer, the months its effect still lasts, and the strength of the effect.
        log_multipliers
            (1 + offers, causes) float32.
        """
        out = np.empty((len(self.causes), covariates.shape[1]), np.float32)
        _hazards(covariates, self.weights, self.intercepts, offer_code, offer_left, responsiveness,
                 log_multipliers, out)
        return out


@njit
def _hazards(x: Float32, weights: Float32, intercepts: Float32, code: Int8, left: Int8,
             responsiveness: Float32, log_multipliers: Float32, out: Float32) -> None:
    for k in range(weights.shape[0]):
        row = out[k]
        for j in range(row.shape[0]):
            row[j] = intercepts[k]
        for f in range(weights.shape[1]):
            weight = weights[k, f]
            if weight != np.float32(0.0):
                column = x[f]
                for j in range(row.shape[0]):
                    row[j] += weight * column[j]
        for j in range(row.shape[0]):
            if left[j] > 0:
                row[j] += log_multipliers[code[j], k] * responsiveness[j]
        for j in range(row.shape[0]):
            row[j] = exp_scalar(row[j])


@njit
def fire(u: Float64, before: Float32, after: Float32, change: Float64, cause: int, time: Float64,
         winner: Int8) -> None:
    """Let one cause's clock run for a month: keep (time, winner) where it fires earlier than those before it.

    `change` (n,) is the time of the change of hazard in [0, 1]; `time` holds months into the month, infinite
    if nothing fired yet.
    """
    for j in range(u.shape[0]):
        first = before[j] * change[j]
        if 1.0 - u[j] > first + after[j] * (1.0 - change[j]):  # -log u is larger still, and costs more
            continue
        clock = -math.log(u[j])
        if clock <= first:
            at = clock / before[j]
        elif clock <= first + after[j] * (1.0 - change[j]):
            at = change[j] + (clock - first) / after[j]
        else:
            continue
        if at < time[j]:
            time[j] = at
            winner[j] = cause


@njit
def survive(before: Float32, after: Float32, change: Float64, notice: float, hazard: Float64,
            at_change: Float64, active_next: Float64) -> None:
    """Integrate the clocks out of one month.

    `hazard` (n,) is the hazard accumulated so far and is carried on. Fills the probabilities of not having
    decided to leave at the change (`at_change`) and of being active when the next month starts
    (`active_next`): no decision until `notice` months before it.
    """
    for j in range(hazard.shape[0]):
        h0 = 0.0
        h1 = 0.0
        for k in range(before.shape[0]):
            h0 += before[k, j]
            h1 += after[k, j]
        d = change[j]
        cut = 1.0 - notice
        at_change[j] = math.exp(-(hazard[j] + h0 * d))
        active_next[j] = math.exp(-(hazard[j] + h0 * min(d, cut) + h1 * max(0.0, cut - d)))
        hazard[j] += h0 * d + h1 * (1.0 - d)


def decide(table: HazardTable, before: Float32, after: Float32, change: Float64, *,
           ids: npt.NDArray[np.int64], month: int, key: Key, clocks: dict[int, Float64]
           ) -> tuple[Float64, Int8]:
    """Return when in the month each subscriber decides to leave ((n,), infinite if not) and for which cause.

    `clocks` keeps the uniforms, so that a subscriber's arms share them.
    """
    time = np.full(len(ids), np.inf)
    winner = np.zeros(len(ids), np.int8)
    for k, source in enumerate(table.clocks):
        if k not in clocks:
            clocks[k] = uniform(key, source, ids, month=month)
        fire(clocks[k], before[k], after[k], change, k + 1, time, winner)
    return time, winner
