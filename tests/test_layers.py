"""The import contracts of pyproject.toml hold, and each of them finds a violation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts on the sources below `root`, in a process of its own: grimp caches modules."""
    check = "lint_imports(no_cache=True, no_logo=True)"
    code = f"import sys; from importlinter.cli import lint_imports; sys.exit({check})"
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_contracts_hold():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "statement", "broken"),
    [
        ("core/planted.py", "from churnsim.policy import allocate", "churnsim.core is not allowed to import"),
        ("planted.py", "", "planted"),
        ("report/planted.py", "import churnsim", "Nobody imports the root package"),
        ("uplift/planted.py", "import causalml.metrics", "Only churnsim.uplift.learners imports causalml"),
        ("capacity/planted.py", "import simpy", "Only churnsim.capacity.centre imports simpy"),
        ("experiment/planted.py", "import distributed", "Only churnsim.core.executor imports Dask"),
        ("policy/settings.py", "import numpy", "Settings import no numpy"),
    ],
)
def test_contract_finds_a_planted_violation(tmp_path, module, statement, broken):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src/churnsim" / module).open("a") as file:
        file.write(f"\n{statement}\n")
    result = lint_imports(tmp_path)
    assert result.returncode == 1
    assert broken in result.stdout
