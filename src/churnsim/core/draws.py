"""Random numbers as pure functions of (seed, replicate; id, month, index, stream): common random numbers.

The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2,
3"). The key mixes seed, replicate and purpose; the counter is (id low, id high, month << 16 | index, stream).
One call gives four 32-bit words, the *lanes* of a stream. Nothing depends on how many draws anything else
made, on block sizes or on threads.

>>> key = make_key(seed=1, replicate=0)
>>> noise = stream("doctest.noise")
>>> bool((uniform(key, noise, np.array([7, 8]))[1] == uniform(key, noise, np.array([8]))[0]))
True
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import uint32, uint64

from churnsim.core.compiled import inlined, njit
from churnsim.errors import ConfigError

Ids = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]
Word: TypeAlias = np.uint64

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF
LIMIT = 1 << 16


class Key(NamedTuple):
    """The two 32-bit words of a Philox key."""

    low: int
    high: int


@dataclass(frozen=True)
class Stream:
    """A named source of draws; its number is a stable hash of the name, never a position in a list."""

    name: str
    number: int


_streams: dict[int, str] = {}


def stream(name: str) -> Stream:
    """Return the stream of a name, refusing two names whose numbers clash.

    Raises
    ------
    ConfigError
        Another registered name has the same number (about one pair in four billion).
    """
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little")
    owner = _streams.setdefault(number, name)
    if owner != name:
        raise ConfigError(f"stream {name!r} has the same number as stream {owner!r}; rename one of them")
    return Stream(name, number)


def is_registered(source: Stream) -> bool:
    """True if the stream was made by :func:`stream`."""
    return _streams.get(source.number) == source.name


def _mix(word: int) -> int:
    """SplitMix64 finaliser (Steele, Lea, Flood 2014): a bijection of 64-bit words that spreads every bit."""
    word = (word + 0x9E3779B97F4A7C15) & MASK64
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK64
    return word ^ (word >> 31)


def make_key(*, seed: int, replicate: int, purpose: str = "world") -> Key:
    """Return the key of a seed (0 to 2**64 - 1), a replicate and a purpose.

    `purpose` keeps apart draws that must never meet: "world" (what happens), "inner" (expectations over
    futures), "learner" (folds and fits).
    """
    tag = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    word = _mix(_mix(_mix(seed & MASK64) ^ replicate) ^ tag)
    return Key(word & MASK32, word >> 32)


def integer_seed(key: Key) -> int:
    """Return a 31-bit seed for libraries that want an integer, from a key of its own purpose."""
    return (key.low ^ key.high) & 0x7FFFFFFF


@inlined
def philox(c0: Word, c1: Word, c2: Word, c3: Word, k0: Word, k1: Word) -> tuple[Word, Word, Word, Word]:
    """Ten rounds of Philox4x32 on one counter; all arguments and results are 32-bit words in uint64."""
    mask = uint64(0xFFFFFFFF)
    shift = uint64(32)
    for _ in range(10):
        # Only the low halves count from round to round: masked where they enter a product, which costs nothing.
        p0 = uint64(0xD2511F53) * (c0 & mask)
        p1 = uint64(0xCD9E8D57) * (c2 & mask)
        c0, c1, c2, c3 = (p1 >> shift) ^ c1 ^ k0, p1, (p0 >> shift) ^ c3 ^ k1, p0
        k0 = (k0 + uint64(0x9E3779B9)) & mask
        k1 = (k1 + uint64(0xBB67AE85)) & mask
    return c0 & mask, c1 & mask, c2 & mask, c3 & mask


@inlined
def _unit23(word: Word) -> np.float32:
    """(w >> 9 + 0.5) 2**-23, exactly: 23 bits as the fraction of a number in [1, 2), less 1 - 2**-24."""
    one_to_two: np.float32 = np.int32((uint32(word) >> uint32(9)) | uint32(0x3F800000)).view(np.float32)
    return np.float32(one_to_two - np.float32(1.0 - 2.0**-24))


@inlined
def _unit52(high: Word, low: Word) -> np.float64:
    return (np.float64((high >> uint64(6)) << uint64(26) | (low >> uint64(6))) + 0.5) * 2.0**-52


# Every word that enters is masked to 32 bits: only then does the compiler know that a product of two of them
# fits one vector instruction (7 times faster).


@njit
def _fill_lanes(ids: Ids, c2: int, c3: int, k0: int, k1: int, out: Float32) -> None:
    mask = uint64(0xFFFFFFFF)
    low, high = uint64(k0) & mask, uint64(k1) & mask
    third, fourth = uint64(c2) & mask, uint64(c3) & mask
    a, b = out[0], out[1]
    if out.shape[0] == 2:
        for j in range(ids.shape[0]):
            i = uint64(ids[j])
            w0, w1, _, _ = philox(i & mask, i >> uint64(32), third, fourth, low, high)
            a[j] = _unit23(w0)
            b[j] = _unit23(w1)
        return
    c, d = out[2], out[out.shape[0] - 1]
    if out.shape[0] == 3:
        for j in range(ids.shape[0]):
            i = uint64(ids[j])
            w0, w1, w2, _ = philox(i & mask, i >> uint64(32), third, fourth, low, high)
            a[j] = _unit23(w0)
            b[j] = _unit23(w1)
            c[j] = _unit23(w2)
        return
    for j in range(ids.shape[0]):
        i = uint64(ids[j])
        w0, w1, w2, w3 = philox(i & mask, i >> uint64(32), third, fourth, low, high)
        a[j] = _unit23(w0)
        b[j] = _unit23(w1)
        c[j] = _unit23(w2)
        d[j] = _unit23(w3)


@njit
def _fill_double(ids: Ids, c2: int, c3: int, k0: int, k1: int, out: Float64) -> None:
    mask = uint64(0xFFFFFFFF)
    low, high = uint64(k0) & mask, uint64(k1) & mask
    third, fourth = uint64(c2) & mask, uint64(c3) & mask
    for j in range(ids.shape[0]):
        i = uint64(ids[j])
        w0, w1, _, _ = philox(i & mask, i >> uint64(32), third, fourth, low, high)
        out[j] = _unit52(w0, w1)


@njit
def _fill_indexed(ids: Ids, index: Ids, c2: int, c3: int, k0: int, k1: int, out: Float64) -> None:
    mask = uint64(0xFFFFFFFF)
    low, high = uint64(k0) & mask, uint64(k1) & mask
    third, fourth = uint64(c2) & mask, uint64(c3) & mask
    for j in range(ids.shape[0]):
        i = uint64(ids[j])
        w0, w1, _, _ = philox(i & mask, i >> uint64(32), third | (uint64(index[j]) & mask), fourth, low, high)
        out[j] = _unit52(w0, w1)


@njit
def fill_high_words(ids: Ids, c2: int, c3: int, k0: int, k1: int, out: Words) -> None:
    """Fill the first word of each id's draw, the 26 highest bits of which are those of :func:`uniform`."""
    mask = uint64(0xFFFFFFFF)
    low, high = uint64(k0) & mask, uint64(k1) & mask
    third, fourth = uint64(c2) & mask, uint64(c3) & mask
    for j in range(ids.shape[0]):
        i = uint64(ids[j])
        w0, _, _, _ = philox(i & mask, i >> uint64(32), third, fourth, low, high)
        out[j] = uint32(w0)


