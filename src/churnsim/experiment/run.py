"""Run an experiment: cells, then the run folder, a manifest over them."""

from __future__ import annotations

import io
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from churnsim.core.executor import Engine, open_pool
from churnsim.errors import ConfigError
from churnsim.evaluation.intervals import paired_difference
from churnsim.experiment.load import BASE_SCENARIO, Loaded
from churnsim.experiment.settings import COUPLED
from churnsim.experiment.store import Store, write_folder, write_parquet, writing
from churnsim.experiment.summary import metrics_of, summarise
from churnsim.experiment.tasks import Report, Task, make_tasks, run_tasks, versions

RUN_FRAMES = ("ledger", "monthly", "contacts", "lists")
# There in some runs only: of centres that are called, and what campaigns over months learned from.
FURTHER_FRAMES = ("calls", "draws")


class Tables(Mapping[str, pd.DataFrame]):
    """Tables by name, kept as Arrow and made DataFrames when they are asked for."""

    def __init__(self, arrow: Mapping[str, pa.Table]) -> None:
        self.arrow = dict(arrow)
        self._made: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._made:
            self._made[name] = self.arrow[name].to_pandas()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrow)

    def __len__(self) -> int:
        return len(self.arrow)


@dataclass(frozen=True)
class Result:
    """What a run found.

    Attributes
    ----------
    summary
        As in summary.json.
    policies
        One row a scenario and policy: mean, low and high of every metric, in columns such as "net_value",
        "net_value_low".
    frames
        Tables by name: "cells" (scenario, policy, replicate, metric, value), "ledger", "monthly", "contacts",
        "lists", and of the stages "months", "causes", "states", "pilot", "arms", "diagnostics", and those of
        docs/results.md; "tickets" where the centre works them, and "calls" where there are inbound streams.
    ran, reused
        Cells computed by this run, and found finished.
    notes
        What a reader should know about a policy's list.
    config
        The resolved experiment as plain data.
    """

    summary: dict[str, Any]
    policies: pd.DataFrame
    frames: Tables
    ran: int
    reused: int
    notes: tuple[str, ...]
    config: dict[str, Any]

    def save(self, folder: str | Path, *, command: Sequence[str] = ()) -> Path:
        """Write the run folder; files appear whole, summary.json last. Returns the folder.

        Raises
        ------
        ResultsError
            The folder cannot be written.
        """
        write_folder(Path(folder), lambda aside: _write_run(self, aside, command))
        return Path(folder)


