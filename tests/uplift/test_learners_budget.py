"""Fits with a time limit: the same bits, an end when time is over, and errors that come through."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from learner_trials import fit_trial, trial

from churnsim.errors import DataError
from churnsim.uplift import learners
from churnsim.uplift.learners_budget import call_within

OWN = """
import time
import numpy as np

class Noisy:
    def __init__(self, seconds=0.0, doubled=False):
        self.seconds, self.doubled = seconds, doubled

    def fit(self, X, y):
        print("this must not end up among the answer")
        time.sleep(self.seconds)
        self.mean = (1 + self.doubled) * y.mean() + np.random.random()

    def predict(self, X):
        return np.full(len(X), self.mean)
"""


def test_the_same_bits_with_and_without_a_limit_and_an_end_beyond_it(tmp_path: Path) -> None:
    data = trial(600)
    (tmp_path / "mine.py").write_text(OWN)
    own = {"estimator": "mine:Noisy", "folder": tmp_path}
    free, limited = (fit_trial("t_own", data, most_seconds=limit, options={"doubled": True}, **own).predict(data.X)
                     for limit in (None, 60.0))
    pd.testing.assert_frame_equal(free, limited, check_exact=True)
    with pytest.raises(DataError, match=r"uplift learner t_own with mine:Noisy: the fit of 600 rows took longer than "
                       r"most_seconds \(0.5\) and was ended; allow more seconds, or take fewer rows or a faster kind"):
        fit_trial("t_own", data, most_seconds=0.5, options={"seconds": 300.0}, **own)


def test_an_answer_an_error_and_an_end() -> None:
    common = {"prepare": dict, "late": "late"}
    assert call_within(60.0, json.loads, {"s": "[1, 2]"}, **common) == [1, 2]
    with pytest.raises(ValueError, match="Expecting value"):
        call_within(60.0, json.loads, {"s": "]"}, **common)
    with pytest.raises(DataError, match=r"ended from outside \(status 9\); it may have needed more memory"):
        call_within(60.0, os._exit, {"status": 9}, **common)
    began = time.monotonic()
    with pytest.raises(DataError, match=r"^late$"):
        call_within(0.2, subprocess.call, {"args": ["sleep", "20"]}, **common)
    assert time.monotonic() - began < 15.0


def test_without_a_limit_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(learners, "call_within", lambda *args, **named: started.append(args))
    found = fit_trial("t_ridge", trial(600))
    assert not started and found is not None
    fit_trial("t_ridge", trial(600), most_seconds=60.0)
    assert len(started) == 1
