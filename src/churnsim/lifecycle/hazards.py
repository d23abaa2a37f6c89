"""Competing risks: hazards from covariates, clocks that fire on accumulated hazard, survival.

Cause k has a clock E = -log u. Within a month its hazard is constant between the moments at which something
changes; the cause fires when its accumulated hazard passes E. The earliest cause wins. Adding or removing a
cause leaves the clocks of the others alone.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from churnsim.core.compiled import njit
from churnsim.core.draws import Ids, fill_high_words, uniform_scalar
from churnsim.core.smooth import exp64_scalar, exp_scalar
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.covariates import COVARIATES, covariate_matrix
from churnsim.lifecycle.settings import Cause

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int8 = npt.NDArray[np.int8]


class HazardTable:
    """The causes of leaving as arrays: which covariates they use, intercepts, weights, effects of offers.

    Parameters
    ----------
    log_multipliers
        (1 + offers, causes) float32: log of what an offer multiplies hazards by, at responsiveness 1.
    habituation
        An offer acts with the strength responsiveness x exp(-habituation x offers accepted before).
    """

    def __init__(self, causes: dict[str, Cause], log_multipliers: Float32, *, habituation: float = 0.0) -> None:
        self.causes = tuple(causes)
        self.covariates = tuple(
            dict.fromkeys(name for cause in causes.values() for name in cause.coefficients))
        self.intercepts = np.array([cause.intercept for cause in causes.values()], np.float32)
        self.weights = np.zeros((len(causes), len(self.covariates)), np.float32)
        for row, cause in enumerate(causes.values()):
            for name, coefficient in cause.coefficients.items():
                self.weights[row, self.covariates.index(name)] = coefficient
        self.log_multipliers = log_multipliers
        self.habituation = np.float32(habituation)
        self.reads = tuple(dict.fromkeys((
            "offer_code", "offer_left_months", "responsiveness", "habituation",
            *(column for name in self.covariates for column in COVARIATES[name].reads))))

    def hazards(self, block: Block) -> Float32:
        """Return monthly hazards, (causes, n) float32: exp(intercept + weights . covariates + offer's effect)."""
        out = np.empty((len(self.causes), len(block)), np.float32)
        _hazards(covariate_matrix(self.covariates, block), self.weights, self.intercepts,
                 np.flatnonzero(block["offer_left_months"] > 0), block["offer_code"], block["responsiveness"],
                 block["habituation"], self.habituation, self.log_multipliers, out)
        return out


@njit
def _hazards(x: Float32, weights: Float32, intercepts: Float32, offered: Ids, code: Int8,
             responsiveness: Float32, habituation: Float32, per_offer: np.float32, log_multipliers: Float32,
             out: Float32) -> None:
    strength = np.empty(offered.shape[0], np.float32)
    for m in range(offered.shape[0]):
        strength[m] = responsiveness[offered[m]] * exp_scalar(-per_offer * habituation[offered[m]])
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
        for m in range(offered.shape[0]):
            j = offered[m]
            row[j] += log_multipliers[code[j], k] * strength[m]
        for j in range(row.shape[0]):
            row[j] = exp_scalar(row[j])


# The hazard in float32 and the highest bits of a draw are each rounded: a margin keeps every row that can fire.
SLACK = np.float32(1.000001)
# Bits of the first word that a uniform does not use: with them, 1 - u could look up to 2**-26 larger than it is.
LOWEST = np.uint32(63)


@njit
def fire(ids: Ids, month_word: int, streams: Ids, k0: int, k1: int, hazards: Float32, time: Float64, winner: Int8
         ) -> None:
    """Let the clocks run through a month of constant hazards.

    Parameters
    ----------
    streams
        (causes,) stream number of each clock.
    hazards
        (causes, n) float32.
    time, winner
        (n,) filled where a clock fires: when, in months into the month, and the cause, from 1. Infinite and 0
        elsewhere.
    """
    n = ids.shape[0]
    words = np.empty(n, np.uint32)
    near = np.zeros(n + 7 & ~7, np.uint8)
    eights = near.view(np.uint64)
    time[:] = np.inf
    winner[:] = 0
    for k in range(hazards.shape[0]):
        hazard = hazards[k]
        fill_high_words(ids, month_word, streams[k], k0, k1, words)
        # -log u >= 1 - u, and the word tells 1 - u from below: few rows need their whole draw and its logarithm.
        for j in range(n):
            rest = np.float32(np.uint32(0xFFFFFFFF) - (words[j] | LOWEST)) * np.float32(2.0**-32)
            near[j] = rest <= hazard[j] * SLACK
        for eight in range(eights.shape[0]):
            if eights[eight] == 0:
                continue
            for j in range(8 * eight, min(n, 8 * eight + 8)):
                if near[j]:
                    clock = -math.log(uniform_scalar(ids[j], month_word, streams[k], k0, k1))
                    at = clock / hazard[j]
                    if clock <= hazard[j] and at < time[j]:
                        time[j] = at
                        winner[j] = k + 1


@njit
def fire_in_pieces(ids: Ids, month_word: int, streams: Ids, k0: int, k1: int, times: Float64, hazards: Float32,
                   time: Float64, winner: Int8) -> None:
    """Let the clocks run through a month whose hazards change, as :func:`fire` does where they do not.

    Parameters
    ----------
    times
        (changes, n) moments of change in months into the month, ascending, 1 where there is none.
    hazards
        (1 + changes, causes, n): before the first change, after it, after the second, ...
    """
    changes = times.shape[0]
    for j in range(ids.shape[0]):
        time[j] = np.inf
        winner[j] = 0
        for k in range(hazards.shape[1]):
            left = -math.log(uniform_scalar(ids[j], month_word, streams[k], k0, k1))
            since = 0.0
            for r in range(changes + 1):
                until = times[r, j] if r < changes else 1.0
                gain = hazards[r, k, j] * (until - since)
                if left <= gain:
                    at = since + left / hazards[r, k, j]
                    if at < time[j]:
                        time[j] = at
                        winner[j] = k + 1
                    break
                left -= gain
                since = until


@njit
def survive(hazards: Float32, notice: float, cumulated: Float64, undecided_prob: Float64,
            active_next_prob: Float64, total: Float32) -> None:
    """Integrate the clocks out of a month of constant hazards.

    `cumulated` (n,) is the hazard since the start of the run and is carried on. Fills the probabilities of not
    having decided to leave at the month's start (`undecided_prob`) and of being active when the next one starts
    (`active_next_prob`): no decision until `notice` months before it; and the `total` hazard.
    """
    for j in range(total.shape[0]):
        total[j] = np.float32(0.0)
    for k in range(hazards.shape[0]):
        hazard = hazards[k]
        for j in range(total.shape[0]):
            total[j] += hazard[j]
    for j in range(total.shape[0]):
        h = np.float64(total[j])
        undecided_prob[j] = exp64_scalar(-cumulated[j])
        active_next_prob[j] = exp64_scalar(-(cumulated[j] + h * (1.0 - notice)))
        cumulated[j] += h


@njit
def survive_in_pieces(times: Float64, hazards: Float32, notice: float, moment: Float64, cumulated: Float64,
                      undecided_prob: Float64, active_next_prob: Float64, total: Float32) -> None:
    """Integrate the clocks out of a month whose hazards change, as :func:`survive` does where they do not.

    `moment` (n,) is when, in months into the month, `undecided_prob` is asked for.
    """
    changes = times.shape[0]
    cut = 1.0 - notice
    for j in range(moment.shape[0]):
        asked = cumulated[j]
        served = cumulated[j]
        whole = cumulated[j]
        since = 0.0
        for r in range(changes + 1):
            until = times[r, j] if r < changes else 1.0
            total[j] = np.float32(0.0)
            for k in range(hazards.shape[1]):
                total[j] += hazards[r, k, j]
            h = np.float64(total[j])
            asked += h * max(0.0, min(until, moment[j]) - since)
            served += h * max(0.0, min(until, cut) - since)
            whole += h * (until - since)
            since = until
        undecided_prob[j] = exp64_scalar(-asked)
        active_next_prob[j] = exp64_scalar(-served)
        cumulated[j] = whole
