"""The compiled engine leaves the reference engine's record, bit for bit, whatever the centre."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from churnsim.capacity import floor as fl
from churnsim.capacity.centre import work_simpy
from churnsim.capacity.compiled import work_compiled
from churnsim.capacity.record import Record, same_records

from .examples import call_list, inbound, order_list, voice
from .scenarios import Scenario, scenario, seed_of_the_day

SEEDS, BATCH = 600, 100
NIGHTLY_BATCHES, NIGHTLY_BATCH = 10, 2000


def different(seeds):
    """Return the seeds whose engines disagree, and how often each code and state was met."""
    wrong, codes, states = [], np.zeros(len(fl.CODES), np.int64), np.zeros(len(fl.STATES), np.int64)
    for seed in seeds:
        floor = scenario(seed).floor_plan().floor
        reference, compiled = work_simpy(floor), work_compiled(floor)
        if not same_records(reference, compiled):
            wrong.append(seed)
        codes += np.bincount(reference.code, minlength=len(codes))
        states += np.bincount(reference.state, minlength=len(states))
    return wrong, codes, states


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_engines_leave_the_same_record(first):
    wrong, codes, states = different(range(first, first + BATCH))
    assert wrong == []
    # Every disposition and every end was met, so that equality says something about each.
    assert codes.min() > 0 and states.min() > 0


@pytest.mark.nightly
@pytest.mark.parametrize("batch", range(NIGHTLY_BATCHES))
def test_engines_leave_the_same_record_on_seeds_of_the_day(batch):
    """A seed that fails is shown, and fails for ever."""
    first = seed_of_the_day() + batch * NIGHTLY_BATCH
    assert different(range(first, first + NIGHTLY_BATCH))[0] == []


def test_a_difference_in_any_field_is_seen():
    record = work_simpy(busy_scenario().floor_plan().floor)
    assert len(record) > 10
    for name in Record.__dataclass_fields__:
        changed = getattr(record, name).copy()
        changed[-1] += 1
        assert not same_records(record, replace(record, **{name: changed})) or np.isinf(changed[-1])


def busy_scenario():
    return next(case for case in map(scenario, range(100)) if len(case.orders) > 20 and len(case.all_calls()) > 20)


@pytest.mark.parametrize("seed", [6295, 7828])
def test_the_log_grows_without_running_over(seed):
    """More callers give up, again and again, than the compiled log has room for at first."""
    floor = scenario(seed).floor_plan().floor
    assert same_records(work_simpy(floor), work_compiled(floor))


def test_many_retrials_fill_the_log_many_times():
    """One caller calls again every minute of the month; the log begins with room for a few rows."""
    case = busy_scenario()
    stream = inbound(retrial_prob=1.0, retrial_delay=inbound().handle)
    capacity = case.capacity.model_copy(update={"inbound": {"hot": stream}, "teams": {}})
    calls = call_list((1.0, -1, 0.0, 0.1), (1.0, -1, 0.0, 0.1))
    lonely = Scenario(order_list(0), calls, {"voice": voice()}, capacity, case.key, 0)
    floor = lonely.floor_plan().floor
    record = work_compiled(floor)
    assert len(record) > 2 * 20_000
    assert same_records(work_simpy(floor), record)
