"""Finished evaluations are kept, and only for the calibration that they belong to."""

from __future__ import annotations

import errno
import os

import pytest

from churnsim.calibration.store import EVALUATIONS, IDENTITY, Evaluations
from churnsim.errors import ResultsError


def never():
    raise AssertionError("was computed again")


def test_an_evaluation_is_computed_once(tmp_path):
    folder = tmp_path / "work"
    assert Evaluations(folder, "x").get("fitted", {"a": 0.5, "b": 0.0}, lambda: {"m": 1.5}) == {"m": 1.5}
    again = Evaluations(folder, "x")
    assert again.get("fitted", {"a": 0.5}, never) == {"m": 1.5}
    assert again.computed == 0
    assert again.get("held_out", {"a": 0.5}, lambda: {"m": 2.5}) == {"m": 2.5}
    again.remove()
    assert not folder.exists()


# Without its line's end an entry reads well, and the next one would be written behind it.
@pytest.mark.parametrize("cut", [10, 1])
def test_what_a_kill_left_half_written_is_computed_again(tmp_path, cut):
    kept = Evaluations(tmp_path, "x")
    kept.get("fitted", {}, lambda: {"m": 1.0})
    kept.get("fitted", {"a": 1.0}, lambda: {"m": 2.0})
    path = tmp_path / EVALUATIONS
    path.write_text(path.read_text()[:-cut])
    again = Evaluations(tmp_path, "x")
    assert again.get("fitted", {}, never) == {"m": 1.0}
    assert again.get("fitted", {"a": 1.0}, lambda: {"m": 3.0}) == {"m": 3.0}
    # The half line is gone: what was written after it can be read.
    assert Evaluations(tmp_path, "x").get("fitted", {"a": 1.0}, never) == {"m": 3.0}


def test_another_calibration_starts_anew(tmp_path):
    Evaluations(tmp_path / "work", "x").get("fitted", {}, lambda: {"m": 1.0})
    assert Evaluations(tmp_path / "work", "y").get("fitted", {}, lambda: {"m": 9.0}) == {"m": 9.0}


@pytest.mark.parametrize(("error", "raised"), [
    (OSError(errno.ENOSPC, "No space left on device"), ResultsError),
    (KeyboardInterrupt(), KeyboardInterrupt),
])
def test_finished_evaluations_outlive_a_write_that_does_not_end(tmp_path, monkeypatch, error, raised):
    folder = tmp_path / "work"
    kept = Evaluations(folder, "x")
    kept.get("fitted", {}, lambda: {"m": 1.0})

    def fail(_file: int) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(raised) as found:
            kept.get("fitted", {"a": 1.0}, lambda: {"m": 2.0})
    if raised is ResultsError:
        assert str(found.value) == (
            f"{tmp_path}: cannot write the calibration (No space left on device); free space or choose another folder "
            "with --out, then run again: finished evaluations are kept")
    assert Evaluations(folder, "x").get("fitted", {}, never) == {"m": 1.0}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / IDENTITY).write_text("{}")
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ResultsError, match=r"it has files of something else \(thesis\.txt\); move them away or"):
        Evaluations(tmp_path, "x")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
