"""What holds for every driver, and the check that refuses a wrong one."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.core.columns import HISTORY_MONTHS
from churnsim.core.draws import stream, uniform4
from churnsim.errors import ConfigError
from churnsim.lifecycle.drivers.base import Driver, Month, check_drivers
from churnsim.lifecycle.drivers.order import BEGIN, END
from churnsim.population.columns import SCHEMA

from ..examples import KEY, around, lifecycle, month_of, subscribers, varied

DRIVERS = (*BEGIN, *END)
BY_NAME = pytest.mark.parametrize("driver", DRIVERS, ids=[driver.name for driver in DRIVERS])


def nothing(base, month):
    """Do nothing."""


def test_the_drivers_of_the_month_pass():
    check_drivers(DRIVERS, SCHEMA)


@pytest.mark.parametrize(("reads", "writes", "message"), [
    (("mood",), (), "driver 'weather': no column 'mood'; declare it in the schema"),
    ((), ("mood",), "driver 'weather': no column 'mood'; declare it in the schema"),
    ((), ("satisfaction",),
     "driver 'weather' writes 'satisfaction', which belongs to 'lifecycle.service'; "
     "declare it with owner 'lifecycle.weather' or write another column"),
])
def test_a_wrong_driver_is_refused(reads, writes, message):
    with pytest.raises(ConfigError) as caught:
        check_drivers((*DRIVERS, Driver("weather", reads, writes, nothing)), SCHEMA)
    assert str(caught.value) == message


def test_every_finding_is_told_and_a_second_driver_of_one_name_refused():
    twice = Driver("usage", ("mood",), ("usage_gb", "arrears_months"), nothing)
    with pytest.raises(ConfigError) as caught:
        check_drivers((*DRIVERS, twice), SCHEMA)
    assert str(caught.value).split("\n") == [
        "driver 'usage' stands 2 times in the order of the month; rename or remove it",
        "driver 'usage': no column 'mood'; declare it in the schema",
        "driver 'usage' writes 'arrears_months', which belongs to 'lifecycle.arrears'; "
        "declare it with owner 'lifecycle.usage' or write another column",
    ]


@BY_NAME
def test_a_driver_writes_what_it_declares_and_nothing_else(driver):
    before = varied(np.arange(500))
    after = before.copy()
    driver.step(after, month_of(after, lifecycle(), month=4))
    changed = {name for name in SCHEMA if not np.array_equal(before[name], after[name])}
    assert changed == set(driver.writes)


@BY_NAME
def test_a_driver_reads_what_it_declares_and_nothing_else(driver):
    """Other columns are overwritten; without covariates in the config nothing may come out otherwise."""
    settings = lifecycle(shopping={"log_odds": {}})
    first = varied(np.arange(500))
    second = first.copy()
    for name in set(SCHEMA) - {*driver.reads, *driver.writes}:
        second[name] = np.where(second[name] == 1, 0, 1)
    for base in (first, second):
        driver.step(base, month_of(base, settings, month=4))
    assert all(np.array_equal(first[name], second[name]) for name in driver.writes)


@BY_NAME
def test_a_driver_changes_only_this_month_of_a_history(driver):
    before = varied(np.arange(500))
    after = before.copy()
    driver.step(after, month_of(after, lifecycle(), month=4))
    others = [row for row in range(HISTORY_MONTHS) if row != 4]
    for name in ("usage_gb", "bill_amount"):
        np.testing.assert_array_equal(after[name][others], before[name][others])


def test_the_month_keeps_its_draws_for_twins():
    source = stream("test.events")
    month = Month(lifecycle(), around(month=9), np.array([4, 5, 6]), KEY)
    assert month.number == 9
    lanes = month.lanes(source)
    np.testing.assert_array_equal(lanes, uniform4(KEY, source, month.ids, month=9))
    assert month.lanes(source) is lanes


def test_sum_of_covariates_by_hand():
    base = subscribers(attention=[0.0, 0.5, 1.0], locality=[0, 1, 0])
    total = month_of(base, lifecycle()).sum_of({"attention": 2.0, "migrant": -1.0}, base, intercept=0.25)
    assert total.dtype == np.float32
    assert total.tolist() == [0.25, 0.25, 2.25]
