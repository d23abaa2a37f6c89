"""The example of the page on staffing runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def test_the_page_on_staffing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "staffing.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(ROOT)
    # Both engines keep the same log: here the one that need not be compiled first.
    script = script.replace('.yaml")', '.yaml", overrides=["capacity.engine=simpy"])')
    names: dict[str, Any] = {}
    exec(compile(script, "docs/staffing.md", "exec"), names)
    found = names["found"]
    levels = found.curve.set_index("agents")["service_level"]
    assert levels[found.agents] >= 0.8 > levels[found.agents - 1]
    assert found.answer == f"80 % of hotline answered within 20 s: {found.agents} agents of team hotline_desk."
