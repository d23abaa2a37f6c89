"""Finished evaluations of a calibration, kept so that a killed one goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from churnsim.errors import ResultsError

EVALUATIONS = "evaluations.jsonl"
IDENTITY = "calibration.json"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write into a ResultsError that names the folder of `path`; what is there stays."""
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{path.parent}: cannot write the calibration ({error.strerror or error}); free space or "
                           "choose another folder with --out, then run again: finished evaluations are kept") from error


class Evaluations:
    """Values of moments by what they were taken at; a line of a file for each.

    Parameters
    ----------
    folder
        Made if it is not there.
    identity
        Digest of everything that the values depend on. A folder of another calibration is emptied.

    Raises
    ------
    ResultsError
        The folder cannot be written to, or has files of something else.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.done: dict[str, dict[str, float]] = {}
        self.computed = 0
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._require_own()
            if self._identity() != identity:
                (folder / EVALUATIONS).unlink(missing_ok=True)
                (folder / IDENTITY).write_text(json.dumps({"identity": identity}), encoding="utf-8")
            self._read(folder / EVALUATIONS)

    def _require_own(self) -> None:
        others = sorted({path.name for path in self.folder.iterdir()} - {EVALUATIONS, IDENTITY})
        if others:
            raise ResultsError(f"{self.folder}: evaluations are kept here, but it has files of something else "
                               f"({others[0]}); move them away or choose another name with --out")

    def _read(self, path: Path) -> None:
        whole = 0
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        for line in lines:
            if not line.endswith(b"\n"):
                # It was being written when the run was killed or the disk became full.
                os.truncate(path, whole)
                break
            entry = json.loads(line)
            self.done[entry["at"]] = entry["values"]
            whole += len(line)

    def _identity(self) -> str | None:
        try:
            return str(json.loads((self.folder / IDENTITY).read_text(encoding="utf-8"))["identity"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def get(self, part: str, steps: Mapping[str, float], compute: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Return the values at some steps, computing and keeping them if they are not there yet."""
        moved = sorted((name, step) for name, step in steps.items() if step != 0.0)
        at = json.dumps([part, moved])
        if at not in self.done:
            self.done[at] = compute()
            self.computed += 1
            with writing(self.folder), (self.folder / EVALUATIONS).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"at": at, "values": self.done[at]}) + "\n")
                file.flush()
                os.fsync(file.fileno())
        return self.done[at]

    def remove(self) -> None:
        """Delete the folder."""
        with writing(self.folder):
            shutil.rmtree(self.folder)
