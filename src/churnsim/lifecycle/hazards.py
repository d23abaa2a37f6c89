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
from churnsim.lifecycle.block import Array, Block
from churnsim.lifecycle.covariates import covariate
from churnsim.lifecycle.settings import Cause

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int8 = npt.NDArray[np.int8]

OFFER_COLUMNS = ("offer_code", "offer_left_months", "responsiveness", "habituation")


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
        self._terms = tuple((name, np.flatnonzero(column), column[column != 0.0])
                            for name, column in zip(self.covariates, self.weights.T, strict=True))
        self.log_multipliers = log_multipliers
        self.habituation = np.float32(habituation)
        self.reads = tuple(dict.fromkeys((
            *OFFER_COLUMNS, *(column for name in self.covariates for column in covariate(name).reads))))

    def hazards(self, block: Block) -> Float32:
        """Return monthly hazards, (causes, n) float32: exp(intercept + weights . covariates + offer's effect)."""
        out = np.repeat(self.intercepts[:, None], len(block), axis=1)
        for name, users, weights in self._terms:
            _add(covariate(name).compute(block), users, weights, out)
        _effect(np.flatnonzero(block["offer_left_months"] > 0), block["offer_code"], block["responsiveness"],
                block["habituation"], self.habituation, self.log_multipliers, out)
        _exponential(out)
        return out

    def update(self, before: Block, after: Block, hazards: Float32, written: frozenset[str]) -> Float32:
        """Return hazards after the columns `written` changed, (causes, n) float32: only what reads them is weighed.

        What did not change adds exactly 0: `written` may be wider for some blocks than for others.
        """
        change = np.zeros_like(hazards)
        for name, users, weights in self._terms:
            if not written.isdisjoint((term := covariate(name)).reads):
                _add_change(term.compute(after), term.compute(before), users, weights, change)
        if not written.isdisjoint(OFFER_COLUMNS):
            _change_effect(self.habituation, self.log_multipliers, change,
                           *(block[name] for block in (before, after) for name in OFFER_COLUMNS))
        _exponential(change)
        change *= hazards
        return change


# One covariate after the other, straight from its column: a matrix of all of them would not stay in the cache.
@njit
def _add(x: Array, users: Ids, weights: Float32, out: Float32) -> None:
    for m in range(users.shape[0]):
        row, weight = out[users[m]], weights[m]
        for j in range(row.shape[0]):
            row[j] += weight * np.float32(x[j])


@njit
def _add_change(after: Array, before: Array, users: Ids, weights: Float32, change: Float32) -> None:
    for m in range(users.shape[0]):
        row, weight = change[users[m]], weights[m]
        for j in range(row.shape[0]):
            row[j] += weight * (np.float32(after[j]) - np.float32(before[j]))


@njit
def _effect(offered: Ids, code: Int8, responsiveness: Float32, accepted_before: Float32, habituation: np.float32,
            log_multipliers: Float32, out: Float32) -> None:
    for m in range(offered.shape[0]):
        j = offered[m]
        strength = responsiveness[j] * exp_scalar(-habituation * accepted_before[j])
        for k in range(out.shape[0]):
            out[k, j] += log_multipliers[code[j], k] * strength


@njit
def _change_effect(habituation: np.float32, log_multipliers: Float32, change: Float32, code: Int8, left: Int8,
                   responsiveness: Float32, accepted_before: Float32, code_after: Int8, left_after: Int8,
                   responsiveness_after: Float32, accepted_after: Float32) -> None:
    zero = np.float32(0.0)
    for j in range(change.shape[1]):
        if left[j] <= 0 and left_after[j] <= 0:
            continue
        before = responsiveness[j] * exp_scalar(-habituation * accepted_before[j]) if left[j] > 0 else zero
        after = responsiveness_after[j] * exp_scalar(-habituation * accepted_after[j]) if left_after[j] > 0 else zero
        if code[j] == code_after[j] and before == after:
            continue
        for k in range(change.shape[0]):
            change[k, j] += log_multipliers[code_after[j], k] * after - log_multipliers[code[j], k] * before


@njit
def _exponential(out: Float32) -> None:
    for k in range(out.shape[0]):
        row = out[k]
        for j in range(row.shape[0]):
            row[j] = exp_scalar(row[j])


