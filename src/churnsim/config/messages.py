"""What pydantic reports, in the words of somebody who writes an experiment file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

RANGE_ERRORS = frozenset(
    {
        "assertion_error",
        "enum",
        "finite_number",
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "literal_error",
        "multiple_of",
        "string_pattern_mismatch",
        "string_too_long",
        "string_too_short",
        "too_long",
        "too_short",
        "value_error",
    }
)
"""pydantic's error types that concern a value of the right shape; all others concern the shape."""

_EXPECTED = {
    "bool": "true or false",
    "date": "a date such as 2025-01-31",
    "dict": "a mapping",
    "float": "a number",
    "frozen_set": "a list",
    "int": "a whole number",
    "list": "a list",
    "mapping": "a mapping",
    "model": "a mapping",
    "model_attributes": "a mapping",
    "none": "null",
    "set": "a list",
    "string": "text",
    "tuple": "a list",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_LENGTHS = {
    "too_short": ("at least", "min_length", "item"),
    "too_long": ("at most", "max_length", "item"),
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
}
_MAX_SHOWN = 12


def shown(value: Any) -> str:
    """Write a value for a message: YAML's words for null and booleans, containers by kind, text shortened.

    >>> [shown(value) for value in (None, True, -3.0, "abc", [1], {})]
    ['null', 'true', '-3.0', "'abc'", 'a list', 'a mapping']
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def one_of(values: Iterable[Any]) -> str:
    """Join values to ``'a', 'b' or 'c'``."""
    *front, last = [shown(value) for value in values]
    return f"{', '.join(front)} or {last}" if front else last


def requirement(error: Mapping[str, Any], allowed: list[Any]) -> str:
    """Say what one pydantic error asks of its value.

    Parameters
    ----------
    error
        An entry of ``ValidationError.errors()``.
    allowed
        The values that the schema lists at this place, if it lists any.
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"must be {words} {_bound(context[name])}"
    if kind in _LENGTHS:
        words, name, noun = _LENGTHS[kind]
        return f"must have {words} {context[name]} {noun}{'' if context[name] == 1 else 's'}"
    if kind in ("literal_error", "enum"):
        several = "one of " if len(allowed) > 1 else ""
        return f"must be {several}{one_of(allowed)}" if allowed else f"must be {context['expected']}"
    if kind == "finite_number":
        return "must be a finite number"
    if kind == "string_pattern_mismatch":
        return f"must match the pattern {context['pattern']}"
    expected = _EXPECTED.get(kind.rsplit("_", 1)[0]) or _EXPECTED.get(kind.split("_", 1)[0])
    return f"expected {expected}" if expected else str(error["msg"])


def found(error: Mapping[str, Any]) -> str:
    """Say what stands there instead: the value, or the number of items where that is what is wrong."""
    if error["type"] in ("too_short", "too_long"):
        return f"(got {len(error['input'])})"
    return f"(got {shown(error['input'])})"


def remedy(error: Mapping[str, Any], allowed: list[Any]) -> str:
    """Say how to write the value where the requirement alone does not."""
    kind, value = error["type"], error["input"]
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return f"; write {int(value)}"
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    if kind in ("literal_error", "enum") and len(allowed) > 1 and isinstance(value, str):
        return did_you_mean(value, allowed)
    return ""


def did_you_mean(word: str, known: Iterable[Any]) -> str:
    """Suggest the closest known word, or return nothing if none is close.

    >>> did_you_mean("sed", ["seed", "name"])
    ". Did you mean 'seed'?"
    """
    close = difflib.get_close_matches(word, [name for name in known if isinstance(name, str)], n=1)
    return f". Did you mean {close[0]!r}?" if close else ""


def unknown_key(key: str, value: Any, allowed: list[str]) -> str:
    """Say that a key is unknown and which one to write instead."""
    suggestion = did_you_mean(key, allowed)
    if not suggestion:
        names = ", ".join(allowed[:_MAX_SHOWN])
        more = f" and {len(allowed) - _MAX_SHOWN} more" if len(allowed) > _MAX_SHOWN else ""
        suggestion = f". Allowed keys: {names}{more}" if allowed else "; no key is allowed here, remove it"
    return f"unknown key (got {shown(value)}){suggestion}"


def _bound(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
