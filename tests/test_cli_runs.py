"""Commands that run experiments: the same results whatever happens on the way, and the gate over them.

All tests share one finished run of a tiny experiment; most of its cells serve in the other runs.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from cli_examples import (
    ADDED,
    CELLS,
    TINY,
    cells,
    children,
    contents,
    ignores,
    is_worker,
    program,
    provenance,
    runs,
    started,
    write,
)

from churnsim.cli import main

PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results folder of the tiny experiment, run in this process."""
    folder = tmp_path_factory.mktemp("finished")
    assert main(["run", str(write(folder)), "--out", str(folder / "out"), "--jobs", "1", "--quiet"]) == 0
    return folder / "out"


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished results folder."""
    return Path(shutil.copytree(finished, tmp_path / "out"))


def by_policy(folder: Path) -> dict[str, object]:
    return {entry["name"]: entry for entry in json.loads((folder / "summary.json").read_text())["policies"]}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def half_way(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int], Path]]:
    """A run on two jobs that has finished some cells and not all, and its workers."""
    results = tmp_path / "broken"
    process = started("run", write(tmp_path), "--out", results, "--jobs", "2")
    workers: list[int] = []
    try:
        wait_until(lambda: len(cells(results)) >= 4)
        workers = children(process.pid)
        yield process, workers, results
    finally:
        process.kill()
        for worker in filter(runs, workers):
            os.kill(worker, signal.SIGKILL)
        process.communicate()


def test_a_run_writes_its_folder_and_prints_the_policies(out, tmp_path, capsys):
    assert main(["run", str(write(tmp_path)), "--out", str(out)]) == 0
    printed, notes = capsys.readouterr()
    assert notes.startswith(f"ran 0 cells, reused {CELLS}\n")
    assert {"none", "everyone", "oracle"} <= {line.split()[0] for line in printed.splitlines() if line}
    assert {"config.yaml", "provenance.json", "cells.parquet", "ledger.parquet", "contacts.parquet", "summary.json",
            "report.html"} <= set(contents(out))


def test_json_is_the_summary(out, tmp_path, capsys):
    assert main(["run", str(write(tmp_path)), "--out", str(out), "--json", "--quiet"]) == 0
    printed, notes = capsys.readouterr()
    assert printed == (out / "summary.json").read_text()
    assert notes == ""


def test_results_go_below_the_current_folder(out, tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(out, tmp_path / "results" / "tiny")
    assert main(["accept", str(path)]) == 0
    assert capsys.readouterr() == ("wrote results/baselines/tiny.json\n", f"ran 0 cells, reused {CELLS}\n")
    assert (tmp_path / "results/baselines/tiny.json").read_bytes() == (out / "summary.json").read_bytes()
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.startswith("same: of ")


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_workers_of_any_kind_compute_the_same_cells_and_may_be_lost(engine, finished, tmp_path):
    results = tmp_path / "two"
    with started("run", write(tmp_path), "--out", results, "--jobs", 2, "--engine", engine) as process:
        wait_until(lambda: len(cells(results)) >= 4)
        lost = next(filter(is_worker, children(process.pid)))
        os.kill(lost, signal.SIGKILL)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert (results / "summary.json").read_bytes() == (finished / "summary.json").read_bytes()
    assert contents(results / "cells") == contents(finished / "cells")
    *stages, last, wrote = said.splitlines()
    assert sorted(line.split(":")[0] for line in stages) == sorted(
        ["history", "plan", "truth", "accuracy", *(f"policy {name}" for name in by_policy(finished))])
    assert all(line.split(": ")[1].startswith("2 cells, ") for line in stages)
    assert last == f"ran {CELLS} cells, reused 0"
    assert wrote == f"wrote {results / 'report.html'}"


def test_a_new_policy_runs_alone_and_changes_no_other_number(finished, out, tmp_path):
    assert main(["run", str(write(tmp_path, TINY + ADDED)), "--out", str(out), "--quiet"]) == 0
    assert provenance(out) == (2, CELLS)
    before, after = by_policy(finished), by_policy(out)
    assert after.pop("stay")
    assert after == before


def test_a_killed_run_goes_on_where_it_was(finished, half_way, tmp_path):
    process, workers, results = half_way
    assert workers
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(map(runs, workers)))
    kept = len(cells(results))
    assert 4 <= kept < CELLS
    assert main(["run", str(tmp_path / "tiny.yaml"), "--out", str(results), "--jobs", "1", "--quiet"]) == 0
    assert provenance(results) == (CELLS - kept, kept)
    assert (results / "summary.json").read_bytes() == (finished / "summary.json").read_bytes()


def test_an_interrupted_run_says_how_to_go_on(half_way):
    process, workers, results = half_way
    wait_until(lambda: all(ignores(worker, signal.SIGINT) for worker in workers))
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert out == ""
    assert err.endswith(f"\ninterrupted: finished cells are kept in {results}; the same command goes on from there\n")
    assert "Traceback" not in err
    wait_until(lambda: not any(map(runs, workers)))
    assert len(cells(results)) >= 4


@pytest.mark.parametrize("change", [
    ["seed=2"],
    # Multipliers 0.30, 0.45 and 0.50: each takes 5 % less off its hazard.
    # Everybody's discounts dwarf what they save: the default margin, 1 % of the largest amount, would hide it.
    ["offers.discount_30.hazard_multipliers={price: 0.335, competitor: 0.4775, contract_end: 0.525}",
     "gate.margin_share=0.001"],
    ["channels.call.cost_per_attempt_amount=0.0", "channels.sms.cost_per_attempt_amount=0.0",
     "capacity.teams.day.cost_per_hour_amount=0.0", "capacity.teams.evening.cost_per_hour_amount=0.0"],
], ids=["another seed", "an effect 5 % weaker", "no contact cost"])
def test_the_gate_finds_a_change(change, finished, out, tmp_path, capsys):
    sets = [text for value in change for text in ("--set", value)]
    arguments = ["check", str(write(tmp_path)), "--baseline", str(finished / "summary.json"), "--out", str(out)]
    before = contents(out)
    assert main([*arguments, *sets, "--quiet"]) == 1
    assert capsys.readouterr().out.startswith("changed: of ")
    assert contents(out) == before
    assert main(arguments) == 0
    printed, notes = capsys.readouterr()
    assert printed.startswith("same: of ")
    assert notes == f"ran 0 cells, reused {CELLS}\n"


def test_compare(finished, out, tmp_path, capsys):
    assert main(["compare", str(finished), str(finished)]) == 0
    assert main(["run", str(write(tmp_path)), "--out", str(out), "--set", "gate.margin_share=0.5", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["compare", str(finished), str(out)]) == 0
    assert "\ngate.margin_share: 0.01 -> 0.5\n" in capsys.readouterr().out + "\n"
    summary = json.loads((out / "summary.json").read_text())
    (out / "summary.json").write_text(json.dumps({**summary, "seed": 2}))
    assert main(["compare", str(finished), str(out)]) == 4
    assert "seed: 1 in the baseline, 2 in the current run" in capsys.readouterr().err


@pytest.mark.parametrize("budget", ["0.0", "0.01"])
def test_a_budget_that_buys_nothing_is_an_empty_list_with_a_note(budget, out, tmp_path, capsys):
    path = write(tmp_path)
    assert main(["run", str(path), "--out", str(out), "--set", f"campaign.budget_amount={budget}"]) == 0
    printed = capsys.readouterr().out
    assert by_policy(out)["oracle"]["targeted"]["mean"] == by_policy(out)["random"]["net_value"]["mean"] == 0
    assert by_policy(out)["everyone"]["targeted"]["mean"] > 0
    lists = pd.read_parquet(out / "lists.parquet")
    assert set(lists["policy"]) == {"everyone", "everyone_capacity"}
    assert f"oracle: empty list: the budget of {float(budget):.2f}" in " ".join(printed.split())


@pytest.mark.parametrize("command", ["run", "accept", "check"])
def test_a_scheduler_is_for_dask(command, finished, tmp_path, capsys):
    path = write(tmp_path)
    baseline = [] if command == "run" else ["--baseline", str(finished / "summary.json")]
    assert main([command, str(path), *baseline, "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert capsys.readouterr() == ("", (
        "scheduler tcp://127.0.0.1:9: only engine dask has one (got engine serial); choose --engine dask, or leave "
        "--scheduler out\n"))


def test_results_below_a_file_cannot_be_written(tmp_path, capsys):
    path = write(tmp_path)
    assert main(["run", str(path), "--out", str(path / "out")]) == 3
    assert capsys.readouterr().err == (
        f"{path / 'out/cells'}: cannot write results (Not a directory); free space or choose another folder with "
        "--out, then run again: finished cells are kept\n")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_leaves_earlier_results_as_they_were(jobs, out, tmp_path):
    before, kept = contents(out), cells(out)

    def fill_the_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    path = write(tmp_path, TINY + ADDED)
    done = program("run", path, "--out", out, "--jobs", jobs, "--quiet", preexec_fn=fill_the_disk)
    assert done.returncode == 3
    assert done.stdout == ""
    assert re.fullmatch(
        rf"{out / 'cells'}: cannot write results \(.*File too large\); free space or choose another folder with --out, "
        "then run again: finished cells are kept\n", done.stderr)
    assert contents(out) == before
    assert cells(out) == kept
    assert [path.name for path in (out / "cells").iterdir() if path.name[0] == "."] == []


def test_a_full_disk_at_the_very_end_leaves_earlier_results_as_they_were(out, tmp_path):
    before = contents(out)

    def fill_the_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    path = write(tmp_path)
    done = program("run", path, "--out", out, "--set", "gate.margin_share=0.5", preexec_fn=fill_the_disk)
    assert done.returncode == 3
    assert re.search(rf"^{out}: cannot write results \(.*File too large\); free space", done.stderr, re.MULTILINE)
    assert contents(out) == before
