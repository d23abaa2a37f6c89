"""A calibration from end to end, on a table whose constants are known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import churnsim
from churnsim.calibration import calibrate as module
from churnsim.calibration import fit, simulated
from churnsim.calibration.result import Calibration
from churnsim.calibration.store import EVALUATIONS
from churnsim.cli import main
from churnsim.errors import ConfigError

from .table_examples import write_table

TRUTH = {"level of all causes": 0.7, "first months": 2.0, "bound by a contract": -1.5}


@pytest.fixture(scope="module", autouse=True)
def short():
    """Two worlds and few iterations, so that a calibration takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated, "WORLDS", 2)
        patch.setattr(fit, "MOST_TRIES", 5)
        yield


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> tuple[Path, Path]:
    return write_table(tmp_path_factory.mktemp("table"), TRUTH)


@pytest.fixture(scope="module")
def found(paths) -> tuple[Calibration, Path, list[str]]:
    table, mapping = paths
    lines: list[str] = []
    out = table.with_name("preset.yaml")
    return churnsim.calibrate(table, mapping=mapping, out=out, seed=3, report=lines.append), out, lines


def test_moments_come_nearer_on_rows_that_the_fit_did_not_see(found):
    result = found[0]
    told = [m for m in result.moments if m.part == "held_out" and m.fitted]
    before = [abs(m.before - m.target.value) / m.scale for m in told]
    assert sum(abs(m.distance) for m in told) < 0.6 * sum(before)
    # 16 moments of a table that the simulator made: at a true preset, 3 or more outside their 95 % interval has a
    # chance of 4 % (binomial); the fit has errors of its own, so 4.
    assert sum(not m.inside for m in told) <= 4
    assert result.moment("churn at <6 months in service").before < result.moment("churn at <6 months in service").after


def test_constants_move_towards_the_truth(found):
    by_tunable = {c.tunable: c for c in found[0].constants}
    for name, true in TRUTH.items():
        fitted = by_tunable[name]
        # Three standard errors: with three constants a false alarm in 1 % of tables; the seed is fixed.
        assert abs(fitted.step - true) < 3.0 * fitted.step_se, name
        assert abs(fitted.step - true) < abs(true), name


def test_what_cannot_be_told_is_said_and_stays(found):
    result, out, _ = found
    assert result.unidentified["fall of usage as a sign of leaving"] == (
        "it needs a moment that the table does not have (lift of usage -20 %: usage_gb is not mapped)")
    assert "fall of usage as a sign of leaving: it needs a moment" in out.read_text()
    assert not any("usage_drop" in c.key for c in result.constants)
    assert result.left_out["lift of bill -20 %"] == "bill_amount is not mapped"


def test_the_printed_tables_have_every_moment_and_a_verdict(found):
    text = str(found[0])
    assert re.search(r"table\.csv: (1,9|2,0)\d\d rows fitted, (1,9|2,0)\d\d held out; distances in\s+standard", text)
    for m in found[0].moments:
        assert re.search(rf"^{re.escape(m.name)}\s", text, re.M)
    assert re.search(r"Held-out part: \d+ of \d+ moments inside their band", text)


def test_a_run_starts_from_the_new_preset(found, tmp_path):
    result, out, _ = found
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "preset.yaml").write_text(out.read_text())
    path = tmp_path / "exp.yaml"
    path.write_text("schema: 1\npreset: ./mine/preset.yaml\nname: mine\nseed: 1\npopulation: {size: 300}\n")
    loaded = churnsim.load(path)
    for c in result.constants:
        at = loaded.experiment.plain()
        for part in c.key.split("."):
            at = at[part]
        assert at == c.after
    assert len(churnsim.simulate(loaded, months=2)) > 300


def test_every_value_of_the_preset_names_its_source(found):
    result, out, _ = found
    leaves = [line for line in out.read_text().splitlines() if re.search(r": -?[\d.e-]+ ", line)]
    assert len(leaves) == len(result.constants) > 10
    assert all(re.search(r"#.*table\.csv [0-9a-f]{12}, seed 3$", line) for line in leaves)
    assert result.source.sha256 in out.read_text()


