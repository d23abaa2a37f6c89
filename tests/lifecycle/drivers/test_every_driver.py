"""What holds for every driver and everything that may happen within the month: it does what it declares, no more."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.core.columns import HISTORY_MONTHS
from churnsim.core.draws import uniform
from churnsim.errors import ConfigError
from churnsim.lifecycle.block import Block, Draws, Month
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.treatment import contacts

from ..examples import KEY, OFFERS, REGIONS, engine, varied

NOW = Month(4, first=True)
IDS = np.arange(1000)
DRIVERS = engine().drivers
CHANGES = tuple(change for driver in DRIVERS for change in driver.changes)
STREAMS = tuple(source for driver in DRIVERS for source in driver.streams)


def happen(change):
    """Return the step in which a change happens to all whom it hits."""
    def step(block, month, draws):
        rows, _ = change.when(block, month, draws)
        assert len(rows) > 20
        change.act(block, rows, np.arange(len(rows)), month, draws)
    return step


def doing():
    """Yield (name, reads, writes, step); the changes of the month happen in the step of leaving."""
    for driver in DRIVERS:
        within = CHANGES if driver.name == "leaving" else ()
        if driver.step is not None:
            yield (driver.name, {*driver.reads, *(name for change in within for name in change.reads)},
                   {*driver.writes, *(name for change in within for name in change.writes)}, driver.step)
    for change in CHANGES:
        yield change.name, set(change.reads), set(change.writes), happen(change)


DOING = tuple(doing())
BY_NAME = pytest.mark.parametrize(("reads", "writes", "step"), [done[1:] for done in DOING],
                                  ids=[done[0] for done in DOING])


def everything():
    """Return subscribers in every state, and scratch columns that hold whatever a month has left there."""
    base = varied(IDS)
    k = IDS // 2
    for name, values in {
        "discount_share": k % 3 / 4.0, "discount_left_months": k % 2, "discount_shock": k % 5 / 5.0,
        "contract_ended_months": k % 5,
        "wake": k % 4 / 4.0, "offer_code": k % (1 + len(OFFERS)), "offer_left_months": k % 3,
        "arrears_months": k % 4, "ad_click_stock": k % 2, "porting_request": k % 2,
        "shopping": k % 2, "shopping_until": 3.5 + k % 5 / 2.0, "shopping_days": k % 3, "fault_stock": k % 3,
        "usage_deviation": k % 5 / 5.0, "value_tier": k % 3, "high_value_left_months": k % 4,
        "contact_stock": k % 3, "months_since_offer": k % 5, "lock_in_amount": k % 4, "lock_in_left_months": k % 3,
    }.items():
        base[name] = values
    contact_time = np.where(IDS % 3 > 0, (IDS % 29) / 29.0, np.inf)
    block = Block.over(base, LIFECYCLE_SCHEMA, month=NOW,
                       treatment=contacts(contact_time, (IDS // 3 % (1 + len(OFFERS))).astype(np.int8)))
    rng = np.random.default_rng(0)
    for column in LIFECYCLE_SCHEMA.values():
        if column.scope != "stored":
            block[column.name] = rng.random(len(IDS)) if "float" in column.dtype else rng.integers(2, size=len(IDS))
    return block


def stepped(step, block):
    draws = Draws(KEY, block.ids, STREAMS)
    draws.month = NOW.number
    step(block, NOW, draws)
    return block


def test_every_driver_of_the_month_is_looked_at():
    assert [name for name, *_ in DOING] == [
        "market", "prices", "usage", "recharge", "service", "contacts", "arrears", "shopping", "billing", "upkeep",
        "leaving", "contract", "tenure", "plan", "offers", "search_start", "search_end", "contract_end", "contact"]
    assert [driver.name for driver in DRIVERS if driver.step is None] == ["causes"]
    assert set(varied(IDS)["region"]) == set(range(REGIONS))


@BY_NAME
def test_it_writes_what_it_declares_and_nothing_else(reads, writes, step):
    before, after = everything(), stepped(step, everything())
    changed = {name for name in LIFECYCLE_SCHEMA if not np.array_equal(before[name], after[name])}
    assert changed == writes


@BY_NAME
def test_it_reads_what_it_declares_and_nothing_else(reads, writes, step):
    """Other columns are overwritten, and nothing may come out otherwise."""
    plain, other = everything(), everything()
    for name in set(LIFECYCLE_SCHEMA) - reads - writes:
        other[name] = np.where(other[name] == 1, 0, 1)
    stepped(step, plain)
    stepped(step, other)
    for name in writes:
        np.testing.assert_array_equal(plain[name], other[name], err_msg=name)


@BY_NAME
def test_it_changes_only_this_month_of_a_history(reads, writes, step):
    before, after = everything(), stepped(step, everything())
    others = [row for row in range(HISTORY_MONTHS) if row != NOW.number]
    for name in ("usage_gb", "voice_minutes", "bill_amount"):
        np.testing.assert_array_equal(after[name][others], before[name][others])


@pytest.mark.parametrize("driver", [driver for driver in DRIVERS if driver.step is not None], ids=lambda d: d.name)
def test_it_draws_from_its_own_streams_alone(driver):
    """With its streams it steps as with all of them; without any it is refused.

    Leaving draws its clocks by key, contracts only when they end, which is within leaving.
    """
    def step(streams):
        block = everything()
        draws = Draws(KEY, block.ids, streams)
        draws.month = NOW.number
        driver.step(block, NOW, draws)
        return block

    within = STREAMS if driver.name == "leaving" else driver.streams
    declared, everything_declared = step(within), step(STREAMS)
    for name in LIFECYCLE_SCHEMA:
        np.testing.assert_array_equal(declared[name], everything_declared[name], err_msg=name)
    if driver.streams and driver.name not in ("leaving", "contract"):
        with pytest.raises(ConfigError, match="is drawn from, but no driver declares it"):
            step(())


@pytest.mark.parametrize("driver", [driver for driver in DRIVERS if driver.causes], ids=lambda d: d.name)
def test_hazards_need_only_the_columns_that_are_declared(driver):
    block, rows = everything(), np.arange(100, 300)
    hazards = driver.hazards(block)
    assert hazards.dtype == np.float32 and hazards.shape == (len(driver.causes), len(IDS))
    np.testing.assert_array_equal(driver.hazards(block.some(rows, driver.reads)), hazards[:, rows])


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_changes_come_in_order_of_row_and_time(change):
    block = everything()
    draws = Draws(KEY, block.ids, STREAMS)
    draws.month = NOW.number
    rows, times = change.when(block, NOW, draws)
    assert (np.diff(rows) > 0).all()
    assert (times >= 0.0).all() and (times < 1.0).all() and times.dtype == np.float64


def test_draws_of_the_month_are_those_of_its_number():
    """The day on which a contract ends is a trait: of no month."""
    block = everything()
    draws = Draws(KEY, block.ids, STREAMS)
    end = next(change for change in CHANGES if change.name == "contract_end")
    day = next(source for source in STREAMS if source.name == "lifecycle.contract_day")
    for month in (4, 9):
        draws.month = month
        rows, times = end.when(block, Month(month), draws)
        np.testing.assert_array_equal(times, uniform(KEY, day, block.ids[rows]))
