"""Validate plain data against a settings model and report every finding where the user wrote it.

Two passes: all errors of shape (unknown and missing keys, wrong types); if there are none, all errors of
range together with the cross-references that the caller checks.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from pydantic import ValidationError

from churnsim.config import messages
from churnsim.config.base import Settings
from churnsim.config.paths import KeyPath, dotted, exists, lookup
from churnsim.config.schema import Schema, at_path, choices, json_schema
from churnsim.config.source import Tree
from churnsim.errors import ConfigError

S = TypeVar("S", bound=Settings)
Check: TypeAlias = Callable[[S], Iterable[tuple[KeyPath, str]]]


def validate(model: type[S], tree: Tree, *, checks: Sequence[Check[S]] = ()) -> S:
    """Make a settings instance from plain data, or report everything that is wrong with it.

    Parameters
    ----------
    model
        The settings class of the top level.
    tree
        Data and origins, as read and patched; not changed.
    checks
        Functions of the instance that yield ``(path, message)`` for each cross-reference that does not hold.

    Raises
    ------
    ConfigError
        With a line per finding, sorted by file and line: ``exp.yaml:9: offers.x.price_amount: must be at
        least 0 (got -3.0)``. Errors of shape are reported alone. Checks run although ranges are wrong, on a
        copy in which wrong values are replaced by their default or bound; where there is neither, they do
        not run.
    """
    instance, findings = examine(model, tree.data, checks=checks)
    if instance is None:
        raise ConfigError(_report(findings, tree))
    return instance


def examine(
    model: type[S], data: Any, *, checks: Sequence[Check[S]] = ()
) -> tuple[S | None, list[tuple[KeyPath, str]]]:
    """Make a settings instance from plain data; None with the findings, as :func:`validate` words them, if any."""
    instance, errors = _attempt(model, data)
    if instance is not None:
        findings = _checked(instance, checks)
    else:
        schema = json_schema(model)
        problems = _problems(errors, data)
        misshapen = [problem for problem in problems if not problem.is_range]
        findings = [_finding(problem, schema, data) for problem in misshapen or problems]
        if not misshapen:
            findings += _findings_after_repair(model, data, schema, problems, checks)
    return (None if findings else instance), findings


@dataclass(frozen=True)
class _Problem:
    """The errors of one value: several if it fits no member of a union."""

    path: KeyPath
    errors: tuple[Mapping[str, Any], ...]
    is_key: bool

    @property
    def is_union_member(self) -> bool:
        return not self.is_key and len(self.errors[0]["loc"]) > len(self.path)

    @property
    def is_range(self) -> bool:
        return any(error["type"] in messages.RANGE_ERRORS for error in self.errors)


_Finding: TypeAlias = tuple[KeyPath, str]


def _attempt(model: type[S], data: Any) -> tuple[S | None, list[Mapping[str, Any]]]:
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, list(error.errors(include_url=False))


def _report(findings: Iterable[_Finding], tree: Tree) -> str:
    def place(finding: _Finding) -> tuple[bool, str, int, str]:
        origin = tree.origin(finding[0])
        return origin.line is None, origin.source, origin.line or 0, dotted(finding[0])

    lines = []
    for path, text in sorted(findings, key=place):
        where = f"{dotted(path)}: " if path else ""
        lines.append(f"{tree.origin(path)}: {where}{text}")
    return "\n".join(lines)


def _checked(instance: S, checks: Sequence[Check[S]]) -> list[_Finding]:
    return [finding for check in checks for finding in check(instance)]


# From pydantic's errors to problems of values


def _problems(errors: Sequence[Mapping[str, Any]], data: Any) -> list[_Problem]:
    """Group errors by the value they concern."""
    groups: dict[tuple[KeyPath, bool], list[Mapping[str, Any]]] = {}
    for error in errors:
        key = _data_path(error, data), error["loc"][-1:] == ("[key]",)
        groups.setdefault(key, []).append(error)
    problems = [_Problem(path, tuple(group), is_key) for (path, is_key), group in groups.items()]
    # A mapping in a union of a scalar and a model: what is wrong inside says more than "expected a number".
    return [
        problem
        for problem in problems
        if not (problem.is_union_member and any(_holds(problem.path, other.path) for other in problems))
    ]


def _holds(holder: KeyPath, path: KeyPath) -> bool:
    return len(holder) < len(path) and path[: len(holder)] == holder


def _data_path(error: Mapping[str, Any], data: Any) -> KeyPath:
    """Return where an error's value stands in the data.

    pydantic puts the names of union members into ``loc``. A name may equal a key of the data, so of the paths
    that fit, the longest that leads to the very object pydantic looked at is taken.
    """
    loc = tuple(error["loc"])
    if loc[-1:] == ("[key]",):
        return _data_path({**error, "loc": loc[:-1], "input": None}, data)
    longest = None
    for path, value in _fitting(loc, data, is_missing=error["type"] == "missing"):
        if value is error["input"]:
            return path
        longest = path if longest is None else longest
    return loc if longest is None else longest


def _fitting(loc: KeyPath, data: Any, *, is_missing: bool) -> Iterator[tuple[KeyPath, Any]]:
    """Yield sub-sequences of ``loc`` that lead somewhere in the data, longest first, with what is there.

    A missing key must not be there; its holder is yielded. Of equal lengths, those that keep the last part of
    ``loc`` come first.
    """
    for length in range(len(loc), -1, -1):
        choices_of_parts = itertools.combinations(range(len(loc)), length)
        for parts in sorted(choices_of_parts, key=lambda kept: kept[-1:], reverse=True):
            path = tuple(loc[part] for part in parts)
            if not is_missing and exists(data, path):
                yield path, lookup(data, path)
            elif is_missing and path and exists(data, path[:-1]) and not exists(data, path):
                yield path, lookup(data, path[:-1])


def _finding(problem: _Problem, schema: Schema, data: Any) -> _Finding:
    """Say in words what is wrong with one value."""
    error, path = problem.errors[0], problem.path
    kind = error["type"]
    for each in problem.errors:
        # Pydantic comes to a model's own rule only if the rest of the value fits that member of a union.
        if each["type"] in ("value_error", "assertion_error"):
            return path, str(each["ctx"]["error"])
    if kind == "missing":
        return path, "missing; add it"
    if kind == "extra_forbidden":
        holders = at_path(schema, path[:-1], data)
        siblings = dict.fromkeys(key for holder in holders for key in holder.get("properties", ()))
        return path, messages.unknown_key(str(path[-1]), error["input"], list(siblings))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _tag_finding(error, path, schema, data)
    allowed = _allowed(schema, path, data)
    wanted = " or ".join(dict.fromkeys(messages.requirement(each, allowed) for each in problem.errors))
    wanted = wanted.replace(" or expected ", " or ")
    hint = next(filter(None, (messages.remedy(each, allowed) for each in problem.errors)), "")
    return path, f"{'the key ' if problem.is_key else ''}{wanted} {messages.found(error)}{hint}"


def _tag_finding(error: Mapping[str, Any], path: KeyPath, schema: Schema, data: Any) -> _Finding:
    key = error["ctx"]["discriminator"].strip("'")
    here = (*path, key)
    tags = _allowed(schema, here, data)
    if error["type"] == "union_tag_not_found":
        return here, f"missing; add it: {messages.one_of(tags)}"
    tag = error["input"][key]
    hint = messages.did_you_mean(tag, tags) if isinstance(tag, str) else ""
    return here, f"must be one of {messages.one_of(tags)} (got {messages.shown(tag)}){hint}"


def _allowed(schema: Schema, path: KeyPath, data: Any) -> list[Any]:
    """Return the values that the schema lists at a path, if it lists any."""
    return [value for node in at_path(schema, path, data) for value in choices(node)]


# Checks although ranges are wrong


def _findings_after_repair(
    model: type[S], data: Any, schema: Schema, problems: Sequence[_Problem], checks: Sequence[Check[S]]
) -> list[_Finding]:
    """Run what needs an instance on a copy whose wrong values are replaced."""
    repaired = _repaired(data, schema, problems)
    if repaired is None:
        return []
    instance, errors = _attempt(model, repaired)
    if instance is None:
        findings = [_finding(problem, schema, repaired) for problem in _problems(errors, repaired)]
    else:
        findings = _checked(instance, checks)
    # A rule about a replaced value, or about the section that holds it, says nothing about the user's file.
    replaced = [problem.path for problem in problems]
    return [
        (path, text)
        for path, text in findings
        if not any(path == other or _holds(path, other) for other in replaced)
    ]


def _repaired(data: Any, schema: Schema, problems: Sequence[_Problem]) -> Any | None:
    """Return a copy with each wrong scalar left to its default or, if it has none, set to its bound."""
    result = copy.deepcopy(data)
    for problem in problems:
        if isinstance(lookup(data, problem.path), (dict, list)):
            return None
        holder, last = lookup(result, problem.path[:-1]), problem.path[-1]
        if _has_default(schema, problem.path, data):
            del holder[last]
        elif (bounded := _bounded(schema, problem, data)) is not None:
            holder[last] = bounded
        else:
            return None
    return result


def _has_default(schema: Schema, path: KeyPath, data: Any) -> bool:
    return any(
        path[-1] in holder.get("properties", ()) and path[-1] not in holder.get("required", ())
        for holder in at_path(schema, path[:-1], data)
    )


def _bounded(schema: Schema, problem: _Problem, data: Any) -> Any | None:
    """Return the allowed value closest to a wrong one; None if there is no telling."""
    error = problem.errors[0]
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("greater_than_equal", "less_than_equal"):
        return context.get("ge", context.get("le"))
    if kind in ("greater_than", "less_than"):
        bound, step = (context["gt"], 1) if kind == "greater_than" else (context["lt"], -1)
        return bound + step if isinstance(bound, int) else math.nextafter(bound, bound + step)
    allowed = _allowed(schema, problem.path, data)
    return allowed[0] if allowed else None
