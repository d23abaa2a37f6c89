"""Drivers of the user's own: classes that an experiment file names as module:Class.

Nothing of them travels to workers, which load the file again: what an experiment holds of a driver is plain data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from churnsim.config.base import Settings as BaseSettings
from churnsim.config.named_class import class_digest, load_class, told
from churnsim.config.paths import KeyPath, dotted
from churnsim.config.validate import examine
from churnsim.core.smooth import exp32
from churnsim.errors import ConfigError
from churnsim.lifecycle.block import Block, Float32
from churnsim.lifecycle.covariates import COVARIATES
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.hazards import OFFER_COLUMNS
from churnsim.lifecycle.settings import PluginDriver

Entries = Mapping[str, PluginDriver]
Finding = tuple[KeyPath, str]

AT = ("lifecycle", "drivers")


class Plugin(Protocol):
    """A class that an experiment file may name as a driver.

    Attributes
    ----------
    Settings
        A subclass of :class:`churnsim.config.base.Settings`: the keys of `settings` in the file.
    """

    Settings: ClassVar[type[BaseSettings]]

    def __init__(self, settings: Any) -> None: ...

    def driver(self) -> Driver:
        """Return the driver."""
        ...


def load_drivers(entries: Entries, folder: Path) -> tuple[Driver, ...]:
    """Return the drivers that an experiment names, in its order.

    Parameters
    ----------
    entries
        Section lifecycle.drivers.
    folder
        Folder of the experiment file, whose modules are found first.

    Raises
    ------
    ConfigError
        A driver cannot be had; one line a finding.
    """
    drivers, findings = check_drivers(entries, folder)
    if findings:
        raise ConfigError("\n".join(f"{dotted(path)}: {text}" for path, text in findings))
    return drivers


def check_drivers(entries: Entries, folder: Path) -> tuple[tuple[Driver, ...], list[Finding]]:
    """Return the drivers that can be had, and findings as (key path, message) about the others."""
    drivers: list[Driver] = []
    findings: list[Finding] = []
    for name, entry in entries.items():
        made, wrong = _make(entry, folder)
        drivers += [] if made is None else [made]
        findings += [((*AT, name, *path), text) for path, text in wrong]
    return tuple(drivers), findings


def driver_digests(entries: Entries, folder: Path) -> dict[str, str]:
    """Return the sha256 of the file of each driver's module, by the driver's name in the experiment."""
    return {name: class_digest(entry.driver, folder) for name, entry in entries.items()}


def driver_covariates(drivers: Sequence[Driver], *, stored: bool) -> tuple[str, ...]:
    """Return the columns of drivers that coefficient tables may name; `stored`: only those of a subscriber's state."""
    return tuple(column.name for driver in drivers for column in driver.columns
                 if not column.history and (column.scope == "stored" or not stored))


def with_offers(drivers: Sequence[Driver], log_multipliers: Float32, *, habituation: float = 0.0) -> tuple[Driver, ...]:
    """Return further drivers with their hazards multiplied by what offers in effect do to their causes.

    Parameters
    ----------
    log_multipliers
        (1 + offers, causes of the drivers) float32: log of the hazard multipliers at responsiveness 1, causes in
        order; no column at all: no offer acts on them.
    habituation
        As of :class:`churnsim.lifecycle.hazards.HazardTable`.

    Raises
    ------
    ValueError
        There are columns, but not one a cause.
    """
    causes, columns = sum(len(driver.causes) for driver in drivers), log_multipliers.shape[1]
    if columns not in (0, causes):
        raise ValueError(f"the offer table is made for {columns} causes beside those of the lifecycle, further drivers "
                         f"have {causes}; give offer_table the causes of the lifecycle, then theirs")
    found, first = [], 0
    for driver in drivers:
        last = first + len(driver.causes)
        found.append(_with_offers(driver, log_multipliers[:, first:last], habituation))
        first = last
    return tuple(found)


def _with_offers(driver: Driver, log_multipliers: Float32, habituation: float) -> Driver:
    own = driver.hazards
    if own is None or not log_multipliers.any():
        return driver

    def hazards(block: Block) -> Float32:
        found = own(block).copy()
        rows = np.flatnonzero(block["offer_left_months"] > 0)
        code = block["offer_code"][rows]
        strength = block["responsiveness"][rows] * exp32(np.float32(-habituation) * block["habituation"][rows])
        for hazard, effect in zip(found, log_multipliers.T, strict=True):
            hazard[rows] *= exp32(effect[code] * strength)
        return found

    reads = tuple(dict.fromkeys((*driver.reads, *OFFER_COLUMNS)))
    return replace(driver, reads=reads, hazards=hazards, update=None)


def _make(entry: PluginDriver, folder: Path) -> tuple[Driver | None, list[Finding]]:
    try:
        plugin = _plugin(entry.driver, folder)
    except ConfigError as error:
        return None, [(("driver",), str(error))]
    settings, wrong = examine(plugin.Settings, entry.settings)
    if settings is None:
        return None, [(("settings", *path), text) for path, text in wrong]
    try:
        driver: Any = plugin(settings).driver()
    except Exception as error:
        return None, [((), f"{entry.driver} cannot be made ({told(error)}); correct its settings or the class")]
    if not isinstance(driver, Driver):
        return None, [(("driver",), f"driver() of {entry.driver} returns no Driver (got {type(driver).__name__}); "
                       "return a churnsim.lifecycle.driver.Driver")]
    taken = [column.name for column in driver.columns if column.name in COVARIATES]
    return driver, [(("driver",), f"{entry.driver} brings the column {name!r}, which is the name of a covariate; "
                     "rename the column") for name in taken]


def _plugin(named: str, folder: Path) -> type[Plugin]:
    return load_class(named, folder, suits=_is_plugin, must_be="is no driver: it must be a class with `Settings`, a "
                      "subclass of churnsim.config.base.Settings, and a method `driver`; see docs/drivers.md")


def _is_plugin(found: Any) -> bool:
    settings = getattr(found, "Settings", None)
    return (isinstance(found, type) and isinstance(settings, type) and issubclass(settings, BaseSettings)
            and callable(getattr(found, "driver", None)))
