"""Finished evaluations are kept, and only for the calibration that they belong to."""

from __future__ import annotations

from churnsim.calibration.store import EVALUATIONS, Evaluations


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


def test_what_a_kill_left_half_written_is_computed_again(tmp_path):
    kept = Evaluations(tmp_path, "x")
    kept.get("fitted", {}, lambda: {"m": 1.0})
    kept.get("fitted", {"a": 1.0}, lambda: {"m": 2.0})
    path = tmp_path / EVALUATIONS
    path.write_text(path.read_text()[:-10])
    again = Evaluations(tmp_path, "x")
    assert again.get("fitted", {}, never) == {"m": 1.0}
    assert again.get("fitted", {"a": 1.0}, lambda: {"m": 3.0}) == {"m": 3.0}
    # The half line is gone: what was written after it can be read.
    assert Evaluations(tmp_path, "x").get("fitted", {"a": 1.0}, never) == {"m": 3.0}


def test_another_calibration_starts_anew(tmp_path):
    Evaluations(tmp_path / "work", "x").get("fitted", {}, lambda: {"m": 1.0})
    assert Evaluations(tmp_path / "work", "y").get("fitted", {}, lambda: {"m": 9.0}) == {"m": 9.0}
