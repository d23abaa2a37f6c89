"""The command line: a thin layer over the Python surface. Result on stdout, progress and notes on stderr.

Commands import what they need when they run, so that ``churnsim --help`` loads nothing but click.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnsim.console import (
    TABLE_FORMATS,
    Progress,
    json_text,
    note,
    read_json,
    read_table,
    require_formats,
    show,
    write_file,
    write_table,
)
from churnsim.errors import ChurnsimError, ConfigError, ResultsError

if TYPE_CHECKING:
    from churnsim.core.executor import Engine
    from churnsim.experiment.load import Loaded
    from churnsim.experiment.run import Result

FAILED = 3
USAGE = 2
INTERRUPTED = 130

EXPERIMENT = click.argument("experiment", metavar="EXP", type=click.Path(path_type=Path))
SET = click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
                   help="Lay a value over the file, such as seed=2 or population.size=10000. May be repeated.")
OUT = click.option("--out", metavar="DIR", type=click.Path(path_type=Path),
                   help="Results folder; finished cells in it are used. [default: results/NAME]")
JOBS = click.option("--jobs", "-j", metavar="N", type=click.IntRange(min=1),
                    help="Workers. Results do not depend on it.  [default: number of processors]")
ENGINE = click.option("--engine", type=click.Choice(["serial", "processes", "dask"]),
                      help="Where workers run: in this process, in processes of their own or on Dask. Results do not "
                           "depend on it.  [default: serial for one job, else processes]")
SIMULATION_ENGINE = click.option(
    "--engine", type=click.Choice(["serial", "threads", "processes", "dask"]),
    help="Where partitions are simulated. Results do not depend on it.  [default: processes]")
SCHEDULER = click.option("--scheduler", metavar="ADDRESS",
                         help="Scheduler of a running Dask cluster, such as tcp://10.0.0.1:8786, which must see the "
                              "results folder.  [default: a cluster on this machine]")
QUIET = click.option("--quiet", is_flag=True, help="No progress, no notes.")
BASELINE = click.option("--baseline", metavar="FILE", type=click.Path(path_type=Path),
                        help="Baseline. [default: ../results/baselines/NAME.json, seen from EXP's folder]")
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's) and return its exit code.

    0 done, same or equivalent; 1 a gated value changed; 2 bad usage or configuration, nothing was run; 3 a
    run failed; 4 not comparable or inconclusive; 130 interrupted.
    """
    given = list(sys.argv[1:] if args is None else args)
    wants_traceback = given[:1] == ["--traceback"]
    try:
        with commands.make_context("churnsim", given) as context:
            code: int | None = commands.invoke(context)
            return code or 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except Exception as error:
        if wants_traceback:
            import traceback

            traceback.print_exc()
        if isinstance(error, ChurnsimError):
            note(str(error))
            return error.exit_code
        note(f"churnsim: internal error: {type(error).__name__}: {error}")
        if not wants_traceback:
            note("churnsim --traceback ... shows where")
        return FAILED


@click.group(name="churnsim", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="churnsim")
@click.option("--traceback", is_flag=True, expose_value=False, help="Show where an error was raised.")
def commands() -> None:
    """Simulate subscribers, retention offers and a contact centre: who should be offered what.

    EXP is an experiment file (YAML). `churnsim new NAME` writes one to start from.
    """


