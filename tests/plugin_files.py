"""Drivers of one's own, as files beside an experiment, for tests."""

from __future__ import annotations

from pathlib import Path

from small_world import load_small

from churnsim.experiment.load import Loaded

SURVEYS = '''
from churnsim.config.base import Prob, Settings
from churnsim.core.columns import Column
from churnsim.core.draws import stream
from churnsim.lifecycle.driver import Driver

ASK = stream("surveys.ask")
UNHAPPY = Column("unhappy", "int8", "code", "observed", "surveys", "answer to the last survey", ("fine", "bad"))
HEARD = Column("heard", "float32", "points", "latent", "surveys", "satisfaction a month", history=True)
ASKED = Column("asked", "bool", "1", "latent", "surveys", "answered a survey this month", scope="month")

class Surveys:
    class Settings(Settings):
        ask_prob: Prob

    def __init__(self, settings):
        self.settings = settings

    def driver(self):
        return Driver("surveys", self.ask, reads=("satisfaction",), writes=("unhappy", "heard", "asked"),
                      streams=(ASK,), columns=(UNHAPPY, HEARD, ASKED))

    def ask(self, block, month, draws):
        block["asked"] = draws.lanes(ASK, 2)[0] < self.settings.ask_prob
        block["unhappy"][block["asked"]] = block["satisfaction"][block["asked"]] < 60
        block.ago("heard", 0)[...] = block["satisfaction"]
'''
STRIKE = '''
import numpy as np
from churnsim.config.base import Settings, Share
from churnsim.lifecycle.driver import Driver

class Strike:
    class Settings(Settings):
        hazard: Share = 0.05

    def __init__(self, settings):
        self.hazard = np.float32(settings.hazard)

    def driver(self):
        return Driver("strike", reads=("region",), causes=("strike",), hazards=self.hazards)

    def hazards(self, block):
        return np.where(block["region"] == 3, self.hazard, np.float32(0))[None, :]
'''
DRIVERS = ("lifecycle.drivers.surveys={driver: 'surveys:Surveys', settings: {ask_prob: 0.3}}",
           "lifecycle.drivers.strike={driver: 'strike:Strike'}")


def with_drivers(folder: Path, *overrides: str, drivers: tuple[str, ...] = DRIVERS) -> Loaded:
    """Return the small experiment with both drivers, whose files are written to `folder`."""
    (folder / "surveys.py").write_text(SURVEYS)
    (folder / "strike.py").write_text(STRIKE)
    return load_small(*drivers, *overrides, folder=folder)
