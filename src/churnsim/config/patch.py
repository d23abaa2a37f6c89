"""Patches: scenarios and ``--set`` values laid over an experiment file."""

from __future__ import annotations

from typing import Any

from churnsim.config.paths import KeyPath
from churnsim.config.source import Origin, Tree, parse_value
from churnsim.errors import ConfigError


def merge(base: Tree, patch: Tree) -> Tree:
    """Lay a patch over a base: mappings are merged key by key, all else is replaced.

    A list replaces the whole list and null sets null, whatever the base has there. A replaced value takes
    the patch's origin; a mapping that both have keeps the base's.

    Parameters
    ----------
    base, patch
        Neither is changed.

    >>> base = Tree.of({"seed": 1, "market": {"size": 10, "rate": 0.1}}, "exp.yaml")
    >>> merged = merge(base, Tree.of({"market": {"size": 20}}, "--set"))
    >>> merged.data
    {'seed': 1, 'market': {'size': 20, 'rate': 0.1}}
    >>> str(merged.origin(("market", "size"))), str(merged.origin(("market", "rate")))
    ('--set', 'exp.yaml')
    """
    origins = dict(base.origins)

    def merged(old: dict[str, Any], new: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        result = dict(old)
        for key, value in new.items():
            here = (*path, key)
            if isinstance(value, dict) and isinstance(result.get(key), dict):
                result[key] = merged(result[key], value, here)
            else:
                result[key] = value
                _replace_origins(origins, patch, here)
        return result

    return Tree(merged(base.data, patch.data, ()), origins)


def _replace_origins(origins: dict[KeyPath, Origin], patch: Tree, path: KeyPath) -> None:
    for stale in [known for known in origins if known[: len(path)] == path]:
        del origins[stale]
    origins[path] = patch.origin(path)
    origins.update({known: at for known, at in patch.origins.items() if known[: len(path)] == path})


def parse_assignment(text: str) -> Tree:
    """Turn ``a.b.c=1e6`` into a patch with the origin ``--set``.

    Parameters
    ----------
    text
        Keys joined by dots, ``=``, and a YAML 1.2 value: a scalar, a ``[list]`` or a ``{mapping}``. A key
        that itself has a dot cannot be written so.

    Raises
    ------
    ConfigError
        If there is no ``=``, a key is empty or the value cannot be read.

    >>> parse_assignment("market.size=1e6").data
    {'market': {'size': 1000000.0}}
    """
    dotted_keys, equals, value_text = text.partition("=")
    keys = [key.strip() for key in dotted_keys.split(".")]
    if not equals or not all(keys):
        raise ConfigError(f"--set: expected key.key=value (got {text!r}); for example seed=2")
    data = parse_value(value_text, f"--set {dotted_keys.strip()}")
    for key in reversed(keys):
        data = {key: data}
    return Tree.of(data, "--set")
