"""Twins of the touched alone are what a run of everybody under the same treatment makes of them, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnsim.lifecycle.treatment import Resolutions, Treatment, everybody, nobody
from churnsim.lifecycle.twins import run_twins

from .examples import OFFERS, engine, same, varied

START, MONTHS = 2, 6
SEEN = ("revenue", "discount", "active", "active_prob", "undecided", "accepted", "hazard")


def history(n):
    base = varied(np.arange(n) * 3)
    engine().run([(base, None)], start=0, months=START)
    return base


BASE = history(900)


def contacted(rows, *, times=1, code=1):
    """Return the treatment in which each of `rows` is contacted `times` times and accepts in the last."""
    row = np.repeat(np.asarray(rows, np.int64), times)
    nth = np.arange(len(row)) % times
    return Treatment(row, (0.2 + nth) / (times + 1), np.where(nth == times - 1, code, 0).astype(np.int8))


TREATMENTS = (contacted([0, 5, 6, 7, 899]), contacted(np.arange(3, 900, 7), times=3, code=2), nobody(),
              contacted([5, 6, 200], times=2, code=4), everybody(900, contact_time=0.6, accepted=3))


def full_run(treatment, **how):
    """Return everybody at the end of a run under a treatment, and what was seen of them, {name: (months, n)}."""
    base, watch, seen = BASE.copy(), *watcher(len(BASE))
    engine().run([(base, treatment)], start=START, months=MONTHS, observe=watch, **how)
    return base, seen


def watcher(n):
    seen = {name: np.full((MONTHS, n), np.nan) for name in SEEN}

    def watch(block, rows=None):
        rows = slice(block.low, block.high) if rows is None else rows
        for name in SEEN:
            seen[name][block.month.number - START, rows] = block[name]

    return watch, seen


@pytest.mark.parametrize(("block", "threads", "realise"), [(16_384, 1, True), (37, 2, True), (100, 1, False)])
def test_twins_are_full_runs(block, threads, realise):
    base, watch, seen = BASE.copy(), *watcher(len(BASE))
    watchers = [watcher(len(BASE)) for _ in TREATMENTS]
    twins = run_twins(engine(), base, TREATMENTS, start=START, months=MONTHS, observe=watch, realise=realise,
                      observe_twin=lambda k, rows, block: watchers[k][0](block, rows), block=block, threads=threads)
    untreated = full_run(None, realise=realise)
    assert same(base, untreated[0])
    for name in SEEN:
        np.testing.assert_array_equal(seen[name], untreated[1][name], err_msg=name)
    changed = 0
    for twin, treatment, (_, twin_seen) in zip(twins, TREATMENTS, watchers, strict=True):
        assert twin.rows.tolist() == sorted(set(treatment.row.tolist()))
        whole, whole_seen = full_run(treatment, realise=realise)
        assert same(twin.base, whole.take(twin.rows))
        for name in SEEN:
            np.testing.assert_array_equal(twin_seen[name][:, twin.rows], whole_seen[name][:, twin.rows], err_msg=name)
            # Nobody else is stepped again, and in the run of everybody they live as the untreated base.
            rest = np.setdiff1d(np.arange(len(BASE)), twin.rows)
            assert np.isnan(twin_seen[name][:, rest]).all()
            np.testing.assert_array_equal(whole_seen[name][:, rest], seen[name][:, rest], err_msg=name)
        changed += not same(twin.base, base.take(twin.rows))
    assert changed == len(TREATMENTS) - 1


def test_tickets_alone_touch():
    """Twins of those whose tickets a centre resolves, one of whom is contacted too, are those of a full run."""
    seen = np.zeros(len(BASE), bool)

    def complained(block):
        seen[block.low:block.high] |= block["ticket_hours"] > 0.0

    engine().run([(BASE.copy(), None)], start=START, months=1, observe=complained)
    rows = np.flatnonzero(seen)[::2]
    hours = np.where(np.arange(len(rows)) % 3, 2.0 + np.arange(len(rows)), np.inf)
    treatment = replace(contacted(rows[:1]), tickets=Resolutions(rows, hours))
    base = BASE.copy()
    (twin,) = run_twins(engine(), base, [treatment], start=START, months=MONTHS, block=100)
    whole = full_run(treatment, block=37)[0]
    assert same(base, UNTREATED) and twin.rows.tolist() == rows.tolist() and len(rows) > 10
    assert same(twin.base, whole.take(rows)) and not same(twin.base, base.take(rows))
    rest = np.setdiff1d(np.arange(len(BASE)), rows)
    assert same(whole.take(rest), base.take(rest))


def test_a_subscriber_touched_by_two_treatments_has_a_twin_of_each():
    base = BASE.copy()
    first, *_, second, _ = run_twins(engine(), base, TREATMENTS, start=START, months=MONTHS)
    both = np.intersect1d(first.rows, second.rows)
    assert both.tolist() == [5, 6]
    codes = [base.take(both)["offer_code"].tolist()] + [
        twin.base["offer_code"][np.searchsorted(twin.rows, both)].tolist() for twin in (first, second)]
    assert codes == [[0, 0], [1, 1], [4, 4]]


@settings(max_examples=10)
@given(st.lists(st.lists(st.integers(0, 899), max_size=30, unique=True), max_size=3), st.integers(1, 3),
       st.integers(30, 1000))
def test_any_treatments_leave_the_base_alone(touched, times, block):
    treatments = [contacted(sorted(rows), times=times, code=1 + k % len(OFFERS)) for k, rows in enumerate(touched)]
    base = BASE.copy()
    twins = run_twins(engine(), base, treatments, start=START, months=MONTHS, block=block)
    assert same(base, UNTREATED)
    for twin, treatment in zip(twins, treatments, strict=True):
        assert same(twin.base, full_run(treatment)[0].take(twin.rows))


UNTREATED = full_run(None)[0]


def test_without_observers_and_without_treatments():
    base = BASE.copy()
    assert run_twins(engine(), base, [], start=START, months=MONTHS) == []
    assert same(base, UNTREATED)