@njit
def uniform_scalar(identity: int, c2: int, c3: int, k0: int, k1: int) -> np.float64:
    """Return the draw of :func:`uniform` for one id."""
    mask = uint64(0xFFFFFFFF)
    i = uint64(identity)
    w0, w1, _, _ = philox(i & mask, i >> uint64(32), uint64(c2) & mask, uint64(c3) & mask, uint64(k0) & mask,
                          uint64(k1) & mask)
    return _unit52(w0, w1)


def counter(month: int, index: int = 0) -> int:
    """Return the third word of the counter, ``month << 16 | index``; each lies in [0, 65536)."""
    if not (0 <= month < LIMIT and 0 <= index < LIMIT):
        raise ValueError(f"month {month} and index {index} must each lie in [0, 65536)")
    return month << 16 | index


def uniform(key: Key, source: Stream, ids: Ids, *, month: int = 0, index: int = 0) -> Float64:
    """Return uniforms strictly inside (0, 1) with 52 bits, one per id (lanes 0 and 1 of the stream).

    Parameters
    ----------
    ids
        (n,) int64, non-negative.
    month, index
        Each in [0, 65536).
    """
    out = np.empty(len(ids), np.float64)
    _fill_double(ids, counter(month, index), source.number, key.low, key.high, out)
    return out


