from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, field_validator, model_validator

from churnsim.config.base import Amount, Count, Number, Positive, PositiveCount, Prob, Settings
from churnsim.config.patch import merge, parse_assignment
from churnsim.config.paths import KeyPath
from churnsim.config.source import Tree, parse_yaml
from churnsim.config.validate import validate
from churnsim.errors import ConfigError


class Population(Settings):
    size: PositiveCount = 1000
    seed: Count = 0
    brand: Literal["premium", "standard", "budget"] = "standard"


class Discount(Settings):
    kind: Literal["price"]
    depth: Prob
    months: PositiveCount = 3


class Upgrade(Settings):
    kind: Literal["upgrade"]
    price_amount: Amount
    channel: str = "sms"


class Shift(Settings):
    start_hours: Annotated[float, Field(ge=0, lt=24)] = 9.0
    end_hours: Annotated[float, Field(gt=0, le=24)] = 17.0

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Shift:
        if self.end_hours <= self.start_hours:
            raise ValueError(f"end_hours must be after start_hours {self.start_hours} (got {self.end_hours})")
        return self


class Experiment(Settings):
    name: str = "toy"
    population: Population = Population()
    offers: Annotated[
        dict[str, Annotated[Discount | Upgrade, Field(discriminator="kind")]], Field(default_factory=dict)
    ]
    channels: Annotated[tuple[str, ...], Field(min_length=1)] = ("sms", "call")
    shifts: tuple[Shift, ...] = ()
    budget_amount: Annotated[Positive | Literal["unlimited"] | None, Field()] = None
    fallback: float | Shift = 1.0
    fractions: tuple[Prob, Prob] = (0.0, 1.0)
    is_dry: bool = False


class Strict(Settings):
    """Required values only, so that a repair has no default to fall back on."""

    rate: Annotated[float, Field(gt=0, lt=1)]
    agents: Annotated[int, Field(strict=True, gt=0)]
    mode: Literal["fast", "slow"]
    level: Number
    tag: Annotated[str, Field(pattern="^[a-z]+$")]

    @field_validator("level")
    @classmethod
    def level_is_even(cls, level: float) -> float:
        if level % 2:
            raise ValueError(f"must be even (got {level})")
        return level


def offers_use_known_channels(experiment: Experiment) -> Iterator[tuple[KeyPath, str]]:
    for name, offer in experiment.offers.items():
        if isinstance(offer, Upgrade) and offer.channel not in experiment.channels:
            known = ", ".join(experiment.channels)
            yield ("offers", name, "channel"), f"unknown channel {offer.channel!r}; known: {known}"


def report(text: str, model: type[Settings] = Experiment, *sets: str, checks: Any = ()) -> list[str]:
    tree = parse_yaml(text, "exp.yaml")
    for assignment in sets:
        tree = merge(tree, parse_assignment(assignment))
    with pytest.raises(ConfigError) as caught:
        validate(model, tree, checks=checks)
    return str(caught.value).splitlines()


def test_valid_data_becomes_an_instance_and_is_left_alone() -> None:
    tree = parse_yaml(
        "population: {size: 50_000}\n"
        "offers:\n  cut: {kind: price, depth: 1}\n  new: {kind: upgrade, price_amount: 2e2}\n"
        "budget_amount: unlimited\nfallback: {end_hours: 20}\n",
        "exp.yaml",
    )
    before = copy.deepcopy(tree.data)
    experiment = validate(Experiment, tree, checks=[offers_use_known_channels])
    assert experiment.population == Population(size=50_000)
    assert experiment.offers["cut"] == Discount(kind="price", depth=1.0)
    assert experiment.fallback == Shift(end_hours=20.0)
    assert tree.data == before


def test_all_shape_errors_at_once_by_line_and_no_range_error_among_them() -> None:
    text = """\
population:
  size: 1.5
  seed: -1
  sed: 3
offers:
  cut: {kind: price, depth: 0.3, moths: 2}
  new: {kind: upgrad}
  bare: {}
  flat: 5
  late: {kind: upgrade}
channels: sms
shifts: [{start_hours: nine}, 7]
fractions: [0.5]
is_dry: perhaps
zzz: {a: 1}
name: 2024
"""
    assert report(text, checks=[offers_use_known_channels]) == [
        "exp.yaml:2: population.size: expected a whole number (got 1.5)",
        "exp.yaml:4: population.sed: unknown key (got 3). Did you mean 'seed'?",
        "exp.yaml:6: offers.cut.moths: unknown key (got 2). Did you mean 'months'?",
        "exp.yaml:7: offers.new.kind: must be one of 'price' or 'upgrade' (got 'upgrad')."
        " Did you mean 'upgrade'?",
        "exp.yaml:8: offers.bare.kind: missing; add it: 'price' or 'upgrade'",
        "exp.yaml:9: offers.flat: expected a mapping (got 5)",
        "exp.yaml:10: offers.late.price_amount: missing; add it",
        "exp.yaml:11: channels: expected a list (got 'sms')",
        "exp.yaml:12: shifts[0].start_hours: expected a number (got 'nine')",
        "exp.yaml:12: shifts[1]: expected a mapping (got 7)",
        "exp.yaml:13: fractions[1]: missing; add it",
        "exp.yaml:14: is_dry: expected true or false (got 'perhaps')",
        "exp.yaml:15: zzz: unknown key (got a mapping). Allowed keys: name, population, offers, channels,"
        " shifts, budget_amount, fallback, fractions, is_dry",
        "exp.yaml:16: name: expected text (got 2024); put it in quotes",
    ]


