"""What a simulation found, and the folder it is written to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from churnsim.evaluation.churn_rates import ChurnRates
from churnsim.experiment.run import provenance, write_config
from churnsim.experiment.settings import Experiment
from churnsim.experiment.store import write_folder, write_parquet

PARTED = ("end_state", "end_state_latent", "events", "panel", "panel_latent", "snapshot")
CAMPAIGN = ("ledger", "contacts", "calls", "lists", "treated", "treated_latent", "treated_events")


@dataclass(frozen=True)
class Simulated:
    """What a simulation found.

    Attributes
    ----------
    summaries
        One row a world, month and group; see docs/simulation.md.
    parts
        Folders of the partitions' cells, in order, which hold their tables.
    tables
        Of the campaign: "ledger", "contacts", "lists", "calls" if there are inbound streams, and of those with an
        order in the world with the campaign
        "treated", their state at the end, and "treated_events", their events from the campaign month on, if events
        are recorded. Empty without a campaign.
    dictionary
        What each column of the files means, one row a column; see :func:`churnsim.experiment.dictionary.dictionary`.
    metrics
        Of the campaign, as in a run's summary. Empty without one.
    note
        What a reader should know about the list.
    churn
        Churn of the last twelve months without a campaign, by three conventions; None if there were fewer months, or
        one of them started with nobody.
    subscribers
        Everybody who was ever there.
    ran, reused
        Cells computed, and found finished.
    """

    experiment: Experiment
    replicate: int
    summaries: pa.Table
    parts: tuple[Path, ...]
    tables: dict[str, pa.Table]
    dictionary: pa.Table
    metrics: dict[str, float]
    note: str
    churn: ChurnRates | None
    subscribers: int
    ran: int
    reused: int

    def facts(self) -> dict[str, Any]:
        """Return what summary.json says: no time, machine or version."""
        e = self.experiment
        return {"schema": e.schema_version, "experiment": e.name, "seed": e.seed, "replicate": self.replicate,
                "currency": e.currency, "months": e.simulation.months, "subscribers": self.subscribers,
                "policy": e.simulation.policy, "campaign": self.metrics, "note": self.note,
                "churn_last_year": None if self.churn is None else asdict(self.churn)}

    def table_text(self) -> str:
        """Return the last month of each world, and what the campaign came to, as lines to read."""
        e = self.experiment
        rows = self.summaries.to_pandas()
        lines = [f"{self.subscribers:,} subscribers in {e.simulation.months} months"]
        for world, months in rows.groupby("world", sort=False):
            totals = months.groupby("month").sum(numeric_only=True)
            if len(totals):
                rate = totals["decided"].sum() / max(totals["subscribers"].sum(), 1)
                lines.append(f"{world}: {int(totals['subscribers'].iloc[-1]):,} active in the last month, "
                             f"{rate:.2%} decide to leave a month, revenue {totals['revenue_cents'].sum() / 100:,.0f} "
                             f"{e.currency}")
        if self.churn is not None:
            lines.append(self.churn.text())
        if self.metrics:
            m = self.metrics
            lines.append(f"policy {e.simulation.policy} in month {e.campaign_month}: {m['targeted']:,} targeted, "
                         f"{m['reached_in_time']:,} reached in time, {m['accepted']:,} accepted; net value over "
                         f"{e.evaluation.horizon_months} months {m['net_value']:,.0f} {e.currency} "
                         f"(realised {m['net_value_realised']:,.0f})")
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def save(self, folder: Path, *, command: Sequence[str] = ()) -> Path:
        """Write the folder; files appear whole, summary.json last. Returns the folder.

        Raises
        ------
        ResultsError
            The folder cannot be written.
        """
        absent = [name for name in PARTED if not any((part / f"{name}.parquet").exists() for part in self.parts)]
        stale = [*absent, *(f"{name}.parquet" for name in CAMPAIGN if name not in self.tables)]
        write_folder(folder, lambda aside: self._write(aside, command), stale=stale)
        return folder

    def _write(self, folder: Path, command: Sequence[str]) -> None:
        write_config(folder, self.experiment.plain())
        write_parquet(self.summaries, folder / "summaries.parquet")
        self.dictionary.to_pandas().to_csv(folder / "dictionary.csv", index=False)
        for name, table in self.tables.items():
            write_parquet(table, folder / f"{name}.parquet")
        for name in PARTED:
            for number, part in enumerate(self.parts):
                _share(part / f"{name}.parquet", folder / name / f"part-{number:05d}.parquet")
        about = {**provenance(self.experiment.seed, command), "cells_run": self.ran, "cells_reused": self.reused}
        (folder / "provenance.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        (folder / "summary.json").write_text(json.dumps(self.facts(), indent=1) + "\n", encoding="utf-8")


def file_schemas(summaries: pa.Table, parts: Sequence[Path], tables: Mapping[str, pa.Table]) -> dict[str, pa.Schema]:
    """Return the schema of every table that is written, by the name of its file or folder."""
    found = {"summaries.parquet": summaries.schema}
    for name in PARTED:
        first = next((path for path in (part / f"{name}.parquet" for part in parts) if path.exists()), None)
        if first is not None:
            found[name] = pq.read_schema(first)
    return found | {f"{name}.parquet": table.schema for name, table in tables.items()}


def _share(source: Path, target: Path) -> None:
    """Give a finished file a second name, or copy it where the file system has no such thing."""
    if not source.exists():
        return
    target.parent.mkdir(exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
