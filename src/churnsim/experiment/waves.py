"""Campaigns over months."""

from __future__ import annotations

from churnsim.experiment.store import Cell
from churnsim.experiment.world import World
from churnsim.policy.settings import PolicySettings


def policy(world: World, settings: PolicySettings, history_cell: Cell, truth_cell: Cell) -> Cell:
    """Make, work and judge a list every month."""
    raise NotImplementedError
