"""The examples of the documents run as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnsim.capacity.dispatch_index import RULES
from churnsim.cli import main
from churnsim.experiment.load import load
from churnsim.experiment.world import make_world
from churnsim.policy.choice import Situation
from churnsim.policy.choices import Limits
from churnsim.policy.plan import Plan
from churnsim.policy.policies import choose
from churnsim.policy.settings import IN_PARTS, KINDS
from churnsim.report.centre_tables import metric_tables
from churnsim.report.tables import text_table
from churnsim.signals.readable import READABLE
from churnsim.signals.rules import RULES as WARNING_RULES

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


def test_the_policy_of_the_document_is_found_and_lists_whom_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    files = dict(FILE.findall(text))
    assert set(files) == {"mine.py", "mine.yaml"}
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert main(["validate", str(tmp_path / "mine.yaml")]) == 0
    assert capsys.readouterr().out.startswith("OK")
    loaded = load(tmp_path / "mine.yaml")
    world = make_world(loaded.experiment, replicate=0, folder=loaded.folder)
    rng, n, arms = np.random.default_rng(1), 200, world.arms()
    table = rng.random((n, len(arms)))
    plan = Plan(ids=np.arange(n), arms=arms, allowed=table < 0.8, reach=table, contact_cost=table, minutes=table,
                accept=table, offer_cost=100 * table, risk=table[:, 0], margin=50 * rng.normal(size=n),
                segment=np.full(n, -1, np.int32), effects={}, kept={}, flags={}, best={}, pilot_channel="call",
                table={"contract_left_months": rng.integers(0, 6, n).astype(float)})
    found = choose(loaded.experiment.policies["contract_first"],
                   Situation(plan, Limits(300.0), world.key, folder=loaded.folder))
    device, left = plan.arm("contract_device", "call"), plan.table["contract_left_months"]
    could = plan.allowed[:, device] & (left >= 1) & (left <= 2)
    listed = found.arm >= 0
    assert 0 < listed.sum() < could.sum() and (found.arm[listed] == device).all() and could[listed].all()
    assert plan.margin[listed].min() > plan.margin[could & ~listed].max()
    assert 300.0 - plan.planned_cost[:, device].max() < found.planned_spend <= 300.0


def test_the_document_of_policies_names_every_kind_rule_and_column() -> None:
    text = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    for name in (*KINDS, *WARNING_RULES, *READABLE, *IN_PARTS):
        assert f"`{name}`" in text, name
    known = re.findall(r"^\| `(\w+)` \|", text.split("## The kinds")[1].split("## Limits")[0], re.MULTILINE)
    assert sorted(known) == sorted(KINDS)
    assert re.search(r"to the same bits: (.*?), without", text, re.DOTALL).group(1).count("`") == 2 * len(IN_PARTS)
