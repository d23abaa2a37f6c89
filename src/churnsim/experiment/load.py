"""From files to validated experiments: preset, file, ``--set`` values, scenarios and sweeps."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from churnsim.config.messages import did_you_mean
from churnsim.config.patch import merge, parse_assignment
from churnsim.config.paths import exists
from churnsim.config.source import Origin, Tree, parse_yaml, read_yaml
from churnsim.config.validate import validate
from churnsim.errors import ConfigError
from churnsim.experiment.settings import Experiment, check_experiment

BASE_SCENARIO = "base"
DEFAULT_PRESET = "data_grounded"
PRESET_FILES = (".yaml", ".yml")
# Mappings whose entries have names: an entry set to null is taken out.
NAMED = (("offers",), ("channels",), ("policies",), ("scenarios",), ("sweep",), ("lifecycle", "causes"),
         ("lifecycle", "drivers"), ("market", "competitors"), ("capacity", "teams"), ("capacity", "inbound"),
         ("uplift", "learners"))
# What all scenarios of an experiment share.
COMMON = ("schema", "preset", "name", "seed", "replicates", "currency", "scenarios", "sweep", "gate")


@dataclass(frozen=True)
class Loaded:
    """A validated experiment.

    Attributes
    ----------
    experiment
        The file over its preset, ``--set`` values included.
    scenarios
        Name -> experiment; "base" is the experiment itself.
    folder
        Folder of the file: paths in the file are relative to it.
    """

    experiment: Experiment
    scenarios: Mapping[str, Experiment]
    folder: Path


def presets() -> tuple[str, ...]:
    """Return the names of the presets that come with the package."""
    folder = resources.files("churnsim") / "presets"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir()
                        if entry.name.endswith(".yaml")))


def load(path: str | Path, *, overrides: Iterable[str] = ()) -> Loaded:
    """Read and check an experiment file.

    Parameters
    ----------
    path
        YAML file.
    overrides
        ``key.key=value`` assignments, laid over the file in order.

    Raises
    ------
    ConfigError
        With a line per finding: file and line, key, what is wrong, the remedy.
    """
    return load_tree(read_yaml(path), folder=Path(path).resolve().parent, overrides=overrides)


def load_tree(tree: Tree, *, folder: Path, overrides: Iterable[str] = ()) -> Loaded:
    """Check an experiment that was read already; see :func:`load`."""
    for text in overrides:
        tree = merge(tree, parse_assignment(text))
    full = _without_nulls(merge(_preset(tree, folder), tree))
    checks = [partial(check_experiment, folder=folder)]
    experiment = validate(Experiment, full, checks=checks)
    scenarios = {BASE_SCENARIO: experiment}
    for name, patch in _patches(experiment, full).items():
        if name in scenarios:
            raise ConfigError(f"{full.origin(('scenarios', name))}: scenarios.{name}: this name is taken; "
                              "choose another")
        for key in COMMON:
            if key in patch.data:
                raise ConfigError(f"{patch.origin((key,))}: {key}: a scenario cannot change it; remove it")
        scenarios[name] = validate(Experiment, _without_nulls(merge(full, patch)), checks=checks)
    return Loaded(experiment, scenarios, folder)


def _preset(tree: Tree, folder: Path, above: tuple[Path, ...] = ()) -> Tree:
    """Return what a tree is laid over: a preset of the package, or a file that names its own preset in turn."""
    name = tree.data.get("preset", DEFAULT_PRESET)
    if str(name).endswith(PRESET_FILES):
        path = (folder / str(name)).resolve()
        if path in above:
            raise ConfigError(f"{tree.origin(('preset',))}: preset: {name} is laid over itself; name a preset of the "
                              f"package there: {', '.join(presets())}")
        if not path.is_file():
            raise ConfigError(f"{tree.origin(('preset',))}: preset: no file {path}; the name is relative to the file "
                              "that it stands in")
        own = read_yaml(path)
        return merge(_preset(own, path.parent, (*above, path)), own)
    if name not in presets():
        hint = did_you_mean(str(name), presets())
        if (folder / f"{name}.yaml").is_file():
            hint = f". Did you mean the file './{name}.yaml'?"
        raise ConfigError(f"{tree.origin(('preset',))}: preset: no preset {name!r}; "
                          f"there are {', '.join(presets())}{hint}")
    text = (resources.files("churnsim") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    own = parse_yaml(text, f"preset {name}")
    return merge(_preset(own, folder, above), own) if "preset" in own.data else own


def _without_nulls(tree: Tree) -> Tree:
    """Take entries set to null out of the mappings of named things."""
    data = tree.data
    for path in NAMED:
        if exists(data, path):
            data = _edit(data, path)
    return Tree(data, tree.origins)


def _edit(data: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    head, *rest = path
    inner = data[head]
    if not isinstance(inner, dict):
        return data
    if rest:
        return {**data, head: _edit(inner, tuple(rest))}
    return {**data, head: {key: value for key, value in inner.items() if value is not None}}


def _patches(experiment: Experiment, tree: Tree) -> dict[str, Tree]:
    """Return the patch of every scenario and sweep combination."""
    patches = {}
    for name, data in experiment.scenarios.items():
        at = ("scenarios", name)
        origins = {path[2:]: origin for path, origin in tree.origins.items() if path[:2] == at}
        patches[name] = Tree(data, {(): Origin(f"scenario {name}"), **origins})
    if experiment.sweep:
        keys = list(experiment.sweep)
        for values in itertools.product(*experiment.sweep.values()):
            name = ",".join(f"{key}={value}" for key, value in zip(keys, values, strict=True))
            patch = Tree.of({}, f"sweep {name}")
            for key, value in zip(keys, values, strict=True):
                data = value
                for part in reversed(key.split(".")):
                    data = {part: data}
                patch = merge(patch, Tree.of(data, f"sweep {name}"))
            patches[name] = patch
    return patches
