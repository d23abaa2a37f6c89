"""Simulate subscribers, retention offers and a contact centre, and find out who should be offered what.

Public names are imported on first use: ``import churnsim`` costs nothing. Modules of the package import each
other by their full names, never this one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churnsim import errors
    from churnsim.api import History, Worked, shadow_prices, simulate, simulate_to, staff, twins, work
    from churnsim.calibration.calibrate import calibrate
    from churnsim.calibration.result import Calibration
    from churnsim.capacity.staffing import Staffing
    from churnsim.experiment.lifetimes import lifetimes
    from churnsim.experiment.load import Loaded, load
    from churnsim.experiment.offer_effects import OfferEffects, offers_table
    from churnsim.experiment.pilot_log import pilot_log
    from churnsim.experiment.power import PilotPower, pilot_power
    from churnsim.experiment.run import Result, run
    from churnsim.experiment.simulated import Simulated
    from churnsim.policy.choices import Segment
    from churnsim.policy.tables import Allocated, Team, allocate, budget_steps
    from churnsim.report.page import write_report
    from churnsim.uplift.learners import fit

__all__ = ["Allocated", "Calibration", "History", "Loaded", "OfferEffects", "PilotPower", "Result", "Segment",
           "Simulated", "Staffing", "Team", "Worked", "allocate", "budget_steps", "calibrate", "errors", "fit",
           "lifetimes", "load", "offers_table", "pilot_log", "pilot_power", "run", "shadow_prices", "simulate",
           "simulate_to", "staff", "twins", "work", "write_report"]

_MODULES = {"History": "api", "Worked": "api", "shadow_prices": "api", "staff": "api",
            "Staffing": "capacity.staffing", "simulate": "api", "simulate_to": "api", "twins": "api", "work": "api",
            "Calibration": "calibration.result", "calibrate": "calibration.calibrate",
            "OfferEffects": "experiment.offer_effects", "offers_table": "experiment.offer_effects",
            "PilotPower": "experiment.power", "pilot_power": "experiment.power",
            "pilot_log": "experiment.pilot_log",
            "lifetimes": "experiment.lifetimes", "Loaded": "experiment.load", "load": "experiment.load",
            "Segment": "policy.choices", "Allocated": "policy.tables", "Team": "policy.tables",
            "allocate": "policy.tables", "budget_steps": "policy.tables", "fit": "uplift.learners",
            "Result": "experiment.run", "run": "experiment.run", "Simulated": "experiment.simulated",
            "write_report": "report.page"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("churnsim")
    if name == "errors":
        return importlib.import_module("churnsim.errors")
    if name not in _MODULES:
        raise AttributeError(f"module 'churnsim' has no attribute {name!r}; "
                             f"public names: {', '.join(__all__)}")
    return getattr(importlib.import_module(f"churnsim.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
