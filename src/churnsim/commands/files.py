"""Experiment files: write one to start from, check one, and the reference of their keys."""

from __future__ import annotations

from pathlib import Path

import click

from churnsim.commands.shared import EXPERIMENT, SET, load_experiment
from churnsim.console import json_text, show
from churnsim.errors import ConfigError, ResultsError

TEMPLATE = """\
# What is not written here has the value of the preset: churnsim validate {path} --show
schema: 1
preset: {preset}
name: {name}                       # results go to results/{name}
seed: 1                            # everything random depends on it
replicates: 5                      # independent repetitions; intervals come from them
population: {{size: 20000}}          # subscribers the campaign may reach
pilot: {{size: 40000}}               # randomised pilot, on subscribers of its own
campaign: {{budget_amount: 6000.0}}  # planned spend on offers and contacts
evaluation: {{horizon_months: 36}}   # months over which revenue and costs count
"""


@click.command()
@click.argument("name")
@click.option("--preset", default="data_grounded", show_default=True, help="Defaults to start from.")
def new(name: str, preset: str) -> None:
    """Write NAME.yaml, an experiment file of ten lines."""
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    text = TEMPLATE.format(path=path, preset=preset, name=path.stem)
    from churnsim.config.source import parse_yaml
    from churnsim.experiment.load import load_tree

    load_tree(parse_yaml(text, str(path)), folder=path.parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path}: exists already; choose another name or remove it") from None
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    show(f"wrote {path}; run it with: churnsim run {path}")


@click.command()
@EXPERIMENT
@SET
@click.option("--show", "resolved", is_flag=True, help="Print the resolved experiment with every default.")
@click.option("--plan", "planned", is_flag=True,
              help="Print what happens in a month: drivers in their order, columns, draws.")
def validate(experiment: Path, overrides: tuple[str, ...], resolved: bool, planned: bool) -> None:
    """Check an experiment file, and the table it starts from, without running it."""
    loaded = load_experiment(experiment, overrides)
    for scenario in loaded.scenarios.values():
        if scenario.population.table is not None:
            from churnsim.experiment.world import make_world

            make_world(scenario, replicate=0, folder=loaded.folder).table()
    if resolved:
        import io

        from ruamel.yaml import YAML

        text = io.StringIO()
        YAML(typ="safe", pure=True).dump(loaded.experiment.plain(), text)
        show(text.getvalue().rstrip("\n"))
    if planned:
        from churnsim.experiment.world import make_world
        from churnsim.lifecycle.plan import plan_text

        show(plan_text(make_world(loaded.experiment, replicate=0, folder=loaded.folder).engine))
    if not (resolved or planned):
        show(f"OK: {experiment}")


@click.command()
@click.option("--as", "form", type=click.Choice(["schema", "keys", "columns", "covariates"]), default="schema",
              show_default=True, help="JSON Schema for editors, or a reference in Markdown.")
def schema(form: str) -> None:
    """Print the JSON Schema of experiment files, or a reference of keys, columns or covariates."""
    show(_reference(form).rstrip("\n"))


def _reference(form: str) -> str:
    if form in ("columns", "covariates"):
        from churnsim.lifecycle.reference import columns_markdown, covariates_markdown

        return columns_markdown() if form == "columns" else covariates_markdown()
    from churnsim.config.document import reference_markdown
    from churnsim.config.schema import json_schema
    from churnsim.experiment.settings import Experiment

    return reference_markdown(Experiment) if form == "keys" else json_text(json_schema(Experiment))
