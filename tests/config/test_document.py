from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from churnsim.config.base import Amount, Count, Prob, Settings
from churnsim.config.document import reference_markdown


class Discount(Settings):
    """Cheaper for a while."""

    kind: Literal["discount"]
    depth: Prob
    """Share of the price
    taken off."""


class Call(Settings):
    kind: Literal["call"] = "call"
    cost: Amount = 2.0


class Market(Settings):
    regions: Annotated[tuple[str, ...], Field(min_length=1)] = ("a|b",)
    rates: Annotated[dict[str, Prob], Field(default_factory=dict)]
    span_days: tuple[Count, Count] = (0, 30)


class Experiment(Settings):
    """One experiment."""

    model_config = ConfigDict(title="Experiment file")

    seed: Count
    market: Market = Market()
    """Where it happens."""
    offers: Annotated[
        dict[str, Annotated[Discount | Call, Field(discriminator="kind")]], Field(default_factory=dict)
    ]
    size: Annotated[int, Field(gt=0, multiple_of=1024)] | Literal["small", "large"] = "small"
    after: Experiment | None = None


REFERENCE = """\
# Experiment file

One experiment.

| key | type | default | bounds | meaning |
|---|---|---|---|---|
| `seed` | whole number | required | >= 0 |  |
| `market` | section | see below |  | Where it happens. |
| `offers` | mapping of name to section | `{}` |  |  |
| `size` | whole number or 'small' or 'large' | `"small"` | > 0, multiple of 1024 |  |
| `after` | section or null | `null` |  |  |

## `market`

| key | type | default | bounds | meaning |
|---|---|---|---|---|
| `market.regions` | list of text | `["a\\|b"]` | at least 1 item(s) |  |
| `market.rates` | mapping of name to number | `{}` | each >= 0, each <= 1 |  |
| `market.span_days` | list of (whole number, whole number) | `[0, 30]` | each >= 0 |  |

## `offers.<name>` (kind: discount)

Cheaper for a while.

| key | type | default | bounds | meaning |
|---|---|---|---|---|
| `offers.<name>.kind` | 'discount' | required |  |  |
| `offers.<name>.depth` | number | required | >= 0, <= 1 | Share of the price taken off. |

## `offers.<name>` (kind: call)

| key | type | default | bounds | meaning |
|---|---|---|---|---|
| `offers.<name>.kind` | 'call' | `"call"` |  |  |
| `offers.<name>.cost` | number | `2.0` | >= 0 |  |
"""


def test_reference_has_every_key_once() -> None:
    assert reference_markdown(Experiment) == REFERENCE


def test_the_package_imports_without_numerical_libraries() -> None:
    code = (
        "import sys, churnsim.config.document, churnsim.config.validate, churnsim.config.patch,"
        " churnsim.config.digest; print(sorted({'numpy', 'pandas', 'scipy', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
