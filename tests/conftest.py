"""Real data for the tests that read it, and what the closing summary says about them."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# Examples are the same in every run, and a slow machine is not a fault of the code.
settings.register_profile("churnsim", derandomize=True, deadline=None)
settings.load_profile("churnsim")

DATA_VARIABLE = "CHURNSIM_DATA"


@pytest.fixture
def data_dir() -> Path:
    """Folder of the real data sets, named by CHURNSIM_DATA."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        pytest.skip(f"{DATA_VARIABLE} is not set: it names the folder of the real data sets")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"{DATA_VARIABLE} names {folder}, which is not a folder; correct or unset it")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if "data_dir" in getattr(item, "fixturenames", ()):
        report.user_properties.append(("real data", item.nodeid))
        if report.skipped and os.environ.get(DATA_VARIABLE) and not hasattr(report, "wasxfail"):
            report.outcome = "failed"
            report.longrepr = f"skipped although {DATA_VARIABLE} is set: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    outcomes = {
        nodeid: category
        for category in ("passed", "skipped", "failed", "error")
        for report in terminalreporter.stats.get(category, [])
        for name, nodeid in getattr(report, "user_properties", [])
        if name == "real data"
    }
    if outcomes:
        folder = os.environ.get(DATA_VARIABLE, "not set")
        terminalreporter.section(f"tests on real data ({DATA_VARIABLE}: {folder})")
        for nodeid, outcome in sorted(outcomes.items()):
            terminalreporter.line(f"{outcome}: {nodeid}")
