from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import churnsim.core.compiled as compiled

PACKAGE = Path(compiled.__file__).parents[1]
HAZARD = """
import numpy as np
from churnsim.lifecycle.hazards import _exponential
out = np.zeros((1, 1), np.float32)
_exponential(out)
print(out[0, 0])
"""


def result(root: Path, cache: Path) -> float:
    environment = {**os.environ, "PYTHONPATH": str(root), "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run([sys.executable, "-c", HAZARD], env=environment, capture_output=True, text=True,
                          check=True)
    return float(done.stdout)


def test_an_edited_callee_in_another_file_is_noticed(tmp_path):
    """The hazard kernel calls exp_scalar from core.smooth; numba's own cache would miss the edit."""
    shutil.copytree(PACKAGE, tmp_path / "src/churnsim", ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path / "cache"
    assert result(tmp_path / "src", cache) == 1.0
    folders = list((cache / "churnsim").iterdir())
    assert len(folders) == 1 and list(folders[0].rglob("*hazards*.nbc")), "nothing was cached"
    smooth = tmp_path / "src/churnsim/core/smooth.py"
    old = "np.float32(series * power)"
    assert old in smooth.read_text()
    smooth.write_text(smooth.read_text().replace(old, "np.float32(series * power + _ONE)"))
    assert result(tmp_path / "src", cache) == 2.0


def test_unchanged_sources_keep_their_folder():
    assert compiled._cache_folder() == compiled._cache_folder() == compiled.config.CACHE_DIR


def test_without_a_writable_home_the_temporary_folder_serves(tmp_path, monkeypatch):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = Path(compiled._cache_folder())
    assert folder.is_dir()
    assert folder.parent == tmp_path / "churnsim-cache"


def test_functions_of_others_are_not_cached():
    """Their callees are edited without a change of the package's sources."""
    from churnsim.core.draws import fill_high_words

    @compiled.njit
    def mine(x):
        return x + 1

    assert mine(1) == 2
    assert type(mine._cache).__name__ == "NullCache" and type(fill_high_words._cache).__name__ != "NullCache"
