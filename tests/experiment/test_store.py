"""Cells on disk: whole or not there, and unreadable ones say so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from socket import gethostname

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from churnsim.errors import ResultsError
from churnsim.experiment.store import Cell, Store, writing

KEY = "a" * 64
CELL = Cell(
    {"n": 3, "share": 0.1 + 0.2, "name": "x"},
    {"ids": np.array([1, 2**40]), "wide": np.arange(6.0).reshape(2, 3), "flags": np.array([True, False])},
    {"table": pd.DataFrame({"kind": pd.Categorical(["b", "a"]), "cents": np.array([2**62, -1])})},
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(tmp_path)
    found.folder.mkdir()
    return found


def test_a_cell_comes_back_as_it_was(store: Store) -> None:
    assert not store.has(KEY)
    store.write(KEY, CELL)
    assert store.has(KEY)
    found = store.read(KEY)
    assert found.facts == CELL.facts
    for name, values in CELL.arrays.items():
        assert found.arrays[name].dtype == values.dtype and np.array_equal(found.arrays[name], values)
    pd.testing.assert_frame_equal(found.frames["table"], CELL.frames["table"])


def test_arrays_by_how_their_names_start(store: Store) -> None:
    arrays = {name: np.arange(2.0) for name in ("plan.a", "plan.b", "base.a", "totals")}
    store.write(KEY, Cell(arrays=arrays))
    assert list(store.arrays(KEY)) == list(arrays)
    assert list(store.arrays(KEY, starting="plan.")) == ["plan.a", "plan.b"]
    assert list(store.arrays(KEY, starting=("totals", "base."))) == ["base.a", "totals"]


def test_an_empty_cell_comes_back(store: Store) -> None:
    store.write(KEY, Cell())
    assert store.read(KEY) == Cell({}, {}, {})


def test_a_cell_is_written_aside_and_renamed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, list[str]]] = []
    rename = Path.rename

    def watch(self: Path, target: Path) -> Path:
        seen.append((store.has(KEY), sorted(entry.name for entry in self.iterdir())))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", watch)
    store.write(KEY, CELL)
    assert seen == [(False, ["arrays.npz", "facts.json", "table.parquet"])]
    assert [entry.name for entry in store.folder.iterdir()] == [KEY]


def test_a_failed_write_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(ResultsError) as caught:
        store.write(KEY, CELL)
    assert str(caught.value) == (
        f"{store.folder}: cannot write results (No space left on device); free space or choose another folder "
        "with --out, then run again: finished cells are kept"
    )
    assert list(store.folder.iterdir()) == [] and not store.has(KEY)


def test_an_interrupted_write_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", stop)
    with pytest.raises(KeyboardInterrupt):
        store.write(KEY, CELL)
    assert list(store.folder.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cells").write_text("")
    with pytest.raises(ResultsError, match=r"cannot write results \((Not a directory|File exists)\); free space or"):
        Store(tmp_path).write(KEY, CELL)


def test_what_another_run_finished_first_stays(store: Store) -> None:
    store.write(KEY, CELL)
    store.write(KEY, Cell({"n": 4}))
    assert store.read(KEY).facts == CELL.facts
    assert [entry.name for entry in store.folder.iterdir()] == [KEY]


def test_a_folder_without_facts_is_no_cell_and_in_the_way(store: Store) -> None:
    (store.folder / KEY).mkdir()
    (store.folder / KEY / "arrays.npz").write_text("half")
    assert not store.has(KEY)
    with pytest.raises(ResultsError, match="cannot write results"):
        store.write(KEY, CELL)


FILES = ("arrays.npz", "facts.json", "table.parquet")
TORN = [(name, torn) for name in FILES for torn in ("cut", "empty", "text")]


@pytest.mark.parametrize(("name", "torn"), [*TORN, ("arrays.npz", "gone"), ("facts.json", "gone")])
def test_an_unreadable_cell_says_so(store: Store, name: str, torn: str) -> None:
    store.write(KEY, CELL)
    path = store.folder / KEY / name
    whole = path.read_bytes()
    if torn == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"not what it was"}[torn])
    with pytest.raises(ResultsError) as caught:
        store.read(KEY)
    assert str(caught.value).startswith(f"{store.folder / KEY}: cannot read this cell (")
    assert str(caught.value).endswith("); delete the folder and run again")


def test_other_errors_pass_through_unchanged(tmp_path: Path) -> None:
    aside = tmp_path / f".x.{os.getpid()}"
    aside.mkdir()
    with pytest.raises(ZeroDivisionError), writing(aside):
        1 / 0  # noqa: B018
    assert not aside.exists()


def test_what_a_killed_run_was_writing_is_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(KEY, CELL)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    torn, ours = (store.folder / f".{KEY}.{gethostname()}.{process}" for process in (ended.pid, os.getpid()))
    torn.mkdir()
    ours.mkdir()
    store.sweep()
    assert not torn.exists() and ours.exists() and store.has(KEY)


def test_what_another_machine_was_writing_is_swept_after_a_day_of_silence(store: Store) -> None:
    fresh, silent = (store.folder / f".{KEY}.elsewhere.example.{process}" for process in (1, 2))
    for aside, hours in ((fresh, 23), (silent, 25)):
        aside.mkdir()
        changed = time.time() - hours * 3600
        os.utime(aside, (changed, changed))
    store.sweep()
    assert fresh.exists() and not silent.exists()


def test_machines_write_aside_under_different_names(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asides: list[str] = []
    rename = Path.rename

    def watch(self: Path, target: Path) -> Path:
        asides.append(self.name)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", watch)
    for host in ("node7", "node8"):
        monkeypatch.setattr("churnsim.experiment.store.gethostname", lambda host=host: host)
        store.write(host, CELL)
    assert asides == [f".node7.node7.{os.getpid()}", f".node8.node8.{os.getpid()}"]
