"""What a driver is: a function on the columns of a block of subscribers for one month."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Schema, Subscribers
from churnsim.core.draws import Key, Stream, uniform4
from churnsim.errors import ConfigError
from churnsim.lifecycle.covariates import COVARIATES, Surroundings
from churnsim.lifecycle.settings import LifecycleSettings

Array = npt.NDArray[Any]
Lane = npt.NDArray[np.float32]
Lanes = tuple[Lane, Lane, Lane, Lane]


@dataclass
class Month:
    """What a driver knows about the month: its number, the settings, the market, and keyed draws.

    Draws are kept, so that the arms of one block (a subscriber and its twins) share them.
    """

    settings: LifecycleSettings
    around: Surroundings
    ids: npt.NDArray[np.int64]
    key: Key
    _lanes: dict[int, Lanes] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """Calendar month, from 0."""
        return self.around.month

    def lanes(self, source: Stream) -> Lanes:
        """Return the four uniform lanes of a stream, (n,) float32 each."""
        if source.number not in self._lanes:
            self._lanes[source.number] = uniform4(self.key, source, self.ids, month=self.number)
        return self._lanes[source.number]

    def sum_of(self, table: dict[str, float], base: Subscribers, *, intercept: float) -> Array:
        """Return intercept + sum of coefficient x covariate, (n,) float32."""
        total = np.full(len(base), intercept, np.float32)
        for name, coefficient in table.items():
            total += np.float32(coefficient) * COVARIATES[name].compute(base, self.around)
        return total


@dataclass(frozen=True)
class Driver:
    """A step of the month.

    Attributes
    ----------
    name
        "lifecycle.<name>" owns, in the schema, the columns that the driver writes.
    reads, writes
        Columns of the subscriber table it uses and changes (those of covariates come on top).
    step
        ``step(base, month)`` changes the written columns in place.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    step: Callable[[Subscribers, Month], None]


def check_drivers(drivers: Sequence[Driver], schema: Schema) -> None:
    """Refuse drivers of one name, and those that name an unknown column or write somebody else's.

    Raises
    ------
    ConfigError
        One line a finding.
    """
    names = [driver.name for driver in drivers]
    findings = [
        f"driver {name!r} stands {names.count(name)} times in the order of the month; rename or remove it"
        for name in sorted(set(names)) if names.count(name) > 1]
    for driver in drivers:
        for name in (*driver.reads, *driver.writes):
            if name not in schema:
                findings.append(f"driver {driver.name!r}: no column {name!r}; declare it in the schema")
        findings += [
            f"driver {driver.name!r} writes {name!r}, which belongs to {schema[name].owner!r}; "
            f"declare it with owner 'lifecycle.{driver.name}' or write another column"
            for name in driver.writes if name in schema and schema[name].owner != f"lifecycle.{driver.name}"
        ]
    if findings:
        raise ConfigError("\n".join(findings))
