"""The examples of the documents run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_drivers_of_the_document_do_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    blocks = BLOCK.findall((ROOT / "docs" / "drivers.md").read_text(encoding="utf-8"))
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block, "docs/drivers.md", "exec"), names)
    surveys, usual, strike = capsys.readouterr().out.splitlines()
    assert abs(float(surveys) - 0.48) < 0.01
    # Region 3 is one of eight; a strike of 4 % a month makes more than half of those who leave its own.
    assert usual.startswith("arrears ") and abs(float(usual.split()[1]) - 1 / 8) < 0.03
    assert strike.startswith("strike ") and float(strike.split()[1]) > 0.2
