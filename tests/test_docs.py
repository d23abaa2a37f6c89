"""The examples of the documents run as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churnsim.capacity.dispatch_index import RULES
from churnsim.cli import main
from churnsim.report.centre_tables import metric_tables
from churnsim.report.tables import text_table

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TUTORIAL = "## Adding a driver in ten lines"


def test_the_drivers_of_the_document_do_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    text = (ROOT / "docs" / "drivers.md").read_text(encoding="utf-8")
    blocks = BLOCK.findall(text[:text.index(TUTORIAL)])
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block, "docs/drivers.md", "exec"), names)
    surveys, usual, strike = capsys.readouterr().out.splitlines()
    assert abs(float(surveys) - 0.48) < 0.01
    # Region 3 is one of eight; a strike of 4 % a month makes more than half of those who leave its own.
    assert usual.startswith("churn_and_rejoin ") and abs(float(usual.split()[1]) - 1 / 8) < 0.03
    assert strike.startswith("strike ") and float(strike.split()[1]) > 0.2


def test_the_tutorial_of_a_driver_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "drivers.md").read_text(encoding="utf-8")
    text = text[text.index(TUTORIAL):]
    files = dict(FILE.findall(text))
    assert set(files) == {"mine.yaml", "surveys.py"}
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    own = files["surveys.py"].split("class Surveys", 1)[1].strip().splitlines()
    assert len(own) == 10, "ten lines, as the heading says"
    (script,) = [block for block in BLOCK.findall(text) if not block.startswith("# surveys.py")]
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "docs/drivers.md", "exec"), {})
    unhappy, abroad = capsys.readouterr().out.split()
    assert 0.02 < float(unhappy) < 0.7 and int(abroad) > 50
    assert main(["validate", "mine.yaml", "--plan"]) == 0
    plan = capsys.readouterr().out
    assert ". surveys\n    reads      satisfaction\n    writes     unhappy\n    draws      surveys.ask\n" in plan
    assert "moved_abroad" in plan and ", unhappy" in plan


def test_the_example_of_the_centre_runs_and_its_tables_name_every_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "centre.md").read_text(encoding="utf-8")
    (script,) = BLOCK.findall(text)
    (command,) = re.findall(r"^```bash\nchurnsim (.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "contact_centre.yaml", tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(script, "docs/centre.md", "exec"), names)
    worked = names["worked"]
    assert main(command.replace("\\\n", " ").split()) == 0
    said = capsys.readouterr().out
    tables = "\n\n".join(text_table(table) for table in metric_tables(worked.metrics, currency="USD"))
    assert said == f"{tables}\n"
    assert pd.read_parquet("attempts.parquet").equals(worked.attempts)
    attempts, outcomes, calls = re.findall(r"^\| (?:attempts|outcomes|calls).*?\n\n", text, re.DOTALL | re.MULTILINE)
    for table, frame in ((attempts, worked.attempts), (outcomes, worked.outcomes), (calls, worked.calls)):
        named = set(re.findall(r"`(\w+)`", table))
        assert set(frame.columns) <= named
        said_of = "outcome" if table is outcomes else "disposition"
        assert set(frame[said_of].unique()) <= named
    assert {rule for rule in RULES if f"`{rule}`" in text} == set(RULES)