@commands.command()
@EXPERIMENT
@OUT
@JOBS
@ENGINE
@SCHEDULER
@SET
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON instead of tables.")
@QUIET
def run(experiment: Path, out: Path | None, jobs: int | None, engine: Engine | None, scheduler: str | None,
        overrides: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Run an experiment, write its results folder and print who should be offered what."""
    loaded = _load(experiment, overrides)
    folder = out or _default_out(loaded)
    result = _run_cells(loaded, folder, jobs=jobs, engine=engine, scheduler=scheduler, quiet=quiet)
    from churnsim.experiment.run import command_line
    from churnsim.report.page import write_report
    from churnsim.report.run_folder import read_run
    from churnsim.report.tables import run_text

    result.save(folder, command=command_line())
    page = write_report(folder)
    if not quiet:
        for text in result.notes if as_json else ():
            note(f"note: {text}")
        note(f"wrote {page}")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    show(json_text(result.summary) if as_json else run_text(read_run(folder), width=width).rstrip("\n"))


@commands.command()
@EXPERIMENT
@BASELINE
@OUT
@JOBS
@ENGINE
@SCHEDULER
@SET
@QUIET
def check(experiment: Path, baseline: Path | None, out: Path | None, jobs: int | None, engine: Engine | None,
          scheduler: str | None, overrides: tuple[str, ...], quiet: bool) -> int:
    """Compare an experiment with its baseline.

    Exit code 0: the same or equivalent, 1: changed, 4: not comparable or inconclusive. Finished cells in
    --out are used; its report and summary stay as they are.
    """
    loaded = _load(experiment, overrides)
    path = baseline or _default_baseline(loaded)
    if not path.is_file():
        raise ConfigError(f"{path}: no such baseline; record one with `churnsim accept` or name one with "
                          "--baseline")
    before = read_json(path)
    result = _run_cells(loaded, out or _default_out(loaded), jobs=jobs, engine=engine, scheduler=scheduler,
                        quiet=quiet)
    from churnsim.experiment.gate import compare as gate

    e = loaded.experiment
    report = gate(before, result.summary, require_same_seed=False, margin_share=e.gate.margin_share,
                  confidence=e.evaluation.confidence)
    show(str(report))
    return report.exit_code


@commands.command()
@EXPERIMENT
@BASELINE
@OUT
@JOBS
@ENGINE
@SCHEDULER
@QUIET
def accept(experiment: Path, baseline: Path | None, out: Path | None, jobs: int | None, engine: Engine | None,
           scheduler: str | None, quiet: bool) -> None:
    """Run an experiment and record its summary as the baseline."""
    loaded = _load(experiment, ())
    path = baseline or _default_baseline(loaded)
    result = _run_cells(loaded, out or _default_out(loaded), jobs=jobs, engine=engine, scheduler=scheduler,
                        quiet=quiet)
    write_file(path, lambda aside: aside.write_text(json_text(result.summary) + "\n", encoding="utf-8"))
    show(f"wrote {path}")


@commands.command()
@click.argument("folder_a", metavar="DIR_A", type=FOLDER)
@click.argument("folder_b", metavar="DIR_B", type=FOLDER)
def compare(folder_a: Path, folder_b: Path) -> int:
    """Compare two results folders of one experiment and seed; DIR_A is the baseline."""
    summaries = [read_json(_in_results(folder, "summary.json")) for folder in (folder_a, folder_b)]
    from churnsim.config.digest import diff
    from churnsim.config.source import read_yaml
    from churnsim.experiment.gate import compare as gate

    a, b = (read_yaml(_in_results(folder, "config.yaml")).data for folder in (folder_a, folder_b))
    report = gate(*summaries, require_same_seed=True, margin_share=a["gate"]["margin_share"],
                  confidence=a["evaluation"]["confidence"], config_diff="\n".join(diff(a, b)) or None)
    show(str(report))
    return report.exit_code


@commands.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
def report(folder: Path) -> None:
    """Write report.html of a results folder again."""
    _in_results(folder, "summary.json")
    from churnsim.report.page import write_report

    show(f"wrote {write_report(folder)}")


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


@commands.command()
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


@commands.command()
@EXPERIMENT
@SET
@click.option("--show", "resolved", is_flag=True, help="Print the resolved experiment with every default.")
@click.option("--plan", "planned", is_flag=True,
              help="Print what happens in a month: drivers in their order, columns, draws.")
def validate(experiment: Path, overrides: tuple[str, ...], resolved: bool, planned: bool) -> None:
    """Check an experiment file, and the table it starts from, without running it."""
    loaded = _load(experiment, overrides)
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


@commands.command()
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


@commands.command()
@EXPERIMENT
@click.option("--months", metavar="N", type=int, help="Months that pass, from the start. [default: simulation.months]")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path),
              help="Folder to write; finished partitions in it are used. A name in .parquet or .csv: everybody's state "
                   "at the end as one table, and nothing else. [default: results/NAME/simulation]")
@click.option("--latent", metavar="FILE", type=FILE,
              help="With --out FILE: also write what only the simulator knows. In a folder, record.latent does.")
@click.option("--replicate", metavar="N", type=int, default=0, show_default=True,
              help="Which replicate, from 0.")
@SIMULATION_ENGINE
@JOBS
@SCHEDULER
@QUIET
@SET
def simulate(experiment: Path, months: int | None, out: Path | None, latent: Path | None, replicate: int,
             engine: Engine | None, jobs: int | None, scheduler: str | None, quiet: bool,
             overrides: tuple[str, ...]) -> None:
    """Let months pass, in partitions that fit into memory, and write what `record` asks for.

    A campaign falls into them if simulation.policy names one.
    """
    loaded = _load(experiment, (*overrides, *([] if months is None else [f"simulation.months={months}"])))
    if out is not None and out.suffix in TABLE_FORMATS:
        require_formats(latent)
        if engine or jobs or scheduler:
            raise click.UsageError("--engine, --jobs and --scheduler go with a folder; one table is made here")
        _simulate_table(loaded, out, latent, replicate)
    elif out is not None and out.suffix[1:].isalpha():
        raise ConfigError(f"{out}: the name must end in {' or '.join(TABLE_FORMATS)}, or be a folder's")
    elif latent is not None:
        raise click.UsageError("--latent goes with one table, --out FILE; in a folder, --set record.latent=true")
    else:
        folder = out or _default_out(loaded) / ("simulation" if replicate == 0 else f"simulation-{replicate}")
        show(_simulate_folder(loaded, folder, replicate, jobs=jobs, engine=engine, scheduler=scheduler, quiet=quiet))


@commands.command()
@EXPERIMENT
@click.option("--orders", metavar="FILE", type=FILE, required=True, help="Orders: .parquet or .csv.")
@click.option("--seed", metavar="N", type=int, required=True, help="Answers and handle times depend on it.")
@click.option("--out", metavar="FILE", type=FILE, required=True, help="Log to write: .parquet or .csv.")
@click.option("--outcomes", metavar="FILE", type=FILE, help="Also write what became of each order.")
@click.option("--month", metavar="N", type=int, default=0, show_default=True,
              help="Month that is worked, from 0.")
@SET
def capacity(experiment: Path, orders: Path, seed: int, out: Path, outcomes: Path | None, month: int,
             overrides: tuple[str, ...]) -> None:
    """Let the contact centre of an experiment work a table of orders."""
    require_formats(orders, out, outcomes)
    loaded = _load(experiment, overrides)
    from churnsim.api import work

    worked = work(read_table(orders), loaded, seed=seed, month=month)
    write_table(out, worked.attempts)
    if outcomes is not None:
        write_table(outcomes, worked.outcomes)
    cost = int(worked.attempts["cost_cents"].sum()) / 100
    show(f"wrote {out}: {len(worked.outcomes)} orders, {len(worked.attempts)} attempts, "
          f"{int(worked.outcomes['reached'].sum())} reached, cost {cost:,.2f} {loaded.experiment.currency}")


# Running


def _load(path: Path, overrides: Sequence[str]) -> Loaded:
    # Before numpy is loaded: the learners' threads and the processes of --jobs stand in each other's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from churnsim.experiment.load import load

    return load(path, overrides=overrides)


def _default_out(loaded: Loaded) -> Path:
    return Path("results") / loaded.experiment.name


def _default_baseline(loaded: Loaded) -> Path:
    path = loaded.folder.parent / "results" / "baselines" / f"{loaded.experiment.name}.json"
    return Path(os.path.relpath(path))


def _run_cells(loaded: Loaded, folder: Path, *, jobs: int | None, engine: Engine | None, scheduler: str | None,
               quiet: bool) -> Result:
    from churnsim.core.executor import processors
    from churnsim.experiment.run import run as run_experiment
    from churnsim.experiment.store import Store
    from churnsim.experiment.tasks import make_tasks

    store = Store(folder)
    to_run = {task.key: task for tasks in make_tasks(loaded) for task in tasks if not store.has(task.key)}
    progress = None if quiet else Progress(list(to_run.values()))
    try:
        result = run_experiment(loaded, out=folder, jobs=jobs or (None if engine or scheduler else processors()),
                                engine=engine, scheduler=scheduler, report=progress.finished if progress else None)
    except KeyboardInterrupt:
        note(f"\ninterrupted: finished cells are kept in {folder}; the same command goes on from there")
        raise
    finally:
        if progress:
            progress.close()
    if not quiet:
        note(f"ran {result.ran} cells, reused {result.reused}")
    return result


def _simulate_table(loaded: Loaded, out: Path, latent: Path | None, replicate: int) -> None:
    from churnsim.api import simulate as simulated
    from churnsim.lifecycle.record import latent_part

    e = loaded.experiment
    if e.simulation.policy is not None:
        raise ConfigError(f"{out}: one table shows no campaign; give a folder, or --set simulation.policy=null")
    history = simulated(loaded, months=e.simulation.months, replicate=replicate)
    write_table(out, history.to_pandas())
    if latent is not None:
        write_table(latent, latent_part(history.to_arrow(latent=True)).to_pandas())
    show(f"wrote {out}: {len(history):,} subscribers after {e.simulation.months} months")


def _simulate_folder(loaded: Loaded, folder: Path, replicate: int, *, jobs: int | None, engine: Engine | None,
                     scheduler: str | None, quiet: bool) -> str:
    from churnsim.experiment.run import command_line
    from churnsim.experiment.simulation import open_simulation, simulate

    simulation = open_simulation(loaded, folder, replicate=replicate)
    progress = None if quiet else Progress(simulation.unfinished())
    try:
        found = simulate(simulation, engine=engine, workers=jobs, scheduler=scheduler,
                         report=progress.finished if progress else None)
    except KeyboardInterrupt:
        note(f"\ninterrupted: finished partitions are kept in {folder}; the same command goes on from there")
        raise
    finally:
        if progress:
            progress.close()
    found.save(folder, command=command_line())
    return f"{found.table_text()}\n\nwrote {folder}"


def _in_results(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise ConfigError(f"{folder}: has no {name}; give a folder that `churnsim run` finished")
    return path


if __name__ == "__main__":
    sys.exit(main())