# Stands for no hazard at all in a division.
LEAST = np.float32(1e-30)
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
    n, changes = ids.shape[0], times.shape[0]
    words = np.empty(n, np.uint32)
    whole = np.empty(n, np.float64)
    time[:] = np.inf
    winner[:] = 0
    for k in range(hazards.shape[1]):
        fill_high_words(ids, month_word, streams[k], k0, k1, words)
        whole[:] = 0.0
        for r in range(changes + 1):
            for j in range(n):
                since = times[r - 1, j] if r > 0 else 0.0
                until = times[r, j] if r < changes else 1.0
                whole[j] += hazards[r, k, j] * (until - since)
        for j in range(n):
            rest = np.float32(np.uint32(0xFFFFFFFF) - (words[j] | LOWEST)) * np.float32(2.0**-32)
            if rest <= whole[j] * SLACK:
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
def survive_again(hazards: Float32, factors: Float64, offered: Ids, codes: Int8, notice: float, hazard_factor: float,
                  cumulated: Float64, total: Float32, undecided_prob: Float64, active_next_prob: Float64,
                  returned_prob: Float64, returned_next_prob: Float64, away: Float64, leaving: Float64) -> None:
    """Add those who came back to what :func:`survive` left, and those who leave to the mass of those away.

    Parameters
    ----------
    factors, offered, codes
        (1 + offers, causes) weights of leavers by offer in effect and cause; rows with an offer in effect; (n,) codes.
    hazard_factor
        On the hazards of those who came back.
    returned_prob, returned_next_prob
        (n,) probabilities of having come back and being undecided, at the month's start and then at its end; and of
        having come back and being active when the next month starts.
    away, leaving
        (n,) weighted mass of those away, and of those who decided in the last `notice` months of a month: they leave
        in the next one.
    """
    n = total.shape[0]
    weighted, rest = np.zeros(n, np.float32), np.empty(n)
    kept, kept_served = np.empty(n, np.float32), np.empty(n, np.float32)
    for k in range(hazards.shape[0]):
        hazard, usual = hazards[k], np.float32(factors[0, k])
        if usual > np.float32(0.0):
            for j in range(n):
                weighted[j] += usual * hazard[j]
    for m in range(offered.shape[0]):
        j = offered[m]
        weighted[j] = np.float32(0.0)
        for k in range(hazards.shape[0]):
            weighted[j] += np.float32(factors[codes[j], k]) * hazards[k, j]
    # Loops of few arrays each: with more of them the compiler gives up checking that none overlap.
    all_month, until_notice = np.float32(-hazard_factor), np.float32(-hazard_factor * (1.0 - notice))
    for j in range(n):
        kept[j] = exp_scalar(all_month * total[j])
        kept_served[j] = exp_scalar(until_notice * total[j])
    for j in range(n):
        weighted[j] /= max(total[j], LEAST)
    for j in range(n):
        rest[j] = exp64_scalar(-cumulated[j])
    for j in range(n):
        served, again = active_next_prob[j], returned_prob[j]
        again_served, again_rest = again * kept_served[j], again * kept[j]
        away[j] += leaving[j] + weighted[j] * (undecided_prob[j] - served + again - again_served)
        leaving[j] = weighted[j] * (served - rest[j] + again_served - again_rest)
        undecided_prob[j] += again
        active_next_prob[j] = served + again_served
        returned_prob[j] = again_rest
        returned_next_prob[j] = again_served


@njit
def survive_again_in_pieces(times: Float64, hazards: Float32, factors: Float64, codes: Int8, notice: float,
                            hazard_factor: float, moment: Float64, first: Float64, undecided_prob: Float64,
                            active_next_prob: Float64, returned_prob: Float64, returned_next_prob: Float64,
                            away: Float64, leaving: Float64) -> None:
    """Do the same where hazards change, after :func:`survive_in_pieces`.

    `first` (n,) is the probability of never having decided at the month's start, `codes` (1 + changes, n).
    """
    changes = times.shape[0]
    cut = 1.0 - notice
    for j in range(moment.shape[0]):
        never, again = first[j], returned_prob[j]
        asked = served = again
        early = late = since = 0.0
        for r in range(changes + 1):
            until = times[r, j] if r < changes else 1.0
            if until <= since:
                continue
            h = weighted = 0.0
            for k in range(hazards.shape[1]):
                h += hazards[r, k, j]
                weighted += factors[codes[r, j], k] * hazards[r, k, j]
            share = weighted / max(h, 1e-30)
            if moment[j] > since:
                asked = again * exp64_scalar(-hazard_factor * h * (min(until, moment[j]) - since))
            before = max(0.0, min(until, cut) - since)
            for part in range(2):
                lasts = before if part == 0 else until - since - before
                if lasts > 0.0:
                    never_after = never * exp64_scalar(-h * lasts)
                    again_after = again * exp64_scalar(-hazard_factor * h * lasts)
                    gone = share * (never - never_after + again - again_after)
                    never, again = never_after, again_after
                    if part == 0:
                        early += gone
                        served = again
                    else:
                        late += gone
            since = until
        away[j] += leaving[j] + early
        leaving[j] = late
        undecided_prob[j] += asked
        active_next_prob[j] += served
        returned_prob[j] = again
        returned_next_prob[j] = served


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
            if until <= since and r < changes:
                continue
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
