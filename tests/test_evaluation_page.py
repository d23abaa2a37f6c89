"""The examples of the page on evaluation run, and say what stands beside them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "evaluation.md"


def test_the_examples_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/evaluation.md", "exec"), names)
    # Call where x > .2, two fifths of all: 1 + 2 x - .5, with x .6 on average; four standard errors.
    gain, table = names["gain"], names["values"]
    assert abs(gain.mean - 0.4 * 1.7) < 4 * table.loc["dr", "standard_error"]
    assert table.loc["dr", "standard_error"] < table.loc["ipw", "standard_error"]
    estimated, true = names["estimated"], names["true"]
    assert (np.abs(estimated["gain"] - true["gain"]) <= 4 * estimated["standard_error"]).all()
    assert 0.8 < names["lost"].share_kept < 0.99
    assert len(names["tenths"]) == 20 and len(names["accuracy"]) == 2
    said = capsys.readouterr().out
    assert "Better than call_only: both." in said
    assert said.endswith("23.8756 at 87.4%; pays from 16.42% on; [ 5.5 -0.5]\n")
    assert names["kinds"].counts["subscribers"].min() > 0


def test_the_page_names_functions_that_are_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = re.findall(r"^\| [^|]+ \| ((?:`\w+`,? ?)+)\| (.*) \|$", text, re.MULTILINE)
    assert len(table) == 6
    for modules, functions in table:
        found = [importlib.import_module(f"churnsim.evaluation.{name}") for name in re.findall(r"`(\w+)`", modules)]
        for name in re.findall(r"`(\w+)`", functions):
            assert any(hasattr(module, name) for module in found), name
