"""Finished cells on disk: written aside and renamed, so that what is there is whole."""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from churnsim.errors import ResultsError

# NFS shows what another machine wrote when what it remembers of the folder expires, by default after a minute.
SHARED_SECONDS = 65
DAY_SECONDS = 86400


@dataclass(frozen=True)
class Cell:
    """What one stage computed: plain facts, arrays and tables by name."""

    facts: dict[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    frames: Mapping[str, pd.DataFrame | pa.Table] = field(default_factory=dict)


class Store:
    """Cells of an experiment by key, in `folder`/cells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cells"

    def sweep(self) -> None:
        """Clear away what killed runs were writing: folders named after processes that are no more.

        Whether a process of another machine runs is not known: a day's silence says that it does not.
        """
        for aside in self.folder.glob(".*.*"):
            host, _, process = aside.name.split(".", 2)[2].rpartition(".")
            if process.isdigit() and not (_runs(int(process)) if host == gethostname() else _is_new(aside)):
                shutil.rmtree(aside, ignore_errors=True)

    def has(self, key: str) -> bool:
        """Return whether a cell is finished."""
        return (self.folder / key / "facts.json").is_file()

    def appears(self, key: str) -> bool:
        """Return whether a cell that was finished somewhere is to be seen here, after a while if need be."""
        deadline = time.monotonic() + SHARED_SECONDS
        while not self.has(key):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def read(self, key: str) -> Cell:
        """Return a finished cell."""
        at = self.folder / key
        arrays = self.arrays(key)
        try:
            frames = {path.stem: pd.read_parquet(path) for path in sorted(at.glob("*.parquet"))}
        except (OSError, ValueError) as error:
            raise _unreadable(at, error) from error
        return Cell(self.facts(key), arrays, frames)

    def arrays(self, key: str, *, starting: str | tuple[str, ...] = "") -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of a finished cell whose names start so; others are not read."""
        at = self.folder / key
        try:
            with (at / "arrays.npz").open("rb") as file, np.load(file) as arrays:
                return {name: arrays[name] for name in arrays.files if name.startswith(starting)}
        except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
            raise _unreadable(at, error) from error

    def facts(self, key: str) -> dict[str, Any]:
        """Return the facts of a finished cell, without its arrays and tables."""
        at = self.folder / key
        try:
            facts: dict[str, Any] = json.loads((at / "facts.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _unreadable(at, error) from error
        return facts

    def tables(self, key: str) -> dict[str, pa.Table]:
        """Return the tables of a finished cell by name."""
        at = self.folder / key
        try:
            return {path.stem: pq.read_table(path) for path in sorted(at.glob("*.parquet"))}
        except (OSError, ValueError) as error:
            raise _unreadable(at, error) from error

    def write(self, key: str, cell: Cell) -> None:
        """Write a cell; it appears whole or not at all."""
        aside = self.folder / f".{key}.{gethostname()}.{os.getpid()}"
        with writing(aside):
            aside.mkdir(parents=True, exist_ok=True)
            np.savez(aside / "arrays.npz", allow_pickle=False, **cell.arrays)
            for name, frame in cell.frames.items():
                table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
                write_parquet(table, aside / f"{name}.parquet")
            (aside / "facts.json").write_text(json.dumps(cell.facts), encoding="utf-8")
            try:
                aside.rename(self.folder / key)
            except OSError:
                # Another run on the same folder may have finished the cell first: theirs is as good.
                if not self.has(key):
                    raise
                shutil.rmtree(aside)


def write_folder(folder: Path, fill: Callable[[Path], object], *, stale: Collection[str] = ()) -> None:
    """Write the files of a results folder aside and rename them into it, summary.json last.

    Parameters
    ----------
    fill
        Writes files and folders into the path it is given.
    stale
        Names of what an earlier run may have left there and this one does not write: removed.

    Raises
    ------
    ResultsError
        The folder cannot be written.
    """
    aside = folder / f".writing.{os.getpid()}"
    with writing(aside):
        aside.mkdir(parents=True, exist_ok=True)
        fill(aside)
        for path in sorted(aside.iterdir(), key=lambda p: p.name == "summary.json"):
            if path.is_dir():
                shutil.rmtree(folder / path.name, ignore_errors=True)
            os.replace(path, folder / path.name)
        aside.rmdir()
        for path in (folder / name for name in stale):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table; only labels are worth a dictionary: four times faster, and smaller."""
    labels = [column.name for column in table.schema if pa.types.is_dictionary(column.type)]
    pq.write_table(table, path, use_dictionary=labels, compression="zstd", compression_level=1)


def _is_new(aside: Path) -> bool:
    try:
        return time.time() - aside.stat().st_mtime < DAY_SECONDS
    except OSError:
        return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        # One that was killed may stay in the table of processes for as long as nobody asks after it.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _unreadable(at: Path, error: Exception) -> ResultsError:
    return ResultsError(f"{at}: cannot read this cell ({error}); delete the folder and run again")


class writing:
    """Turn a failed write into a ResultsError that names the place, and clear away what was written aside."""

    def __init__(self, aside: Path) -> None:
        self.aside = aside

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        shutil.rmtree(self.aside, ignore_errors=True)
        if isinstance(error, OSError):
            raise ResultsError(f"{self.aside.parent}: cannot write results ({error.strerror or error}); "
                               "free space or choose another folder with --out, then run again: finished "
                               "cells are kept") from error
