"""A calibrated preset as YAML in which every value says where it is from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churnsim.calibration.result import Calibration, Constant


@dataclass(frozen=True)
class Source:
    """What a calibration is made from: the table's file name and hash, the seed, the experiment and its preset."""

    table: str
    sha256: str
    seed: int
    experiment: str
    preset: str


def preset_text(found: Calibration) -> str:
    """Return the preset: the fitted constants over the preset that the fit started from; the same every time."""
    source = found.source
    short = f"{source.table} {source.sha256[:12]}, seed {source.seed}"
    leaves = {c.key: (c.after, f"{c.before:g} in the preset below; step {c.step:+.2f}, {_error(c)}; {short}")
              for c in found.constants}
    head = [
        f"# Calibrated to {source.table} (sha256 {source.sha256}),",
        f"# seed {source.seed}, {found.rows['fitted']} rows fitted, {found.rows['held_out']} held out; "
        f"experiment {source.experiment}.",
        "# Use it in an experiment file: preset: ./THIS_FILE.yaml",
        "schema: 1",
        f"preset: {source.preset}",
    ]
    lost = [f"#   {name}: {why}" for name, why in found.unidentified.items()]
    if lost:
        head += ["# Not identified from this table, left as there:", *lost]
    return "\n".join([*head, *_lines(_nested(leaves), 0)]) + "\n"


def _error(constant: Constant) -> str:
    return "at its bound" if constant.at_bound else f"standard error {constant.step_se:.2f}"


def _nested(leaves: Mapping[str, tuple[float, str]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, leaf in leaves.items():
        *way, last = key.split(".")
        at = out
        for part in way:
            at = at.setdefault(part, {})
        at[last] = leaf
    return out


def _lines(tree: Mapping[str, Any], depth: int) -> Iterator[str]:
    for name, inner in tree.items():
        key = name if re.fullmatch(r"[A-Za-z_][\w-]*", name) else f"'{name}'"
        if isinstance(inner, dict):
            yield f"{'  ' * depth}{key}:"
            yield from _lines(inner, depth + 1)
        else:
            value, comment = inner
            yield f"{'  ' * depth}{key}: {value!r}    # {comment}"
