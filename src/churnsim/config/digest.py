"""Hash and compare plain data and settings."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic_core import to_jsonable_python

from churnsim.config.paths import KeyPath, dotted

_ABSENT = "(absent)"


def digest(obj: Any) -> str:
    """Return the sha256 of an object's canonical JSON: sorted keys, floats by repr, no spaces.

    Parameters
    ----------
    obj
        Plain data, settings, or plain data that holds settings. An int and an equal float differ here;
        validated settings hold floats for float fields, so hash those rather than what a file held.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ValueError
        If a number is not finite.

    >>> digest({"b": 1, "a": 0.1}) == digest({"a": 0.1, "b": 1})
    True
    """
    return hashlib.sha256(_canonical(to_jsonable_python(obj)).encode("utf-8")).hexdigest()


def diff(a: Any, b: Any) -> list[str]:
    """List what changed from ``a`` to ``b``, a line per key; empty exactly when the digests are equal.

    Parameters
    ----------
    a, b
        Mappings, possibly nested, or settings.

    >>> diff({"seed": 1, "market": {"size": 2}}, {"seed": 2, "market": {"size": 2, "rate": 0.5}})
    ['seed: 1 -> 2', 'market.rate: (absent) -> 0.5']
    """
    before, after = (_leaves(to_jsonable_python(obj), ()) for obj in (a, b))
    return [
        f"{dotted(path)}: {before.get(path, _ABSENT)} -> {after.get(path, _ABSENT)}"
        for path in before | after
        if before.get(path) != after.get(path)
    ]


def _leaves(data: Any, path: KeyPath) -> dict[KeyPath, str]:
    """Map the path of every scalar and empty container to its canonical text."""
    if isinstance(data, dict) and data:
        items = list(data.items())
    elif isinstance(data, list) and data:
        items = list(enumerate(data))
    else:
        return {path: _canonical(data)}
    return {leaf: text for key, value in items for leaf, text in _leaves(value, (*path, key)).items()}


def _canonical(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