def test_all_ranges_and_cross_references_at_once_once_the_shape_is_right() -> None:
    text = """\
population:
  size: 0
  brand: standart
offers:
  cut: {kind: price, depth: 1.2}
  new:
    kind: upgrade
    price_amount: -3.0
    channel: mail
shifts:
  - {start_hours: 24}
budget_amount: 0
fractions: [-0.5, 1]
"""
    assert report(text, checks=[offers_use_known_channels]) == [
        "exp.yaml:2: population.size: must be at least 1 (got 0)",
        "exp.yaml:3: population.brand: must be one of 'premium', 'standard' or 'budget' (got 'standart')."
        " Did you mean 'standard'?",
        "exp.yaml:5: offers.cut.depth: must be at most 1 (got 1.2)",
        "exp.yaml:8: offers.new.price_amount: must be at least 0 (got -3.0)",
        "exp.yaml:9: offers.new.channel: unknown channel 'mail'; known: sms, call",
        "exp.yaml:11: shifts[0].start_hours: must be less than 24 (got 24)",
        "exp.yaml:12: budget_amount: must be more than 0 or must be 'unlimited' (got 0)",
        "exp.yaml:13: fractions[0]: must be at least 0 (got -0.5)",
    ]


def test_checks_run_alone_on_valid_data() -> None:
    text = "offers:\n  new: {kind: upgrade, price_amount: 1, channel: mail}\nchannels: [call]\n"
    assert report(text, checks=[offers_use_known_channels]) == [
        "exp.yaml:2: offers.new.channel: unknown channel 'mail'; known: call"
    ]


def test_a_check_about_a_replaced_value_or_its_holder_stays_silent() -> None:
    def complains(experiment: Experiment) -> Iterator[tuple[KeyPath, str]]:
        yield ("population", "size"), f"about the default {experiment.population.size}"
        yield ("population",), "about its holder"
        yield ("population", "seed"), "about its neighbour"

    assert report("population: {size: 0, seed: 1}", checks=[complains]) == [
        "exp.yaml:1: population.seed: about its neighbour",
        "exp.yaml:1: population.size: must be at least 1 (got 0)",
    ]


def test_where_there_is_no_default_nor_bound_the_ranges_are_reported_alone() -> None:
    text = "channels: []\npopulation: {size: 0}\noffers: {new: {kind: upgrade, price_amount: 1, channel: x}}"
    assert report(text, checks=[offers_use_known_channels]) == [
        "exp.yaml:1: channels: must have at least 1 item (got 0)",
        "exp.yaml:2: population.size: must be at least 1 (got 0)",
    ]


def test_required_values_are_replaced_by_their_bound() -> None:
    def checked(strict: Strict) -> Iterator[tuple[KeyPath, str]]:
        yield ("level",), f"seen with {strict.rate:.3f}, {strict.agents}, {strict.mode}"

    assert report("rate: 1\nagents: 0\nmode: slowly\nlevel: 2\ntag: a\n", Strict, checks=[checked]) == [
        "exp.yaml:1: rate: must be less than 1 (got 1)",
        "exp.yaml:2: agents: must be more than 0 (got 0)",
        "exp.yaml:3: mode: must be one of 'fast' or 'slow' (got 'slowly'). Did you mean 'slow'?",
        "exp.yaml:4: level: seen with 1.000, 1, fast",
    ]
    assert report("rate: 0\nagents: 1\nmode: fast\nlevel: 3\ntag: A1\n", Strict, checks=[checked]) == [
        "exp.yaml:1: rate: must be more than 0 (got 0)",
        "exp.yaml:4: level: must be even (got 3.0)",
        "exp.yaml:5: tag: must match the pattern ^[a-z]+$ (got 'A1')",
    ]


def test_a_rule_of_a_model_is_reported_with_the_ranges_elsewhere() -> None:
    text = "population: {size: 0}\nshifts:\n  - {start_hours: 20, end_hours: 8}\n"
    assert report(text) == [
        "exp.yaml:1: population.size: must be at least 1 (got 0)",
        "exp.yaml:3: shifts[0]: end_hours must be after start_hours 20.0 (got 8.0)",
    ]


def test_a_rule_masked_by_a_wrong_range_is_found_in_the_same_pass() -> None:
    text = "shifts:\n  - {start_hours: 24}\nfallback: {start_hours: 20, end_hours: 8}\n"
    assert report(text)[1] == ("exp.yaml:3: fallback: end_hours must be after start_hours 20.0 (got 8.0)")


