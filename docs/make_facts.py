"""Make docs/facts.md from docs/facts.yaml: where each fact of the field is represented.

Usage: python docs/make_facts.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).parent
SOURCE = HERE / "facts.yaml"
PAGE = HERE / "facts.md"
INTRODUCTION = """\
# Where the facts of the field stand

The simulator represents facts and mechanisms that operators, textbooks and studies name. Each has a number, and a
place in the product: a key of the experiment file, a column, a covariate, a cause of leaving, an offer, a lifecycle
state, a scenario of `experiments/scenarios.yaml`, a key that the preset `source_claims` sets (claim), a command, a
part of the code, or a test. A few are context only, for a reason given. This page is made from
[facts.yaml](facts.yaml) by `python docs/make_facts.py`; a test holds that every place exists.
"""


def read_facts() -> dict[int, dict[str, Any]]:
    """Return number -> group, fact, and `at` (places) or `context` (why it is not represented)."""
    facts: dict[int, dict[str, Any]] = YAML(typ="safe").load(SOURCE)
    return facts


def page() -> str:
    """Return the page."""
    facts = read_facts()
    lines = [INTRODUCTION]
    for group in dict.fromkeys(fact["group"] for fact in facts.values()):
        lines += [f"## {group[0].upper()}{group[1:]}\n", "| # | fact | where |", "|--:|---|---|"]
        for number, fact in facts.items():
            if fact["group"] == group:
                where = f"context only: {fact['context']}" if "context" in fact else "; ".join(map(_shown, fact["at"]))
                lines.append(f"| {number} | {fact['fact']} | {where} |")
        lines.append("")
    return "\n".join(lines)


def _shown(place: str) -> str:
    kind, _, name = place.partition(":")
    return f"`{name}`" if kind == "config" else f"{kind} `{name}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
