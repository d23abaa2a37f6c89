from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from randomgen import Philox
from scipy.stats import kstest, norm

import churnsim.core.draws as draws
from churnsim.core.draws import (
    Stream,
    choice,
    counter,
    exponential,
    fill_high_words,
    integer_seed,
    is_registered,
    make_key,
    normal,
    philox,
    stream,
    uniform,
    uniform4,
    uniform_at,
    uniform_scalar,
)
from churnsim.errors import ConfigError

KEY = make_key(seed=1, replicate=0)
NOISE = stream("test.noise")
OTHER = stream("test.other")
WORDS = st.integers(0, 2**32 - 1)
# Every statistical test below has a fixed seed; its false-alarm rate over seeds is this.
FALSE_ALARM = 1e-4
Z = norm.isf(FALSE_ALARM / 2)


def words(*counter_and_key):
    return tuple(int(word) for word in philox(*(np.uint64(word) for word in counter_and_key)))


@pytest.mark.parametrize(("counter", "key", "expected"), [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
])
def test_known_answers_of_random123(counter, key, expected):
    assert words(*counter, *key) == expected


@given(st.tuples(WORDS, WORDS, WORDS, WORDS).filter(any), st.tuples(WORDS, WORDS))
def test_an_independent_implementation_agrees(counter, key):
    """The other one, randomgen, counts up before it draws."""
    number = sum(word << 32 * i for i, word in enumerate(counter))
    oracle = Philox(counter=number - 1, key=key[0] | key[1] << 32, number=4, width=32)
    assert words(*counter, *key) == tuple(oracle.random_raw(4).tolist())


@given(st.integers(0, 2**63 - 1), st.integers(0, 65535), st.integers(0, 65535))
def test_the_counter_is_id_month_index_and_stream(identity, month, index):
    ids = np.array([identity])
    raw = words(identity & 0xFFFFFFFF, identity >> 32, month << 16 | index, NOISE.number, *KEY)
    expected52 = ((raw[0] >> 6 << 26 | raw[1] >> 6) + 0.5) / 2**52
    assert uniform(KEY, NOISE, ids, month=month, index=index)[0] == expected52
    assert uniform_at(KEY, NOISE, ids, np.array([index]), month=month)[0] == expected52
    assert uniform_scalar(identity, counter(month, index), NOISE.number, *KEY) == expected52
    high = np.empty(1, np.uint32)
    fill_high_words(ids, counter(month, index), NOISE.number, *KEY, high)
    assert high[0] == raw[0]
    lanes = uniform4(KEY, NOISE, ids, month=month, index=index)
    assert [lane[0] for lane in lanes] == [np.float32(((word >> 9) + 0.5) / 2**23) for word in raw]


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=60, unique=True), st.randoms())
def test_a_draw_depends_on_its_id_alone(ids, random):
    """Position, length and the other ids do not matter (vector lanes included)."""
    shuffled = ids.copy()
    random.shuffle(shuffled)

    def drawn(chosen):
        return np.array([uniform(KEY, NOISE, np.array(chosen)), *uniform4(KEY, NOISE, np.array(chosen))]).T

    np.testing.assert_array_equal(drawn(shuffled), np.concatenate([drawn([i]) for i in shuffled]))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_lanes_fill_the_array_that_is_given_and_do_not_depend_on_how_many(count):
    kept = np.full((count, 50), np.float32(7))
    made = uniform4(KEY, NOISE, np.arange(50), month=2, out=kept)
    assert made is kept
    np.testing.assert_array_equal(kept, uniform4(KEY, NOISE, np.arange(50), month=2)[:count])


@pytest.mark.parametrize("word", [0, 2**32 - 1])
def test_extreme_words_stay_strictly_inside(word):
    w = np.uint64(word)
    for value in (draws._unit23(w), draws._unit52(w, w)):
        assert 0.0 < value < 1.0
    assert np.float32(draws._unit23(w)) == draws._unit23(w), "a float32 is returned"


def test_large_samples_stay_inside_and_follow_the_uniform_law():
    """False-alarm rate 1e-4 a comparison, 5 of them."""
    ids = np.arange(300_000)
    for sample in (uniform(KEY, NOISE, ids), *uniform4(KEY, NOISE, ids)):
        assert sample.min() > 0.0
        assert sample.max() < 1.0
        assert kstest(sample.astype(np.float64), "uniform").pvalue > FALSE_ALARM


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1] * np.sqrt(len(a))