def test_values_of_other_origins_are_named_by_them_and_come_last() -> None:
    text = "population:\n  seed: -1\n"
    assert report(text, Experiment, "population.size=0", "fractions=[2, 1]") == [
        "exp.yaml:2: population.seed: must be at least 0 (got -1)",
        "--set: fractions[0]: must be at most 1 (got 2)",
        "--set: population.size: must be at least 1 (got 0)",
    ]
    assert report(text, Experiment, "population.sise=1e6") == [
        "--set: population.sise: unknown key (got 1000000.0). Did you mean 'size'?"
    ]
    with pytest.raises(ConfigError) as caught:
        validate(Experiment, merge(Tree.of({}, "preset p"), Tree.of({"channels": []}, "scenario low_budget")))
    assert str(caught.value) == "scenario low_budget: channels: must have at least 1 item (got 0)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "population: {size: 1e6}",
            "population.size: expected a whole number (got 1000000.0); write 1000000",
        ),
        ("population: {size: true}", "population.size: expected a whole number (got true)"),
        ("population: null", "population: expected a mapping (got null)"),
        ("fractions: [0.1, .nan]", "fractions[1]: must be at most 1 (got nan)"),
        ("fractions: [0, 1, 1]", "fractions: must have at most 2 items (got 3)"),
        ("budget_amount: .inf", "budget_amount: must be a finite number or must be 'unlimited' (got inf)"),
        ("budget_amount: lots", "budget_amount: expected a number or must be 'unlimited' (got 'lots')"),
        ("fallback: [1]", "fallback: expected a number or a mapping (got a list)"),
        # In a union of a number and a model, a mapping means the model.
        ("fallback: {start: 1}", "fallback.start: unknown key (got 1). Did you mean 'start_hours'?"),
        # The tag "price" is a key of this offer too: pydantic's loc is (offers, cut, price, price).
        (
            "offers: {cut: {kind: price, depth: 1, price: 3}}",
            "offers.cut.price: unknown key (got 3). Allowed keys: kind, depth, months",
        ),
        ("offers: {price: {kind: price, depth: 3}}", "offers.price.depth: must be at most 1 (got 3)"),
        ("offers: {price: {kind: price}}", "offers.price.depth: missing; add it"),
        (
            "offers: {'1': {kind: 7}}",
            "offers.1.kind: must be one of 'price' or 'upgrade' (got 7)",
        ),
    ],
)
def test_paths_and_words(text: str, message: str) -> None:
    assert report(text) == [f"exp.yaml:1: {message}"]


def test_a_tag_that_is_also_a_key_does_not_lead_astray() -> None:
    text = "offers:\n  cut:\n    kind: price\n    price: -1\n    depth: no\n"
    assert report(text) == [
        "exp.yaml:4: offers.cut.price: unknown key (got -1). Allowed keys: kind, depth, months",
        "exp.yaml:5: offers.cut.depth: expected a number (got 'no')",
    ]


@pytest.mark.parametrize(
    ("offer", "message"),
    [
        ("{kind: price, price: {depth: 5}, depth: no}", "expected a number (got 'no')"),
        ("{kind: price, price: {}}", "missing; add it"),
    ],
)
def test_a_mapping_under_a_key_named_like_the_tag_is_not_taken_for_the_model(
    offer: str, message: str
) -> None:
    assert report(f"offers: {{cut: {offer}}}") == [
        f"exp.yaml:1: offers.cut.depth: {message}",
        "exp.yaml:1: offers.cut.price: unknown key (got a mapping). Allowed keys: kind, depth, months",
    ]


def test_constrained_names_are_checked_as_keys() -> None:
    class Named(Settings):
        rates: dict[Annotated[str, Field(pattern="^[a-z]+$")], Prob]

    assert report("rates:\n  UP: 2\n  down: 3\n", Named) == [
        "exp.yaml:2: rates.UP: the key must match the pattern ^[a-z]+$ (got 'UP')",
        "exp.yaml:2: rates.UP: must be at most 1 (got 2)",
        "exp.yaml:3: rates.down: must be at most 1 (got 3)",
    ]


def test_a_model_without_keys_allows_none() -> None:
    class Empty(Settings):
        pass

    assert report("a: 1", Empty) == ["exp.yaml:1: a: unknown key (got 1); no key is allowed here, remove it"]


@given(st.dictionaries(st.sampled_from([*Population.model_fields, "sed"]), st.integers(-2, 2) | st.text()))
def test_one_line_a_finding_whatever_the_values(data: dict[str, Any]) -> None:
    tree = Tree.of({"population": data}, "exp.yaml")
    try:
        validate(Experiment, tree)
    except ConfigError as error:
        lines = str(error).split("\n")
        assert len(lines) == len(set(lines)) <= len(data)
        assert all(line.startswith("exp.yaml: population.") for line in lines)
