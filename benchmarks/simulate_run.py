"""The command ``churnsim simulate`` on experiments/scale.yaml: what it takes at any size, on any engine."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import row

EXPERIMENT = Path(__file__).parents[1] / "experiments/scale.yaml"
SMALL_PILOT, FEWEST_MONTHS = 20_000, 13
ENGINES = [("serial", 1), *((name, workers) for name in ("threads", "processes", "dask") for workers in (1, 2))]


def prepare(engine: str, workers: int, campaign: bool, subscribers: int, months: int) -> Callable[[], Path]:
    """Return a function that runs the command and returns the folder that it wrote.

    The campaign falls into month 12, so that no fewer than 13 months pass. A base as small as the warm-up's has
    a pilot of its size.
    """
    folder = Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "churnsim.cli", "simulate", str(EXPERIMENT), "--quiet", "--out", str(folder)]
    command += ["--engine", engine, "--jobs", str(workers), "--months", str(max(months, FEWEST_MONTHS))]
    command += ["--set", f"population.size={subscribers}"]
    if not campaign:
        command += ["--set", "simulation.policy=null"]
    if subscribers <= row.WARM_UP_SUBSCRIBERS:
        command += ["--set", f"pilot.size={SMALL_PILOT}"]

    def simulate() -> Path:
        subprocess.run(command, cwd=folder, check=True)
        return folder

    return simulate


def facts(folder: Path) -> dict[str, Any]:
    """Tell the size of a simulation's folder and digests of what it found."""
    summary = json.loads((folder / "summary.json").read_text())
    # A partition's table has two names.
    files = {path.stat().st_ino: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return {
        "subscriber_months": summary["subscribers"] * summary["months"],
        "written_bytes": sum(files.values()),
        "digests": digests(folder),
    }


def digests(folder: Path) -> dict[str, str]:
    """Return a digest of summary.json and of each table, which depends on its rows' bits, not on their order."""
    # Only now: what this process holds counts as the command's memory.
    import pandas as pd
    import pyarrow.parquet as pq

    contents = {"summary.json": (folder / "summary.json").read_bytes()}
    for path in folder.rglob("*.parquet"):
        if folder / "cells" not in path.parents:
            frame = pq.read_table(path).to_pandas()
            rows = pd.util.hash_pandas_object(frame, index=False).sort_values()
            name = path.relative_to(folder).as_posix()
            contents[name] = repr(frame.dtypes.to_dict()).encode() + rows.to_numpy().tobytes()
    return {name: hashlib.sha256(content).hexdigest()[:16] for name, content in contents.items()}


if __name__ == "__main__":
    cases = {f"{engine} {workers}": partial(prepare, engine, workers, False) for engine, workers in ENGINES}
    cases["campaign"] = partial(prepare, "processes", 2, True)
    row.main(cases, packages=["distributed", "numba", "numpy", "pyarrow"], facts=facts)
