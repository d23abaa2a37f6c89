"""The plan of a month in words names every driver of the engine, in order, with all that it declares."""

from __future__ import annotations

import re

from churnsim.core.columns import Column
from churnsim.core.draws import stream
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.engine import Engine
from churnsim.lifecycle.plan import WIDTH, plan_text
from churnsim.population.columns import SCHEMA

from .examples import KEY, engine

RAIN = stream("test.rain")


def parsed(text):
    """Return [(driver, {title: [names]})] of a plan, its wrapped lines joined."""
    joined = re.sub(r"\n {15}(?=\S)", " ", text)
    found = []
    for line in joined.splitlines()[1:]:
        if driver := re.fullmatch(r" ?\d+\. (\S+)", line):
            found.append((driver[1], {}))
        elif line:
            title, names = re.fullmatch(r" {4}(reads|writes|draws|causes|after|may happen) +(.*)", line).groups()
            found[-1][1].setdefault(title, []).extend(names.split(", "))
    return found


def test_every_driver_stands_there_in_order_with_all_it_declares():
    world = engine()
    text = plan_text(world)
    found = parsed(text)
    assert [name for name, _ in found] == [driver.name for driver in world.drivers]
    assert re.findall(r"^ ?(\d+)\.", text, re.MULTILINE) == [str(k + 1) for k in range(len(world.drivers))]
    for (_, parts), driver in zip(found, world.drivers, strict=True):
        expected = {"reads": driver.reads, "writes": driver.writes, "causes": driver.causes, "after": driver.after,
                    "draws": [source.name for source in driver.streams]}
        assert {title: names for title, names in parts.items() if title != "may happen"} == {
            title: list(dict.fromkeys(names)) for title, names in expected.items() if names}
        happens = [f"{change.name} within the month, which changes {', '.join(change.writes)}"
                   for change in driver.changes]
        assert parts.get("may happen", []) == [part for text_of_it in happens for part in text_of_it.split(", ")]
    assert {title for _, parts in found for title in parts} == {
        "reads", "writes", "draws", "causes", "after", "may happen"}
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_small_plan_by_hand():
    wet = Column("wet", "bool", "1", "latent", "weather", "wet", scope="month")
    cold = Column("cold", "bool", "1", "latent", "weather", "cold", scope="month")
    soaked = Column("soaked", "int32", "days", "latent", "weather", "soaked", scope="run")
    world = Engine(
        [Driver("walk", reads=("wet",), after=("weather",)),
         Driver("weather", reads=("region", "region"), writes=("wet", "cold", "soaked"), streams=(RAIN,),
                columns=(wet, cold, soaked))],
        schema=SCHEMA, key=KEY)
    assert plan_text(world) == (
        f"A month: 2 drivers on {len(SCHEMA)} stored columns, 1 carried through a run and 2 of the month.\n"
        "\n"
        " 1. weather\n"
        "    reads      region\n"
        "    writes     wet, cold, soaked\n"
        "    draws      test.rain\n"
        "\n"
        " 2. walk\n"
        "    reads      wet\n"
        "    after      weather")
