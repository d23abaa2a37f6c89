"""A small experiment for tests of the stages: the preset with few subscribers."""

from __future__ import annotations

from pathlib import Path

from churnsim.config.source import parse_yaml
from churnsim.core.columns import Subscribers
from churnsim.experiment.load import Loaded, load_tree
from churnsim.experiment.world import World, make_world

SMALL = """\
schema: 1
name: small
seed: 7
replicates: 2
population: {size: 500}
pilot: {size: 4000}
campaign: {budget_amount: 1500.0}
evaluation: {horizon_months: 24, inner_draws: 2}
"""


def load_small(*overrides: str, extra: str = "", folder: Path = Path()) -> Loaded:
    """Return the small experiment with `extra` sections in YAML and ``key.key=value`` assignments."""
    return load_tree(parse_yaml(SMALL + extra, "small.yaml"), folder=folder, overrides=overrides)


def small_world(*overrides: str, replicate: int = 0) -> World:
    """Return a replicate of the small experiment."""
    loaded = load_small(*overrides)
    return make_world(loaded.experiment, replicate=replicate, folder=loaded.folder)


def base_at_campaign(world: World) -> Subscribers:
    """Return everybody at the start of the campaign month, who left included."""
    base = world.population()
    world.engine.run([(base, None)], start=0, months=world.experiment.campaign_month)
    return base
