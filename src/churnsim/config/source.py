"""Read YAML 1.2 into plain data that remembers the line of every key.

PyYAML reads YAML 1.1, in which ``1e6`` is text and ``12:30`` is 750; ruamel.yaml reads 1.2. Its node graph
is used rather than its round-trip containers, so that the data holds plain Python values from the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from churnsim.config.paths import KeyPath, dotted
from churnsim.errors import ConfigError

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Origin:
    """Where a value came from: a file and its line, or a name such as ``--set`` without a line."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Tree:
    """Nested plain data (dict, list, str, int, float, bool, None) and the origin of its values.

    The data is shared between trees and never changed in place.

    Parameters
    ----------
    data
        The top-level mapping.
    origins
        Key path to origin. The root ``()`` is always there; a path without an entry has the origin of its
        closest holder.
    """

    data: dict[str, Any]
    origins: Mapping[KeyPath, Origin]

    @classmethod
    def of(cls, data: dict[str, Any], source: str) -> Tree:
        """Give all of the data one origin by name, e.g. ``preset data_grounded``.

        >>> str(Tree.of({"seed": 1}, "scenario low_budget").origin(("seed",)))
        'scenario low_budget'
        """
        return cls(data, {(): Origin(source)})

    def origin(self, path: KeyPath) -> Origin:
        """Return the origin of the value at ``path``, or of the closest holder that has one."""
        while path not in self.origins:
            path = path[:-1]
        return self.origins[path]


def read_yaml(path: str | Path) -> Tree:
    """Read a YAML file whose top level is a mapping; origins name the file as ``path`` is written.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not valid YAML 1.2, repeats a key or is not a mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; check its name and the folder that you run from") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder; give the YAML file inside it") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: is not UTF-8 text (byte {error.start}); save it with the encoding UTF-8"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); check the path and its permissions"
        ) from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> Tree:
    r"""Read YAML text whose top level is a mapping.

    Parameters
    ----------
    text
        One YAML 1.2 document.
    source
        The name that origins and messages give it, usually a file's.

    Raises
    ------
    ConfigError
        If the text is not valid YAML 1.2, repeats a key or is not a mapping.

    >>> tree = parse_yaml("seed: 1\nmarket:\n  size: 1e6\n", "exp.yaml")
    >>> tree.data
    {'seed': 1, 'market': {'size': 1000000.0}}
    >>> str(tree.origin(("market", "size")))
    'exp.yaml:3'
    """
    reader = _Reader(source)
    node = reader.compose(text)
    if node is None:
        raise ConfigError(f"{source}: is empty; write 'key: value' lines")
    if not isinstance(node, MappingNode):
        raise ConfigError(
            f"{reader.origin(node)}: the top level must be a mapping of 'key: value' lines"
            f" (got {'a list' if isinstance(node, SequenceNode) else f'the text {node.value!r}'})"
        )
    return Tree(reader.value(node, ()), reader.origins)


def parse_value(text: str, source: str) -> Any:
    """Read one YAML 1.2 value on a line: a scalar, a ``[list]`` or a ``{mapping}``.

    Raises
    ------
    ConfigError
        If the text is empty, not valid YAML 1.2, or a block such as ``a: b``.

    >>> [parse_value(text, "--set") for text in ("1e6", "12:30", "[1, 2]", "null")]
    [1000000.0, '12:30', [1, 2], None]
    """
    reader = _Reader(source, has_lines=False)
    node = reader.compose(text)
    if node is None:
        raise ConfigError(f"{source}: the value is empty; write null to set none, '' for empty text")
    if isinstance(node, (MappingNode, SequenceNode)) and not node.flow_style:
        raise ConfigError(
            f"{source}: expected a value, a [list] or a {{mapping}} (got {text!r}); put text in quotes"
        )
    return reader.value(node, ())


class _Reader:
    """Turns the YAML nodes of one document into plain data and collects the origins on the way."""

    def __init__(self, source: str, *, has_lines: bool = True) -> None:
        self.origins: dict[KeyPath, Origin] = {}
        self._source = source
        self._has_lines = has_lines
        self._yaml = YAML(typ="safe", pure=True)
        self._open: list[Node] = []

    def compose(self, text: str) -> Node | None:
        """Parse the text into nodes; None if there is nothing in it."""
        try:
            node: Node | None = self._yaml.compose(text)
        except MarkedYAMLError as error:
            raise ConfigError(self._syntax_message(error)) from None
        except YAMLError as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"{self._source}: not valid YAML: {reason}; remove it") from None
        if self._yaml.version == (1, 1):
            raise ConfigError(
                f"{self._source}: asks for YAML 1.1, which reads 12:30 as 750; remove the %YAML line"
            )
        return node

    def origin(self, node: Node) -> Origin:
        return Origin(self._source, node.start_mark.line + 1 if self._has_lines else None)

    def value(self, node: Node, path: KeyPath) -> Any:
        """Return the plain value of a node and record the origins of everything in it."""
        self.origins.setdefault(path, self.origin(node))
        if any(node is holder for holder in self._open):
            raise ConfigError(f"{self.origin(node)}: {dotted(path)}: an alias holds itself; write it out")
        self._open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                self._require_tag(node, "seq")
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._scalar(node)
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        self._require_tag(node, "map")
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            here = (*path, key)
            if key in result:
                raise ConfigError(
                    f"{self.origin(key_node)}: {dotted(here)}: duplicate key"
                    f" (first at {self.origins[here]}); keep one of them"
                )
            # The key's line, not the value's: a block mapping starts on the line below its key.
            self.origins[here] = self.origin(key_node)
            result[key] = self.value(value_node, here)
        return result

    def _key(self, node: Node, path: KeyPath) -> str:
        place = f"{self.origin(node)}: {dotted(path) or 'top level'}"
        if node.tag == f"{_TAG}merge":
            raise ConfigError(f"{place}: '<<' is not part of YAML 1.2; write the keys out")
        if not isinstance(node, ScalarNode):
            raise ConfigError(f"{place}: a key must be text, not a list or a mapping")
        if node.tag != f"{_TAG}str":
            raise ConfigError(f"{place}: the key {node.value} is not text; put it in quotes: '{node.value}'")
        return str(node.value)

    def _scalar(self, node: Node) -> Any:
        # YAML 1.2 has no dates: one stays the text it is written as, and the schema decides.
        if node.tag == f"{_TAG}timestamp":
            return str(node.value)
        self._require_tag(node, "null", "bool", "int", "float", "str")
        try:
            return self._yaml.constructor.construct_object(node)
        except (ValueError, KeyError):
            raise ConfigError(
                f"{self.origin(node)}: cannot read {node.value!r} as {str(node.tag).removeprefix(_TAG)};"
                " remove the tag or correct the value"
            ) from None

    def _require_tag(self, node: Node, *names: str) -> None:
        if node.tag not in {f"{_TAG}{name}" for name in names}:
            tag = str(node.tag).replace(_TAG, "!!")
            raise ConfigError(f"{self.origin(node)}: the tag {tag} is not supported; remove it")

    def _syntax_message(self, error: MarkedYAMLError) -> str:
        mark = error.problem_mark or error.context_mark
        where = f"{self._source}:{mark.line + 1}" if self._has_lines and mark else self._source
        context = f", {error.context}" if error.context else ""
        if self._has_lines and error.context and error.context_mark:
            context += f" that starts on line {error.context_mark.line + 1}"
        advice = "check the quotes and brackets"
        if self._has_lines:
            advice = "check the quotes, brackets and indentation (spaces only) on this line and above"
        return f"{where}: not valid YAML: {error.problem}{context}; {advice}"
