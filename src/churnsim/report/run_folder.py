"""What a run folder holds, as the report reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from churnsim.errors import ResultsError

BUDGET_KEY = "campaign.budget_amount"
LIST_COLUMNS = [
    "scenario",
    "policy",
    "replicate",
    "arm",
    "risk",
    "true_effect_amount",
    "true_effect_on_staying",
]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    summary
        As in summary.json.
    config
        The resolved experiment; empty if it is not at hand: what depends on it is then left out.
    tables
        Tables by name: "lists" and those of the folder tables/. One that is absent is left out of the report.
    notes
        What a reader should know about a policy's list.

    A result in memory is one too: ``Run(result.summary, result.config, result.frames, result.notes)``.
    """

    summary: Mapping[str, Any]
    config: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names of the scenarios, in the order of the summary."""
        return tuple(dict.fromkeys(entry["scenario"] for entry in self.summary["policies"]))

    @property
    def confidence(self) -> float | None:
        """Confidence of the intervals, if the config is at hand."""
        return self.config["evaluation"]["confidence"] if self.config else None

    @property
    def subscribers(self) -> int | None:
        """Subscribers of the first month, mean over replicates, if the table of months is at hand."""
        months = self.table("months", self.scenarios[0])
        return None if months is None else round(months.loc[months["month"] == 0, "subscribers"].mean())

    def policies(self, scenario: str) -> list[dict[str, Any]]:
        """Return the summary's policies of a scenario, highest net value first."""
        entries = [entry for entry in self.summary["policies"] if entry["scenario"] == scenario]
        return sorted(entries, key=lambda entry: -float(entry["net_value"]["mean"]))

    def kind(self, policy: str) -> str:
        """Return the kind of a policy; its name where there is no config."""
        return str(self.config["policies"][policy]["kind"]) if self.config else policy

    def table(self, name: str, scenario: str) -> pd.DataFrame | None:
        """Return the rows of a scenario of a table, or None if there are none."""
        if name not in self.tables:
            return None
        frame = self.tables[name]
        rows = frame[frame["scenario"] == scenario]
        return None if rows.empty else rows

    def changes(self, scenario: str) -> dict[str, Any]:
        """Return dotted key -> value of what a scenario changes; empty for the experiment itself."""
        if scenario in self.config.get("scenarios", {}):
            return dict(_leaves(self.config["scenarios"][scenario], ""))
        sweep = self.config.get("sweep", {})
        for values in product(*sweep.values()):
            changed = dict(zip(sweep, values, strict=True))
            if ",".join(f"{key}={value}" for key, value in changed.items()) == scenario:
                return changed
        return {}

    def left_out(self, scenario: str) -> list[str]:
        """Return the policies of the experiment that a scenario takes out."""
        keys = [key for key, value in self.changes(scenario).items() if value is None]
        return [key.removeprefix("policies.") for key in keys if key.startswith("policies.")]

    def budget_amount(self, scenario: str) -> float | None:
        """Return the budget of a scenario, if the config is at hand."""
        if not self.config:
            return None
        return float(self.changes(scenario).get(BUDGET_KEY, self.config["campaign"]["budget_amount"]))


def _leaves(patch: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in patch.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def read_run(folder: str | Path) -> Run:
    """Read a run folder.

    Raises
    ------
    ResultsError
        The folder is not one of a finished run, or a file in it cannot be read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    folder = Path(folder)
    if not (folder / "summary.json").is_file():
        raise ResultsError(f"{folder}: no finished run here (no summary.json); run the experiment first")
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        config = YAML(typ="safe", pure=True).load((folder / "config.yaml").read_text(encoding="utf-8"))
        notes = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
        # A policy may be called "NA": only an empty cell is a missing value.
        tables = {
            path.stem: pd.read_csv(path, keep_default_na=False, na_values=[""])
            for path in sorted((folder / "tables").glob("*.csv"))
        }
        tables["lists"] = pd.read_parquet(folder / "lists.parquet", columns=LIST_COLUMNS)
    except (OSError, ValueError, YAMLError) as error:
        raise ResultsError(f"{folder}: cannot read this run ({error}); run the experiment again") from error
    return Run(summary, config, tables, tuple(notes))
