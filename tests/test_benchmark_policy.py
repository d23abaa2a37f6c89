"""The policy benchmark: its rows agree, what differs fails, and partitions plan what memory plans."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
USUAL = {"cpu_s": 0.5, "wall_s": 1.0, "setup_cpu_s": 0.1, "peak_bytes": 2**20, "versions": {}, "bound": 100.0}


@pytest.fixture(autouse=True)
def _modules(monkeypatch):
    """The scripts import each other by name."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def outcome(name, **facts):
    from harness import Outcome, Row

    return Outcome(Row(name, "", "", checked=False), 50_000, 1, [USUAL | facts])


def test_script_compares_prices_with_the_linear_program(tmp_path):
    out = tmp_path / "policy.md"
    command = [sys.executable, str(BENCHMARKS / "policy.py"), "--only", "program", "--sizes", "500", "--rounds", "1"]
    result = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    cells = [line.split(" | ") for line in out.read_text().splitlines() if " | 500 | " in line]
    assert [line[0] for line in cells] == ["| plan_by_prices", "| HiGHS"]
    assert float(cells[0][9].replace(",", "")) == pytest.approx(float(cells[1][9].replace(",", "")), rel=1e-5)


def test_rows_that_differ_fail():
    from policy_page import compare

    first, near, far, other = (outcome("a", arms="1"), outcome("b", bound=100.0 + 5e-5), outcome("c", bound=100.01),
                               outcome("d", arms="2"))
    compare([first, near, far, other])
    assert [each.failure for each in (first, near, far, other)] == [
        None, None, "its bound is 100.010 instead of 100.000", "its plan is not that of the first row"]


def test_targets_name_rows_and_sizes_of_their_sections():
    from policy_sections import TARGETS, gap_percent

    for target in TARGETS:
        assert set(target.rows) <= {row.name for row in target.section.rows}
        assert target.size in target.section.sizes
    assert gap_percent(outcome("a", gap_share=2e-4)) == pytest.approx(0.02)


def test_every_kind_of_learner_has_a_row_with_the_error_of_its_effects():
    from learner_run import KINDS
    from policy_page import compare, document
    from policy_sections import LEARNERS

    assert [row.case for row in LEARNERS.rows] == list(KINDS)
    rows = [outcome("t_logistic", pehe=0.0485), outcome("t_ridge", pehe=0.05, cpu_s=0.25)]
    compare(rows)
    host = {"date": "", "processor": "", "cores": 2, "kernel": "", "load_before": 0.0}
    page = document(host, [(LEARNERS, 20_000, rows)])
    assert "| t_logistic | 50,000 | 1.00 | 0.50 | 0.50 to 0.50 | 0.1 | 1 | 1 | 0.0485 |" in page
    assert "| t_ridge | 0.500 |" in page


def test_partitions_plan_what_memory_plans(monkeypatch):
    import policy_run as run

    monkeypatch.setattr(run, "PART_ROWS", 2048)
    plan = run.by_partitions(2, 5000, 1)()
    parts = [run.tables(number, rows) for number, rows in ((0, 2048), (1, 2048), (2, 904))]
    value, cost, minutes = (np.concatenate(each) for each in zip(*parts, strict=True))
    whole = run.plan_by_prices(run.choices(value, cost, effort=minutes), run.limits(5000))
    assert (plan.arm == whole.arm).all()
    assert plan.gap < 1e-3 * plan.bound
