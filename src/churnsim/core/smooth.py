"""Exponential and logistic functions whose bits are the same on every machine.

Only + - * and a bit cast are used, so a compiler may vectorise them and gives the same result in every lane.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from churnsim.core.compiled import inlined, njit

Float32 = npt.NDArray[np.float32]

_LOG2E = np.float32(1.4426950408889634)
# log(2) in two parts; the first has few bits, so that its product with a small integer is exact.
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_HALF, _ONE = np.float32(0.5), np.float32(1.0)
_C2, _C3, _C4 = np.float32(1 / 2), np.float32(1 / 6), np.float32(1 / 24)
_C5, _C6 = np.float32(1 / 120), np.float32(1 / 720)
_LOW, _HIGH = np.float32(-87.0), np.float32(87.0)


@inlined
def exp_scalar(x: np.float32) -> np.float32:
    """Exponential of one float32, whose argument is held within [-87, 87]; relative error below 3e-7.

    exp(x) = 2**k exp(r) with k the whole number nearest to x / log 2: the power by bit cast, exp(r) by its
    Taylor polynomial of degree 6, which at |r| <= log(2) / 2 leaves out less than 1.2e-7.
    """
    x = min(max(x, _LOW), _HIGH)
    whole = np.floor(x * _LOG2E + _HALF)
    r = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    series = _ONE + r * (_ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    power: np.float32 = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return np.float32(series * power)


# Minimax coefficients of log(1 + x) / x on [sqrt(1/2) - 1, sqrt(2) - 1]: logf.c of Cephes (Moshier 1992).
_LOG = tuple(np.float32(c) for c in (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1))
_SQRT_HALF = np.float32(0.70710678118654752440)


@inlined
def log_scalar(x: np.float32) -> np.float32:
    """Natural logarithm of one positive, normal float32; relative error below 3e-7 (absolute near 1)."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits >> np.int32(23)) - np.int32(126)
    part: np.float32 = np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(np.float32)
    is_low = part < _SQRT_HALF
    e = np.float32(exponent - np.int32(1)) if is_low else np.float32(exponent)
    r = (part + part - _ONE) if is_low else (part - _ONE)
    z = r * r
    series = ((((((((_LOG[0] * r + _LOG[1]) * r + _LOG[2]) * r + _LOG[3]) * r + _LOG[4]) * r + _LOG[5]) * r
                + _LOG[6]) * r + _LOG[7]) * r + _LOG[8]) * r * z
    return np.float32((series + e * _LN2_LOW - _HALF * z + r) + e * _LN2_HIGH)


_LOG2E_64 = 1.4426950408889634
_LN2_HIGH_64, _LN2_LOW_64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@inlined
def exp64_scalar(x: float) -> float:
    """Exponential of one float64 up to 700; relative error below 1e-13, and exactly 0 below -700.

    As :func:`exp_scalar`, with a Taylor polynomial of degree 13 (left out: less than 5e-18) and the two parts
    of log 2 of fdlibm's e_exp.c.
    """
    held = min(max(x, -700.0), 700.0)
    whole = np.floor(held * _LOG2E_64 + 0.5)
    r = (held - whole * _LN2_HIGH_64) - whole * _LN2_LOW_64
    series = 1.0 + r * (1.0 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (
        1 / 720 + r * (1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (
            1 / 39916800 + r * (1 / 479001600 + r / 6227020800))))))))))))
    power: np.float64 = np.int64((np.int64(whole) + np.int64(1023)) << np.int64(52)).view(np.float64)
    return float(series * power) if x >= -700.0 else 0.0


@njit
def _exp_into(x: Float32, out: Float32) -> None:
    for j in range(x.shape[0]):
        out[j] = exp_scalar(x[j])


@njit
def _logistic_into(x: Float32, out: Float32) -> None:
    for j in range(x.shape[0]):
        out[j] = _ONE / (_ONE + exp_scalar(-x[j]))


def exp32(x: npt.ArrayLike) -> Float32:
    """Return exp(x) of a one-dimensional array as float32.

    >>> exp32([0.0, 1.0]).tolist()
    [1.0, 2.7182817459106445]
    """
    values = np.ascontiguousarray(x, dtype=np.float32)
    out = np.empty_like(values)
    _exp_into(values, out)
    return out


def logistic32(x: npt.ArrayLike) -> Float32:
    """Return 1 / (1 + exp(-x)) of a one-dimensional array as float32."""
    values = np.ascontiguousarray(x, dtype=np.float32)
    out = np.empty_like(values)
    _logistic_into(values, out)
    return out


def logit(prob: float) -> float:
    """Return the log-odds of a probability strictly between 0 and 1."""
    return math.log(prob / (1.0 - prob))
