"""The Anonymous Bank, February 1999: laws and staff fitted on two weeks of calls predict the waits of the others."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from churnsim.capacity.compiled import work_compiled

from .bank import PIECES, Fit, Service, fit, patience_law, played, read_calls, service_of
from .truths import ENGINES

DRAWS = 20
# Most that a prediction may be off: points of the shares given up and queued, per cent of the mean wait and of the wait
# if queued; set after the errors were seen, to notice a change. Four splits have a week of each half of the month on
# both sides. The halves differ in what no queue can know: in the second, fewer calls waited longer.
MIXED, HALVES = (2.5, 11.0, 22.0, 32.0), (7.0, 23.0, 85.0, 70.0)
SPLITS = {(1, 3): MIXED, (2, 4): MIXED, (1, 4): MIXED, (2, 3): MIXED, (1, 2): HALVES, (3, 4): HALVES}


@cache
def weeks(folder: Path, numbers: tuple[int, ...]):
    calls = read_calls(folder)
    return calls.of(np.isin(calls.day // 7 + 1, numbers))


@cache
def fitted(folder: Path, numbers: tuple[int, ...]) -> Fit:
    return fit(weeks(folder, numbers), 7 * len(numbers), work_compiled)


def predicted(calls, found: Fit, *, agents=None) -> Service:
    """Return the mean of several centres with drawn patience and service."""
    staff = found.agents if agents is None else agents
    seen = [played(calls, staff, rates=found.rates, services=found.services, work=work_compiled, seed=seed)
            for seed in range(DRAWS)]
    return Service(*np.mean([service_of(each.wait, each.served) for each in seen], axis=0).tolist())


def misses(found: Service, real: Service) -> tuple[float, ...]:
    """Return the errors: points of both shares, per cent of both waits."""
    return (100 * (found.abandoned - real.abandoned), 100 * (found.queued - real.queued),
            100 * (found.wait / real.wait - 1), 100 * (found.wait_if_queued / real.wait_if_queued - 1))


def within(errors, bounds):
    return all(abs(error) <= bound for error, bound in zip(errors, bounds, strict=True))


def test_the_calls_have_the_figures_known_of_them(data_dir):
    """Over the month 54.5 % of 33,066 callers queue, 41 s on average, 76 s if they do; 300 s are too long for half."""
    calls = weeks(data_dir, (1, 2, 3, 4))
    queued = calls.wait > 0
    assert len(calls.day) == 31_064  # who asked for an agent in opening hours; the others hung up before
    assert queued.sum() / 33_066 == pytest.approx(0.545, abs=0.001)
    assert calls.wait.sum() / 33_066 == pytest.approx(41.3, abs=0.1)
    assert calls.wait[queued].mean() == pytest.approx(75.8, abs=0.1)
    risk = np.append(0.0, np.cumsum(patience_law(calls)[:-1] * np.diff(PIECES)))
    assert np.exp(-risk[[3, 4, 6, 7, 8]]) == pytest.approx([0.900, 0.821, 0.711, 0.611, 0.487], abs=0.01)


@pytest.mark.parametrize("numbers", SPLITS)
def test_two_weeks_predict_the_others(numbers, data_dir):
    others = tuple(sorted({1, 2, 3, 4} - set(numbers)))
    found = fitted(data_dir, numbers)
    for what, chosen in (("fitted", numbers), ("predicted", others)):
        calls = weeks(data_dir, chosen)
        real, seen = service_of(calls.wait, calls.served), predicted(calls, found)
        print(f"| {what} {chosen[0]}, {chosen[1]} | {len(calls.day)} | "
              + " | ".join(f"{was:.3g} / {is_now:.3g} ({error:+.1f})"
                           for was, is_now, error in zip(real, seen, misses(seen, real), strict=True)) + " |")
        if what == "fitted":
            assert abs(misses(seen, real)[0]) < 0.5
    assert within(misses(seen, real), SPLITS[numbers])


@pytest.mark.parametrize("change", [0.8, 1.2])
def test_other_staff_would_be_noticed(change, data_dir):
    calls, found = weeks(data_dir, (2, 4)), fitted(data_dir, (1, 3))
    real = service_of(calls.wait, calls.served)
    assert not within(misses(predicted(calls, found, agents=change * found.agents), real), MIXED)


def test_both_engines_serve_the_bank_alike(data_dir):
    calls, found = weeks(data_dir, (1,)), fitted(data_dir, (1, 3))
    one, other = (played(calls, found.agents, rates=found.rates, services=found.services, work=work, seed=0)
                  for work in ENGINES.values())
    assert one.wait.tolist() == other.wait.tolist() and one.served.tolist() == other.served.tolist()
