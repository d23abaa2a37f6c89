"""What leavers say: shares by true cause, silence, one answer a departure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

from churnsim.lifecycle.reasons import add_reasons, reasons_of_leavers, stated_reasons

from .examples import KEY, constant, lifecycle, subscribers

# False-alarm rate of one share below, over seeds.
Z = norm.isf(5e-5)
CONFUSION = {"service": {"service": 0.55, "price": 0.15, "gone": 0.30}, "price": {"service": 0.2, "price": 0.8}}


def settings(silent_share=0.3, given_cause=CONFUSION):
    return lifecycle(causes=constant(service=0.01, price=0.01, gone=0.01),
                     stated_reasons={"silent_share": silent_share, "given_cause": given_cause})


def said(ids, cause, departure, made=None):
    found = stated_reasons(np.asarray(ids), np.asarray(cause, np.int8), np.asarray(departure, float),
                           settings=made or settings(), key=KEY)
    return np.array(found.labels)[found.codes]


def test_shares_by_true_cause():
    """False-alarm rate 1e-4 each of twelve shares."""
    n = 60_000
    ids = np.arange(3 * n)
    cause = 1 + ids % 3
    found = said(ids, cause, 4.0 + ids / (3 * n))
    rows = {"service": CONFUSION["service"], "price": CONFUSION["price"], "gone": {"gone": 1.0}}
    for code, (true, given) in enumerate(rows.items(), start=1):
        here = found[cause == code]
        for reason in ("service", "price", "gone", "silent"):
            share = 0.3 if reason == "silent" else 0.7 * given.get(reason, 0.0)
            got = (here == reason).mean()
            assert abs(got - share) <= Z * np.sqrt(share * (1 - share) / n), (true, reason)


@pytest.mark.parametrize(("silent_share", "words"), [(0.0, {"service", "price", "gone"}), (1.0, {"silent"})])
def test_nobody_or_everybody_is_silent(silent_share, words):
    assert set(said(np.arange(500), np.ones(500), np.full(500, 2.5), settings(silent_share))) == words


def test_who_has_not_left_says_nothing_and_a_cause_of_ones_own_is_silent():
    found = said([1, 2, 3, 4], [0, 2, 0, 9], [np.inf, np.inf, 3.0, 3.0], settings(0.0))
    assert found.tolist() == ["none", "none", "none", "silent"]


def test_one_answer_a_departure_whoever_else_is_asked():
    ids = np.arange(3000)
    cause = 1 + ids % 2
    first = said(ids, cause, np.full(3000, 5.9))
    # Within the month the moment does not matter; nor do the others.
    np.testing.assert_array_equal(said(ids[::7], cause[::7], np.full(3000, 5.1)[::7]), first[::7])
    again = said(ids, cause, np.full(3000, 6.0))
    assert 0.3 < (again != first).mean() < 0.8


def test_those_who_left_before_the_month():
    base = subscribers(4, cause=[1, 1, 1, 0], departure_time=[2.5, 3.0, 3.1, np.inf])
    column = reasons_of_leavers(base, month=3, settings=settings(0.0), key=KEY)
    assert column.dictionary.to_pylist() == ["none", "service", "price", "gone", "silent"]
    assert [value == "none" for value in column.to_pylist()] == [False, False, True, True]


def test_the_log_tells_reasons_of_leaving_alone():
    events = pa.array(["decided", "left", "contact", "left"]).dictionary_encode()
    names = pa.array(["none", "service", "price", "gone"])
    causes = pa.DictionaryArray.from_arrays(pa.array([1, 1, 0, 2], pa.int8()), names)
    log = pa.table({"subscriber": [7, 7, 8, 9], "month": pa.array([2, 3, 3, 4], pa.int16()), "event": events,
                    "cause": causes})
    told = add_reasons(log, settings=settings(0.0), key=KEY)
    assert told.column_names == [*log.column_names, "stated_reason"]
    words = told["stated_reason"].to_pylist()
    assert words[0] == words[2] == "none"
    assert words[1] == said([7], [1], [3.4], settings(0.0))[0]
    assert words[3] == said([9], [2], [4.0], settings(0.0))[0]
