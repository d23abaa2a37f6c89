"""The memo runs on a results folder, agrees with its summary, and its notebook is the paired script."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jupytext
import nbclient
import nbformat
import pytest

from churnsim.experiment.load import load
from churnsim.experiment.run import run

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "notebooks" / "risk_is_not_uplift.py"
SMALL = ("population.size=3000", "pilot.size=9000", "replicates=2", "evaluation.inner_draws=1",
         "evaluation.horizon_months=20", "campaign.budget_amount=1000.0")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quickstart")
    return run(load(ROOT / "experiments" / "quickstart.yaml", overrides=SMALL), out=folder).save(folder)


def test_the_notebook_is_its_script() -> None:
    script, notebook = jupytext.read(SCRIPT), nbformat.read(SCRIPT.with_suffix(".ipynb"), as_version=4)
    assert [(c.cell_type, c.source) for c in notebook.cells] == [(c.cell_type, c.source) for c in script.cells], (
        "run: jupytext --sync notebooks/risk_is_not_uplift.py")
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_the_memo_agrees_with_the_summary(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURNSIM_RESULTS", str(results))
    notebook = nbformat.read(SCRIPT.with_suffix(".ipynb"), as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(SCRIPT.parent)}}).execute()
    summary = json.loads((results / "summary.json").read_text())
    recommended = summary["recommended_policy"]["base"]
    net_value = next(p["net_value"]["mean"] for p in summary["policies"]
                     if (p["scenario"], p["name"]) == ("base", recommended))
    texts = [output["data"]["text/markdown"] for cell in notebook.cells for output in cell.get("outputs", [])
             if "text/markdown" in output.get("data", {})]
    headline = re.search(r"\*\*Headline\.\*\* .* is \*\*(\w+)\*\*: net value \*\*([-\d,.]+) USD\*\*", texts[0])
    assert headline is not None
    assert (headline[1], headline[2]) == (recommended, f"{net_value:,.2f}")
    assert f"Use **{recommended}**" in texts[-1]


def test_the_memo_trains_nothing() -> None:
    assert not re.search(r"import (churnsim|causalml|sklearn|lightgbm)|\.fit\(", SCRIPT.read_text())
