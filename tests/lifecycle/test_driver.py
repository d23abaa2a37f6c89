"""Drivers that do not fit together are refused with every finding; those that do run in the order they need."""

from __future__ import annotations

import re

import numpy as np
import pytest

from churnsim.core.columns import Column, Schema
from churnsim.core.draws import Stream, make_key, stream
from churnsim.errors import ConfigError, DataError
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.driver import Change, Driver, full_schema, in_order
from churnsim.lifecycle.engine import Engine

from .examples import engine, subscribers

LIFECYCLE = engine().drivers


def nothing(block, month, draws):
    """Do nothing."""


def none(block):
    return np.zeros((1, len(block)), np.float32)


def never(block, month, draws):
    return np.zeros(0, np.int64), np.zeros(0)


def month_column(name, owner, *, scope="month"):
    return Column(name, "float32", "1", "latent", owner, "a test's", scope=scope)


def findings(*drivers, schema=LIFECYCLE_SCHEMA):
    with pytest.raises(ConfigError) as caught:
        in_order(drivers, full_schema(drivers, schema))
    return str(caught.value).split("\n")


def order(*drivers, schema=LIFECYCLE_SCHEMA):
    return [driver.name for driver in in_order(drivers, full_schema(drivers, schema))]


def test_the_drivers_of_the_lifecycle_pass_and_stay_in_order():
    assert in_order(LIFECYCLE, LIFECYCLE_SCHEMA) == LIFECYCLE


MISSING = "driver 'weather': no column 'mood'; declare it in the schema or in the driver's columns"


def changing(*, reads=(), writes=()):
    return Change("storm", reads, writes, never, nothing)


@pytest.mark.parametrize(("driver", "message"), [
    (Driver("weather", nothing, reads=("mood",)), MISSING),
    (Driver("weather", nothing, writes=("mood",)), MISSING),
    (Driver("weather", changes=(changing(reads=("mood",)),)), MISSING),
    (Driver("weather", changes=(changing(writes=("mood",)),)), MISSING),
    (Driver("weather", nothing, writes=("satisfaction",)),
     "driver 'weather' writes 'satisfaction', which belongs to 'lifecycle.service'; "
     "declare it with owner 'lifecycle.weather' or write another column"),
    (Driver("weather", nothing, streams=(Stream("test.made_by_hand", 5),)),
     "driver 'weather': stream 'test.made_by_hand' is not registered; make it with churnsim.core.draws.stream"),
    (Driver("weather", nothing, streams=(stream("lifecycle.usage"),)),
     "stream 'lifecycle.usage' is declared by drivers 'usage' and 'weather'; draws would be shared; "
     "give each its own"),
    (Driver("weather", causes=("price",), hazards=none),
     "cause 'price' is declared by drivers 'causes' and 'weather'; rename one of them"),
    (Driver("weather", causes=("storm",)),
     "driver 'weather': causes and hazards belong together; give both or neither"),
    (Driver("weather", hazards=none),
     "driver 'weather': causes and hazards belong together; give both or neither"),
    (Driver("weather", nothing, after=("moon",)),
     "driver 'weather' comes after 'moon', which is not there; add it or correct the name"),
    (Driver("usage", nothing), "driver 'usage' stands 2 times in the month; rename or remove it"),
])
def test_a_wrong_driver_is_refused(driver, message):
    assert findings(*LIFECYCLE, driver) == [message]


def test_every_finding_is_told():
    """A column is named once, however often it is read and written."""
    twice = Driver("usage", nothing, reads=("mood",), writes=("usage_gb", "arrears_months", "mood"), after=("moon",))
    assert findings(*LIFECYCLE, twice) == [
        "driver 'usage' stands 2 times in the month; rename or remove it",
        "driver 'usage' comes after 'moon', which is not there; add it or correct the name",
        "driver 'usage': no column 'mood'; declare it in the schema or in the driver's columns",
        "driver 'usage' writes 'arrears_months', which belongs to 'lifecycle.arrears'; "
        "declare it with owner 'lifecycle.usage' or write another column",
    ]


def test_a_driver_brings_its_columns_along():
    own, of_lifecycle = month_column("mood", "weather"), month_column("temper", "lifecycle.weather")
    weather = Driver("weather", nothing, reads=("mood",), writes=("mood", "temper"), columns=(own, of_lifecycle))
    assert list(full_schema((weather,), LIFECYCLE_SCHEMA)) == [*LIFECYCLE_SCHEMA, "mood", "temper"]
    assert order(*LIFECYCLE, weather)[-1] == "weather"


