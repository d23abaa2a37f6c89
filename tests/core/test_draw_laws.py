"""Laws of the draws at large samples: whole numbers, exponentials, normals, tails, and no memory of any kind."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy.stats import binomtest, chi2, kstest, norm

from churnsim.core.draws import (
    counter,
    exponential,
    fill_high_words,
    integers,
    make_key,
    normal,
    stream,
    uniform,
    uniform4,
    uniform_scalar,
)

KEY = make_key(seed=11, replicate=0)
LAWS = stream("test.laws")
OTHER = stream("test.laws.other")
IDS = np.arange(300_000)
# Every statistical test below has a fixed seed; the false-alarm rate over seeds of one comparison is this.
FALSE_ALARM = 1e-4
Z = norm.isf(FALSE_ALARM / 2)


def assert_equally_likely(counts):
    expected = counts.sum() / counts.size
    assert ((counts - expected) ** 2 / expected).sum() < chi2.isf(FALSE_ALARM, counts.size - 1)


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_whole_numbers_are_equally_likely(count):
    drawn = integers(KEY, LAWS, IDS, count, month=3, index=2)
    assert drawn.dtype == np.int64
    np.testing.assert_array_equal(drawn, np.floor(uniform(KEY, LAWS, IDS, month=3, index=2) * count))
    counts = np.bincount(drawn, minlength=count)
    assert counts.size == count and counts.all()
    if count > 1:
        assert_equally_likely(counts)


def test_whole_numbers_reach_both_ends_and_no_further(monkeypatch):
    monkeypatch.setattr("churnsim.core.draws.uniform", lambda *_, **__: np.array([2.0**-53, 1.0 - 2.0**-53]))
    for count in (1, 7, 2**31):
        assert integers(KEY, LAWS, np.arange(2), count).tolist() == [0, count - 1]


@pytest.mark.parametrize("count", [-1, 0, 2**31 + 1])
def test_whole_numbers_of_no_range_are_refused(count):
    with pytest.raises(ValueError, match=rf"^count must lie in \[1, 2\*\*31\] \(got {count}\)$"):
        integers(KEY, LAWS, IDS, count)


@pytest.mark.parametrize(("drawn", "law"), [(exponential, "expon"), (normal, "norm")])
def test_exponentials_and_normals_follow_their_laws(drawn, law):
    """Months apart, so that the law holds for each: 3 comparisons each."""
    for month in (0, 1, 700):
        sample = drawn(KEY, LAWS, IDS, month=month)
        assert np.isfinite(sample).all()
        assert kstest(sample, law).pvalue > FALSE_ALARM


def test_tails_of_the_uniform():
    """20 million draws of 52 bits: 6 exact binomial comparisons. Rare events need them: 23 bits end at 6e-8."""
    n, step = 20_000_000, 2_000_000
    limits = (1e-6, 1e-5, 1e-4)
    low, high = np.zeros(3, int), np.zeros(3, int)
    for first in range(0, n, step):
        u = uniform(KEY, LAWS, np.arange(first, first + step))
        low += [(u < limit).sum() for limit in limits]
        high += [(u > 1.0 - limit).sum() for limit in limits]
    for limit, below, above in zip(limits, low, high, strict=True):
        assert binomtest(int(below), n, limit).pvalue > FALSE_ALARM
        assert binomtest(int(above), n, limit).pvalue > FALSE_ALARM


def test_tails_of_the_lanes():
    """(w + 1/2) / 2**23 < 1e-5 for 84 of 2**23 words w: exact binomial, 8 comparisons at 5 million draws."""
    lanes = uniform4(KEY, LAWS, np.arange(5_000_000))
    for lane in lanes:
        for count in ((lane < np.float32(1e-5)).sum(), (lane > np.float32(1.0 - 1e-5)).sum()):
            assert binomtest(int(count), lane.size, 84 / 2**23).pvalue > FALSE_ALARM


def correlation(a, b):
    """Return a correlation times sqrt(n): standard normal if there is none."""
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1] * np.sqrt(np.size(a))


def test_lanes_remember_neither_month_id_nor_stream():
    """Values, and their distances from the middle, against those of others: 2 x 40 correlations."""
    now, later = (uniform4(KEY, LAWS, IDS, month=month) for month in (5, 6))
    other = uniform4(KEY, OTHER, IDS, month=5)
    found = []
    for k, lane in enumerate(now):
        against = [later[k], later[(k + 1) % 4], other[k], other[(k + 1) % 4], np.roll(lane, 1), np.roll(lane, 12),
                   np.roll(later[k], 1), np.roll(other[k], 1), uniform4(KEY, LAWS, IDS, month=5, index=1)[k],
                   uniform4(make_key(seed=11, replicate=1), LAWS, IDS, month=5)[k]]
        for twin in against:
            found += [correlation(lane, twin), correlation(np.abs(lane - 0.5), np.abs(twin - 0.5))]
    assert len(found) == 80
    assert np.abs(found).max() < Z


def test_a_subscriber_has_no_rhythm():
    """Months of 500 subscribers, one after the other and a year apart; also those of neighbours: 5 correlations."""
    ids = np.arange(500)
    u = np.stack([uniform(KEY, LAWS, ids, month=month) for month in range(1000)])
    pairs = [(u[:-1], u[1:]), (u[:-2], u[2:]), (u[:-12], u[12:]), (u[:-1, :-1], u[1:, 1:]), (u[1:, :-1], u[:-1, 1:])]
    assert max(abs(correlation(a, b)) for a, b in pairs) < Z


def test_pairs_fill_the_square_evenly():
    """16 x 16 cells of (this, next month), (id, next id), (stream, other stream): 3 chi-square comparisons."""
    u = uniform(KEY, LAWS, IDS)
    for twin in (uniform(KEY, LAWS, IDS, month=1), np.roll(u, 1), uniform(KEY, OTHER, IDS)):
        assert_equally_likely(np.bincount((u * 16).astype(int) * 16 + (twin * 16).astype(int), minlength=256))


@njit
def _one_by_one(ids, word, number, low, high, out):
    for j in range(len(ids)):
        out[j] = uniform_scalar(ids[j], word, number, low, high)


def test_one_draw_alone_and_the_first_word_are_those_of_the_vector():
    ids = np.concatenate([IDS, IDS + (1 << 41), np.array([2**62])])
    u = uniform(KEY, LAWS, ids, month=9, index=4)
    alone, words = np.empty(len(ids)), np.empty(len(ids), np.uint32)
    _one_by_one(ids, counter(9, 4), LAWS.number, *KEY, alone)
    fill_high_words(ids, counter(9, 4), LAWS.number, *KEY, words)
    np.testing.assert_array_equal(alone, u)
    np.testing.assert_array_equal(words >> 6, np.floor(u * 2**26))


def test_a_lane_is_the_same_however_many_are_filled():
    four = uniform4(KEY, LAWS, IDS[:1001], month=2)
    for count in (2, 3):
        some = uniform4(KEY, LAWS, IDS[:1001], month=2, out=np.zeros((count, 1001), np.float32))
        np.testing.assert_array_equal(some, four[:count])


@pytest.mark.parametrize("shape", [(1, 5), (5, 5), (4, 4), (5,)])
def test_lanes_of_another_shape_are_refused(shape):
    """Compiled code would write beyond their end."""
    text = rf"^lanes must have shape \(2, 3 or 4; 5\) \(got \({', '.join(map(str, shape))},?\)\)$"
    with pytest.raises(ValueError, match=text):
        uniform4(KEY, LAWS, IDS[:5], out=np.zeros(shape, np.float32))
