"""Months of random centres, worked once for all rules that they must keep."""

from __future__ import annotations

import pytest

from .replay import Replay
from .scenarios import scenario, seed_of_the_day

SEEDS, NIGHTLY_SEEDS = 400, 2000


@pytest.fixture(scope="session", params=["fixed", pytest.param("of the day", marks=pytest.mark.nightly)])
def replays(request):
    """The month of each seed's centre."""
    first, number = (0, SEEDS) if request.param == "fixed" else (seed_of_the_day(), NIGHTLY_SEEDS)
    return [Replay(case, case.log()) for case in map(scenario, range(first, first + number))]
