from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from churnsim.config.source import Tree, parse_value, parse_yaml, read_yaml
from churnsim.errors import ConfigError

TEXT = """\
# an experiment
seed: 1
market:
  size: 1e6

  opens: 12:30
offers:
  - {name: discount, months: 3}
  - name: upgrade
    tags: [a, b]
"""


def message_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "exp.yaml")
    return str(caught.value)


def test_every_key_and_item_knows_its_line() -> None:
    tree = parse_yaml(TEXT, "exp.yaml")
    lines = {path: origin.line for path, origin in tree.origins.items()}
    assert lines == {
        (): 2,
        ("seed",): 2,
        ("market",): 3,
        ("market", "size"): 4,
        ("market", "opens"): 6,
        ("offers",): 7,
        ("offers", 0): 8,
        ("offers", 0, "name"): 8,
        ("offers", 0, "months"): 8,
        ("offers", 1): 9,
        ("offers", 1, "name"): 9,
        ("offers", 1, "tags"): 10,
        ("offers", 1, "tags", 0): 10,
        ("offers", 1, "tags", 1): 10,
    }
    assert str(tree.origin(("offers", 1, "tags"))) == "exp.yaml:10"
    assert str(tree.origin(("market", "absent", "deeper"))) == "exp.yaml:3"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e6", 1_000_000.0),
        ("-2.5E-3", -0.0025),
        ("50_000", 50_000),
        ("010", 10),
        ("0x1F", 31),
        ("12:30", "12:30"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("2025-01-31", "2025-01-31"),
        (".inf", float("inf")),
    ],
)
def test_scalars_are_read_as_yaml_1_2(text: str, value: Any) -> None:
    read = parse_yaml(f"key: {text}", "exp.yaml").data["key"]
    assert read == value
    assert type(read) is type(value)


def test_block_text_and_aliases_become_plain_values() -> None:
    text = "memo: |\n  two\n  lines\nbase: &base {rate: .5}\nother: *base\n"
    tree = parse_yaml(text, "exp.yaml")
    assert tree.data == {"memo": "two\nlines\n", "base": {"rate": 0.5}, "other": {"rate": 0.5}}
    assert str(tree.origin(("other",))) == "exp.yaml:5"

    def types(value: Any) -> set[type]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return {type(value)}.union(*(types(item) for item in inner))

    plain = {dict, list, str, int, float, bool, type(None)}
    assert types(tree.data) | types(parse_yaml(TEXT, "exp.yaml").data) <= plain
    assert datetime.date not in types(parse_yaml("day: 2025-01-31", "exp.yaml").data)


def test_a_file_is_named_as_the_path_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "exp.yaml").write_text("\ufeffseed: 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    tree = read_yaml("exp.yaml")
    assert tree.data == {"seed": 1}
    assert str(tree.origin(("seed",))) == "exp.yaml:1"


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    (tmp_path / "file").write_text("")
    texts = {}
    for name in ("absent.yaml", "folder.yaml", "latin.yaml", "file/exp.yaml"):
        with pytest.raises(ConfigError) as caught:
            read_yaml(name)
        texts[name] = str(caught.value)
    assert texts == {
        "absent.yaml": "absent.yaml: no such file; check its name and the folder that you run from",
        "folder.yaml": "folder.yaml: is a folder; give the YAML file inside it",
        "latin.yaml": "latin.yaml: is not UTF-8 text (byte 9); save it with the encoding UTF-8",
        "file/exp.yaml": "file/exp.yaml: cannot be read (Not a directory);"
        " check the path and its permissions",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "exp.yaml: is empty; write 'key: value' lines"),
        ("- 1", "exp.yaml:1: the top level must be a mapping of 'key: value' lines (got a list)"),
        ("hello", "exp.yaml:1: the top level must be a mapping of 'key: value' lines (got the text 'hello')"),
        ("a: {b: 1,\n  b: 2}", "exp.yaml:2: a.b: duplicate key (first at exp.yaml:1); keep one of them"),
        ("a:\n  1: x", "exp.yaml:2: a: the key 1 is not text; put it in quotes: '1'"),
        ("[1, 2]: x", "exp.yaml:1: top level: a key must be text, not a list or a mapping"),
        ("a: !foo 3", "exp.yaml:1: the tag !foo is not supported; remove it"),
        ("a: !!set {b}", "exp.yaml:1: the tag !!set is not supported; remove it"),
        ("a: !!int abc", "exp.yaml:1: cannot read 'abc' as int; remove the tag or correct the value"),
        (
            "a: &x {b: 1}\nc:\n  <<: *x",
            "exp.yaml:3: c: '<<' is not part of YAML 1.2; write the keys out",
        ),
        ("a: &x {b: *x}", "exp.yaml:1: a.b: an alias holds itself; write it out"),
        (
            "%YAML 1.1\n---\na: 12:30",
            "exp.yaml: asks for YAML 1.1, which reads 12:30 as 750; remove the %YAML line",
        ),
        (
            "a: 1\n\tb: 2",
            "exp.yaml:2: not valid YAML: found character '\\t' that cannot start any token, while scanning"
            " for the next token; check the quotes, brackets and indentation (spaces only)"
            " on this line and above",
        ),
        (
            "a: 'x\nb: 2",
            "exp.yaml:2: not valid YAML: found unexpected end of stream, while scanning a quoted scalar that"
            " starts on line 1; check the quotes, brackets and indentation (spaces only) on this line"
            " and above",
        ),
        (
            "a: \x01",
            "exp.yaml: not valid YAML: unacceptable character #x0001: special characters are not allowed;"
            " remove it",
        ),
    ],
)
def test_bad_files(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" ", "--set a: the value is empty; write null to set none, '' for empty text"),
        ("b: 1", "--set a: expected a value, a [list] or a {mapping} (got 'b: 1'); put text in quotes"),
        (
            "[1",
            "--set a: not valid YAML: expected ',' or ']', but got '<stream end>', while parsing a flow"
            " sequence; check the quotes and brackets",
        ),
    ],
)
def test_bad_values(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_value(text, "--set a")
    assert str(caught.value) == message


def test_a_tree_by_name_has_one_origin() -> None:
    tree = Tree.of({"a": {"b": 1}}, "preset data_grounded")
    assert str(tree.origin(("a", "b"))) == "preset data_grounded"
