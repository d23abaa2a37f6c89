"""Blocks are views of a base with scratch beside them; draws of a month are kept, and only declared ones made."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.core.columns import Column, Schema
from churnsim.core.draws import stream, uniform, uniform4
from churnsim.errors import ConfigError
from churnsim.lifecycle.block import Block, Draws, Month
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.engine import Engine
from churnsim.lifecycle.treatment import Treatment
from churnsim.population.columns import SCHEMA

from .examples import KEY, subscribers, varied

NOW = Month(7)
EVENTS, OTHER = stream("test.events"), stream("test.other_events")


def block_over(base, **how):
    return Block.over(base, LIFECYCLE_SCHEMA, month=NOW, **how)


def test_stored_columns_are_views_and_scratch_is_zero():
    base = varied(np.arange(100))
    block = block_over(base, low=20, high=50, arm=2)
    assert (len(block), block.low, block.high, block.arm, block.month) == (30, 20, 50, 2, NOW)
    assert block.ids.tolist() == list(range(20, 50))
    assert list(block.columns) == list(LIFECYCLE_SCHEMA)
    for name, column in LIFECYCLE_SCHEMA.items():
        assert np.shares_memory(block[name], base[name]) if name in SCHEMA else not block[name].any()
        assert block[name].dtype == column.dtype and block[name].shape[-1] == 30
    block["wake"] = 5.0
    block.ago("usage_gb", 0)[:] = 7.0
    assert base["wake"].tolist() == [0.0] * 20 + [5.0] * 30 + [0.0] * 50
    assert (base["usage_gb"][1] == np.r_[np.full(20, 5.0), np.full(30, 7.0), np.full(50, 5.0)]).all()
    assert len(block_over(base)) == 100


def test_a_block_has_the_contacts_of_its_rows():
    treatment = Treatment(np.array([3, 25, 25, 60]), np.array([0.1, 0.2, 0.3, 0.4]), np.zeros(4, np.int8))
    base = varied(np.arange(100))
    assert block_over(base, low=20, high=50, treatment=treatment).treatment.row.tolist() == [5, 5]
    assert block_over(base, low=61, high=90, treatment=treatment).treatment.row.tolist() == []
    assert block_over(base).treatment is None


def test_a_base_without_a_stored_column_is_refused():
    mood = Column("mood", "float32", "1", "latent", "weather", "how a subscriber feels")
    world = Engine([Driver("weather", writes=("mood",), columns=(mood,))], schema=SCHEMA, key=KEY)
    with pytest.raises(ConfigError) as caught:
        world.run([(subscribers(2), None)], start=0, months=1)
    assert str(caught.value) == ("the subscribers have no column 'mood', which 'weather' writes; make the base with "
                                 "the engine's schema")


def test_history_goes_back_from_the_month_that_passes():
    usage = np.arange(6.0)[:, None] * np.ones(2)
    block = block_over(subscribers(2, usage_gb=usage))
    assert [block.ago("usage_gb", months)[0] for months in range(6)] == [1.0, 0.0, 5.0, 4.0, 3.0, 2.0]
    block.month = Month(8)
    assert block.ago("usage_gb", 0)[0] == 2.0


def test_some_rows_are_copies_of_the_columns_named():
    base = varied(np.arange(50))
    block = block_over(base, low=10, arm=1)
    few = block.some(np.array([30, 2]), ("wake", "usage_gb", "region"))
    assert list(few.columns) == ["wake", "usage_gb", "region"]
    assert few.ids.tolist() == [40, 12] and few.month == NOW and few.arm == 1
    assert few["region"].tolist() == base["region"][[40, 12]].tolist()
    few["region"] = 9
    few.ago("usage_gb", 0)[:] = 9.0
    assert (base["region"] < 9).all() and (base["usage_gb"] == 5.0).all()


def test_scratch_is_zero_when_a_run_starts_and_what_a_run_adds_up_is_kept():
    """In every run, arm and block."""
    seen = []

    def count(block, month, draws):
        if month.first:
            assert not block["passing"].any()
        seen.append((block.low, month.number, block.arm, *set(block["ours"])))
        block["ours"] += 1.0
        block["passing"] = 1.0

    columns = (Column("ours", "float32", "1", "latent", "counter", "kept", scope="run"),
               Column("passing", "float32", "1", "latent", "counter", "not kept", scope="month"))
    world = Engine([Driver("counter", count, writes=("ours", "passing"), columns=columns)], schema=Schema(()), key=KEY)
    base = subscribers(5)
    for start in (3, 5):
        world.run([(base, None), (base.copy(), None)], start=start, months=2, block=3)
    assert seen == [(low, start + age, arm, float(age)) for start in (3, 5) for low in (0, 3) for age in (0, 1)
                    for arm in (0, 1)]


def test_months_say_their_number_and_whether_they_are_the_first_of_a_run():
    seen = []
    world = Engine([Driver("watch", lambda block, month, draws: seen.append((month, block.month, draws.month)))],
                   schema=Schema(()), key=KEY)
    world.run([(subscribers(1), None)], start=4, months=3, realise=False)
    assert seen == [(Month(number, first=number == 4, realise=False),) * 2 + (number,) for number in (4, 5, 6)]


def draws_of(ids, *streams, month=7):
    draws = Draws(KEY, ids, streams)
    draws.month = month
    return draws


@pytest.mark.parametrize("count", [2, 3, 4])
def test_lanes_are_kept_within_the_month(count):
    draws = draws_of(np.array([4, 5, 6]), EVENTS)
    for month in (7, 8, 7):
        draws.month = month
        lanes = draws.lanes(EVENTS, count)
        np.testing.assert_array_equal(lanes, uniform4(KEY, EVENTS, draws.ids, month=month)[:count])
        before = lanes.copy()
        lanes[:] = -1.0
        assert draws.lanes(EVENTS, count) is lanes and (lanes == -1.0).all(), "not made again"
        lanes[:] = before


def test_as_many_lanes_as_were_asked_for():
    draws = draws_of(np.arange(9), EVENTS)
    four = draws.lanes(EVENTS)
    for count in (2, 3):
        np.testing.assert_array_equal(draws.lanes(EVENTS, count), four[:count])


def test_uniforms_of_all_of_some_and_of_another_month():
    draws = draws_of(np.arange(9) + 2**33, EVENTS)
    np.testing.assert_array_equal(draws.uniform(EVENTS), uniform(KEY, EVENTS, draws.ids, month=7))
    rows = np.array([8, 1])
    np.testing.assert_array_equal(draws.uniform(EVENTS, rows), uniform(KEY, EVENTS, draws.ids[rows], month=7))
    np.testing.assert_array_equal(draws.uniform(EVENTS, rows, month=0), uniform(KEY, EVENTS, draws.ids[rows]))


def test_a_stream_that_no_driver_declares_is_refused():
    draws = draws_of(np.arange(3), EVENTS)
    message = ("stream 'test.other_events' is drawn from, but no driver declares it; add it to the driver's streams")
    for draw in (draws.lanes, draws.uniform):
        with pytest.raises(ConfigError) as caught:
            draw(OTHER)
        assert str(caught.value) == message


def test_arms_share_the_lanes_of_their_month():
    """They are made once for all arms, and anew for each month and block."""
    seen = []

    def look(block, month, draws):
        lanes = draws.lanes(EVENTS)
        seen.append((block.arm, month.number, block.low, id(draws), lanes.copy()))

    world = Engine([Driver("watch", look, streams=(EVENTS,))], schema=Schema(()), key=KEY)
    base = subscribers(5, ids=np.arange(5) + 100)
    world.run([(base, None)] * 3, start=2, months=2, block=3)
    assert [place[:3] for place in seen] == [
        (arm, month, low) for low in (0, 3) for month in (2, 3) for arm in (0, 1, 2)]
    assert len({draws for _, _, low, draws, _ in seen if low == 0}) == 1
    for _, month, low, _, lanes in seen:
        np.testing.assert_array_equal(lanes, uniform4(KEY, EVENTS, base.ids[low:low + 3], month=month))
