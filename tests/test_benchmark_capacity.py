"""The contact centre's benchmark: its models agree, what differs fails, and a run that was cut off goes on."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
USUAL = {"cpu_s": 0.5, "wall_s": 1.0, "setup_cpu_s": 0.1, "peak_bytes": 2**20, "versions": {}}


@pytest.fixture(autouse=True)
def _modules(monkeypatch):
    """The scripts import each other by name."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def outcome(name, **facts):
    from harness import Outcome, Row

    return Outcome(Row(name, "", "", checked=False), 100_000, 1, [USUAL | facts])


def test_naive_simpy_waits_as_long_as_first_come_says():
    from contact_load import facts
    from peers.simpy_run import queue

    found = queue(3000, 1)()
    assert facts(found)["agrees"].startswith("same waits")
    found.wait[7] += 0.01
    with pytest.raises(ValueError, match=r"0 others gave up, waits differ by up to 0.01 hours"):
        facts(found)


def test_both_engines_and_agent_processes_make_the_same_of_a_list():
    import capacity_run as run
    import contact_load as load
    from capacity_page import compare
    from peers.simpy_run import outreach

    found = {name: run.engine_facts(run.engine_alone(run.outreach, name, 1500, 1)(), 1500) for name in run.ENGINES}
    assert found["compiled"] == found["simpy"]
    logged = run.log_facts(run.whole_work(run.outreach, "compiled", 1500, 1)(), 1500)
    assert logged["counts"] == found["compiled"]["counts"]
    peer = outcome("peer", **load.facts(outreach(1500, 1)()))
    compare([outcome("ours", **found["compiled"]), peer])
    assert peer.failure is None


def test_engine_waits_are_those_of_the_recursion():
    import capacity_run as run

    for engine in run.ENGINES:
        record = run.engine_alone(run.queue, engine, 2000, 1)()
        assert run.engine_facts(record, 2000)["contacts"] == 2000


def test_rows_that_differ_fail():
    from capacity_page import compare

    counts = {"attempts": 10_000, "served": 900}
    first = outcome("a", counts=counts, digests={"record": "1"})
    other, far, near = outcome("b", counts=counts, digests={"record": "2"}), *(
        outcome(name, counts=counts | {"attempts": number}) for name, number in (("c", 12_000), ("d", 10_100)))
    compare([first, other, far, near])
    assert [each.failure for each in (first, other, far, near)] == [
        None, "its record is not that of the first row", "attempts: 12,000 instead of 10,000", None]


def test_targets_name_rows_and_sizes_of_their_sections():
    from capacity_sections import TARGETS

    for target in TARGETS:
        assert set(target.rows) <= {row.name for row in target.section.rows}
        assert target.size in target.section.sizes


def test_a_target_compares_rates():
    from capacity_sections import OUTREACH, Target, times_as_fast

    target = Target("fast", OUTREACH, 100, ("a", "b"), times_as_fast, "at least", 20)
    fast, slow = outcome("a", contacts=4000), outcome("b", contacts=100)
    found = {("outreach", 100, "a"): fast, ("outreach", 100, "b"): slow}
    assert target.line(found)[1:] == ["at least 20", "40", "yes"]
    fast.runs[0]["contacts"] = 1900
    assert target.line(found)[3] == "**no**"
    slow.failure = "it broke"
    assert target.line(found)[2:] == ["a row failed", "**no**"]
    assert target.line({})[2:] == ["not measured", "-"]


def test_slow_rows_are_left_out_of_large_sizes():
    from capacity_sections import OUTREACH, QUEUE

    # The folder of the centre's tests has the script's name.
    rows_at = runpy.run_path(str(BENCHMARKS / "capacity.py"))["rows_at"]

    assert "SimPy" not in {row.name for row in rows_at(OUTREACH, 1_000_000, list(OUTREACH.sizes), None)}
    assert "salabim" in {row.name for row in rows_at(QUEUE, 200_000, [200_000], None)}


def test_a_run_that_was_cut_off_goes_on(tmp_path):
    out = tmp_path / "capacity.md"
    command = [sys.executable, str(BENCHMARKS / "capacity.py"), "--only", "naive SimPy", "agent processes", "--sizes",
               "500", "--out", str(out), "--rounds"]
    first = subprocess.run([*command, "1"], capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert len(first.stderr.splitlines()) == 2
    again = subprocess.run([*command, "2"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert len(again.stderr.splitlines()) == 2
    head, *runs = map(json.loads, out.with_suffix(".jsonl").read_text().splitlines())
    assert set(head) == {"machine", "sources"}
    assert [(run["row"], run["round"]) for run in runs] == [
        ("naive SimPy", 0), ("agent processes", 0), ("naive SimPy", 1), ("agent processes", 1)]
    page = out.read_text()
    assert "| naive SimPy | 500 | 500 |" in page
    assert "200,000: SimPy, times as fast as naive SimPy | at least 3 | not measured | - |" in page


def test_a_queue_longer_than_a_month_is_refused():
    from contact_load import queue_of_callers

    assert np.all(np.diff(queue_of_callers(100).time) > 0)
    with pytest.raises(ValueError, match="300,000 callers do not come within a month; at most 210,000 do"):
        queue_of_callers(300_000)
