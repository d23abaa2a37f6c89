"""A first call: a fresh process from its start to the first simulated month, with and without a filled cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import row

EXPERIMENT = Path(__file__).parents[1] / "experiments/quickstart.yaml"
CALL = """
import sys
import churnsim as cs
experiment = cs.load(sys.argv[1], overrides=[f"population.size={sys.argv[2]}"])
assert len(cs.simulate(experiment, months=int(sys.argv[3]))) >= int(sys.argv[2])
"""


def first_call(cache: str, subscribers: int, months: int) -> None:
    """Simulate in a fresh process whose compiled functions are kept below the folder `cache`."""
    command = [sys.executable, "-c", CALL, str(EXPERIMENT), str(subscribers), str(months)]
    subprocess.run(command, env=os.environ | {"XDG_CACHE_HOME": cache}, check=True)


def cold(subscribers: int, months: int) -> Callable[[], None]:
    """Everything is compiled."""
    cache = tempfile.mkdtemp()
    return lambda: first_call(cache, subscribers, months)


def warm(subscribers: int, months: int) -> Callable[[], None]:
    """Everything comes from the cache."""
    call = cold(subscribers, months)
    call()
    return call


if __name__ == "__main__":
    row.main({"cold": cold, "warm": warm}, packages=["numba", "numpy"], warm_up=False)