def test_no_correlation_between_neighbours_lanes_streams_months_or_keys():
    """Each correlation times sqrt(n) is standard normal: false-alarm rate 1e-4 each, 14 of them."""
    ids = np.arange(300_000)
    first = uniform(KEY, NOISE, ids)
    lanes = uniform4(KEY, NOISE, ids)
    pairs = [(first[:-1], first[1:]), (first[:-2], first[2:]), (first[:-1024], first[1024:]),
             (first, uniform(KEY, OTHER, ids)), (first, uniform(KEY, NOISE, ids, month=1)),
             (first, uniform(KEY, NOISE, ids, index=1)), (first, uniform(KEY, NOISE, ids + (1 << 40))),
             (first, uniform(make_key(seed=2, replicate=0), NOISE, ids)),
             *((lanes[i], lanes[j]) for i in range(4) for j in range(i))]
    assert [round(correlation(a, b), 2) for a, b in pairs if abs(correlation(a, b)) > Z] == []


def test_streams_are_numbered_by_name_and_a_clash_is_refused(monkeypatch):
    assert stream("test.noise") == NOISE == Stream("test.noise", 3050464793)
    monkeypatch.setitem(draws._streams, NOISE.number, "test.older")
    with pytest.raises(ConfigError, match=r"^stream 'test.noise' has the same number as stream 'test.older'; "
                                          r"rename one of them$"):
        stream("test.noise")


def test_a_stream_is_registered_by_its_name_and_number():
    assert is_registered(NOISE)
    assert not is_registered(Stream("test.noise", NOISE.number + 1))
    assert not is_registered(Stream("test.unheard", NOISE.number))


def test_keys_differ_by_seed_replicate_and_purpose():
    keys = {make_key(seed=seed, replicate=replicate, purpose=purpose) for seed in (0, 1, 2**64 - 1)
            for replicate in range(50) for purpose in ("world", "inner", "learner")}
    assert len(keys) == 450
    assert all(0 <= word < 2**32 for key in keys for word in key)
    assert all(0 <= integer_seed(key) < 2**31 for key in keys)
    assert len({integer_seed(key) for key in keys}) == 450


@pytest.mark.parametrize(("month", "index"), [(-1, 0), (65536, 0), (0, -1), (0, 65536)])
def test_month_and_index_are_bounded(month, index):
    with pytest.raises(ValueError, match=rf"^month {month} and index {index} must each lie in \[0, 65536\)$"):
        uniform(KEY, NOISE, np.arange(3), month=month, index=index)


@pytest.mark.parametrize("index", [-1, 65536])
def test_indices_of_their_own_are_bounded(index):
    with pytest.raises(ValueError, match=r"^every index must lie in \[0, 65536\)$"):
        uniform_at(KEY, NOISE, np.arange(2), np.array([0, index]))
    assert len(uniform_at(KEY, NOISE, np.arange(0), np.arange(0))) == 0


def test_exponential_and_normal_are_inversions():
    ids = np.arange(100)
    u = uniform(KEY, NOISE, ids, month=3, index=4)
    np.testing.assert_array_equal(exponential(KEY, NOISE, ids, month=3, index=4), -np.log(u))
    np.testing.assert_allclose(norm.cdf(normal(KEY, NOISE, ids, month=3, index=4)), u, rtol=1e-12)


def test_choice_takes_each_position_with_its_share():
    """By hand from the uniforms, and within binomial error (false-alarm rate 1e-4 each of 3)."""
    ids = np.arange(200_000)
    u = uniform(KEY, NOISE, ids)
    picked = choice(KEY, NOISE, ids, [0.2, 0.0, 0.5, 0.3])
    np.testing.assert_array_equal(picked, np.where(u < 0.2, 0, np.where(u < 0.7, 2, 3)))
    counts = np.bincount(picked, minlength=4)
    assert counts[1] == 0
    for k, share in ((0, 0.2), (2, 0.5), (3, 0.3)):
        assert abs(counts[k] - share * len(ids)) < Z * np.sqrt(len(ids) * share * (1 - share))
