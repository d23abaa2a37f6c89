"""What a command reads and writes: progress, the two streams, and files that appear whole."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from churnsim.errors import ConfigError, DataError, ResultsError

if TYPE_CHECKING:
    import pandas as pd

TABLE_FORMATS = (".parquet", ".csv", ".csv.gz", ".arrow", ".feather")


FORMATS = f"{', '.join(TABLE_FORMATS[:-1])} or {TABLE_FORMATS[-1]}"


class Step(Protocol):
    """Part of a long run: `label` names it, `group` what it is one of."""

    @property
    def label(self) -> str: ...

    @property
    def group(self) -> str: ...


class Progress:
    """What has been run so far: one changing line on a terminal, a line a group elsewhere."""

    def __init__(self, tasks: Sequence[Step]) -> None:
        self.began = time.monotonic()
        self.is_terminal = sys.stderr.isatty()
        self.left = Counter(task.group for task in tasks)
        self.cells = Counter(self.left)
        self.seconds: dict[str, float] = defaultdict(float)
        if self.is_terminal and tasks:
            self._line(0, len(tasks), "starting")

    def finished(self, task: Step, seconds: float, done: int, total: int) -> None:
        """Count a finished cell."""
        group = task.group
        self.left[group] -= 1
        self.seconds[group] += seconds
        if self.is_terminal:
            self._line(done, total, task.label)
        elif not self.left[group]:
            note(f"{group}: {self.cells[group]} cells, {self.seconds[group]:.1f} s")

    def close(self) -> None:
        """Clear the changing line."""
        if self.is_terminal:
            click.echo("\r\x1b[K", nl=False, err=True)

    def _line(self, done: int, total: int, label: str) -> None:
        elapsed = time.monotonic() - self.began
        click.echo(f"\r\x1b[K{done}/{total} cells, {elapsed:.0f} s: {label}", nl=False, err=True)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; ResultsError if it has none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read ({error}); write it again") from error


def table_format(path: Path) -> str | None:
    """Return which of :data:`TABLE_FORMATS` a file's name ends in, None if in none."""
    return next((ending for ending in TABLE_FORMATS if path.name.endswith(ending)), None)


def require_formats(*paths: Path | None) -> None:
    """Refuse a table's name whose ending says nothing, before anything is computed."""
    for path in paths:
        if path is not None and table_format(path) is None:
            raise ConfigError(f"{path}: the name must end in {FORMATS}")


def read_table(path: Path) -> pd.DataFrame:
    """Return a table by its file's ending; DataError if there is none."""
    import pandas as pd

    try:
        if table_format(path) in (".arrow", ".feather"):
            return pd.read_feather(path)
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error}); correct the path or the "
                        "file") from error


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table by its file's ending; see :func:`write_file`."""
    ending = table_format(path)

    def fill(aside: Path) -> None:
        if ending == ".parquet":
            frame.to_parquet(aside, index=False)
        elif ending in (".arrow", ".feather"):
            frame.to_feather(aside)
        else:
            # No time in the file: the same table is the same bytes.
            packed: Any = {"method": "gzip", "mtime": 0} if ending == ".csv.gz" else None
            frame.to_csv(aside, index=False, compression=packed)

    write_file(path, fill)


def write_file(path: Path, fill: Callable[[Path], object]) -> None:
    """Write a file aside and rename it: what was there stays until the new one is whole."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        aside.touch()
        fill(aside)
        os.replace(aside, path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error.strerror or error}); free space or choose "
                           "another place") from error
    finally:
        if aside.exists():
            aside.unlink()


def json_text(data: Any) -> str:
    """Return data as the JSON files of a results folder write it."""
    return json.dumps(data, indent=1)


def show(text: str) -> None:
    """Print a result; a reader who has gone away is no error."""
    try:
        click.echo(text)
    except BrokenPipeError:
        pass
    except OSError as error:
        raise ResultsError(f"standard output: cannot be written ({error.strerror}); "
                           "what was written to files is whole") from error


def note(text: str) -> None:
    """Print what is not the result, on stderr."""
    click.echo(text, err=True)