def test_a_driver_may_write_for_an_owner_of_another_name():
    weather = Driver("weather", nothing, writes=("discount_shock", "given_time"), owns="offers")
    assert order(weather) == ["weather"]


def test_a_change_may_write_columns_of_any_owner():
    assert order(Driver("weather", changes=(changing(writes=("satisfaction", "usage_gb")),))) == ["weather"]


def test_a_column_that_exists_is_not_brought_along():
    weather = Driver("weather", nothing, columns=(month_column("wake", "weather"),))
    with pytest.raises(DataError, match=r"^column 'wake' is declared twice; rename one of the two$"):
        Engine([weather], schema=LIFECYCLE_SCHEMA, key=make_key(seed=1, replicate=0))


A, B, C = (month_column(name, name) for name in "abc")
SMALL = Schema((A, B, C, month_column("stays", "d", scope="run")))


def test_the_listed_order_is_kept():
    assert order(Driver("z", nothing), Driver("a", nothing), Driver("m", nothing)) == ["z", "a", "m"]


def test_who_reads_a_column_of_the_month_comes_after_its_writer():
    """Only as far back as that: the others stay where they are."""
    drivers = (Driver("x", nothing, reads=("a",)), Driver("y", nothing), Driver("a", nothing, writes=("a",)),
               Driver("z", nothing))
    assert order(*drivers, schema=SMALL) == ["y", "a", "x", "z"]


def test_after_puts_a_driver_behind_another():
    drivers = (Driver("x", nothing, after=("z",)), Driver("y", nothing), Driver("z", nothing),
               Driver("w", nothing, after=("x",)), Driver("v", nothing))
    assert order(*drivers) == ["y", "z", "x", "w", "v"]


def test_who_reads_its_own_column_or_one_that_is_kept_waits_for_nobody():
    """A column of a run is read as the month before left it."""
    drivers = (Driver("a", nothing, reads=("a",), writes=("a",)), Driver("x", nothing, reads=("stays",)),
               Driver("d", nothing, writes=("stays",)))
    assert order(*drivers, schema=SMALL) == ["a", "x", "d"]


@pytest.mark.parametrize(("drivers", "cycle"), [
    ((Driver("x", nothing, after=("y",)), Driver("y", nothing, after=("x",))), "x <- y <- x"),
    ((Driver("x", nothing, after=("x",)),), "x <- x"),
    ((Driver("a", nothing, reads=("b",), writes=("a",)), Driver("b", nothing, reads=("c",), writes=("b",)),
      Driver("c", nothing, reads=("a",), writes=("c",))), "a <- b <- c <- a"),
    # Who only waits for the cycle is not part of it.
    ((Driver("first", nothing), Driver("beside", nothing, after=("y",)), Driver("x", nothing, after=("y",)),
      Driver("y", nothing, after=("x",))), "y <- x <- y"),
])
def test_a_cycle_is_named(drivers, cycle):
    assert findings(*drivers, schema=SMALL) == [
        f"drivers wait for each other: {cycle}; take one of the dependencies (after, or reading a column of the "
        "month) away"]


def test_who_reads_what_a_change_writes_comes_after_the_change():
    """A change happens in the step of leaving, so its readers come after it and the writers of what it reads before."""
    column = month_column("wind", "weather")
    storm = Driver("storm", columns=(month_column("damage", "storm"),),
                   changes=(changing(reads=("wind",), writes=("damage",)),))
    weather = Driver("weather", nothing, writes=("wind",), columns=(column,))
    host = Driver("host", nothing, hosts=storm.changes)
    repairs = Driver("repairs", nothing, reads=("damage",))
    assert order(repairs, host, storm, weather) == ["storm", "weather", "host", "repairs"]


@pytest.mark.parametrize("wrong", [np.zeros((1, 3), np.float32), np.zeros((2, 2), np.float32)])
def test_hazards_of_another_shape_are_refused(wrong):
    plague = Driver("plague", causes=("a", "b"), hazards=lambda block: wrong)
    world = engine()
    world = Lifecycle(world.settings, world.market, world.offers, key=world.key, more=[plague])
    message = (rf"^driver 'plague': hazards must have shape \(causes, subscribers\), \(2, 3\) "
               rf"\(got {re.escape(str(wrong.shape))}\)$")
    with pytest.raises(ValueError, match=message):
        world.run([(subscribers(3), None)], start=0, months=1)
