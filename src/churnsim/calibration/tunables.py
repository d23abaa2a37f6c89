"""What calibration may change: a table of keys of the experiment, their bounds, and the moments that tell them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

Values = dict[str, float]
"""Dotted key of the experiment -> value."""

DIGITS = 6


@dataclass(frozen=True)
class Tunable:
    """One number that moves one key or several together.

    Attributes
    ----------
    name
        What the report calls it.
    keys
        Dotted keys; ``*`` stands for any one name. A key that the preset lacks is left out.
    scale
        How a step s changes a value v: "shift" v + s, "log" v exp(s), "logit" the same step of the log-odds.
    low, high
        Bounds of the step.
    groups
        Groups of moments that can tell it.
    absent
        Value of keys without ``*`` that the preset lacks but allows; None: they must be there.
    size
        A step that would surprise nobody: the fit pays for steps in units of it, so that a constant moves only as
        far as the table asks for, and so do the differences of the Jacobian (a twentieth of it).
    """

    name: str
    keys: tuple[str, ...]
    scale: Literal["shift", "log", "logit"]
    low: float
    high: float
    groups: tuple[str, ...]
    absent: float | None = None
    size: float = 2.0

    def values(self, data: Mapping[str, Any]) -> Values:
        """Return the keys that the resolved experiment has, with their values."""
        found: Values = {}
        for pattern in self.keys:
            matched = dict(_matches(data, pattern.split("."), ""))
            if not matched and self.absent is not None and "*" not in pattern and _holder(data, pattern):
                matched = {pattern: self.absent}
            found |= matched
        return found

    def moved(self, value: float, step: float) -> float:
        """Return a value after a step, rounded as a preset writes it."""
        if step == 0.0:
            return value
        if self.scale == "shift":
            new = value + step
        elif self.scale == "log":
            new = value * math.exp(step)
        else:
            inside = min(max(value, 1e-3), 1.0 - 1e-3)
            new = 1.0 / (1.0 + (1.0 - inside) / inside * math.exp(-step))
        return float(f"{new:.{DIGITS}g}")


CAUSES = "lifecycle.causes"
TUNABLES: tuple[Tunable, ...] = (
    Tunable("level of all causes", (f"{CAUSES}.*.intercept",), "shift", -4.0, 3.0, ("level",), size=1.0),
    Tunable("first months", (f"{CAUSES}.*.coefficients.newness",), "shift", -2.0, 4.0, ("first months",)),
    Tunable("bound by a contract", (f"{CAUSES}.*.coefficients.bound",), "shift", -3.0, 1.5, ("tenure", "contract")),
    Tunable("contract about to end", (f"{CAUSES}.contract_end.coefficients.contract_ending",), "shift", -6.0, 3.0,
            ("tenure", "contract")),
    Tunable("out of contract", (f"{CAUSES}.contract_end.coefficients.out_of_contract",), "shift", -4.0, 4.0,
            ("tenure", "contract")),
    Tunable("just out of a contract", (f"{CAUSES}.contract_end.coefficients.contract_just_ended",), "shift", -4.0, 4.0,
            ("tenure",)),
    Tunable("woken by the end of a contract", ("lifecycle.contract.notice_wake",), "shift", 0.0, 6.0, ("tenure",)),
    Tunable("renewal unasked", ("lifecycle.contract.renewal_prob",), "logit", -3.0, 3.0, ("tenure",)),
    Tunable("in a later contract at the start", ("population.traits.in_later_contract_share",), "logit", -4.0, 4.0,
            ("tenure",)),
    Tunable("noise of usage", ("lifecycle.usage.noise_log_sd",), "log", -1.5, 1.5, ("share flagged",), size=1.0),
    Tunable("idle months", ("lifecycle.usage.idle_prob",), "log", -3.0, 2.5, ("share flagged",), size=1.0),
    Tunable("depth of idle months", ("lifecycle.usage.idle_log_depth",), "log", -1.5, 1.5, ("share flagged",),
            size=1.0),
    Tunable("fall of usage as a sign of leaving", (f"{CAUSES}.need_gone.coefficients.usage_drop",), "shift", -1.5, 3.0,
            ("usage",)),
    Tunable("shopping as a sign of leaving", (f"{CAUSES}.*.coefficients.shopping",), "shift", -2.0, 2.0, ("usage",)),
    Tunable("usage while shopping", ("lifecycle.usage.shopping_factor",), "logit", -2.5, 2.0, ("usage",)),
    Tunable("days of shopping", ("lifecycle.shopping.days_mean",), "log", -1.5, 1.5, ("usage",), size=1.0),
    Tunable("how long usage stays away from the usual", ("lifecycle.usage.persistence",), "logit", -3.0, 2.0,
            ("usage", "share flagged")),
    Tunable("share that shops", ("lifecycle.shopping.base_prob",), "log", -1.5, 1.5, ("usage",), size=1.0),
    Tunable("rise of the bill as a sign of leaving", (f"{CAUSES}.price.coefficients.bill_shock",), "shift", -2.0, 2.0,
            ("bill",)),
    Tunable("families", (f"{CAUSES}.need_gone.coefficients.family",), "shift", -3.0, 3.0, ("customer type",),
            absent=0.0),
    Tunable("enterprises", (f"{CAUSES}.*.coefficients.enterprise",), "shift", -3.0, 3.0, ("customer type",)),
    Tunable("prepaid", (f"{CAUSES}.need_gone.coefficients.prepaid",), "shift", -3.0, 3.0, ("payment",)),
    Tunable("price sensitivity as a cause", (f"{CAUSES}.price.coefficients.price_sensitivity",), "shift", -2.0, 2.0,
            ("price",)),
)
"""The tunables, those that are told first in front: where two move the moments alike, the later one stays."""


def stepped(data: Mapping[str, Any], steps: Mapping[str, float], tunables: tuple[Tunable, ...] = TUNABLES) -> Values:
    """Return every key that steps of tunables (by name) move away from the resolved experiment, and its value."""
    out: Values = {}
    for tunable in tunables:
        if (step := steps.get(tunable.name, 0.0)) != 0.0:
            for key, value in tunable.values(data).items():
                out[key] = tunable.moved(out.get(key, value), step)
    return out


def with_values(data: Mapping[str, Any], values: Mapping[str, float]) -> dict[str, Any]:
    """Return a copy of a resolved experiment with other values at dotted keys."""
    out = deepcopy(dict(data))
    for key, value in values.items():
        *way, last = key.split(".")
        at = out
        for part in way:
            at = at[part]
        at[last] = value
    return out


def _matches(data: Any, parts: list[str], at: str) -> list[tuple[str, float]]:
    if not parts:
        return [(at, float(data))] if isinstance(data, int | float) and not isinstance(data, bool) else []
    if not isinstance(data, Mapping):
        return []
    found = []
    for name, inner in data.items():
        if fnmatchcase(str(name), parts[0]):
            found += _matches(inner, parts[1:], f"{at}.{name}" if at else str(name))
    return found


def _holder(data: Any, key: str) -> bool:
    for part in key.split(".")[:-1]:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return isinstance(data, Mapping)
