"""The benchmark's harness runs rows and reports them; its check finds another workload; its draws are Philox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _modules(monkeypatch):
    """The scripts import each other by name."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def simulate(subscribers: int, months: int) -> list[list[int]]:
    import numpy_run

    return numpy_run.plain(subscribers, months)()


def test_script_writes_a_table_and_every_run(tmp_path):
    out = tmp_path / "results/engine.md"
    chosen = ["--only", "numpy", "draws alone", "--sizes", "3000", "--rounds", "2", "--out", str(out)]
    command = [sys.executable, str(BENCHMARKS / "engine.py"), *chosen]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    page = out.read_text()
    assert page == result.stdout.removesuffix("\n")
    cells = {line.split(" | ")[0]: line.split(" | ") for line in page.splitlines() if line.endswith(("agree |", "- |"))}
    assert list(cells) == ["| numpy", "| draws alone"]
    assert all(row[1] == "3,000" and row[8] == "2" for row in cells.values())
    assert "| times as fast as | numpy | draws alone |" in page
    machine, *runs = map(json.loads, out.with_suffix(".jsonl").read_text().splitlines())
    assert machine["machine"]["cores"] == os.cpu_count()
    assert [run["row"] for run in runs] == ["numpy", "draws alone"] * 2
    assert all(run["cpu_s"] > 0 and run["setup_cpu_s"] > 0 and run["versions"]["Python"] for run in runs)
    numpy_runs = [run for run in runs if run["row"] == "numpy"]
    assert all(len(run["summary"]) == 24 and run["failure"] is None for run in numpy_runs)


def test_rates_and_ratios_come_from_medians():
    import page
    from harness import Outcome, Row

    fast = Outcome(Row("fast", "", "", checked=False), 1_000_000, 24)
    slow = Outcome(Row("slow", "", ""), 500_000, 24)
    usual = {"wall_s": 1.0, "setup_cpu_s": 0.5, "peak_bytes": 3 * 2**20}
    fast.runs = [usual | {"cpu_s": seconds} for seconds in (0.12, 0.1, 0.3)]
    slow.runs = [usual | {"cpu_s": 4.0}]
    assert page.rates([fast, slow]).splitlines()[2:] == [
        "| fast | 1,000,000 | 200 | 80.0 to 240 | 0.120 | 1.000 | 0.5 | 3 | 3 | - |",
        "| slow | 500,000 | 3.00 | 3.00 to 3.00 | 4.000 | 1.000 | 0.5 | 3 | 1 | agree |",
    ]
    assert page.ratios([fast, slow], ("slow", "absent")).splitlines() == [
        "| times as fast as | slow |",
        "| --- | ---: |",
        "| fast | 66.7 |",
        "| slow | 1.00 |",
    ]


def test_a_row_that_fails_keeps_its_line():
    import page
    from harness import Row, Section, measure

    rows = (Row("numpy", "numpy_run", "plain"), Row("broken", "numpy_run", "unknown"))
    section = Section("section", "Title", rows, against=("numpy", "broken"), sizes=(300,), months=2)
    recorded = []

    def record(_, outcome, run):
        recorded.append((outcome.row.name, "cpu_s" in run))

    outcomes = measure(section, rows, subscribers=300, rounds=2, record=record)
    assert recorded == [("numpy", True), ("broken", False), ("numpy", True)]
    assert outcomes[1].failure == "KeyError: 'unknown'"
    assert page.rates(outcomes).splitlines()[-1].endswith("| 0 | **failed**: KeyError: 'unknown' |")
    assert page.ratios(outcomes, section.against).splitlines()[0] == "| times as fast as | numpy |"


def test_a_row_without_its_environment_fails(monkeypatch):
    import harness

    def refuse(environment):
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(harness, "python_of", refuse)
    row = harness.Row("mesa", "peers.mesa_run", "agents", environment="mesa")
    section = harness.Section("section", "Title", (row,), against=(), sizes=(300,), months=2)
    (outcome,) = harness.measure(section, (row,), subscribers=300, rounds=1, record=lambda *_: None)
    assert outcome.failure == "no environment could be made from peers/mesa.txt"


