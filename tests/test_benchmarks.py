"""The benchmark's harness runs rows and reports them; its checks find what differs; rows do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnsim.core.compiled import config

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
    chosen = ["--only", "churnsim", "numpy", "--sizes", "3000", "--rounds", "1", "--out", str(out)]
    command = [sys.executable, str(BENCHMARKS / "engine.py"), *chosen]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    page = out.read_text()
    assert page == result.stdout.removesuffix("\n")
    cells = {line.split(" | ")[0]: line.split(" | ") for line in page.splitlines() if line.endswith("agree |")}
    assert list(cells) == ["| churnsim", "| numpy"]
    assert all(row[1] == "3,000" and row[8] == "1" for row in cells.values())
    assert "| times as fast as | numpy |" in page
    assert "1,000,000 x 24: churnsim, times as fast as numpy | at least 10 | not measured | - |" in page
    machine, *runs = map(json.loads, out.with_suffix(".jsonl").read_text().splitlines())
    assert machine["machine"]["cores"] == os.cpu_count()
    assert [run["row"] for run in runs] == ["churnsim", "numpy"]
    assert all(run["cpu_s"] > 0 and run["setup_cpu_s"] > 0 and run["versions"]["Python"] for run in runs)
    assert all(len(run["summary"]) == 24 and run["failure"] is None for run in runs)


USUAL = {"wall_s": 1.0, "setup_cpu_s": 0.5, "peak_bytes": 3 * 2**20}


def outcome(name, cpu_seconds, *, subscribers=1_000_000, checked=False, **facts):
    from harness import Outcome, Row

    runs = [USUAL | {"cpu_s": seconds} | facts for seconds in cpu_seconds]
    return Outcome(Row(name, "", "", checked=checked), subscribers, 24, runs)


def section(name, *rows, **more):
    from harness import Section

    return Section(name, "Title", rows, **{"against": (), "sizes": (1_000_000,), "months": 24} | more)


def test_rates_and_ratios_come_from_medians():
    import page

    fast = outcome("fast", (0.12, 0.1, 0.3))
    slow = outcome("slow", (4.0,), subscribers=500_000, checked=True)
    assert page.rates([fast, slow]).splitlines()[2:] == [
        "| fast | 1,000,000 | 200 | 80.0 to 240 | 0.120 | 1.000 | 0.5 | 3 | 3 | - |",
        "| slow | 500,000 | 3.00 | 3.00 to 3.00 | 4.000 | 1.000 | 0.5 | 3 | 1 | agree |",
    ]
    assert page.ratios(section("s", against=("slow", "absent")), [fast, slow]).splitlines() == [
        "| times as fast as | slow |",
        "| --- | ---: |",
        "| fast | 66.7 |",
        "| slow | 1.00 |",
    ]
    costs = page.ratios(section("s", against=("fast",), compared="cpu_s"), [fast, slow])
    assert costs.splitlines()[-1] == "| slow | 33.3 |"
    assert page.ratios(section("s"), [fast]) == ""


def test_a_row_may_tell_its_own_work():
    import page

    large = outcome("large", (2.0,), subscriber_months=60_000_000, written_bytes=5 * 2**20, digests={"a": "1"})
    assert page.rates([large]).splitlines()[2:] == [
        "| large | 1,000,000 | 30.0 | 30.0 to 30.0 | 2.000 | 1.000 | 0.5 | 3 | 5 | 1 | same bits |",
    ]


def test_a_section_of_several_sizes_has_one_table():
    import page

    grows = section("s", sizes=(500_000, 1_000_000), note="A note.")
    found = [(grows, [outcome("row", (1.0,), subscribers=size)]) for size in grows.sizes]
    host = {"date": "", "processor": "", "cores": 2, "kernel": "", "load_before": 0.0}
    for _, (one,) in found:
        one.runs[0]["versions"] = {}
    text = page.document(host, found)
    assert "## Title: 500,000, 1,000,000 subscribers, 24 months\n\nA note.\n\n| row |" in text
    assert len([line for line in text.splitlines() if line.startswith("| row | ")]) == 3


def test_targets_are_computed_from_rows():
    from targets import Target, peak_gib, times_the_cpu

    twins = section("twins")
    target = Target("twins", twins, ("all", "base"), times_the_cpu, "at most", 2.2)
    base, most, more = outcome("base", (1.0,)), outcome("all", (2.2,)), outcome("all", (2.3,))
    key = ("twins", 1_000_000)
    start = ["Title, 1,000,000 x 24: twins", "at most 2.2"]
    assert target.line({(*key, "base"): base}) == [*start, "not measured", "-"]
    assert target.line({(*key, "base"): base, (*key, "all"): most}) == [*start, "2.2", "yes"]
    assert target.line({(*key, "base"): base, (*key, "all"): more}) == [*start, "2.3", "**no**"]
    more.failure = "it broke"
    assert target.line({(*key, "base"): base, (*key, "all"): more}) == [*start, "a row failed", "**no**"]
    memory = Target("memory", twins, ("base",), peak_gib, "below", 3, "GiB")
    assert memory.line({(*key, "base"): base})[1:] == ["below 3 GiB", "0.00293 GiB", "yes"]
    base.runs[0]["peak_bytes"] = 0
    assert memory.line({(*key, "base"): base})[3] == "**no**"


def test_every_target_names_rows_of_its_section():
    from targets import TARGETS

    for target in TARGETS:
        assert set(target.rows) <= {row.name for row in target.section.rows}


def test_a_row_with_other_bits_fails(monkeypatch):
    import harness
    from targets import other_results

    found = iter([{"a": "1", "b": "1"}, {"a": "1", "b": "2"}, {"a": "1"}, {"a": "1", "b": "1"}])

    def run_once(row, **_):
        return USUAL | {"cpu_s": 1.0, "digests": next(found)}

    monkeypatch.setattr(harness, "run_once", run_once)
    rows = [harness.Row(name, "", "", checked=False) for name in ("first", "changed", "absent", "same")]
    outcomes = harness.measure(section("s"), rows, subscribers=300, rounds=1, record=lambda *_: None)
    differs = "b differs from that of the first row"
    assert [one.failure for one in outcomes] == [None, differs, differs, None]
    assert other_results(*outcomes) == 2


def test_a_row_that_fails_keeps_its_line():
    import page
    from harness import Row, measure

    rows = (Row("numpy", "numpy_run", "plain"), Row("broken", "numpy_run", "unknown"))
    both = section("section", *rows, against=("numpy", "broken"), months=2)
    recorded = []

    def record(_, outcome, run):
        recorded.append((outcome.row.name, "cpu_s" in run))

    outcomes = measure(both, rows, subscribers=300, rounds=2, record=record)
    assert recorded == [("numpy", True), ("broken", False), ("numpy", True)]
    assert outcomes[1].failure == "KeyError: 'unknown'"
    assert page.rates(outcomes).splitlines()[-1].endswith("| 0 | **failed**: KeyError: 'unknown' |")
    assert page.ratios(both, outcomes).splitlines()[0] == "| times as fast as | numpy |"


def test_a_row_without_its_environment_fails(monkeypatch):
    import harness

    def refuse(environment):
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(harness, "python_of", refuse)
    row = harness.Row("mesa", "peers.mesa_run", "agents", environment="mesa")
    (found,) = harness.measure(section("s"), (row,), subscribers=300, rounds=1, record=lambda *_: None)
    assert found.failure == "no environment could be made from peers/mesa.txt"


def test_what_a_row_leaves_in_temporary_folders_is_removed(monkeypatch, tmp_path):
    import harness

    code = "import json, sys, tempfile; json.dump({'folder': tempfile.mkdtemp()}, open(sys.argv[-1], 'w'))"
    (tmp_path / "leaves.py").write_text(code)
    monkeypatch.setattr(harness, "HERE", tmp_path)
    run = harness.run_once(harness.Row("leaves", "leaves", "case"), subscribers=1, months=1)
    assert run["folder"].startswith(tempfile.gettempdir())
    assert not Path(run["folder"]).exists()


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


def test_compiled_drivers_simulate_the_workload():
    import checks
    import churnsim_run as ours

    subscribers, months = 40_000, 12
    fused = ours.prepare(ours.FUSED, ours.count, subscribers, months)()
    three = ours.prepare(ours.THREE, ours.count, subscribers, months)()
    expected = checks.reference(subscribers, months)
    # False alarm: fewer than one run in 5,000 each, and the seeds are fixed.
    assert checks.disagreement(fused, expected, subscribers=subscribers) is None
    assert checks.disagreement(three, expected, subscribers=subscribers) is None


def test_compiled_driver_follows_the_one_in_numpy():
    import churnsim_run as ours

    subscribers, months = 20_000, 12
    fused = ours.prepare(ours.FUSED, ours.count, subscribers, months)()
    in_numpy = ours.prepare(ours.IN_NUMPY, ours.count_in_numpy, subscribers, months)()
    # The same draws; another exponential flips a decision in millions.
    assert np.abs(np.subtract(fused, in_numpy)).max() <= 1


def test_full_model_counts_every_row():
    import model_run

    # Of 1.5 % a month in the season's trough, as the year starts: 11 and 10 join in months 1 and 2.
    rows = 1_000 + 21
    assert model_run.model(1_000, 3, summarised=True)() == 3 * rows
    assert model_run.twins(1_000, 3, offers=0)() == 3 * rows
    assert model_run.twins(1_000, 3, offers=4)() == 3 * (rows + 4 * 102)
    assert model_run.facts(5) == {"subscriber_months": 5}


def test_simulation_is_measured_and_digested(monkeypatch, tmp_path):
    import simulate_run

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(simulate_run, "SMALL_PILOT", 4_000)
    folder = simulate_run.prepare("serial", 1, True, 2_000, 2)()
    found = simulate_run.facts(folder)
    assert found["subscriber_months"] == 13 * (2_000 + 12 * 30)
    assert {"summary.json", "summaries.parquet", "end_state/part-00000.parquet"} < found["digests"].keys()
    assert not any("cells" in name for name in found["digests"])
    part = folder / "end_state/part-00000.parquet"
    # Its second name, in the finished partition, takes no more space.
    twice = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert found["written_bytes"] == twice - part.stat().st_size
    table = pq.read_table(part)
    part.unlink()
    pq.write_table(table.take(np.arange(len(table))[::-1]), part)
    assert simulate_run.digests(folder) == found["digests"]
    usage = table["usage_gb_lag1"].to_numpy().copy()
    usage[7] = np.nextafter(usage[7], np.float32(np.inf))
    at = table.column_names.index("usage_gb_lag1")
    pq.write_table(table.set_column(at, "usage_gb_lag1", pa.array(usage)), part)
    changed = simulate_run.digests(folder)
    assert {name for name in changed if changed[name] != found["digests"][name]} == {"end_state/part-00000.parquet"}


def test_first_calls_differ_by_their_cache(monkeypatch, tmp_path):
    import first_call

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folders = []
    monkeypatch.setattr(first_call, "first_call", lambda cache, *_: folders.append(cache))
    first_call.cold(300, 1)()
    first_call.warm(300, 1)()
    assert folders[0] != folders[1] == folders[2]
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_first_call_simulates_a_month_with_the_cache_it_is_given(monkeypatch):
    import first_call

    given = str(Path(config.CACHE_DIR).parents[1])
    seen = []
    run = subprocess.run

    def watched(command, **how):
        seen.append(how["env"]["XDG_CACHE_HOME"])
        return run(command, **how)

    monkeypatch.setattr(first_call.subprocess, "run", watched)
    first_call.first_call(given, 300, 1)
    assert seen == [given]


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
