from __future__ import annotations

from typing import Annotated, Literal

from jsonschema import Draft202012Validator
from pydantic import Field

from churnsim.config.base import Amount, Count, Prob, Settings
from churnsim.config.schema import at_path, choices, json_schema


class Discount(Settings):
    kind: Literal["discount"]
    depth: Prob
    """Share taken off the price."""


class Upgrade(Settings):
    kind: Literal["upgrade"]
    device_cost: Amount = 200.0


class Experiment(Settings):
    """An experiment."""

    seed: Count = 1
    """Seeds every draw."""

    offers: dict[str, Annotated[Discount | Upgrade, Field(discriminator="kind")]]
    extra: Annotated[Discount | Upgrade, Field(discriminator="kind")] | None = None
    months: tuple[int, float] = (1, 0.5)
    regions: Annotated[list[str], Field(default_factory=lambda: ["north"])]


SCHEMA = json_schema(Experiment)


def test_the_schema_is_valid_and_has_docstrings_and_made_defaults() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert list(SCHEMA)[:2] == ["$schema", "title"]
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert (SCHEMA["title"], SCHEMA["description"]) == ("Experiment", "An experiment.")
    assert SCHEMA["additionalProperties"] is False
    assert SCHEMA["properties"]["seed"] == {
        "default": 1,
        "description": "Seeds every draw.",
        "minimum": 0,
        "type": "integer",
    }
    assert SCHEMA["properties"]["regions"]["default"] == ["north"]
    assert SCHEMA["$defs"]["Discount"]["properties"]["depth"]["description"] == "Share taken off the price."


def test_an_editor_finds_what_validation_finds() -> None:
    good = {"offers": {"cut": {"kind": "discount", "depth": 0.3}}}
    bad = {"offers": {"cut": {"kind": "discount", "depth": 3}}, "sed": 1}
    editor = Draft202012Validator(SCHEMA)
    assert editor.is_valid(good)
    assert len(list(editor.iter_errors(bad))) == 2


def test_at_path_follows_tags_in_the_data() -> None:
    data = {"offers": {"cut": {"kind": "discount"}, "bare": {}}, "extra": {"kind": "upgrade"}}

    def keys(*path: str | int) -> list[str]:
        return [key for node in at_path(SCHEMA, path, data) for key in node.get("properties", ())]

    assert keys("offers", "cut") == ["kind", "depth"]
    assert keys("extra") == ["kind", "device_cost"]
    assert keys("offers", "bare") == keys("offers", "absent") == ["kind", "depth", "kind", "device_cost"]
    assert keys("nowhere", "deeper") == []


def test_at_path_in_lists() -> None:
    assert [node["type"] for node in at_path(SCHEMA, ("months", 1), {})] == ["number"]
    assert at_path(SCHEMA, ("months", 2), {}) == []
    assert [node["type"] for node in at_path(SCHEMA, ("regions", 7), {})] == ["string"]


def test_choices() -> None:
    assert choices({"const": "a"}) == ["a"]
    assert choices({"enum": ["a", "b"]}) == ["a", "b"]
    assert choices({"type": "string"}) == []
