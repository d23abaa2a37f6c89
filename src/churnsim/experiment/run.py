"""Run an experiment: cells, then the run folder, a manifest over them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from churnsim.evaluation.intervals import paired_difference
from churnsim.experiment.load import BASE_SCENARIO, Loaded
from churnsim.experiment.store import Store, writing
from churnsim.experiment.summary import METRICS, summarise
from churnsim.experiment.tasks import Report, Task, make_tasks, run_tasks, versions

RUN_FRAMES = ("ledger", "monthly", "contacts", "lists")
STAGE_FRAMES = {"history": ("months", "causes", "states", "imported", "tenure_churn"), "plan": ("pilot",),
                "truth": ("arms",)}


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
        "lists", and of the stages "months", "causes", "states", "pilot", "arms", "diagnostics".
    ran, reused
        Cells computed by this run, and found finished.
    notes
        What a reader should know about a policy's list.
    config
        The resolved experiment as plain data.
    """

    summary: dict[str, Any]
    policies: pd.DataFrame
    frames: Mapping[str, pd.DataFrame]
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
        folder = Path(folder)
        aside = folder / f".writing.{os.getpid()}"
        with writing(aside):
            aside.mkdir(parents=True, exist_ok=True)
            _write_run(self, aside, command)
            for path in sorted(aside.iterdir(), key=lambda p: p.name == "summary.json"):
                if path.is_dir():
                    shutil.rmtree(folder / path.name, ignore_errors=True)
                os.replace(path, folder / path.name)
            aside.rmdir()
        return folder


def _write_run(result: Result, folder: Path, command: Sequence[str]) -> None:
    from ruamel.yaml import YAML

    with (folder / "config.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(result.config, file)
    for name in ("cells", *RUN_FRAMES):
        result.frames[name].to_parquet(folder / f"{name}.parquet", index=False)
    tables = folder / "tables"
    tables.mkdir()
    result.policies.to_csv(tables / "policies.csv", index=False)
    pd.DataFrame(result.summary["comparisons"]).to_csv(tables / "comparisons.csv", index=False)
    for name, frame in result.frames.items():
        if name not in ("cells", *RUN_FRAMES):
            frame.to_csv(tables / f"{name}.csv", index=False)
    (folder / "notes.json").write_text(json.dumps(result.notes, indent=1) + "\n", encoding="utf-8")
    provenance = {"versions": versions(), "commit": _commit(), "seed": result.summary["seed"],
                  "command": list(command), "platform": platform.platform(), "cells_run": result.ran,
                  "cells_reused": result.reused}
    (folder / "provenance.json").write_text(json.dumps(provenance, indent=1) + "\n", encoding="utf-8")
    (folder / "summary.json").write_text(json.dumps(result.summary, indent=1) + "\n", encoding="utf-8")


def _commit() -> str | None:
    """Return the commit of the checkout the package runs from, if it does."""
    try:
        found = subprocess.run(["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
                               capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def run(loaded: Loaded, *, out: str | Path | None = None, jobs: int = 1, report: Report | None = None,
) -> Result:
    """Run every cell of an experiment that is not finished, and collect the result.

    Parameters
    ----------
    loaded
        A validated experiment.
    out
        Results folder; its finished cells are used, and new ones are kept there. None: in memory only.
    jobs
        Processes. The result does not depend on it.
    report
        Called after every cell.

    Raises
    ------
    ResultsError
        Results cannot be written; what was finished stays.
    """
    place = tempfile.TemporaryDirectory() if out is None else nullcontext(str(out))
    with place as folder:
        store = Store(Path(folder))
        scenarios = make_tasks(loaded)
        tasks = [task for tasks in scenarios for task in tasks]
        with writing(store.folder / ".new"):
            store.folder.mkdir(parents=True, exist_ok=True)
        ran, reused = run_tasks(tasks, store, jobs=jobs, report=report or (lambda *_: None))
        return _collect(loaded, tasks, store, ran, reused)


def _collect(loaded: Loaded, tasks: list[Task], store: Store, ran: int, reused: int) -> Result:
    facts: dict[str, dict[str, list[dict[str, Any]]]] = {}
    frames: dict[str, list[pd.DataFrame]] = {name: [] for name in RUN_FRAMES}
    frames |= {name: [] for names in STAGE_FRAMES.values() for name in names}
    diagnostics: list[dict[str, Any]] = []
    notes: dict[str, dict[str, list[int]]] = {}
    for task in tasks:
        cell = store.read(task.key)
        at = {"scenario": task.scenario, "replicate": task.replicate}
        if task.policy is not None:
            facts.setdefault(task.scenario, {}).setdefault(task.policy, []).append(cell.facts)
            at = {"scenario": task.scenario, "policy": task.policy, "replicate": task.replicate}
            if cell.facts["note"]:
                said = notes.setdefault(f"{task.policy}: {cell.facts['note']}", {})
                said.setdefault(task.scenario, []).append(task.replicate)
        elif task.stage == "truth":
            from churnsim.experiment.stages import risk_and_effect

            plan_key = next(t.key for t in tasks if (t.stage, t.scenario, t.replicate)
                            == ("plan", task.scenario, task.replicate))
            diagnostics.append({**at, "risk_effect_spearman": risk_and_effect(store.read(plan_key), cell)})
        for name, frame in cell.frames.items():
            frames[name].append(_labelled(frame, at))
    summary = summarise(loaded.scenarios, facts)
    tables = {name: _joined(parts) for name, parts in frames.items() if parts}
    tables["diagnostics"] = pd.DataFrame(diagnostics)
    tables["cells"] = _cells(facts)
    tables["variance"] = _variance(facts, confidence=loaded.experiment.evaluation.confidence)
    return Result(summary, policy_table(summary), tables, ran, reused, _notes(notes), loaded.experiment.plain())


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


def _labelled(frame: pd.DataFrame, labels: Mapping[str, Any]) -> pd.DataFrame:
    out = frame.copy(deep=False)
    for position, (name, value) in enumerate(labels.items()):
        column = pd.Categorical([value] * len(frame)) if isinstance(value, str) else [value] * len(frame)
        out.insert(position, name, pd.Series(column, index=out.index))
    return out


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate tables whose text columns may be categories of different values."""
    texts = [name for name in parts[0] if isinstance(parts[0][name].dtype, pd.CategoricalDtype)]
    for name in texts:
        values = list(dict.fromkeys(value for part in parts for value in part[name].cat.categories))
        for part in parts:
            part[name] = part[name].cat.set_categories(values)
    return pd.concat(parts, ignore_index=True)


def _cells(facts: Mapping[str, Mapping[str, list[dict[str, Any]]]]) -> pd.DataFrame:
    return pd.DataFrame([
        {"scenario": scenario, "policy": policy, "replicate": replicate, "metric": metric,
         "value": float(cell["metrics"][metric])}
        for scenario, by_policy in facts.items() for policy, cells in by_policy.items()
        for replicate, cell in enumerate(cells) for metric in METRICS])


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