def uniform_at(key: Key, source: Stream, ids: Ids, index: Ids, *, month: int = 0) -> Float64:
    """Return uniforms like :func:`uniform`, each with an index of its own ((n,) int64 in [0, 65536))."""
    if len(index) and (int(index.min()) < 0 or int(index.max()) >= LIMIT):
        raise ValueError("every index must lie in [0, 65536)")
    out = np.empty(len(ids), np.float64)
    _fill_indexed(ids, index, counter(month, 0), source.number, key.low, key.high, out)
    return out


def uniform4(key: Key, source: Stream, ids: Ids, *, month: int = 0, index: int = 0, out: Float32 | None = None
             ) -> Float32:
    """Return the four lanes of a stream, (4, n) float32 uniforms strictly inside (0, 1) with 23 bits.

    24 bits would round to exactly 1.0 in float32. Lane `k` never changes when another lane is used or not.

    Parameters
    ----------
    out
        (2, n), (3, n) or (4, n) float32, C-contiguous: its lanes are filled, and it is returned instead of a new
        array.

    Raises
    ------
    ValueError
        `out` has another shape.
    """
    lanes = np.empty((4, len(ids)), np.float32) if out is None else out
    if lanes.shape not in ((2, len(ids)), (3, len(ids)), (4, len(ids))):
        raise ValueError(f"lanes must have shape (2, 3 or 4; {len(ids)}) (got {lanes.shape})")
    _fill_lanes(ids, counter(month, index), source.number, key.low, key.high, lanes)
    return lanes


def exponential(key: Key, source: Stream, ids: Ids, *, month: int = 0, index: int = 0) -> Float64:
    """Return standard exponentials ``-log u``."""
    return -np.log(uniform(key, source, ids, month=month, index=index))


def normal(key: Key, source: Stream, ids: Ids, *, month: int = 0, index: int = 0) -> Float64:
    """Return standard normals by inversion of the normal distribution function."""
    from scipy.special import ndtri

    return np.asarray(ndtri(uniform(key, source, ids, month=month, index=index)), dtype=np.float64)


def integers(key: Key, source: Stream, ids: Ids, count: int, *, month: int = 0, index: int = 0) -> Ids:
    """Return whole numbers from 0 to `count` - 1, equally likely, (n,) int64; `count` is at most 2**31.

    The bias of rounding 52 bits to `count` values is below `count` / 2**52.
    """
    if not 1 <= count <= 1 << 31:
        raise ValueError(f"count must lie in [1, 2**31] (got {count})")
    return (uniform(key, source, ids, month=month, index=index) * count).astype(np.int64)


def choice(key: Key, source: Stream, ids: Ids, shares: npt.ArrayLike, *, month: int = 0) -> Ids:
    """Return positions in `shares` ((k,), summing to one), each taken with its share."""
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    picked = np.searchsorted(edges / edges[-1], uniform(key, source, ids, month=month), side="right")
    return np.minimum(picked, len(edges) - 1).astype(np.int64)