def _write_run(result: Result, folder: Path, command: Sequence[str]) -> None:
    write_config(folder, result.config)
    large = ("cells", *RUN_FRAMES, *(name for name in FURTHER_FRAMES if name in result.frames))
    for name in large:
        write_parquet(result.frames.arrow[name], folder / f"{name}.parquet")
    tables = folder / "tables"
    tables.mkdir()
    result.policies.to_csv(tables / "policies.csv", index=False)
    pd.DataFrame(result.summary["comparisons"]).to_csv(tables / "comparisons.csv", index=False)
    for name, frame in result.frames.items():
        if name not in large:
            frame.to_csv(tables / f"{name}.csv", index=False)
    (folder / "notes.json").write_text(json.dumps(result.notes, indent=1) + "\n", encoding="utf-8")
    about = {**provenance(result.summary["seed"], command), "cells_run": result.ran, "cells_reused": result.reused}
    (folder / "provenance.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    (folder / "summary.json").write_text(json.dumps(result.summary, indent=1) + "\n", encoding="utf-8")


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write the resolved experiment as config.yaml."""
    from ruamel.yaml import YAML

    # Not straight into the file: when a write fails, ruamel prints what it was writing.
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(config, text)
    (folder / "config.yaml").write_text(text.getvalue(), encoding="utf-8")


def provenance(seed: int, command: Sequence[str]) -> dict[str, Any]:
    """Return what made a result: versions, commit, seed, command, platform."""
    return {"versions": versions(), "commit": _commit(), "seed": seed, "command": list(command),
            "platform": platform.platform()}


def _commit() -> str | None:
    """Return the commit of the checkout the package runs from, if it does."""
    try:
        found = subprocess.run(["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
                               capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def run(loaded: Loaded, *, out: str | Path | None = None, jobs: int | None = None, engine: Engine | None = None,
        scheduler: str | None = None, report: Report | None = None) -> Result:
    """Run every cell of an experiment that is not finished, and collect the result.

    Parameters
    ----------
    loaded
        A validated experiment.
    out
        Results folder; its finished cells are used, and new ones are kept there. None: in memory only. With
        workers on other machines it must be on a file system that they share with this process.
    jobs
        Number of workers. None: of processors if there is an `engine`, else 1. The result does not depend on
        it.
    engine
        "serial": in this process. "processes": spawned ones. "dask": Dask workers. None: "serial" for one
        job, "processes" for more. The result does not depend on it.
    scheduler
        Address of the scheduler of a running Dask cluster; None: engine "dask" starts one on this machine.
    report
        Called after every cell.

    Raises
    ------
    ConfigError
        Word of mouth couples subscribers; jobs, engine and scheduler do not fit together, or the scheduler cannot be
        reached.
    ResultsError
        Results cannot be written, or workers are lost again and again; what was finished stays.
    """
    for name, scenario in loaded.scenarios.items():
        if scenario.market.word_of_mouth is not None:
            raise ConfigError(f"scenario {name}: {COUPLED}; set market.word_of_mouth to null, or let months pass "
                              "without a campaign by `churnsim simulate`")
    if engine == "threads":
        raise ConfigError("engine threads: learners share state in a process; choose serial, processes or dask")
    pool = open_pool(engine or ("processes" if (jobs or 1) > 1 else "serial"), workers=jobs, scheduler=scheduler)
    place = tempfile.TemporaryDirectory() if out is None else nullcontext(str(out))
    with place as folder:
        store = Store(Path(folder).absolute())
        scenarios = make_tasks(loaded)
        tasks = [task for tasks in scenarios for task in tasks]
        with writing(store.folder / ".new"):
            store.folder.mkdir(parents=True, exist_ok=True)
        store.sweep()
        ran, reused = run_tasks(tasks, store, pool=pool, report=report or (lambda *_: None))
        return _collect(loaded, tasks, store, ran, reused)


def _collect(loaded: Loaded, tasks: list[Task], store: Store, ran: int, reused: int) -> Result:
    facts: dict[str, dict[str, list[dict[str, Any]]]] = {}
    parts: dict[str, list[pa.Table]] = {}
    diagnostics = []
    notes: dict[str, dict[str, list[int]]] = {}
    correlations: dict[str, float] = {}
    for task in tasks:
        at: dict[str, Any] = {"scenario": task.scenario, "replicate": task.replicate}
        if task.policy is not None:
            found = store.facts(task.key)
            facts.setdefault(task.scenario, {}).setdefault(task.policy, []).append(found)
            at = {"scenario": task.scenario, "policy": task.policy, "replicate": task.replicate}
            if found["note"]:
                said = notes.setdefault(f"{task.policy}: {found['note']}", {})
                said.setdefault(task.scenario, []).append(task.replicate)
        elif task.stage == "truth":
            diagnostics.append({**at, "risk_effect_spearman": _correlation(task, tasks, store, correlations)})
        for name, table in store.tables(task.key).items():
            parts.setdefault(name, []).append(_labelled(table, at))
    summary = summarise(loaded.scenarios, facts)
    tables = {name: _joined(some) for name, some in parts.items()}
    made = {"diagnostics": pd.DataFrame(diagnostics), "cells": _cells(facts),
            "variance": _variance(facts, confidence=loaded.experiment.evaluation.confidence)}
    tables |= {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in made.items()}
    return Result(summary, policy_table(summary), Tables(tables), ran, reused, _notes(notes),
                  loaded.experiment.plain())


def _correlation(task: Task, tasks: list[Task], store: Store, known: dict[str, float]) -> float:
    """Return the correlation of risk and effect of a truth cell with the plan cell beside it."""
    from churnsim.experiment.stages import risk_and_effect

    if task.key not in known:
        beside = ("plan", task.scenario, task.replicate)
        plan_key = next(t.key for t in tasks if (t.stage, t.scenario, t.replicate) == beside)
        known[task.key] = risk_and_effect(store.read(plan_key), store.read(task.key))
    return known[task.key]


def _notes(found: Mapping[str, Mapping[str, list[int]]]) -> tuple[str, ...]:
    """Return a line a note; scenarios are named where the note is not the same in all that have it."""
    lines = []
    for text, by_scenario in found.items():
        groups: dict[tuple[int, ...], list[str]] = {}
        for scenario, replicates in by_scenario.items():
            groups.setdefault(tuple(replicates), []).append(scenario)
        for which, scenarios in groups.items():
            where = "" if scenarios[0] == BASE_SCENARIO else f"{', '.join(scenarios)}: "
            lines.append(f"{where}{text} (replicates {', '.join(map(str, which))})")
    return tuple(lines)


def _labelled(table: pa.Table, labels: Mapping[str, Any]) -> pa.Table:
    """Return the table with constant columns before its own."""
    columns = {name: pa.DictionaryArray.from_arrays(np.zeros(len(table), np.int32), [value])
               if isinstance(value, str) else pa.array(np.full(len(table), value, np.int64))
               for name, value in labels.items()}
    return pa.table({**columns, **{name: table[name] for name in table.column_names}})


def _joined(parts: list[pa.Table]) -> pa.Table:
    """Concatenate tables whose text columns may be dictionaries of different values."""
    filled = [part for part in parts if len(part)] or parts[:1]
    return pa.concat_tables(filled).unify_dictionaries().combine_chunks()


def _cells(facts: Mapping[str, Mapping[str, list[dict[str, Any]]]]) -> pd.DataFrame:
    return pd.DataFrame([
        {"scenario": scenario, "policy": policy, "replicate": replicate, "metric": metric,
         "value": float(cell["metrics"][metric])}
        for scenario, by_policy in facts.items() for policy, cells in by_policy.items()
        for replicate, cell in enumerate(cells) for metric in metrics_of(cells)])


def _variance(facts: Mapping[str, Mapping[str, list[dict[str, Any]]]], *, confidence: float) -> pd.DataFrame:
    """Return realised less expected net value with its interval, and how much more the realised one varies.

    The variance ratio is that of the summed squares over subscribers, all replicates together.
    """
    rows = []
    for scenario, by_policy in facts.items():
        for policy, cells in by_policy.items():
            squares = {name: sum(cell[f"squared_{name}"] for cell in cells)
                       for name in ("realised", "expected")}
            found = paired_difference([cell["metrics"]["net_value_realised"] for cell in cells],
                                      [cell["metrics"]["net_value"] for cell in cells], confidence=confidence)
            rows.append({"scenario": scenario, "policy": policy, "difference": found.mean,
                         "difference_low": found.low, "difference_high": found.high,
                         "variance_ratio": squares["realised"] / squares["expected"] if squares["expected"]
                         else float("nan")})
    return pd.DataFrame(rows)


def policy_table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """Return the policies of a summary as a table, a row a scenario and policy in the order of the file."""
    rows = []
    for entry in summary["policies"]:
        row: dict[str, Any] = {"scenario": entry["scenario"], "policy": entry["name"]}
        for metric, value in entry.items():
            if metric not in ("name", "scenario") and value is not None:
                row |= {metric: value["mean"], f"{metric}_low": value["low"], f"{metric}_high": value["high"]}
        rows.append(row)
    return pd.DataFrame(rows)


def command_line() -> list[str]:
    """Return the command of this process without the folder of the program."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]

