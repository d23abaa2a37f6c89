"""The table of tunables: which keys a name stands for, and what a step does to them."""

from __future__ import annotations

import math

import pytest
from small_world import load_small

from churnsim.calibration.simulated import experiment_with
from churnsim.calibration.tunables import TUNABLES, Tunable, stepped, with_values

DATA = {"a": {"x": {"k": 1.0}, "y": {"k": 2.0, "p": 0.5}}, "names": ["z"]}


def test_a_star_stands_for_every_name():
    both = Tunable("both", ("a.*.k",), "shift", -1, 1, ())
    assert both.values(DATA) == {"a.x.k": 1.0, "a.y.k": 2.0}
    assert Tunable("none", ("a.*.q", "names.z"), "shift", -1, 1, ()).values(DATA) == {}


def test_an_absent_key_starts_where_it_is_told_to_if_there_is_a_place_for_it():
    assert Tunable("new", ("a.x.q",), "shift", -1, 1, (), absent=0.0).values(DATA) == {"a.x.q": 0.0}
    assert Tunable("new", ("b.x.q",), "shift", -1, 1, (), absent=0.0).values(DATA) == {}


@pytest.mark.parametrize(("scale", "value", "step", "wanted"), [
    ("shift", 2.0, -0.5, 1.5),
    ("log", 2.0, 0.5, 2.0 * math.exp(0.5)),
    ("logit", 0.5, 1.0, 1 / (1 + math.exp(-1.0))),
    ("logit", 0.0, 1.0, 0.001 * math.e / (0.999 + 0.001 * math.e)),
    ("shift", 2.0, 0.0, 2.0),
])
def test_steps(scale, value, step, wanted):
    assert Tunable("one", ("k",), scale, -2, 2, ()).moved(value, step) == pytest.approx(wanted, rel=1e-5)


def test_values_are_those_that_a_preset_writes():
    third = Tunable("one", ("k",), "shift", -2, 2, ()).moved(0.0, 1 / 3)
    assert third == 0.333333


def test_steps_of_two_tunables_of_one_key_add_up():
    pair = tuple(Tunable(name, ("a.x.k",), "shift", -1, 1, ()) for name in ("one", "two"))
    assert stepped(DATA, {"one": 0.5, "two": 0.25}, pair) == {"a.x.k": 1.75}
    assert with_values(DATA, {"a.x.k": 5.0})["a"]["x"] == {"k": 5.0} and DATA["a"]["x"] == {"k": 1.0}


def test_every_tunable_is_one_of_the_default_preset_and_moves_it_within_its_bounds():
    data = load_small().experiment.plain()
    for tunable in TUNABLES:
        assert tunable.values(data), f"{tunable.name}: no {tunable.keys}"
        for step in (tunable.low, tunable.high):
            experiment_with(data, stepped(data, {tunable.name: step}))
