"""Key paths: where a value stands in nested mappings and lists."""

from __future__ import annotations

from typing import Any, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]


def dotted(path: KeyPath) -> str:
    """Write a key path the way messages and tables show it.

    >>> dotted(("policies", 0, "name"))
    'policies[0].name'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def lookup(data: Any, path: KeyPath) -> Any:
    """Return the value at a key path.

    Raises
    ------
    LookupError
        If a key or index on the way does not exist.

    >>> lookup({"policies": [{"name": "none"}]}, ("policies", 0, "name"))
    'none'
    """
    for part in path:
        holds_part = isinstance(data, dict) if isinstance(part, str) else isinstance(data, list)
        if not holds_part:
            raise LookupError(f"{dotted(path)}: no such key")
        data = data[part]
    return data


def exists(data: Any, path: KeyPath) -> bool:
    """Say whether there is a value, null included, at a key path."""
    try:
        lookup(data, path)
    except LookupError:
        return False
    return True
