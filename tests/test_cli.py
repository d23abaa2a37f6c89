"""Commands that run no experiment: help, findings in files, small tools, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from cli_examples import HEADER, program, write

from churnsim.cli import main

ROOT = Path(__file__).parents[1]
HEAVY = {"numpy", "pandas", "sklearn", "causalml", "matplotlib", "rich", "scipy", "numba", "pyarrow", "pydantic"}


def loaded_by(statement: str) -> set[str]:
    """Return the modules that are loaded after a statement."""
    code = f"import sys\n{statement}\nprint('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", ["'--help'", "'run', '--help'"])
def test_help_loads_nothing_heavy(arguments):
    found = loaded_by(f"from churnsim.cli import main\nassert main([{arguments}]) == 0")
    assert "click" in found
    assert found & HEAVY == set()


def test_import_loads_nothing_heavy():
    assert loaded_by("import churnsim") & (HEAVY | {"click"}) == set()


def test_validate_needs_no_numpy_before_the_cross_references(tmp_path):
    path = write(tmp_path, "schema: 1\nname: 3\n")
    assert "numpy" not in loaded_by(f"from churnsim.cli import main\nassert main(['validate', {str(path)!r}]) == 2")


@pytest.mark.parametrize(("arguments", "says"), [
    (["run"], "Missing argument 'EXP'"),
    (["nonsense"], "No such command 'nonsense'"),
    (["run", "x.yaml", "--jobs", "0"], "Invalid value for '--jobs' / '-j': 0 is not in the range x>=1."),
    (["run", "x.yaml", "--engine", "threads"], "'threads' is not one of 'serial', 'processes', 'dask'."),
    (["compare", "here", "there"], "Directory 'here' does not exist."),
])
def test_wrong_usage(arguments, says, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


BAD = {
    "unknown key": (
        "population: {sise: 3}\n",
        "{file}:4: population.sise: unknown key (got 3). Did you mean 'size'?\n"),
    "several, by line": (
        "sed: 3\npopulation: {size: 100}\ncampaign: {budget_amount: much}\n",
        "{file}:4: sed: unknown key (got 3). Did you mean 'seed'?\n"
        "{file}:6: campaign.budget_amount: expected a number (got 'much')\n"),
    "wrong type": (
        "population: {size: lots}\n",
        "{file}:4: population.size: expected a whole number (got 'lots')\n"),
    "negative price": (
        "population: {size: 100}\noffers: {discount_30: {direct_cost_per_line_amount: -3.0}}\n",
        "{file}:5: offers.discount_30.direct_cost_per_line_amount: must be at least 0 (got -3.0)\n"),
    "probability over 1": (
        "population: {size: 100}\nchannels: {sms: {read_prob: 1.5}}\n",
        "{file}:5: channels.sms.read_prob: must be at most 1 (got 1.5)\n"),
    "zero agents": (
        "population: {size: 100}\ncapacity:\n  teams:\n    day: {agents: 0}\n    evening: {agents: 0}\n",
        "{file}:7: capacity.teams.day.agents: there are 0 agents for channels in use: call; give the team agents or "
        "take the channels out of the offers\n"),
    "shift end before start": (
        "population: {size: 100}\ncapacity:\n  teams:\n    day:\n"
        "      shifts: [{start_hour: 17.0, end_hour: 9.0}]\n",
        "{file}:8: capacity.teams.day.shifts[0]: the shift ends at 9, not after its start at 17; a shift over "
        "midnight ends above 24, such as 30 for 6 in the morning\n"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("command", ["validate", "run", "check"])
def test_findings_in_a_file(command, case, tmp_path, capsys, monkeypatch):
    text, message = BAD[case]
    path = write(tmp_path, HEADER + text)
    monkeypatch.chdir(tmp_path)
    assert main([command, str(path)]) == 2
    assert capsys.readouterr() == ("", message.format(file=path))
    assert list(tmp_path.iterdir()) == [path]


def test_a_finding_in_set_names_it(tmp_path, capsys):
    path = write(tmp_path)
    assert main(["validate", str(path), "--set", "seed=2", "--set", "replicates=0"]) == 2
    assert capsys.readouterr().err == "--set: replicates: must be at least 1 (got 0)\n"


def test_a_missing_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "none.yaml"]) == 2
    assert capsys.readouterr().err == (
        "none.yaml: no such file; check its name and the folder that you run from\n")


def test_a_missing_table(tmp_path, capsys):
    write(tmp_path, "columns: {}\n", "mapping.yaml")
    path = write(tmp_path, HEADER + "population:\n  table: {path: table.csv, mapping: mapping.yaml}\n")
    assert main(["run", str(path), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        f"population.table.path: cannot read {tmp_path / 'table.csv'} (No such file or directory); correct the path, "
        "which is relative to the experiment file\n")


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(("rows", "tenure", "says"), [
    ("A,3,20.0\n", "month", "mapping.yaml:5: columns.tenure_months.from: table.csv has no column 'month'. "
                            "Did you mean 'months'?\n"),
    ("A,3,20.0\nA,4,20.0\n", "months", "table.csv: column 'id', row 2: the id 'A' stands in row 1 already;"),
    ("A,,20.0\n", "months", "table.csv: column 'months', row 1: is empty, but tenure_months is needed;"),
], ids=["absent column", "duplicate ids", "an empty cell"])
def test_findings_in_a_table(command, rows, tenure, says, tmp_path, capsys):
    write(tmp_path, f"id,months,fee\n{rows}", "table.csv")
    write(tmp_path, "schema: 1\nsource_id: id\ncurrency: USD\ncolumns:\n"
          f"  tenure_months: {{from: {tenure}}}\n  plan_price_amount: {{from: fee}}\n", "mapping.yaml")
    path = write(tmp_path, HEADER + "population:\n  table: {path: table.csv, mapping: mapping.yaml}\n")
    assert main([command, str(path), *["--out", str(tmp_path / "out")] * (command == "run")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


def test_validate(tmp_path, capsys):
    path = write(tmp_path)
    assert main(["validate", str(path)]) == 0
    assert capsys.readouterr().out == f"OK: {path}\n"


def test_validate_shows_an_experiment_that_is_valid_itself(tmp_path, capsys):
    path = write(tmp_path)
    assert main(["validate", str(path), "--set", "seed=7", "--show"]) == 0
    shown = capsys.readouterr().out
    again = write(tmp_path, shown, "again.yaml")
    assert "seed: 7\n" in shown
    assert main(["validate", str(again), "--show"]) == 0
    assert capsys.readouterr().out == shown


def test_validate_prints_the_plan_of_a_month(tmp_path, capsys):
    from churnsim.experiment.load import load
    from churnsim.experiment.world import make_world
    from churnsim.lifecycle.plan import plan_text

    path = write(tmp_path)
    assert main(["validate", str(path), "--plan"]) == 0
    shown = capsys.readouterr().out
    engine = make_world(load(path).experiment, replicate=0, folder=tmp_path).engine
    assert shown == f"{plan_text(engine)}\n"
    assert [line.split()[1] for line in shown.splitlines() if line[:2].strip().isdigit()] == [
        driver.name for driver in engine.drivers]
    assert main(["validate", str(path), "--plan", "--show", "--set", "lifecycle.causes.handset_lost=null"]) == 0
    both = capsys.readouterr().out
    assert "\nname: tiny\n" in both
    assert ("    causes     service, price, need_mismatch, competitor, contract_end, relocation, need_gone,\n"
            f"{' ' * 15}arrears\n" in both)
    assert main(["validate", str(write(tmp_path, "schema: 1\nname: 3\n", "bad.yaml")), "--plan"]) == 2
    assert capsys.readouterr().out == ""


def test_new_writes_a_valid_file_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine"]) == 0
    assert capsys.readouterr().out == "wrote mine.yaml; run it with: churnsim run mine.yaml\n"
    text = (tmp_path / "mine.yaml").read_text()
    assert len(text.splitlines()) == 10
    assert main(["validate", "mine.yaml"]) == 0
    capsys.readouterr()
    assert main(["new", "mine"]) == 2
    assert capsys.readouterr().err == "mine.yaml: exists already; choose another name or remove it\n"
    assert (tmp_path / "mine.yaml").read_text() == text


@pytest.mark.parametrize(("arguments", "says"), [
    (["new", "mine", "--preset", "nonsense"],
     "mine.yaml:3: preset: no preset 'nonsense'; there are contact_centre, data_grounded, every_policy, source_claims"),
    (["new", "spring sale"], "spring sale.yaml:4: name: must match the pattern"),
])
def test_new_refuses(arguments, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "file"), [
    ([], "experiment.schema.json"), (["--as", "keys"], "experiment.md"), (["--as", "columns"], "columns.md"),
    (["--as", "covariates"], "covariates.md")])
def test_the_committed_schema_and_reference_are_current(arguments, file, capsys):
    assert main(["schema", *arguments]) == 0
    expected = (ROOT / "docs" / file).read_text(encoding="utf-8")
    remedy = f"run: churnsim schema {' '.join(arguments)} > docs/{file}"
    assert capsys.readouterr().out == expected, remedy


def test_the_schema_accepts_a_resolved_experiment_and_refuses_a_wrong_one(tmp_path, capsys):
    import jsonschema

    from churnsim.experiment.load import load

    schema = json.loads((ROOT / "docs/experiment.schema.json").read_text())
    plain = load(write(tmp_path)).experiment.plain()
    jsonschema.validate(plain, schema)
    with pytest.raises(jsonschema.ValidationError, match="was unexpected"):
        jsonschema.validate({**plain, "sed": 1}, schema)


def orders(path: Path, channel: str = "call") -> Path:
    rows = range(40)
    pd.DataFrame({"order_id": rows, "subscriber": rows, "channel": channel, "offer": "discount_30",
                  "value": 1.0, "answer_habit": 1.0, "release_hours": 48.0, "deadline_hours": float("inf")}
                 ).to_csv(path, index=False)
    return path


def test_capacity(tmp_path, capsys):
    log, outcomes, calls = tmp_path / "log.csv", tmp_path / "outcomes.parquet", tmp_path / "calls.csv"
    arguments = ["capacity", str(write(tmp_path)), "--orders", str(orders(tmp_path / "orders.csv")), "--seed", "3"]
    arguments += ["--out", str(log), "--outcomes", str(outcomes), "--calls-out", str(calls)]
    assert main([*arguments, "--engine", "simpy", "--report", str(tmp_path / "report"), "--shadow", "1"]) == 0
    attempts, ends = pd.read_csv(log), pd.read_parquet(outcomes)
    assert len(ends) == 40
    assert ends["attempts"].sum() == len(attempts)
    assert len(pd.read_csv(calls)) == 0
    said = capsys.readouterr()
    assert said.out.startswith("All orders\nmetric ")
    assert "\nWhat one more agent hour is worth, USD\n" in said.out
    page = tmp_path / "report" / "centre.html"
    assert said.err == f"wrote {log}\nwrote {outcomes}\nwrote {calls}\nwrote {page}\n"
    assert "waterfall" in page.read_text()
    assert main([*arguments, "--json", "--quiet"]) == 0
    said = capsys.readouterr()
    found = {(row["metric"], row["group"]): row["value"] for row in json.loads(said.out)["metrics"]}
    assert said.err == ""
    assert (found["reached", "orders"], found["attempts", "orders"]) == (ends["reached"].sum(), len(attempts))
    assert found["contact_cost", "orders"] == pytest.approx(attempts["cost_cents"].sum() / 100)
    kept = pd.read_csv(tmp_path / "report" / "tables" / "metrics.csv")
    assert found == {(row.metric, row.group): row.value for row in kept.itertuples()}


INBOUND = """
capacity:
  teams: {day: {inbound: [desk]}}
  inbound:
    desk:
      calls_per_hour_by_hour: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0,
                               0.0, 9.0, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
      weekday_factors: [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
      patience: {law: exponential, mean_minutes: 2.0}
      handle: {law: exponential, mean_minutes: 4.0}
"""


def inbound(tmp_path: Path) -> str:
    path = write(tmp_path)
    path.write_text(path.read_text() + INBOUND)
    return str(path)


def test_capacity_with_callers_alone(tmp_path, capsys):
    known = tmp_path / "calls.csv"
    pd.DataFrame({"call_id": [1], "stream": "desk", "time_hours": 20.0}).to_csv(known, index=False)
    log, calls = tmp_path / "log.csv", tmp_path / "calls.parquet"
    assert main(["capacity", inbound(tmp_path), "--seed", "3", "--calls", str(known), "--out", str(log),
                 "--calls-out", str(calls), "--quiet"]) == 0
    assert "\nInbound calls by stream\n" in capsys.readouterr().out
    logged = pd.read_parquet(calls)
    assert 1200 < len(logged) < 1800
    assert logged.loc[logged["call_id"] == 1, "disposition"].tolist() == ["abandoned_in_queue"]


def test_staff(tmp_path, capsys):
    arguments = ["staff", inbound(tmp_path), "--team", "day", "--seed", "1", "--seeds", "2"]
    assert main([*arguments, "--service-level", "desk:0.8:20", "--report", str(tmp_path / "report")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Agents of team day: 80 % of desk answered within 20 s; amounts in USD a month\n")
    assert said.out.endswith("\n80 % of desk answered within 20 s: 2 agents of team day.\n")
    assert said.err.startswith(f"wrote {tmp_path / 'report' / 'centre.html'}\n")
    assert main([*arguments, "--service-level", "desk:0.99:20", "--set",
                 "capacity.inbound.desk.weekday_factors=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["agents"] is None
    assert "note: no number of agents reaches the goal: " in said.err
    listed = str(orders(tmp_path / "orders.csv"))
    assert main([*arguments, "--net-value", "70", "--orders", listed, "--report", str(tmp_path / "report")]) == 0
    assert "best net value after pay, at most 70 an hour" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "report" / "tables").iterdir()} >= {"staffing.csv", "disciplines.csv"}


@pytest.mark.parametrize(("arguments", "says"), [
    (["staff", "--team", "day"], "staff: give --service-level or --net-value, and not both\n"),
    (["staff", "--team", "day", "--service-level", "desk"], "service level 'desk': must be a stream, a share and "),
    (["capacity", "--out", "log.csv", "--shadow", "2"], "--shadow: net value comes from orders; give --orders\n")])
def test_staff_and_shadow_refuse(arguments, says, tmp_path, capsys):
    command, *options = arguments
    assert main([command, inbound(tmp_path), "--seed", "1", *options]) == 2
    assert capsys.readouterr().err.startswith(says)


@pytest.mark.parametrize(("channel", "says"), [
    ("pigeon", "'pigeon' is no channel; known are call, sms\n"), (None, "orders: column 'channel', row 0: the cell")])
def test_capacity_refuses_orders(channel, says, tmp_path, capsys):
    path = orders(tmp_path / "orders.csv", channel)
    arguments = ["capacity", str(write(tmp_path)), "--orders", str(path), "--seed", "3"]
    assert main([*arguments, "--out", str(tmp_path / "log.csv")]) == 2
    assert says in capsys.readouterr().err


def test_capacity_without_orders(tmp_path, capsys):
    missing = tmp_path / "orders.csv"
    arguments = ["capacity", str(write(tmp_path)), "--orders", str(missing), "--seed", "3"]
    assert main([*arguments, "--out", str(tmp_path / "log.csv")]) == 2
    assert capsys.readouterr().err.startswith(f"{missing}: cannot be read as a table (")


def test_check_without_a_baseline_says_where_it_was_looked_for(tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(path)]) == 2
    assert capsys.readouterr().err == (
        "results/baselines/tiny.json: no such baseline; record one with `churnsim accept` or name one with "
        "--baseline\n")


@pytest.mark.parametrize("command", ["compare", "report"])
def test_a_folder_without_results(command, tmp_path, capsys):
    assert main([command, *[str(tmp_path)] * (1 + (command == "compare"))]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}: has no summary.json; give a folder that `churnsim run` finished\n")


def test_an_unforeseen_error_is_one_line(tmp_path, capsys, monkeypatch):
    def fails(*args: object, **options: object) -> None:
        raise ZeroDivisionError("a test divides by zero")

    monkeypatch.setattr("churnsim.experiment.load.load", fails)
    path = write(tmp_path)
    assert main(["run", str(path)]) == 3
    line = "churnsim: internal error: ZeroDivisionError: a test divides by zero\n"
    assert capsys.readouterr() == ("", f"{line}churnsim --traceback ... shows where\n")
    assert main(["--traceback", "run", str(path)]) == 3
    err = capsys.readouterr().err
    assert err.startswith("Traceback") and "in fails" in err and err.endswith(line)


@pytest.fixture
def summaries(tmp_path: Path) -> list[Path]:
    """Two results folders whose summaries and configs differ in one value."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for value, folder in enumerate(folders):
        metric = {"mean": value, "low": None, "high": None, "per_replicate": [value]}
        summary = {"schema": 1, "experiment": "x", "config_hash": "", "seed": 1, "replicates": 1, "currency": "USD",
                   "policies": [{"name": "none", "scenario": "base", "net_value": metric}],
                   "recommended_policy": {"base": "none"}}
        write(folder, json.dumps(summary), "summary.json")
        write(folder, "gate: {margin_share: 0.01}\nevaluation: {confidence: 0.95}\n", "config.yaml")
    return folders


@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["compare"]])
def test_a_reader_who_goes_away_is_no_error(arguments, summaries):
    read, write_end = os.pipe()
    os.close(read)
    changed = arguments == ["compare"]
    done = program(*arguments, *(summaries if changed else ()), stdout=write_end)
    os.close(write_end)
    assert done.stderr == ""
    assert done.returncode == int(changed)


def test_a_full_standard_output_is_a_failure(tmp_path):
    with open("/dev/full", "w") as full:
        done = program("validate", write(tmp_path), stdout=full)
    assert done.stderr == ("standard output: cannot be written (No space left on device); what was written to files "
                           "is whole\n")
    assert done.returncode == 3