def test_a_killed_run_goes_on_and_ends_the_same(found, paths, tmp_path, monkeypatch):
    _, out, lines = found
    table, mapping = paths
    again = tmp_path / "preset.yaml"
    seen: list[str] = []

    def stop(line: str) -> None:
        seen.append(line)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        churnsim.calibrate(table, mapping=mapping, out=again, seed=3, report=stop)
    kept = len((tmp_path / "preset.yaml.work" / EVALUATIONS).read_text().splitlines())
    assert kept > 10 and not again.exists()
    computed = []
    compute = module._Comparison._compute
    monkeypatch.setattr(module._Comparison, "_compute", lambda self, *a: computed.append(a) or compute(self, *a))
    result = churnsim.calibrate(table, mapping=mapping, out=again, seed=3)
    assert len(computed) == result.evaluations
    whole = int(re.search(r"(\d+) evaluations", lines[-1])[1])
    assert result.evaluations == whole - kept + 2
    assert again.read_bytes() == out.read_bytes()
    assert not (tmp_path / "preset.yaml.work").exists()


def test_evaluations_of_another_version_are_not_used(paths, tmp_path, monkeypatch):
    table, mapping = paths

    def first_computed() -> tuple[str, bool]:
        seen: list[tuple[str, bool]] = []

        def one(self, part, _steps, fitted_only):
            seen.append((part, fitted_only))
            if len(seen) == 2:
                raise KeyboardInterrupt
            return {m.name: 1.0 for m in self.moments}

        with monkeypatch.context() as patch:
            patch.setattr(module._Comparison, "_compute", one)
            with pytest.raises(KeyboardInterrupt):
                churnsim.calibrate(table, mapping=mapping, out=tmp_path / "preset.yaml")
        return seen[0]

    assert first_computed() == ("fitted", False)
    assert first_computed() == ("held_out", False)
    monkeypatch.setattr(module, "surroundings", lambda: {"churnsim": "newer"})
    assert first_computed() == ("fitted", False)


def test_a_line_an_iteration(found):
    lines = found[2]
    assert [int(re.search(r"iteration (\d+)", line)[1]) for line in lines] == list(range(len(lines)))
    assert all(re.search(r"root mean square distance \d+\.\d\d standard errors, \d+ s$", line) for line in lines)


@pytest.mark.parametrize(("options", "says"), [
    ({"out": "preset.txt"}, "preset.txt: a preset's name must end in .yaml or .yml"),
    ({"out": "folder.yaml"}, "folder.yaml: is a folder; name a file to write the preset to"),
    ({"seed": -1}, "seed: must be at least 0 (got -1)"),
    ({"holdout": 1.0}, "holdout: must be at least 0.1 and at most 0.9 (got 1)"),
])
def test_arguments_out_of_range(paths, options, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.yaml").mkdir()
    table, mapping = paths
    with pytest.raises(ConfigError, match=re.escape(says)):
        churnsim.calibrate(table, **{"mapping": mapping, "out": "preset.yaml"} | options)


def test_command_line_errors(paths, tmp_path, capsys):
    table, mapping = paths
    text = mapping.read_text()
    no_churn = tmp_path / "mapping.yaml"
    no_churn.write_text(text[: text.index("churn:")])
    out = ["--out", str(tmp_path / "p.yaml")]
    assert main(["calibrate", str(table), "--mapping", str(no_churn), *out]) == 2
    assert capsys.readouterr().err.startswith(f"{no_churn}: churn: the mapping names no outcome")
    assert main(["calibrate", str(table), "--mapping", str(mapping), *out, "--set", "seed=2"]) == 2
    assert capsys.readouterr().err == "--set: lays values over an experiment file; name one with --experiment\n"
    assert main(["calibrate", str(table), "--mapping", str(mapping), *out, "--rows", "10"]) == 2
    assert "rows: must be at least 1000 and at most 4000" in capsys.readouterr().err
    assert not (tmp_path / "p.yaml").exists()
