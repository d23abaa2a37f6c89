"""`churnsim simulate`: a table or a folder, what goes on after a stop, and what is refused before anything runs."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from socket import gethostname

import pandas as pd
import pytest
from cli_examples import TINY, cells, children, contents, ignores, is_worker, program, provenance, runs, started, write

from churnsim.cli import main
from churnsim.population.columns import SCHEMA

PATIENCE_SECONDS = 60
SMALL = ["--set", "population.size=1000", "--months", "3", "--set", "simulation.partition_size=10"]
PARTS = 100


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# One table


READ = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".gz": pd.read_csv, ".arrow": pd.read_feather,
        ".feather": pd.read_feather}


@pytest.mark.parametrize("name", ["base.parquet", "base.csv", "base.csv.gz", "base.arrow", "base.feather"])
def test_a_table(name, tmp_path, capsys):
    path, out = write(tmp_path), tmp_path / name
    latent = tmp_path / name.replace("base", "latent")
    assert main(["simulate", str(path), "--months", "3", "--out", str(out), "--latent", str(latent)]) == 0
    table, hidden = READ[out.suffix](out), READ[out.suffix](latent)
    assert capsys.readouterr() == (f"wrote {out}: {len(table):,} subscribers after 3 months\n", "")
    assert (table["subscriber"] == hidden["subscriber"]).all()
    assert "satisfaction" in hidden and "satisfaction" not in table
    assert set(hidden) == {"subscriber", *(c.name for c in SCHEMA.values() if c.visibility == "latent")}
    assert set(table["state"]) >= {"stable", "churned"}
    meanings = tmp_path / f"{name}.dictionary.csv"
    assert sorted(tmp_path.iterdir()) == sorted([path, out, latent, meanings])
    told = pd.read_csv(meanings, keep_default_na=False).set_index("file")
    assert told.loc[out.name, "column"].tolist() == table.columns.tolist()
    assert told.loc[latent.name, "column"].tolist() == hidden.columns.tolist()
    assert (told["meaning"] != "").all() and set(told.loc[out.name, "visibility"]) == {"observed"}


def test_a_table_of_chosen_columns_is_the_same_bytes_again(tmp_path):
    path = write(tmp_path)
    for name in ("a", "b"):
        out = tmp_path / name / "base.csv.gz"
        assert main(["simulate", str(path), "--months", "1", "--out", str(out), "--set",
                     "record.columns=[payment, bill_amount]"]) == 0
    assert out.read_bytes() == (tmp_path / "a" / "base.csv.gz").read_bytes()
    assert pd.read_csv(out).columns.tolist() == ["subscriber", "payment", *(f"bill_amount_lag{k}" for k in range(1, 7))]


def test_a_table_of_the_months_of_the_file_and_another_replicate(tmp_path, capsys):
    path = write(tmp_path, TINY + "simulation: {months: 2}\n")
    for replicate in ("0", "1"):
        out = tmp_path / f"{replicate}.parquet"
        assert main(["simulate", str(path), "--out", str(out), "--replicate", replicate]) == 0
        assert capsys.readouterr().out.endswith(" subscribers after 2 months\n")
    first, second = (pd.read_parquet(tmp_path / f"{replicate}.parquet") for replicate in (0, 1))
    assert (first["subscriber"] == second["subscriber"]).all() and not first.equals(second)


@pytest.mark.parametrize(("arguments", "says"), [
    (["--out", "base.xlsx"], "base.xlsx: the name must end in .parquet, .csv, .csv.gz, .arrow or .feather, or be a "
                             "folder's\n"),
    (["--out", "base.csv", "--latent", "latent.txt"], "latent.txt: the name must end in .parquet, .csv, .csv.gz, "
                                                             ".arrow or .feather\n"),
    (["--out", "base.csv", "--latent", "base.csv"], "--latent base.csv: --out has this name too, by which the "
     "dictionary tells tables apart; give another name\n"),
    (["--out", "base.csv", "--latent", "elsewhere/base.csv"], "--latent elsewhere/base.csv: --out has this name too, "
     "by which the dictionary tells tables apart; give another name\n"),
    (["--latent", "latent.csv"],
     "Error: --latent goes with one table, --out FILE; in a folder, --set record.latent=true\n"),
    (["--out", "base.csv", "--jobs", "2"],
     "Error: --engine, --jobs and --scheduler go with a folder; one table is made here\n"),
    (["--out", "base.csv", "--engine", "serial"],
     "Error: --engine, --jobs and --scheduler go with a folder; one table is made here\n"),
    (["--out", "base.csv", "--set", "simulation={months: 9, policy: random}"],
     "base.csv: one table shows no campaign; give a folder, or --set simulation.policy=null\n"),
    (["--out", "base.csv", "--replicate", "-1"], "replicate: must be at least 0 (got -1)\n"),
    (["--out", "folder", "--replicate", "-1"], "replicate: must be at least 0 (got -1)\n"),
    (["--months", "-1"], "--set: simulation.months: must be at least 0 (got -1)\n"),
    (["--months", "601"], "--set: simulation.months: must be at most 600 (got 601)\n"),
    (["--set", "simulation.policy=oracle"], "--set: simulation.policy: a list of kind oracle cannot be made in "
                                            "partitions, `churnsim run` makes it; name a policy of kind none, "
                                            "everyone, everyone_capacity, random, churn_risk, risk_value, uplift, "
                                            "profit_lift, rules, value_tier, uplift_value, budget_staff\n"),
    (["--engine", "threads", "--set", "simulation.policy=random"],
     "engine threads: the models of a campaign share state within a process; choose processes, serial or dask, or "
     "simulate without simulation.policy\n"),
    (["--engine", "serial", "--jobs", "2"],
     "engine serial: has one worker (got 2); choose another --engine, or --jobs 1\n"),
    (["--engine", "serial", "--scheduler", "tcp://127.0.0.1:9"],
     "scheduler tcp://127.0.0.1:9: only engine dask has one (got engine serial); choose --engine dask, or leave "
     "--scheduler out\n"),
])
def test_refused(arguments, says, tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", str(path), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.endswith(says)
    assert [found for found in tmp_path.rglob("*") if found.suffix in (".parquet", ".csv", ".json")] == []


def test_a_table_below_a_file_cannot_be_written(tmp_path, capsys):
    blocked = write(tmp_path, "a file", "file") / "base.csv"
    assert main(["simulate", str(write(tmp_path, TINY)), "--months", "0", "--out", str(blocked)]) == 3
    assert capsys.readouterr().err == (
        f"{blocked}: cannot be written (Not a directory); free space or choose another place\n")


# A folder


def test_a_folder(tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "experiments", TINY + "record: {by: [payment], panel_share: 0.1}\n")
    monkeypatch.chdir(tmp_path)
    arguments = ["simulate", str(path), "--months", "3", "--engine", "threads", "--jobs", "2", "--set",
                 "simulation.partition_size=800"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    folder = Path("results/tiny/simulation")
    first, *_, last = out.splitlines()
    end = pd.read_parquet(folder / "end_state")
    assert first == f"{len(end):,} subscribers in 3 months" and last == f"wrote {folder}"
    assert re.fullmatch(r"partition: 2 cells, \d+\.\d s\n", err)
    assert {found.name for found in folder.iterdir()} == {
        "cells", "config.yaml", "dictionary.csv", "provenance.json", "summary.json", "summaries.parquet", "end_state",
        "panel"}
    assert json.loads((folder / "provenance.json").read_text())["command"][0]
    assert main([*arguments, "--quiet"]) == 0
    assert capsys.readouterr() == (out, "") and provenance(folder) == (0, 2)
    assert main([*arguments, "--quiet", "--replicate", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.endswith(f"wrote {folder}-1\n") and err == "" and provenance(Path(f"{folder}-1")) == (2, 0)


def test_the_folder_of_a_run_is_left_alone(tmp_path, capsys):
    path = write(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cells.parquet").touch()
    assert main(["simulate", str(path), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path / 'out'}: holds the results of `churnsim run`; choose another folder for the simulation\n")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_simulation_goes_on_where_it_was(how, tmp_path, capsys):
    path, folder = write(tmp_path), tmp_path / "out"
    arguments = ["simulate", path, "--out", folder, *SMALL]
    with started(*arguments, "--jobs", "2") as process:
        try:
            wait_until(lambda: len(cells(folder)) >= 3)
            workers = [child for child in children(process.pid) if is_worker(child)]
            wait_until(lambda: all(ignores(worker, signal.SIGINT) for worker in workers))
            if how == signal.SIGINT:
                os.killpg(process.pid, how)
            else:
                process.kill()
            _, err = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    wait_until(lambda: not any(map(runs, workers)))
    if how == signal.SIGINT:
        assert process.returncode == 130 and "Traceback" not in err
        assert err.endswith(
            f"\ninterrupted: finished partitions are kept in {folder}; the same command goes on from there\n")
    kept = len(cells(folder))
    assert 3 <= kept < PARTS and not (folder / "summary.json").exists()
    # What a killed process was writing.
    (folder / "cells" / f".{'a' * 64}.{gethostname()}.{process.pid}").mkdir()
    assert main([*map(str, arguments), "--quiet", "--engine", "serial"]) == 0
    assert provenance(folder) == (PARTS - kept, kept)
    assert len(cells(folder)) == PARTS and len(list((folder / "cells").iterdir())) == PARTS
    whole = tmp_path / "whole"
    assert main(["simulate", str(path), "--out", str(whole), *SMALL[:-1], "simulation.partition_size=1000", "--quiet",
                 "--engine", "serial"]) == 0
    assert (whole / "summaries.parquet").read_bytes() == (folder / "summaries.parquet").read_bytes()


@pytest.mark.parametrize("change", ["simulation.months=4", "gate.margin_share=0.5"], ids=["at a cell", "at the end"])
def test_a_full_disk_leaves_earlier_results_as_they_were(change, tmp_path):
    path, folder = write(tmp_path), tmp_path / "out"
    arguments = ["simulate", str(path), "--out", str(folder), "--set", "simulation.months=3", "--engine", "serial",
                 "--quiet"]
    assert main(arguments) == 0
    before, kept = contents(folder), cells(folder)

    def fill_the_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = program(*arguments, "--set", change, preexec_fn=fill_the_disk)
    at = folder / "cells" if change.startswith("simulation") else folder
    assert done.returncode == 3 and done.stdout == ""
    assert re.fullmatch(
        rf"{at}: cannot write results \(.*File too large\); free space or choose another folder with --out, then run "
        "again: finished cells are kept\n", done.stderr)
    assert contents(folder) == before and cells(folder) == kept
    assert [found.name for found in folder.rglob(".*")] == []