def test_check_accepts_the_workload_and_finds_another_one(monkeypatch):
    import checks
    import workload

    subscribers, months = 100_000, 12
    expected = checks.reference(subscribers, months)
    # False alarm: fewer than one run in 5,000, and the seed is fixed.
    assert checks.disagreement(simulate(subscribers, months), expected, subscribers=subscribers) is None
    monkeypatch.setattr(workload, "BY_PRICE", 1.1 * workload.BY_PRICE)
    found = checks.disagreement(simulate(subscribers, months), expected, subscribers=subscribers)
    assert found is not None
    assert "standard errors" in found


def test_check_finds_counts_that_contradict_each_other():
    import checks

    expected = checks.reference(1_000, 3)
    wrong = simulate(1_000, 3)
    wrong[1][-1] += 1
    assert checks.disagreement(wrong, expected, subscribers=1_000) == (
        "those present at a month's start are not those who stayed the month before"
    )
    assert checks.disagreement(wrong[:2], expected, subscribers=1_000) == (
        "summaries have the shape (2, 8) instead of (3, 8)"
    )


def test_tuned_numpy_follows_the_plain_one():
    import numpy_run

    assert numpy_run.tuned(5_000, 12)() == simulate(5_000, 12)


def test_a_month_by_hand():
    from workload import BYTES, STATES, advance

    now = {
        "usage": np.float32([0.0, 0.0, -1.0, 0.0, 0.0, 0.0]),
        "complaints": np.float32([0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        "price_amount": np.float32([30.0] * 6),
        "tenure_months": np.int16([1, 20, 20, 20, 20, 2]),
        "contract_months": np.int8([12, 6, 0, 1, 2, 0]),
        "state": np.uint8([STATES.new, STATES.active, STATES.active, STATES.active, STATES.active, STATES.new]),
    }
    now["state"][2] = STATES.notice
    # x is near -4 for all of them: 0.001 decides to leave, 0.9 does not.
    uniforms = np.float32([[0.5] * 6, [0.9, 0.02, 0.9, 0.05, 0.9, 0.9], [0.9, 0.9, 0.9, 0.001, 0.001, 0.9]])
    after, complains = advance(now, uniforms)
    # Second: 0.7 * 1 + 1 = 1.7 complaints; fourth: the contract's last month, so no notice.
    expected = [STATES.new, STATES.at_risk, STATES.churned, STATES.churned, STATES.notice, STATES.active]
    assert after["state"].tolist() == expected
    assert complains.tolist() == [False, True, False, False, False, False]
    assert after["contract_months"].tolist() == [11, 5, 0, 0, 1, 0]
    np.testing.assert_allclose(after["usage"], [0, 0, -0.95, 0, 0, 0])
    assert advance(now, uniforms, codes=BYTES)[0]["state"].dtype == np.uint8


def test_bound_draws_philox():
    import bounds

    uniforms = [np.empty(3, np.float32) for _ in range(4)]
    bounds.fill_uniforms(0, 0, 0, 0, *uniforms)
    # Random123's known answer for a counter and a key of zeros.
    words = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert [(float(lane[0]) * 2**23) - 0.5 for lane in uniforms] == [word >> 9 for word in words]


def test_cpu_seconds_include_ended_children():
    from row import cpu_seconds

    before = cpu_seconds()
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert cpu_seconds() - before >= 0.3


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="PSS is Linux's")
def test_memory_counts_descendants():
    from harness import proportional_memory

    hold = "import sys; held = bytearray(100 * 2**20); print(flush=True); sys.stdin.read()"
    inner = [sys.executable, "-c", hold]
    outer = f"import subprocess; subprocess.run({inner!r})"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", outer], stdin=pipe, stdout=pipe) as process:
        process.stdout.readline()
        held = proportional_memory(process.pid)
        process.stdin.close()
    assert 100 * 2**20 < held < 200 * 2**20
    assert proportional_memory(process.pid) == 0
