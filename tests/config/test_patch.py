from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.config.patch import merge, parse_assignment
from churnsim.config.source import Tree, parse_yaml
from churnsim.errors import ConfigError

LEAVES = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)


def mappings(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings in which a key's name says whether it holds a mapping, so that shapes agree."""
    inner: dict[str, Any] = {"x": LEAVES, "y": LEAVES}
    if depth:
        inner |= {"m": mappings(depth - 1), "n": mappings(depth - 1)}
    return st.fixed_dictionaries({}, optional=inner)


def paths(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(leaf for key, value in items for leaf in paths(value, (*path, key)))]


@given(mappings(2), mappings(2), mappings(2))
def test_merge_is_associative_in_data_and_origins(
    a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]
) -> None:
    first, second, third = Tree.of(a, "a"), Tree.of(b, "b"), Tree.of(c, "c")
    left = merge(merge(first, second), third)
    right = merge(first, merge(second, third))
    assert left.data == right.data
    for path in paths(left.data):
        assert left.origin(path) == right.origin(path)


@given(mappings(2))
def test_an_empty_patch_changes_nothing(data: dict[str, Any]) -> None:
    tree = Tree.of(data, "a")
    assert merge(tree, Tree.of({}, "b")) == tree
    assert merge(Tree.of({}, "b"), tree).data == data


def test_lists_scalars_and_null_replace_and_take_the_patch_origin() -> None:
    base = parse_yaml("a: {x: 1, y: 2}\nb: [1, 2, 3]\nc: {d: {e: 1}}\nf: 1\n", "exp.yaml")
    patch = Tree.of(
        {"a": {"y": None}, "b": [9], "c": {"d": None}, "f": {"g": 1}, "h": {"i": 1}}, "scenario s"
    )
    merged = merge(base, patch)
    assert merged.data == {
        "a": {"x": 1, "y": None},
        "b": [9],
        "c": {"d": None},
        "f": {"g": 1},
        "h": {"i": 1},
    }
    origins = {".".join(map(str, path)): str(merged.origin(path)) for path in paths(merged.data)}
    assert origins == {
        "": "exp.yaml:1",
        "a": "exp.yaml:1",
        "a.x": "exp.yaml:1",
        "a.y": "scenario s",
        "b": "scenario s",
        "b.0": "scenario s",
        "c": "exp.yaml:3",
        "c.d": "scenario s",
        "f": "scenario s",
        "f.g": "scenario s",
        "h": "scenario s",
        "h.i": "scenario s",
    }
    assert base.data["a"] == {"x": 1, "y": 2}


def test_a_patch_with_lines_keeps_them() -> None:
    base = Tree.of({"a": {"x": 1}, "b": {"y": 1}}, "preset p")
    merged = merge(base, parse_yaml("a:\n  x: 2\nc:\n  z: 3\n", "exp.yaml"))
    assert str(merged.origin(("a", "x"))) == "exp.yaml:2"
    assert str(merged.origin(("c", "z"))) == "exp.yaml:4"
    assert str(merged.origin(("a",))) == str(merged.origin(("b", "y"))) == "preset p"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("seed=2", {"seed": 2}),
        ("a.b.c=1e6", {"a": {"b": {"c": 1e6}}}),
        ("a.opens = 12:30", {"a": {"opens": "12:30"}}),
        ("a=[1, {b: 2}]", {"a": [1, {"b": 2}]}),
        ("a={b: [x]}", {"a": {"b": ["x"]}}),
        ("a=null", {"a": None}),
        ("a=''", {"a": ""}),
        ("a=x=y", {"a": "x=y"}),
    ],
)
def test_assignments(text: str, data: dict[str, Any]) -> None:
    tree = parse_assignment(text)
    assert tree.data == data
    assert {str(tree.origin(path)) for path in paths(data)} == {"--set"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "--set: expected key.key=value (got 'seed'); for example seed=2"),
        ("=2", "--set: expected key.key=value (got '=2'); for example seed=2"),
        ("a..b=2", "--set: expected key.key=value (got 'a..b=2'); for example seed=2"),
        ("a.b=", "--set a.b: the value is empty; write null to set none, '' for empty text"),
    ],
)
def test_bad_assignments(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_assignment(text)
    assert str(caught.value) == message
